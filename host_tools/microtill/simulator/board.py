"""A virtual board at a serial port: a MicroPython board to mpremote, to pyserial and to the technician's commands.

Its files lie in a littlefs2 image, the `vfs` partition of the state's flash. It starts as an ESP32 does: boot.py,
main.py, then the prompt; the board around it is the bench's, with its chips, keys, cards and Wi-Fi.
"""

import json
import os
import tempfile
from pathlib import Path

from littlefs import LittleFS, UserContext

from microtill.acquirer.process import AcquirerProcess
from microtill.bench import partitions
from microtill.bench.client import Bench
from microtill.paths import BOARDS
from microtill.release import boards
from microtill.release.image import build_files, build_image
from microtill.simulator.world import World

_BLOCK = 4096
_BOOT = b"# Runs at each start, before main.py.\n"


class VirtualBoard:
    """Use it as a context manager; leaving it ends its processes.

    `state`: folder of its flash, kept (None: forgotten at the end). A new one gets the firmware's files, or with
    `blank` nothing, as a bare MicroPython; a board whose build has the terminal frozen in runs that, and gives no
    prompt (`frozen`). `acquirer`: what its Wi-Fi reaches; it is left running. `link`: where a symbolic link to the port
    is kept. `unique_id`: of its microcontroller, 12 hex digits, which also are its serial. `bench` and `world` are the
    hands and eyes at the board.
    """

    def __init__(
        self,
        state: Path | str | None = None,
        blank: bool = False,
        board: str = "TILL_ESP32S3",
        acquirer: AcquirerProcess | None = None,
        link: Path | str | None = None,
        unique_id: str = "02005e100001",
    ):
        self._temporary = None if state else tempfile.TemporaryDirectory(prefix="microtill-board-")
        self.state = Path(state or (self._temporary.name if self._temporary else ""))
        self.board = board
        self.link = Path(os.path.abspath(link)) if link else None
        self.frozen = not blank and boards.frozen(board)
        if not blank and not self.frozen:
            prepare_flash(self.state, board, build_files(board))
        self.world = World(
            board=board,
            image=build_image(board) if self.frozen else None,
            state=self.state,
            acquirer=acquirer or False,
            unique_id=unique_id,
            serial=self.link or True,
        )

    @property
    def bench(self) -> Bench:
        return self.world.bench

    @property
    def port(self) -> str:
        """What to open: the link if there is one, else the pseudo-terminal (another one each time it is plugged in)."""
        return str(self.link or self.bench.port() or "")

    def unplug(self, after_bytes: int | None = None) -> None:
        """Pull the cable now, or when the computer has sent so many bytes more; what follows them is lost."""
        self.bench.unplug(after_bytes)

    def plug(self) -> None:
        """Put the cable in again; without a link the port has another name then."""
        self.bench.plug()

    def stop(self) -> None:
        """End it; a kept state is ready for the next run."""
        self.world.stop()
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self) -> "VirtualBoard":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def prepare_flash(state: Path, board: str, files: dict[str, bytes]) -> bool:
    """Make the flash of a new `state` with `files` in its file system; False when there is one already."""
    flash = state / "flash.bin"
    if flash.exists():
        return False
    state.mkdir(parents=True, exist_ok=True)
    size = json.loads((BOARDS / board / "board.json").read_text("utf-8"))["flash_bytes"]
    part = file_partition(board)
    contents = bytearray(b"\xff" * size)
    contents[part.offset : part.end] = littlefs_image(part.size, {"boot.py": _BOOT, **files})
    fresh = flash.with_suffix(".new")
    fresh.write_bytes(contents)
    fresh.replace(flash)  # whole or not at all
    return True


def file_partition(board: str) -> partitions.Partition:
    """The partition that holds the files."""
    size = json.loads((BOARDS / board / "board.json").read_text("utf-8"))["flash_bytes"]
    return next(p for p in partitions.load(BOARDS / board / "partitions.csv", size) if p.label == "vfs")


def littlefs_image(size: int, files: dict[str, bytes]) -> bytes:
    """A littlefs2 file system of `size` bytes, as the board formats one, with `files` (names with /) in it."""
    fs = LittleFS(block_size=_BLOCK, block_count=size // _BLOCK, read_size=32, prog_size=32, cache_size=128)
    for name, content in files.items():
        folder = os.path.dirname(name)
        if folder:
            fs.makedirs(folder, exist_ok=True)
        with fs.open(name, "wb") as f:
            f.write(content)
    assert isinstance(fs.context, UserContext)
    return bytes(fs.context.buffer)


def read_files(state: Path, board: str = "TILL_ESP32S3") -> dict[str, bytes]:
    """Every file of a board's file system, read on the computer from its flash."""
    part = file_partition(board)
    with (state / "flash.bin").open("rb") as f:
        f.seek(part.offset)
        image = f.read(part.size)
    fs = LittleFS(
        block_size=_BLOCK, block_count=part.size // _BLOCK, mount=False, context=UserContext(buffer=bytearray(image))
    )
    fs.mount()
    files = {}
    for folder, _, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with fs.open(path, "rb") as f:
                files[path.lstrip("/")] = f.read()
    return files
