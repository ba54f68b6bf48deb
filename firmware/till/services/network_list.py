"""Checks of Wi-Fi networks where they enter: from a technician's laptop, or from the keypad."""

from micropython import const

from till.core.errors import InvalidValue
from till.core.fields import text

MOST = const(2)  # networks that a terminal knows
PASSWORD_MIN = const(8)
PASSWORD_MAX = const(63)


def check_networks(networks) -> list:
    """1 or 2 lists of SSID and password as `check_network` wants them; else InvalidValue."""
    if not isinstance(networks, list) or not 1 <= len(networks) <= MOST:
        raise InvalidValue("one or two networks")
    for pair in networks:
        if not isinstance(pair, list) or len(pair) != 2:
            raise InvalidValue("network")
        check_network(pair[0], pair[1])
    return networks


def check_network(ssid: object, password: object) -> None:
    """InvalidValue unless `ssid` is 1–32 octets of UTF-8 and `password` 8–63 octets, or "" for none."""
    if len(text(ssid, 32, "network name").encode()) > 32:
        raise InvalidValue("network name")
    if not isinstance(password, str) or (password and not PASSWORD_MIN <= len(password.encode()) <= PASSWORD_MAX):
        raise InvalidValue("network password")
