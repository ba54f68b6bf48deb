"""What the person chose and nobody needs to hide: language, sounds, brightness. Kept over restarts and updates."""

import hashlib
import json

from micropython import const

from till.core.errors import InvalidValue, StorageError

_NOT_FOUND = const(-0x1102)  # ESP_ERR_NVS_NOT_FOUND
_INVALID_LENGTH = const(-0x110C)  # ESP_ERR_NVS_INVALID_LENGTH
_MAX = const(512)


def _one_of(*choices):
    return lambda value: value in choices


def _between(low: int, high: int):
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


# name: (what holds when nothing was chosen, what may be chosen)
_SETTINGS = {
    "language": ("zh", _one_of("zh", "en")),
    "volume": (2, _between(0, 3)),
    "brightness": (80, _between(10, 100)),  # percent
    "dim_after": (60, _between(0, 3600)),  # seconds; 0: never
}


class Settings:
    """Two copies in `nvs` (as esp32.NVS), written in turn: the newer whole one counts, so a cut loses at most a change.

    What cannot be read, or is out of its bounds, is as it was when nothing was chosen.
    """

    def __init__(self, nvs):
        self._nvs = nvs
        self._number = 0
        self._chosen = {}
        for slot in (0, 1):
            number, chosen = self._read(slot)
            if number > self._number:
                self._number, self._chosen = number, chosen

    def get(self, name: str):
        """Value of setting `name`; InvalidValue when there is no such setting."""
        if name not in _SETTINGS:
            raise InvalidValue("setting")
        return self._chosen.get(name, _SETTINGS[name][0])

    def set(self, name: str, value) -> None:
        """Choose `value`, durably. InvalidValue when it is not among the choices; nothing is written when it stands."""
        if self.get(name) == value and type(self.get(name)) is type(value):
            return
        if not _SETTINGS[name][1](value):
            raise InvalidValue("setting " + name)
        chosen = dict(self._chosen)
        chosen[name] = value
        self._write(chosen)

    def reset(self) -> None:
        """Back to what holds when nothing was chosen."""
        if self._chosen:
            self._write({})

    def _write(self, chosen: dict) -> None:
        number = self._number + 1
        body = number.to_bytes(4, "big") + json.dumps(chosen).encode()
        try:
            self._nvs.set_blob("settings/%d" % (number & 1), hashlib.sha256(body).digest()[:8] + body)
            self._nvs.commit()
        except OSError as e:
            raise StorageError("nvs %s" % e.errno)
        self._number, self._chosen = number, chosen

    def _read(self, slot: int) -> tuple:
        buffer = bytearray(_MAX)
        try:
            blob = buffer[: self._nvs.get_blob("settings/%d" % slot, buffer)]
        except OSError as e:
            if e.errno not in (_NOT_FOUND, _INVALID_LENGTH):
                raise StorageError("nvs %s" % e.errno)
            return 0, {}
        body = bytes(blob[8:])
        if len(body) < 6 or hashlib.sha256(body).digest()[:8] != bytes(blob[:8]):
            return 0, {}
        try:
            chosen = json.loads(body[4:])
        except ValueError:
            chosen = None
        if not isinstance(chosen, dict):
            return 0, {}
        known = {n: v for n, v in chosen.items() if n in _SETTINGS and _SETTINGS[n][1](v)}
        return int.from_bytes(body[:4], "big"), known
