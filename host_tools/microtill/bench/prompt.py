"""Makes the Unix port's prompt behave as the ESP32 port's does on its serial line.

The firmware process has no terminal: pipes carry its console, and this stands between them and the serial port. It
hides the Unix port's own start and banner, brings a soft reset back to the prompt it was typed at, turns Ctrl-C into
KeyboardInterrupt at a moment when that harms nothing, and ends lines with CR LF.
"""

import contextlib
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

_RAW = b"raw REPL; CTRL-B to exit\r\n"
_FRIENDLY = b'Type "help()" for more information.\r\n'
_PROMPT = b">>> "
_LONE_LF = re.compile(rb"(?<!\r)\n")
_INTERRUPT = b"\x03"

# What mpremote's mount sends from the board after 0x18 and the command's number: `s` is a length (4 octets) and so many
# octets, a digit is so many octets.
_FRAMES = {
    1: "s", 2: "s", 3: "", 4: "ss", 5: "1", 6: "14", 7: "1", 8: "1s", 9: "141", 10: "s", 11: "ss", 12: "s", 13: "s",
}  # fmt: skip
_FRAME = 0x18
_MOUNT = b"__mount()"


class Newlines:
    """Ends each line with CR LF, as the port's `print` does; frames of mpremote's mount pass as they are."""

    def __init__(self):
        self.mounted = False
        self._cr = b""  # what has passed last, when it was a CR
        self._layout: str | None = None  # of the frame that passes: what is still to come; None between frames
        self._number = False  # the frame's command is the next octet
        self._raw = 0  # octets that pass untouched
        self._length: bytearray | None = None

    def feed(self, data: bytes) -> bytes:
        if not self.mounted:
            return self._text(data)
        out = bytearray()
        at = 0
        while at < len(data):
            if self._layout is None:
                start = data.find(_FRAME, at)
                end = len(data) if start < 0 else start
                out += self._text(data[at:end])
                at = end
                if start >= 0:
                    self._layout, self._number = "", True
                    out.append(_FRAME)
                    at += 1
                continue
            if self._raw:
                n = min(self._raw, len(data) - at)
                self._raw -= n
            else:
                n = 1
                self._octet(data[at])
            out += data[at : at + n]
            at += n
            self._next()
        return bytes(out)

    def _octet(self, octet: int) -> None:
        if self._number:
            self._number = False
            self._layout = _FRAMES.get(octet, "")
        elif self._length is not None:
            self._length.append(octet)
            if len(self._length) == 4:
                self._raw = int.from_bytes(self._length, "little")
                self._length = None

    def _next(self) -> None:
        """Once a part of a frame has passed: what the next one is."""
        if self._raw or self._number or self._length is not None:
            return
        if not self._layout:
            self._layout = None
            return
        part, self._layout = self._layout[0], self._layout[1:]
        if part == "s":
            self._length = bytearray()
        else:
            self._raw = int(part)

    def _text(self, data: bytes) -> bytes:
        if not data:
            return b""
        lines = _LONE_LF.sub(b"\r\n", self._cr + data)[len(self._cr) :]
        self._cr = b"\r" if data.endswith(b"\r") else b""
        return lines


class Process:
    """The firmware's process. An octet of its memory, at `at_work`, is not 0 while its file system works."""

    def __init__(self, pid: int):
        self.pid = pid
        self.at_work = 0

    def status(self) -> tuple[str, bool]:
        """Its state (`R`, `S`, `T` stopped, `Z` ended) and whether a SIGINT would be caught: it is while Python runs
        with Ctrl-C on.
        """
        state, caught = "Z", False
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("State:"):
                    state = line.split()[1]
                elif line.startswith("SigCgt:"):
                    caught = bool(int(line.split()[1], 16) >> signal.SIGINT - 1 & 1)
        return state, caught

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def stop(self) -> bool:
        """Hold it where it is; returns whether a SIGINT would be caught there."""
        self.send(signal.SIGSTOP)
        while True:
            state, caught = self.status()
            if state in "TZX":
                return caught and state == "T"

    def in_file(self) -> bool:
        """Whether it is inside littlefs, once it is stopped."""
        with contextlib.suppress(OSError), open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(self.at_work)
            return memory.read(1) != b"\0"
        return False


