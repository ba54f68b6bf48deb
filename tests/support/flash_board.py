"""Virtual boards for the tests of `microtill flash` and `wipe`: in any state of being installed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from microtill.device.flashing import Outcome, Wishes, flash
from microtill.device.installed import MANIFEST, Release, manifest, release_for
from microtill.device.ports import Port
from microtill.paths import micropython
from microtill.release.architecture import target
from microtill.simulator.board import VirtualBoard, file_partition, prepare_flash

BOARD = "TILL_ESP32S3"


def release() -> Release:
    """What the virtual board should hold, for the MicroPython that the tests run on."""
    asked = [micropython(), "-c", "import sys; print(sys.implementation._mpy)"]
    return release_for(BOARD, target(int(subprocess.check_output(asked))))


def installed(state: Path, wanted: Release, changed: Mapping[str, bytes | None]) -> None:
    """Make a new flash in `state`: `wanted` by its manifest, but for the files in `changed` (None: not there)."""
    files = {**wanted.files, MANIFEST: manifest(wanted, wanted.sums), **changed}
    assert prepare_flash(state, BOARD, {path.lstrip("/"): data for path, data in files.items() if data is not None})


def put(vb: VirtualBoard, **wishes) -> Outcome:
    """Flash it."""
    return flash(Port(vb.port), Wishes(**wishes))


def besides_files(vb: VirtualBoard) -> bytes:
    """All of the flash but the file system, NVS too: what flashing must leave as it is."""
    part = file_partition(BOARD)
    flash_bytes = (vb.state / "flash.bin").read_bytes()
    return flash_bytes[: part.offset] + flash_bytes[part.end :]


def microtill(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command, as a process."""
    return subprocess.run(
        [sys.executable, "-m", "microtill.cli", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "MICROTILL_LANGUAGE": "en", **environment},
    )


def results(done: subprocess.CompletedProcess[str]) -> list[dict]:
    """What a command printed with --json."""
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@contextmanager
def two_boards(folder: Path) -> Iterator[tuple[VirtualBoard, VirtualBoard]]:
    """Two bare boards."""
    with VirtualBoard(folder / "a", blank=True) as a, VirtualBoard(folder / "b", blank=True) as b:
        yield a, b
