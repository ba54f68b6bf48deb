"""What happened, for the engineer: one line an event on the USB console, and the last ones kept for the support bundle.

No card data, key or password is ever written: of an unexpected error only its class and where it came from.
"""

import gc
import io
import sys

from micropython import const

from till.core.errors import TillError

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

_KEPT = const(16)


class Log:
    """`out` is the console's stream; `clock()` gives Unix seconds once there is a clock."""

    def __init__(self, out):
        self._out = out
        self.clock: "Callable[[], int] | None" = None
        self.lines = []

    def event(self, source: str, text: str) -> None:
        """Write one line."""
        line = "%s %s: %s" % (self.clock() if self.clock else "-", source, text)
        if len(self.lines) >= _KEPT:
            self.lines.pop(0)
        self.lines.append(line)
        self._out.write(line + "\n")

    def error(self, source: str, error: BaseException) -> None:
        """An error that was handled: a TillError by key and detail, any other by class and place. Never raises."""
        try:
            self._error(source, error)
        except MemoryError:
            gc.collect()
            self._out.write(source)
            self._out.write(": no memory to say what went wrong\n")

    def _error(self, source: str, error: BaseException) -> None:
        if isinstance(error, TillError):
            self.event(source, "%s %s" % (error.key, error.detail))
            return
        text = _Text()
        sys.print_exception(error, text)
        trace = [line.strip() for line in text.value.decode().split("\n") if line.startswith("  File")]
        self.event(source, "%s at %s" % (type(error).__name__, " < ".join(reversed(trace[-4:]))))


class _Text(io.IOBase):
    def __init__(self):
        self.value = b""

    def write(self, data):
        self.value += bytes(data)
        return len(data)
