"""What can be known of a board without its chip: pins, partitions, and what its manifests freeze.

Each check returns what is wrong, one line a fault; none means that nothing was found.
"""

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from microtill.bench.microcontrollers import MICROCONTROLLERS
from microtill.bench.partitions import Partition

_TABLE_SIZE = 0x1000
_SECTOR = 0x1000
_APP = 0x10000


# Which end of a wire drives it, by the signal's name; what is not here is an input of the microcontroller.
_DRIVEN = {"sck", "mosi", "tx", "scl", "sda"} | {
    "CS", "DC", "RST", "RES", "BLK", "RSTPD_N", "SIGNAL", "DIN", "R0", "R1", "R2", "R3",
    "R", "G", "B",
}  # fmt: skip
_PULLED_UP = {"IRQ", "INT", "C0", "C1", "C2", "C3", "scl", "sda"}


@dataclass(frozen=True)
class Wire:
    """One line of wiring.toml: a part's signal on a GPIO. `part` is the bus or chip that the table names."""

    part: str
    signal: str
    gpio: int
    bus: bool


@dataclass
class Wiring:
    wires: list[Wire] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    pulled: set[int] = field(default_factory=set)  # by resistors on the board


def wiring(board: Path) -> Wiring:
    """A board's wiring.toml as wires."""
    table = tomllib.loads((board / "wiring.toml").read_text("utf-8"))
    pull = table.get("pull", {})
    found = Wiring(
        notes={int(gpio): text for gpio, text in table.get("note", {}).items()},
        pulled={*pull.get("up", ()), *pull.get("down", ())},
    )
    for name, entry in table["bus"].items():
        found.wires += [Wire(name, pin, gpio, True) for pin, gpio in entry.items() if isinstance(gpio, int)]
    for name, entry in table["chip"].items():
        found.wires += [Wire(name, pin, gpio, False) for pin, gpio in entry.get("pins", {}).items()]
    return found


def pin_faults(found: Wiring, mcu: str) -> Iterator[str]:
    """Pins used twice, pins that the chip has not or needs itself, inputs that should drive, straps without a word."""
    chip = MICROCONTROLLERS[mcu]
    seen: dict[int, Wire] = {}
    for wire in found.wires:
        where = f"{wire.part}.{wire.signal} on GPIO {wire.gpio}"
        if wire.gpio in seen:
            yield f"{where}: {seen[wire.gpio].part}.{seen[wire.gpio].signal} is there already"
        seen[wire.gpio] = wire
        if wire.gpio not in chip.pins:
            yield f"{where}: an {mcu} has no such pin"
        if wire.gpio in chip.taken:
            yield f"{where}: it is for {chip.taken[wire.gpio]}"
        if wire.gpio in chip.input_only and wire.signal in _DRIVEN:
            yield f"{where}: it can only be an input"
        needs_pull = wire.signal in _PULLED_UP - _DRIVEN and wire.gpio not in found.pulled
        if wire.gpio in chip.input_only and needs_pull:
            yield f"{where}: it has no pull-up of its own"
        if wire.gpio in chip.straps and not found.notes.get(wire.gpio):
            yield f"{where}: a strap ({chip.straps[wire.gpio]}), and [note] does not say why that is well"
    for gpio in found.notes:
        if gpio not in seen:
            yield f"[note] {gpio}: nothing is wired to it"


