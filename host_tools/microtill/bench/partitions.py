"""A board's partition table: the CSV of ESP-IDF's gen_esp32part, checked as the bootloader would."""

import csv
from dataclasses import dataclass
from pathlib import Path

SECTOR = 0x1000
APP_ALIGN = 0x10000
FIRST = 0x9000  # behind the bootloader and the table itself

_TYPES = {"app": 0, "data": 1}
_SUBTYPES = {
    "factory": 0x00, "ota_0": 0x10, "ota_1": 0x11, "ota": 0x00, "phy": 0x01, "nvs": 0x02, "nvs_keys": 0x04,
    "fat": 0x81, "spiffs": 0x82, "littlefs": 0x83,
}  # fmt: skip


class PartitionError(ValueError):
    """The table is one the bootloader would refuse, or that cannot work."""


@dataclass(frozen=True)
class Partition:
    label: str
    type: int
    subtype: int
    offset: int
    size: int
    encrypted: bool

    @property
    def end(self) -> int:
        return self.offset + self.size


def load(path: Path, flash_size: int) -> list[Partition]:
    """The partitions in order. Raises PartitionError."""
    lines = [
        line for line in path.read_text("utf-8").splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    partitions = []
    end = FIRST
    for row in csv.reader(lines, skipinitialspace=True):
        label, kind, subtype, offset, size, flags = ([cell.strip() for cell in row] + [""] * 6)[:6]
        part = Partition(
            label,
            _TYPES[kind] if kind in _TYPES else _number(kind),
            _SUBTYPES[subtype] if subtype in _SUBTYPES else _number(subtype),
            _number(offset) if offset else end,
            _number(size),
            "encrypted" in flags,
        )
        align = APP_ALIGN if part.type == 0 else SECTOR
        if part.offset % align or part.size % SECTOR or part.size <= 0:
            raise PartitionError(f"{label}: not aligned to {align:#x}")
        if part.offset < end:
            raise PartitionError(f"{label}: overlaps what is before it (ends {end:#x})")
        if part.end > flash_size:
            raise PartitionError(f"{label}: ends {part.end:#x}, beyond the flash of {flash_size:#x}")
        if len(label) > 16 or any(p.label == label for p in partitions):
            raise PartitionError(f"{label}: too long, or used twice")
        partitions.append(part)
        end = part.end
    return partitions


def _number(text: str) -> int:
    for suffix, unit in (("K", 1024), ("M", 1024 * 1024)):
        if text.upper().endswith(suffix):
            return int(text[:-1], 0) * unit
    try:
        return int(text, 0)
    except ValueError:
        raise PartitionError(f"{text!r} is no number, type or subtype") from None
