"""The other end of a serial port, played by a test: what no terminal of ours would do."""

import json
import os
import pty
import select
import threading
import tty
from collections.abc import Callable

RECORD = b"\x1e"


def answer(request: dict, **members) -> bytes:
    """A right answer to `request`."""
    return RECORD + json.dumps({"id": request["id"], "ok": True, **members}).encode() + b"\r\n"


def refusal(request: dict, error: str, detail: str = "") -> bytes:
    return RECORD + json.dumps({"id": request["id"], "ok": False, "error": error, "detail": detail}).encode() + b"\r\n"


class FarEnd:
    """A pseudo-terminal whose other end calls `reply(data)` for what comes and sends back what that returns.

    `port`: its path. `send(data)` speaks unasked, `vanish()` pulls the plug. Use it as a context manager.
    """

    def __init__(self, reply: Callable[[bytes], bytes] = lambda data: b""):
        self._reply = reply
        self._near, self._far = pty.openpty()
        tty.setraw(self._far)
        self.port = os.ttyname(self._far)
        self.heard = b""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        os.write(self._near, data)

    def vanish(self) -> None:
        """Both ends are closed: the port is gone."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            os.close(self._far)
            os.close(self._near)

    def _run(self) -> None:
        while not self._ended.is_set():
            if select.select([self._near], [], [], 0.02)[0]:
                data = os.read(self._near, 65536)
                self.heard += data
                if said := self._reply(data):
                    self.send(said)

    def __enter__(self) -> "FarEnd":
        return self

    def __exit__(self, *exc: object) -> None:
        self.vanish()


def requests(handle: Callable[[dict], bytes]) -> Callable[[bytes], bytes]:
    """A `reply` that calls `handle` for each whole request."""
    rest = bytearray()

    def reply(data: bytes) -> bytes:
        rest.extend(data)
        *lines, left = bytes(rest).split(b"\n")
        rest[:] = left
        return b"".join(handle(json.loads(line)) for line in lines if line.strip())

    return reply


def terminal(**status) -> Callable[[bytes], bytes]:
    """A `reply` of firmware that knows `status` and nothing else."""

    def handle(request: dict) -> bytes:
        if request["do"] == "status":
            return answer(request, **status)
        return refusal(request, "error.invalid_value", "unknown request")

    return requests(handle)
