"""The real mpremote, as a process, at a virtual board; and what tests need beside it."""

import contextlib
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import serial
from microtill.bench.client import Timeout
from microtill.simulator.board import VirtualBoard

MPREMOTE = Path(sys.executable).with_name("mpremote")
SECONDS = 60


def mpremote(port: str, *arguments: str | Path, status: int | None = 0, cwd: Path | None = None) -> str:
    """What `mpremote connect PORT ARGUMENTS` prints, lines ended with LF. `status`: its exit (None: whatever)."""
    with started(port, *arguments, cwd=cwd) as process:
        out, _ = process.communicate(timeout=SECONDS)
    said = out.decode("utf-8", "replace").replace("\r\n", "\n")
    if status is not None:
        assert process.returncode == status, f"mpremote {arguments}: exit {process.returncode}\n{said}"
    return said


@contextlib.contextmanager
def started(port: str, *arguments: str | Path, cwd: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """mpremote while it works; it is ended when the test leaves it."""
    process = subprocess.Popen(
        [MPREMOTE, "connect", port, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(os.environ, TERM="dumb"),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


class Stream:
    """Reads with a deadline from a descriptor; `expect` returns what came, up to and with the text."""

    def __init__(self, fd: int):
        self.fd = fd
        self._have = b""

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.fd, data) :]

    def expect(self, text: bytes, seconds: float = 20) -> bytes:
        deadline = time.monotonic() + seconds
        while text not in self._have:
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} in {self._have!r}"
            if select.select([self.fd], [], [], left)[0]:
                self._have += os.read(self.fd, 65536)
        at = self._have.index(text) + len(text)
        came, self._have = self._have[:at], self._have[at:]
        return came


@contextlib.contextmanager
def typing(*command: str | Path) -> Iterator[Stream]:
    """A person at a terminal who runs `command`."""
    pid, fd = pty.fork()
    if not pid:
        os.execv(command[0], [str(word) for word in command])
    try:
        yield Stream(fd)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)


@contextlib.contextmanager
def opened(port: str) -> Iterator[Stream]:
    """The port through pyserial, as the technician's tools open it."""
    with serial.Serial(port, 115200, exclusive=True) as line:
        yield Stream(line.fileno())


def plug_when_it_is_out(vb: VirtualBoard) -> None:
    """Put the cable in again as soon as it is out."""
    try:
        vb.bench.wait(lambda: vb.bench.port() is None, "the cable to come out", 60)
    except Timeout:
        return  # the test then says that nothing was resumed
    vb.plug()
