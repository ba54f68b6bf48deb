"""The board's USB port on the desk: a pseudo-terminal that unmodified serial tools open."""

import contextlib
import errno
import os
import selectors
import tempfile
import time
import tty
from collections.abc import Callable
from pathlib import Path

_CHUNK = 4096
_QUEUE = 64 << 10  # octets that wait for a reader before the firmware is held back
_DEAF_S = 1.0  # a reader that takes nothing for so long is none: what waits is dropped, as USB does without a host

Watch = Callable[[int, int, Callable[[int], None]], None]


class SerialPort:
    """`watch(descriptor, mask, call)` is the loop's (mask 0: no longer); `received` is handed what the computer sends.

    `link`, when given, is a symbolic link that leads to the port as long as it is plugged in.
    """

    def __init__(self, link: Path | None, watch: Watch, received: Callable[[bytes], None]):
        self.link = link
        self.path: str | None = None
        self.paused = False  # takes nothing in: the firmware does not read
        self.taken = 0  # octets from the computer, since the bench started
        self._watch = watch
        self._received = received
        self._master = self._slave = -1
        self._queue = bytearray()
        self._deaf = False
        self._moved = 0.0  # when a reader last took something, or the queue was last empty
        self._left: int | None = None  # octets until the cable comes out
        if link and os.path.lexists(link) and not link.is_symlink():
            raise ValueError(f"{link} exists and is no symbolic link")

    def plug(self) -> None:
        """The port appears; it is another pseudo-terminal each time."""
        if self.path:
            return
        self._master, self._slave = os.openpty()  # our own end stays open: the port does not hang up between two tools
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._queue.clear()
        self._deaf = False
        self._left = None
        if self.link:
            self.link.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mktemp(prefix=self.link.name, dir=self.link.parent))
            fresh.symlink_to(self.path)
            fresh.replace(self.link)
        self._rewatch()

    def unplug(self, after: int | None = None) -> None:
        """The port vanishes now, or once the computer has sent `after` more octets (the rest of them is lost)."""
        if not self.path:
            return
        if after:
            self._left = after
            return
        self._watch(self._master, 0, self._on_ready)
        os.close(self._master)
        os.close(self._slave)
        path, self.path = self.path, None
        self._queue.clear()
        if self.link and self.link.is_symlink() and os.readlink(self.link) == path:
            self.link.unlink()

    def write(self, data: bytes) -> None:
        """Towards the computer. Lost when there is no cable, or nobody listens."""
        if not self.path:
            return
        if not self._queue:
            self._moved = time.monotonic()
        self._queue += data
        self._flush()

    @property
    def full(self) -> bool:
        """So much waits for a reader that no more should be made."""
        return len(self._queue) >= _QUEUE

    def wait(self) -> float | None:
        """Seconds until `tick` has something to do."""
        return max(0.0, self._moved + _DEAF_S - time.monotonic()) if self._queue else None

    def tick(self) -> None:
        """Give up on a reader that has taken nothing for a second."""
        if self._queue and time.monotonic() - self._moved >= _DEAF_S:
            self._deaf = True
            self._queue.clear()
            self._rewatch()

    def pause(self, paused: bool) -> None:
        """Take nothing in from the computer, or take it in again."""
        if paused != self.paused:
            self.paused = paused
            self._rewatch()

    def _rewatch(self) -> None:
        if self.path:
            reads = 0 if self.paused else selectors.EVENT_READ
            writes = selectors.EVENT_WRITE if self._queue else 0
            self._watch(self._master, reads | writes, self._on_ready)

    def _on_ready(self, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush()
        if mask & selectors.EVENT_READ and self.path:
            most = _CHUNK if self._left is None else min(_CHUNK, self._left)
            try:
                data = os.read(self._master, most)
            except BlockingIOError:
                return
            except OSError as e:
                if e.errno != errno.EIO:
                    raise
                return  # between two tools
            self.taken += len(data)
            self._received(data)
            if self._left is not None:
                self._left -= len(data)
                if not self._left:
                    self.unplug()

    def _flush(self) -> None:
        waited = bool(self._queue)
        with contextlib.suppress(BlockingIOError):
            while self._queue:
                del self._queue[: os.write(self._master, self._queue[:_CHUNK])]
                self._moved = time.monotonic()
                self._deaf = False
        if self._deaf:
            self._queue.clear()
        if waited:
            self._rewatch()
