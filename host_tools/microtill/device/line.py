"""A serial port, opened for one job and always closed: lines out, lines in, a typed error for all that happens to it.

Only pyserial is used here, so that COM ports work as ttys do.
"""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import serial

from microtill.device import owner
from microtill.device.console import Console
from microtill.device.errors import NoAnswer, NoPermission, NoSuchPort, PortBusy, Unplugged, UsageError

BAUDRATE = 115200
WRITE_SECONDS = 10.0
_LINES_KEPT = 4096
_LINE_MAX = 1 << 20  # what never ends is no line
_READ_SIZE = 4096

_ESPRESSIF = 0x303A
# Behind a USB-to-UART bridge nothing holds the laptop back: the UART of an ESP32 buffers 260 bytes.
_BRIDGE_CHUNK = 128
_BRIDGE_PAUSE = 0.012  # s; what 128 bytes take at 115200 Bd

_GONE = (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO)
_TAKEN = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)


class Line:
    """The port at `path` (a device or a COM name), exclusively. Use as a context manager, or `open` and `close`.

    `vid`: USB vendor, when it is known: data for a UART bridge are paced. Raises NoSuchPort, NoPermission, PortBusy or
    UsageError when it is opened; Unplugged when the port vanishes later, NoAnswer when it takes no more data.
    """

    def __init__(self, path: str, vid: int | None = None):
        self.path = path
        self._paced = vid not in (None, _ESPRESSIF)
        self._serial: serial.Serial | None = None
        self._lines: list[str] = []
        self._dropped = 0
        self._rest = bytearray()
        self.console = Console(self.write, self.lines)

    def open(self) -> None:
        """Open the port. Nothing is sent; a board may restart when its port is opened."""
        try:
            # Through a symbolic link a pty is ten times slower.
            self._serial = serial.Serial(
                os.path.realpath(self.path) if os.sep == "/" else self.path,
                BAUDRATE,
                timeout=0,
                write_timeout=WRITE_SECONDS,
                exclusive=True,
            )
        except (OSError, ValueError) as e:
            raise _opening_error(self.path, e) from e

    def close(self) -> None:
        """Give the port back. May be called again."""
        port, self._serial = self._serial, None
        if port is None:
            return
        try:
            # RTS first: let go of together, some bridges on Windows reset the board. A pty has no such lines, and a
            # vanished port has none any more.
            with contextlib.suppress(OSError, ValueError):
                port.rts = False
                port.dtr = False
        finally:
            with contextlib.suppress(OSError):  # vanished: the system has closed it
                port.close()

    def __enter__(self) -> "Line":
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def write(self, text: str) -> None:
        """Send `text`."""
        self.send(text.encode())

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        port = self._opened()
        step = _BRIDGE_CHUNK if self._paced else max(len(data), 1)
        try:
            for at in range(0, len(data), step):
                if at:
                    time.sleep(_BRIDGE_PAUSE)
                port.write(data[at : at + step])
        except serial.SerialTimeoutException as e:
            raise NoAnswer(port=self.path) from e
        except OSError as e:
            raise Unplugged(port=self.path) from e

    def lines(self) -> list[str]:
        """Every line that has come so far (the last 4096), without its end; what is no UTF-8 is replaced."""
        self._read()
        return self._lines

    def follow(self, since: int = 0) -> tuple[list[str], int]:
        """The lines from number `since` on, and the number of the next one."""
        self._read()
        return self._lines[max(since - self._dropped, 0) :], self.count

    @property
    def count(self) -> int:
        """How many lines were taken in so far: the number of the next one."""
        return self._dropped + len(self._lines)

    @property
    def rest(self) -> str:
        """What has come since the last line's end: a prompt, for example."""
        return self._rest.decode("utf-8", "replace")

    @property
    def port(self) -> serial.Serial:
        """The open port itself, for a moment, for one who reads and writes in a way of his own. Raises Unplugged."""
        return self._opened()

    @property
    def there(self) -> bool:
        """Whether the port still exists, as far as the system tells."""
        return self._there()

    def wait(self, timeout: float) -> Iterator[list[str]]:
        """All lines, again and again until `timeout` seconds have passed: for loops that look for something."""
        deadline = time.monotonic() + timeout
        while True:
            yield self.lines()
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)

    def _opened(self) -> serial.Serial:
        if self._serial is None:
            raise Unplugged(port=self.path)
        return self._serial

    def _read(self) -> None:
        port = self._opened()
        try:
            while data := port.read(_READ_SIZE):
                self._take(data)
                if len(data) < _READ_SIZE:
                    break
        except (OSError, TypeError) as e:  # TypeError: how pyserial fails when the descriptor went in the middle
            raise Unplugged(port=self.path) from e
        if not self._there():
            raise Unplugged(port=self.path)

    def _there(self) -> bool:
        # A pty whose board has gone reads as empty; a device node that has gone is gone.
        return os.sep != "/" or Path(self.path).exists()

    def _take(self, data: bytes) -> None:
        self._rest.extend(data)
        *whole, rest = self._rest.split(b"\n")
        self._lines.extend(line.rstrip(b"\r").decode("utf-8", "replace") for line in whole)
        if len(self._lines) > _LINES_KEPT:
            self._dropped += len(self._lines) - _LINES_KEPT
            del self._lines[:-_LINES_KEPT]
        self._rest = bytearray(rest[-_LINE_MAX:])


def _opening_error(path: str, e: Exception) -> Exception:
    """The typed error for what pyserial raised; Windows tells in words what POSIX tells by number."""
    number = getattr(e, "errno", None)
    said = str(e)
    if os.name == "nt":
        if "FileNotFoundError" in said:
            return NoSuchPort(port=path)
        if "PermissionError" in said:  # access denied: another program has it
            return PortBusy(port=path, program=owner.program_of(path))
    if number in _GONE:
        return NoSuchPort(port=path)
    if number in (errno.EACCES, errno.EPERM):
        group = owner.group_of(path)
        return NoPermission(None if group else "error.no_permission_at_all", port=path, group=group)
    if number in _TAKEN:
        return PortBusy(port=path, program=owner.program_of(path))
    return UsageError("error.not_a_port", port=path)
