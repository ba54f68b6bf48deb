"""Keeps the terminal on Wi-Fi: tries the known networks in turn, for ever, and says why it is not on yet."""

import asyncio

from micropython import const

_CONNECT_S = const(20)
_POLL_MS = const(200)
_BACK_OFF_S = (1, 2, 5, 10, 20, 30)

# network.STAT_* of the ESP32 port; the module itself belongs to the board.
_IDLE = const(1000)
_CONNECTING = const(1001)
_GOT_IP = const(1010)
_REASONS = {
    201: "reason.wifi_not_found",
    202: "reason.wifi_password",
    204: "reason.wifi_password",
    203: "reason.wifi_refused",
    200: "reason.wifi_weak",
    210: "reason.wifi_password",
    211: "reason.wifi_password",
    212: "reason.wifi_weak",
}


class Wifi:
    """`wlan` is the board's station interface; `networks()` returns [(ssid, password)], best first, at most two."""

    def __init__(self, wlan, networks):
        self._wlan = wlan
        self._networks = networks
        self.reason = "reason.no_wifi"
        self.up = asyncio.Event()
        self.changed = asyncio.Event()

    @property
    def connected(self) -> bool:
        """True while the station has an address."""
        return self._wlan.isconnected()

    def start_radio(self) -> None:
        """RF on: also what makes the chip's random numbers random."""
        self._wlan.active(True)

    def retry(self) -> None:
        """The networks changed: try at once."""
        self.changed.set()

    async def run(self) -> None:
        """Stay connected, for ever."""
        self.start_radio()
        failures = 0
        while True:
            if self.connected:
                failures = 0
                self.reason = ""
                self.up.set()
                await asyncio.sleep_ms(_POLL_MS)
                continue
            self.up.clear()
            networks = self._networks()
            if not networks:
                self.reason = "reason.no_wifi"
                await self.changed.wait()
                self.changed.clear()
                continue
            ssid, password = networks[failures % len(networks)]
            if await self._join(ssid, password):
                continue
            wait = _BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)]
            failures += 1
            try:
                await asyncio.wait_for(self.changed.wait(), wait)
                self.changed.clear()
                failures = 0
            except asyncio.TimeoutError:
                continue

    async def _join(self, ssid, password) -> bool:
        wlan = self._wlan
        if self.reason in ("", "reason.no_wifi"):
            self.reason = "reason.connecting"
        try:
            wlan.disconnect()
            wlan.connect(ssid, password)
        except OSError as e:
            self.reason = "reason.no_wifi"
            self.error = repr(e)
            return False
        for _ in range(_CONNECT_S * 1000 // _POLL_MS):
            if self.connected:
                return True
            status = wlan.status()
            reason = _REASONS.get(status)
            if reason:
                self.reason = reason
                wlan.disconnect()
                return False
            await asyncio.sleep_ms(_POLL_MS)
        self.reason = "reason.wifi_silent"
        wlan.disconnect()
        return False