def pins_of_the_code(board: Path) -> set[int]:
    """GPIO numbers that board.py names."""
    found: set[int] = set()
    for node in ast.walk(ast.parse((board / "board.py").read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Pin":
            found |= set(_numbers(node.args[:1]))
        if isinstance(node, ast.comprehension) and isinstance(node.iter, ast.Tuple):
            found |= set(_numbers(node.iter.elts))
    return found


def _numbers(nodes: list[ast.expr]) -> Iterator[int]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            yield node.value


def partition_faults(table: list[Partition], flash_bytes: int, table_at: int = 0x8000) -> Iterator[str]:
    """What the bootloader or the firmware would not accept; `table_at` is where the table itself lies."""
    end = table_at + _TABLE_SIZE
    for part in sorted(table, key=lambda p: p.offset):
        align = _APP if part.type == 0 else _SECTOR
        if part.offset % align:
            yield f"{part.label}: {part.offset:#x} is no multiple of {align:#x}"
        if part.size <= 0 or part.size % _SECTOR:
            yield f"{part.label}: {part.size:#x} is no multiple of {_SECTOR:#x}"
        if part.offset < end:
            yield f"{part.label}: begins at {part.offset:#x}, before {end:#x}"
        end = max(end, part.end)
        if part.end > flash_bytes:
            yield f"{part.label}: ends at {part.end:#x}, the flash at {flash_bytes:#x}"
    labels = [part.label for part in table]
    for label in ("nvs", "journal", "vfs"):
        if labels.count(label) != 1:
            yield f"{label}: {labels.count(label)} of it"
    slots = {part.subtype: part.size for part in table if part.type == 0}
    if 0x11 in slots or 0x10 in slots:
        if "otadata" not in labels:
            yield "update slots without otadata"
        if slots.get(0x10) != slots.get(0x11):
            yield "the two update slots are not alike"
    elif list(slots) != [0]:
        yield "no app slot"


# What MicroPython's tools/manifestfile.py offers a manifest, and how it finds files (1.29, freeze mode).


@dataclass(frozen=True)
class Frozen:
    """A file that a manifest freezes: where it is, what it is called on the device, its optimisation level."""

    path: Path
    target: str
    opt: int | None


class ManifestError(Exception):
    """The manifest asks for what is not there, or for what we do not use."""


class Manifest:
    """Runs a manifest as the build does: relative paths from the manifest's own folder, `$(NAME)` for variables.

    Of MicroPython's own tree nothing is here: `include("$(…)/…")` and `require(…)` are kept by name in `outside`.
    """

    def __init__(self, path: Path):
        self.files: list[Frozen] = []
        self.outside: set[str] = set()
        self._visited: set[Path] = set()
        self._folder = path.parent
        self._include(str(path))

    def _resolve(self, path: str) -> Path:
        if "$(" in path:
            raise ManifestError(f"{path}: MicroPython's tree is not here")
        return Path(os.path.abspath(self._folder / path))

    def _include(self, path: str) -> None:
        if re.match(r"\$\((MPY_DIR|PORT_DIR|MPY_LIB_DIR)\)/", path):
            self.outside.add(path.rpartition("/")[2])
            return
        manifest = self._resolve(path)
        if manifest.is_dir():
            manifest /= "manifest.py"
        if manifest in self._visited:
            return
        self._visited.add(manifest)
        before, self._folder = self._folder, manifest.parent
        scope = {"include": self._include, "module": self._module, "package": self._package, "require": self._require}
        exec(compile(manifest.read_text("utf-8"), str(manifest), "exec"), scope)
        self._folder = before

    def _require(self, name: str) -> None:
        self.outside.add(name)

    def _module(self, module_path: str, base_path: str = ".", opt: int | None = None) -> None:
        if not module_path.endswith(".py"):
            raise ManifestError(f"{module_path}: a module is one .py file")
        self._add(self._resolve(base_path) / module_path, module_path, opt)

    def _package(self, package_path: str, base_path: str = ".", opt: int | None = None) -> None:
        base = self._resolve(base_path)
        if not (base / package_path).is_dir():
            raise ManifestError(f"{package_path}: no such package in {base}")
        for path in sorted((base / package_path).rglob("*.py")):
            self._add(path, path.relative_to(base).as_posix(), opt)

    def _add(self, path: Path, target: str, opt: int | None) -> None:
        if any(frozen.target == target for frozen in self.files):
            raise ManifestError(f"{target} is frozen twice")
        self.files.append(Frozen(path, target, opt))


def sdkconfig(path: Path) -> dict[str, str]:
    """The options that an sdkconfig fragment sets, with their values. Raises ValueError, naming the line."""
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r'(CONFIG_[A-Z0-9_]+)=(y|n||-?\d+|0x[0-9a-f]+|"[^"]*")', line)
        if not match or match[1] in found:
            raise ValueError(f"{path.name}:{number}: {line}")
        found[match[1]] = match[2]
    return found
