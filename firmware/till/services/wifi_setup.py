"""What is on the air, and trying a network that a person has chosen. Loaded while somebody sets up the Wi-Fi."""

from micropython import const

from till.core.errors import TillError
from till.services.network_list import MOST, check_network

_MOST_FOUND = const(20)
_HIDDEN = const(5)  # place in what a scan returns
_LEVELS = (-80, -70, -60)  # dBm: from there on two, three, four bars


class WifiSetup:
    """`wifi`: the task that keeps the terminal on Wi-Fi, which stands back meanwhile; `networks`: those it knows."""

    def __init__(self, wifi, networks):
        self._wifi = wifi
        self._networks = networks

    def begin(self) -> None:
        """From now on the station is ours."""
        self._wifi.start_radio()
        self._wifi.held = True

    def end(self) -> None:
        """Let the terminal go on by itself, with what it knows now."""
        self._wifi.held = False
        self._wifi.retry()

    async def scan(self) -> list:
        """`[(ssid, strength 0 … 3, locked)]`, the strongest first, each name once.

        Hidden networks, and names that are no text or could not be told apart on the screen, are left out.
        """
        strongest = {}
        for found in await self._wifi.scan():
            ssid = _name(found)
            rssi, locked = found[3], found[4] != 0
            if ssid and (ssid not in strongest or rssi > strongest[ssid][0]):
                strongest[ssid] = rssi, locked
        ordered = sorted(strongest, key=lambda ssid: -strongest[ssid][0])[:_MOST_FOUND]
        return [(ssid, _strength(strongest[ssid][0]), strongest[ssid][1]) for ssid in ordered]

    async def join(self, ssid: str, password: str) -> str:
        """Try it now: "" when the terminal is on it, with an address; else the catalogue key of why not."""
        check_network(ssid, password)
        return "" if await self._wifi.join(ssid, password) else self._wifi.reason

    def keep(self, ssid: str, password: str) -> None:
        """Know this network first from now on, and the one that was first before it second."""
        others = [[name, secret] for name, secret in self._networks.all() if name != ssid]
        self._networks.set(([[ssid, password]] + others)[:MOST])


def _name(found) -> str:
    if found[_HIDDEN]:
        return ""
    try:
        ssid = found[0].decode()
        check_network(ssid, "")
    except (ValueError, TillError):
        return ""
    return ssid if ssid.strip() else ""


def _strength(rssi: int) -> int:
    return len([level for level in _LEVELS if rssi >= level])
