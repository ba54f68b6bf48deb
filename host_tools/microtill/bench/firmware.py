"""The firmware process: the MicroPython Unix port with two inherited socket pairs and its console on pipes."""

import contextlib
import os
import socket
import subprocess
from collections import deque
from pathlib import Path

from microtill.paths import BOARDS, micropython

HEAP = 256 * 1024
# Of a board that runs files: the collector has most of the PSRAM, and objects are larger here; and the blocks that
# boards/SIM/simrepl.py keeps of the file system.
PSRAM_HEAP = (4 << 20) + (64 << 10)
# What the simulation itself takes of the heap, so that the firmware has HEAP to itself: boards/SIM, and the pins, buses
# and other peripherals of a board, which on a device are no objects of the heap (a test measures it).
SIM_HEAP = 44 * 1024 + 512
CONSOLE_LINES = 10_000


class Firmware:
    """One life of the firmware, from power-on or reset to its end. `prompt`: MicroPython's, when its files have run."""

    def __init__(self, sim: Path, heap: int, prompt: bool = False):
        self.bus, bus = socket.socketpair()
        self.events, events = socket.socketpair()
        for ours in (self.bus, self.events):
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        for theirs in (bus, events):
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        events.setblocking(False)  # the flag belongs to the open description: the firmware inherits it
        self.events.setblocking(False)
        boot = BOARDS / "SIM" / "simboot.py"
        environment = dict(os.environ, MICROPYPATH=".frozen", TZ="UTC")
        environment.pop("HOME", None)  # where the port's prompt would keep its history
        self.process = subprocess.Popen(
            [
                *(micropython(), "-X", f"heapsize={heap}", *(["-i"] if prompt else [])),
                *(boot, sim, str(bus.fileno()), str(events.fileno())),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[bus.fileno(), events.fileno()],
            env=environment,
            start_new_session=True,  # a Ctrl-C on the desk is not the firmware's
        )
        bus.close()
        events.close()
        assert self.process.stdin and self.process.stdout
        self.stdin = self.process.stdin.fileno()
        self.stdout = self.process.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)

    def kill(self) -> None:
        """Gone at once, as without a supply."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.close()

    def close(self) -> int:
        """Let go of every descriptor; returns the exit status."""
        status = self.process.wait()
        self.bus.close()
        self.events.close()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            with contextlib.suppress(OSError):
                pipe.close()
        return status


class Console:
    """What the firmware printed, in lines."""

    def __init__(self):
        self.lines: deque[str] = deque(maxlen=CONSOLE_LINES)
        self.total = 0
        self._partial = bytearray()

    def feed(self, data: bytes) -> list[str]:
        """Take in octets; returns the lines that are now complete."""
        self._partial += data
        *whole, rest = self._partial.split(b"\n")
        self._partial = bytearray(rest)
        lines = [bytes(line).decode("utf-8", "replace").rstrip("\r") for line in whole]
        self.lines.extend(lines)
        self.total += len(lines)
        return lines

    def flush(self) -> list[str]:
        """The process ended: a last line without its newline counts."""
        return self.feed(b"\n") if self._partial else []


def image_room(path: Path | None) -> int:
    """Heap that an image takes here and not in a device's flash: itself, and the collector's 3 bits a block of 32."""
    return path.stat().st_size * 259 // 256 if path else 0
