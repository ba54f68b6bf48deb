"""`till_data.py`, which a build that freezes the terminal needs beside its sources: their data, as a ROMFS in a module.

    python -m microtill.release.frozen     writes build/frozen/till_data.py

Only Python can be frozen, so the font comes as bytes; boards/frozen_boot.py mounts them, and they are used in place.
"""

from pathlib import Path

from microtill.paths import BUILD, FIRMWARE
from microtill.release.image import DATA, pack


def write(into: Path | None = None) -> Path:
    """Make the module; returns its path. The same data make the same bytes."""
    image = pack({path.relative_to(FIRMWARE).as_posix(): path.read_bytes() for path in data_files()})
    module = (into or BUILD / "frozen") / "till_data.py"
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(f'"""The data of the terminal; made by microtill.release.frozen."""\n\nIMAGE = {image!r}\n')
    return module


def data_files() -> list[Path]:
    """What of the firmware is no Python and is read at run time."""
    return sorted(p for p in (FIRMWARE / "till").rglob("*") if p.suffix in DATA and p.is_file())


if __name__ == "__main__":
    print(write())  # noqa: T201