class Prompt:
    """`type_` takes what the firmware is to read."""

    def __init__(self, name: str, type_: Callable[[bytes], None]):
        self.raw = False  # a soft reset comes back to the raw prompt
        self._name = name.encode()
        self._machine = b""  # what the port's banner calls the machine it runs on
        self._type = type_
        self._process: Process | None = None
        self._start()

    def _start(self) -> None:
        self._phase = "start"  # then files, banner, raw, open
        self._seen = b""
        self._tail = b""
        self._kept = bytearray()  # typed while nobody could take it, or behind a Ctrl-C that has not struck yet
        self._struck = False  # a Ctrl-C is to strike
        self._asked = b""
        self._newlines = Newlines()

    def started(self, pid: int) -> None:
        """A new life of the firmware."""
        self._start()
        self._process = Process(pid)

    def ended(self) -> None:
        self._process = None

    @property
    def waiting(self) -> bool:
        """A Ctrl-C waits for its moment: call `strike` again, at odd times."""
        return self._struck and self._phase in ("files", "open")

    def files(self, at_work: int) -> None:
        """boot.py is about to run. `at_work`: as in Process."""
        assert self._process
        self._process.at_work = at_work
        self._phase = "files"
        self._let_in()

    def booted(self) -> None:
        """boot.py and main.py are through; what comes next is the port's banner."""
        self._phase = "banner"

    # From the firmware

    def shown(self, data: bytes) -> bytes:
        """What of `data`, which the firmware printed, the computer sees."""
        if self._phase == "banner":
            self._seen += data
            at = self._seen.find(_PROMPT)
            if at < 0:
                return b""
            version, _, machine = self._seen[:at].splitlines()[0].partition(b";")
            self._machine = machine.strip()
            data, self._seen = self._seen[at + len(_PROMPT) :], b""
            if self.raw:
                self._phase = "raw"
                self._type(b"\x01")
            else:
                self._phase = "open"
                data = version + b"; " + self._name + b"\r\n" + _FRIENDLY + _PROMPT + data
                self._let_in()
        if self._phase == "raw":
            self._seen += data
            at = self._seen.find(_RAW)
            if at < 0:
                return b""
            data, self._seen = self._seen[at:], b""
            self._phase = "open"
            self._let_in()
        self._follow(data)
        return self._newlines.feed(data.replace(self._machine, self._name) if self._machine else data)

    def _follow(self, data: bytes) -> None:
        seen = self._tail + data
        raw, friendly = seen.rfind(_RAW), seen.rfind(_FRIENDLY)
        if raw != friendly:
            self.raw = raw > friendly
        self._tail = seen[-len(_FRIENDLY) :] if raw == friendly else b""

    # From the computer

    def typed(self, data: bytes) -> None:
        """What the computer sends, in order."""
        if not self._newlines.mounted:
            self._asked = (self._asked + data)[-4096:]
            if _MOUNT in self._asked:
                self._newlines.mounted = True
        self._kept += data
        self._let_in()

    def _let_in(self) -> None:
        """Hand on what the firmware may read now, up to the next Ctrl-C."""
        while self._kept and not self._struck and self._phase in ("files", "open"):
            text, interrupt, rest = bytes(self._kept).partition(_INTERRUPT)
            if (
                self._phase == "files" and self.raw
            ):  # the raw prompt is entered by typing: only Ctrl-C comes before that
                if not interrupt:
                    return
                rest = text + rest
            elif text:
                self._type(text)
            self._kept[:] = rest
            if interrupt:
                self._struck = True
                self.strike()

    def strike(self) -> None:
        """Ctrl-C: KeyboardInterrupt in Python that runs, else an octet to read.

        The port's signal handler leaves C code wherever it is. So the process is stopped, and what it does looked at,
        before the signal is sent: never inside littlefs, which would be left half-done.
        """
        process = self._process
        if not self._struck or process is None or self._phase not in ("files", "open"):
            return
        caught = process.stop()
        try:
            if caught:
                if process.in_file():
                    return
                process.send(signal.SIGINT)
            else:
                self._type(_INTERRUPT)
            self._struck = False
        finally:
            process.send(signal.SIGCONT)
        self._let_in()
