"""This computer's own record of what was done to which unit, by whom and when. It holds no secrets.

One JSON object a line in `provisioning.log`, which only its owner reads.
"""

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from microtill.device import session
from microtill.device.errors import DeviceError, UsageError
from microtill.device.provisioning import Outcome

NAME = "provisioning.log"
_ROOM = 4096  # bytes that some lines need


def path() -> Path:
    """Where it is."""
    return session.folder() / NAME


def ready() -> None:
    """UsageError when this computer cannot keep a record now: nothing is begun that would need one."""
    with _keeping():
        append(path(), b"")
        room = path().with_name(f"{NAME}.{os.getpid()}")
        try:
            room.write_bytes(bytes(_ROOM))
        finally:
            room.unlink(missing_ok=True)


def note(who: session.Profile, outcome: Outcome, error: DeviceError | None) -> None:
    """Add a line, whole or not at all. UsageError when this computer cannot."""
    with _keeping():
        append(path(), (json.dumps(entry(who, outcome, error), ensure_ascii=False) + "\n").encode())


@contextmanager
def _keeping() -> Iterator[None]:
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as e:
        raise UsageError("error.cannot_log", path=path(), detail=e.strerror or type(e).__name__) from e


def append(path: Path, line: bytes) -> None:
    """Add `line` to a file that only its owner reads: on the disk, whole, or OSError and the file as it was."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if line and size:
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            if os.read(descriptor, 1) != b"\n":  # what a crash left of a line stays by itself
                line = b"\n" + line
        written = os.write(descriptor, line)
        end = os.lseek(descriptor, 0, os.SEEK_CUR)
        if written < len(line):  # the disk is full
            if os.fstat(descriptor).st_size == end:
                os.ftruncate(descriptor, end - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def entry(who: session.Profile, outcome: Outcome, error: DeviceError | None) -> dict[str, Any]:
    """What is noted: `error` is a key and never a text."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "operator": who.name,
        "acquirer": who.url,
        "port": outcome.port,
        "serial": outcome.serial,
        "tid": outcome.tid,
        "mid": outcome.mid,
        "version": outcome.version,
        "result": "failed" if error else "done",
        "error": error.key if error else "",
        "recorded": outcome.recorded,
        "seconds": outcome.seconds,
    }
