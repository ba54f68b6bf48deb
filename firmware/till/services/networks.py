"""The Wi-Fi networks this terminal knows: at most two, sealed in the vault, best first. They never leave it again."""

import json

from micropython import const

from till.core.errors import InvalidValue, StorageError
from till.core.fields import text

_RECORD = "wifi"
_MOST = const(2)


class Networks:
    """`vault`: where they are kept."""

    def __init__(self, vault):
        self._vault = vault

    def all(self) -> list:
        """`[(ssid, password), …]`, best first; empty when there are none."""
        sealed = self._vault.get(_RECORD)
        if sealed is None:
            return []
        try:
            return [(ssid, password) for ssid, password in json.loads(sealed)]
        except (ValueError, TypeError):
            raise StorageError("wifi record")

    def set(self, networks) -> None:
        """Replace them by what `check_networks` returned."""
        self._vault.put(_RECORD, json.dumps(networks).encode())


def check_networks(networks) -> list:
    """1 or 2 lists of SSID (1–32 octets of UTF-8) and password (8–63 octets, or "" for none); else InvalidValue."""
    if not isinstance(networks, list) or not 1 <= len(networks) <= _MOST:
        raise InvalidValue("one or two networks")
    for pair in networks:
        if not isinstance(pair, list) or len(pair) != 2:
            raise InvalidValue("network")
        ssid, password = pair
        text(ssid, 32, "network name")
        if len(ssid.encode()) > 32:
            raise InvalidValue("network name")
        if not isinstance(password, str) or (password and not 8 <= len(password.encode()) <= 63):
            raise InvalidValue("network password")
    return networks
