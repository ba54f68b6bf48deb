"""What a board should hold, what it holds, and the way from one to the other: release, manifest, plan."""

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from microtill.paths import FIRMWARE
from microtill.release.architecture import Target, UnknownArchitecture, fits
from microtill.release.image import build_files

MANIFEST = "/microtill.json"
"""On the board: which files are ours, and their hashes."""
MAIN = "/main.py"
NEW = ".new"
"""What a file is called until it is whole."""

_OURS = "/till/"
_RESERVE = 6  # blocks that littlefs wants for itself: a folder takes two, a file that grows copies one
_INLINE = 128  # bytes of a file that littlefs keeps in its folder, as the port sets it up
_compiling = threading.Lock()


@dataclass(frozen=True)
class Release:
    """The firmware for one kind of board: absolute path to content."""

    board: str
    version: str
    architecture: str | None
    files: Mapping[str, bytes]

    @cached_property
    def sums(self) -> dict[str, str]:
        """SHA-256 of every file, hex."""
        return {path: hashlib.sha256(data).hexdigest() for path, data in sorted(self.files.items())}

    @cached_property
    def hash(self) -> str:
        """What names this release: SHA-256 of its files' hashes and names, as `sha256sum` would list them."""
        return listing_hash(self.sums)


def listing_hash(sums: Mapping[str, str]) -> str:
    """SHA-256 over lines of `hash, two spaces, path`, sorted by path."""
    return hashlib.sha256("".join(f"{sums[path]}  {path}\n" for path in sorted(sums)).encode()).hexdigest()


def manifest(release: Release, sums: Mapping[str, str]) -> bytes:
    """The manifest file for `release`; `sums`: the files it names."""
    text = {"v": 1, "board": release.board, "version": release.version, "hash": release.hash, "files": dict(sums)}
    return json.dumps(text, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Installed:
    """What the manifest on a board says; empty when there is none or it cannot be read."""

    board: str = ""
    version: str = ""
    hash: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def read_manifest(text: str) -> Installed:
    """A manifest as a board gave it: not trusted to be well formed, nor to name only files that a release has."""
    try:
        data = json.loads(text)
    except ValueError:
        return Installed()
    if not isinstance(data, dict) or not isinstance(data.get("files"), dict):
        return Installed()
    files = {path: digest for path, digest in data["files"].items() if isinstance(digest, str) and _is_plain(path)}
    head = {name: data[name] for name in ("board", "version", "hash") if isinstance(data.get(name), str)}
    return Installed(**head, files=files)


def _is_plain(path: str) -> bool:
    return bool(re.fullmatch(r"(/[A-Za-z0-9_.-]+)+", path)) and ".." not in path.split("/") and path != MANIFEST


@cache
def _release(board: str, target: Target) -> Release:
    files = {f"/{name}": data for name, data in build_files(board, target.architecture).items()}
    wrong = [path for path, data in files.items() if path.endswith(".mpy") and not fits(data, target)]
    if wrong:
        raise UnknownArchitecture(f"{wrong[0]} does not fit this MicroPython")
    return Release(board, firmware_version(), target.architecture, files)


def release_for(board: str, target: Target) -> Release:
    """The release for `board` on a MicroPython that takes `target`; compiled once. ImageError, UnknownArchitecture."""
    with _compiling:
        return _release(board, target)


def firmware_version() -> str:
    """The version that this checkout's firmware reports."""
    found = re.search(r'__version__ = "([^"]+)"', (FIRMWARE / "till" / "__init__.py").read_text("utf-8"))
    if not found:
        raise ValueError("firmware/till/__init__.py has no __version__")
    return found[1]


@dataclass(frozen=True)
class Plan:
    """From what is there to what should be. Every path is of a file of ours."""

    write: tuple[str, ...]
    """New content goes there; /main.py comes last, because without it nothing starts."""
    remove: tuple[str, ...]
    same: tuple[str, ...]
    foreign: tuple[str, ...]
    """Files of somebody else, which are left alone."""

    @property
    def changes(self) -> bool:
        return bool(self.write or self.remove)


def plan(release: Release, there: Mapping[str, int], sums: Mapping[str, str], before: Installed) -> Plan:
    """`there`: every file on the board; `sums`: hashes of those that the release has too; `before`: its manifest."""
    same = tuple(path for path in release.sums if sums.get(path) == release.sums[path])
    write = [path for path in release.sums if path not in same]
    ours = set(before.files) | {path for path in there if path.startswith(_OURS)}
    # A source beside a compiled file would be imported in its stead.
    ours |= {path.removesuffix(".mpy") + ".py" for path in release.files if path.endswith(".mpy")}
    ours |= {
        path for path in there if path.endswith(NEW) and path.removesuffix(NEW) in {*ours, *release.files, MANIFEST}
    }
    remove = sorted((ours - set(release.files)) & set(there))
    foreign = sorted(set(there) - ours - set(release.files) - {MANIFEST})
    left_over = {path + NEW for path in write}  # of a run that was cut off: perhaps it is whole
    if (write or set(remove) - left_over) and MAIN not in write:
        write.append(MAIN)  # it is taken away while the others change
        left_over.add(MAIN + NEW)
    write.sort(key=lambda path: (path == MAIN, path))
    same = tuple(path for path in same if path not in write)
    return Plan(tuple(write), tuple(path for path in remove if path not in left_over), same, tuple(foreign))


def blocks_of(sizes: Iterable[int], block: int) -> int:
    """Blocks of flash that files of these sizes take."""
    return sum(-(-size // block) for size in sizes if size > _INLINE)


def free_blocks(there: Mapping[str, int], told: int, blocks: int, block: int) -> int:
    """Blocks that are free: as `told` by a file system that counts folders twice, or as its files leave room for."""
    folders = {path.rpartition("/")[0] for path in there}
    return max(told, blocks - blocks_of(there.values(), block) - 2 * (len(folders) + 1))


def room_short(release: Release, steps: Plan, there: Mapping[str, int], free: int, block: int) -> int:
    """How many blocks are missing for all of it, with what is replaced and removed gone; 0 when there is room."""
    sizes = [len(release.files[path]) for path in steps.write]
    goes = {*steps.remove, *steps.write, *(path + NEW for path in steps.write)}
    folders = {path.rpartition("/")[0] for path in steps.write} - {path.rpartition("/")[0] for path in there}
    need = blocks_of(sizes, block) + 2 * len(folders) + _RESERVE
    return max(0, need - free - blocks_of([size for path, size in there.items() if path in goes], block))


def room_beside(release: Release, steps: Plan, there: Mapping[str, int], free: int, block: int) -> bool:
    """Whether everything new fits beside what is there: then the old firmware stays until the new one is whole."""
    sizes = [len(release.files[path]) for path in steps.write]
    begun = [size for path, size in there.items() if path.removesuffix(NEW) in steps.write and path.endswith(NEW)]
    folders = {path.rpartition("/")[0] for path in steps.write} - {path.rpartition("/")[0] for path in there}
    return blocks_of(sizes, block) + 2 * len(folders) + _RESERVE <= free + blocks_of(begun, block)
