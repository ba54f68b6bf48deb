"""The Wi-Fi networks this terminal knows: at most two, sealed in the vault, best first. They never leave it again."""

import json

from till.core.errors import StorageError

_RECORD = "wifi"


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
        """Replace them by `networks`, checked by network_list.py."""
        self._vault.put(_RECORD, json.dumps(networks).encode())
