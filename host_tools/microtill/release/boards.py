"""The kinds of board there are: what boards/<NAME>/ says of chip, sizes and partitions."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from microtill.bench import partitions
from microtill.bench.partitions import Partition
from microtill.paths import BOARDS


@dataclass(frozen=True)
class BoardKind:
    """One folder under boards/. Sizes in bytes; `mcu` as esptool names a chip."""

    name: str
    mcu: str
    flash_bytes: int
    psram_bytes: int
    partitions: tuple[Partition, ...]

    @property
    def table(self) -> frozenset[tuple[int, int, int, int, str]]:
        """The partitions as a board tells them: (type, subtype, offset, size, label)."""
        return frozenset((p.type, p.subtype, p.offset, p.size, p.label) for p in self.partitions)


@cache
def kind(name: str) -> BoardKind:
    """The board `name`. KeyError when there is no such folder; PartitionError when its table cannot work."""
    folder = BOARDS / name
    if name not in names():
        raise KeyError(name)
    about = json.loads((folder / "board.json").read_text("utf-8"))
    table = partitions.load(folder / "partitions.csv", about["flash_bytes"])
    return BoardKind(name, about["mcu"], about["flash_bytes"], about.get("psram_bytes", 0), tuple(table))


def frozen(name: str) -> bool:
    """Whether the board's build holds the whole terminal, and gives no prompt."""
    return "frozen_manifest.py" in (BOARDS / name / "manifest.py").read_text("utf-8")


def names() -> list[str]:
    """Every board that can be flashed."""
    found: list[Path] = [p.parent for p in BOARDS.glob("*/board.json")]
    return sorted(p.name for p in found if (p / "board.py").is_file() and (p / "partitions.csv").is_file())
