"""Messages between the bench and its owner: a JSON object and, behind it, raw octets (a picture)."""

import json
import struct

_HEAD = struct.Struct(">II")  # length of the JSON, length of the octets


def encode(message: dict, blob: bytes = b"") -> bytes:
    text = json.dumps(message, ensure_ascii=False).encode()
    return _HEAD.pack(len(text), len(blob)) + text + blob


class Decoder:
    """Cuts a stream into messages."""

    def __init__(self):
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[tuple[dict, bytes]]:
        self._pending += data
        found = []
        while len(self._pending) >= _HEAD.size:
            text, blob = _HEAD.unpack_from(self._pending)
            middle = _HEAD.size + text
            if len(self._pending) < middle + blob:
                break
            message = json.loads(self._pending[_HEAD.size : middle])
            found.append((message, bytes(self._pending[middle : middle + blob])))
            del self._pending[: middle + blob]
        return found
