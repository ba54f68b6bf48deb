"""The page's server for tests, on a thread of its own, and a page without a browser."""

import asyncio
import contextlib
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator

from microtill.simulator.page.server import listen, serve
from microtill.simulator.page.session import Session
from websockets import Origin
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

DEADLINE_S = 20.0


@contextlib.contextmanager
def served(make: Callable[[], Session], port: int = 0) -> Iterator[str]:
    """The URL at which the session of `make()` is served until the block is left."""
    told: list[str] = []
    ready = threading.Event()
    stop: list[Callable[[], object]] = []
    failed: list[BaseException] = []

    async def main(listening) -> None:
        task = asyncio.current_task()
        assert task
        stop.append(lambda: loop.call_soon_threadsafe(task.cancel))
        loop = asyncio.get_running_loop()
        with contextlib.suppress(asyncio.CancelledError):
            await serve(make(), listening, lambda url: (told.append(url), ready.set()))

    def run() -> None:
        try:
            with listen(port) as listening:
                asyncio.run(main(listening))
        except BaseException as e:  # noqa: BLE001 (raised in the test's own thread)
            failed.append(e)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="page server", daemon=True)
    thread.start()
    assert ready.wait(DEADLINE_S)
    if failed:
        raise failed[0]
    try:
        yield told[0]
    finally:
        stop[0]()
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), "the server does not end"
        if failed:
            raise failed[0]


class Page:
    """What page.js does, in Python: the state, the lists and the panel as the server told them."""

    def __init__(self, url: str, origin: str | None = None):
        self._open = contextlib.ExitStack()
        self._socket: ClientConnection = self._open.enter_context(
            connect(url.replace("http", "ws") + "terminal", origin=Origin(origin or url.rstrip("/")), max_size=1 << 20)
        )
        self.state: dict = {}
        self.lists: dict[str, list] = {}
        self.refused: list[dict] = []
        self.width = self.height = 0
        self.panel = bytearray()
        self.pictures: list[tuple[int, int]] = []
        self.until(lambda page: page.state, "the state")

    def send(self, message: object) -> None:
        self._socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def key(self, *keys: str) -> None:
        for key in keys:
            self.send({"do": "press", "key": key})
            self.send({"do": "release", "key": key})

    def until(self, holds: Callable[["Page"], object], what: str = "it") -> None:
        """Take messages in until `holds(self)`."""
        deadline = time.monotonic() + DEADLINE_S
        while not holds(self):
            try:
                self._take(self._socket.recv(timeout=max(0, deadline - time.monotonic())))
            except TimeoutError:
                raise AssertionError(f"{what} did not come; there is {self.state} {self.lists}") from None

    def close(self) -> None:
        self._open.close()

    def closed_by_server(self) -> bool:
        """Whether the server closes this connection."""
        try:
            while True:
                self._take(self._socket.recv(timeout=DEADLINE_S))
        except ConnectionClosed:
            return True
        except TimeoutError:
            return False

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            width, height, first, rows = struct.unpack_from(">HHHH", message)
            if (width, height) != (self.width, self.height):
                assert (first, rows) == (0, height), "a part of a panel that was never shown whole"
                self.width, self.height, self.panel = width, height, bytearray(width * height * 3)
            assert len(message) == 8 + rows * width * 3
            self.panel[first * width * 3 : (first + rows) * width * 3] = message[8:]
            self.pictures.append((first, rows))
            return
        told = json.loads(message)
        self.state |= told.get("state", {})
        self.lists |= told.get("lists", {})
        for name, entries in told.get("add", {}).items():
            self.lists[name] += entries
        if "refused" in told:
            self.refused.append(told)
