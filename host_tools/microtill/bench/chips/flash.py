"""NOR flash: a program only clears bits, an erase sets a 4 KiB sector, and a power cut tears either in the middle."""

import mmap
import random
from pathlib import Path

SECTOR = 4096
_BLANK = b"\xff" * SECTOR


class NorFlash:
    """`size` bytes, kept in `path` when given (and then what was written survives the bench)."""

    def __init__(self, size: int, path: Path | None = None, seed: int = 1):
        if size % SECTOR:
            raise ValueError(f"flash of {size} bytes is not whole sectors")
        self.size = size
        self.programs = 0
        self.erases = 0
        self.programmed_bytes = 0
        self.wear: dict[int, int] = {}
        self._random = random.Random(seed)
        self._file = None
        if path is None:
            self._data: mmap.mmap = mmap.mmap(-1, size)
            self._blank_all()
            return
        blank = not path.exists()
        if not blank and path.stat().st_size != size:
            raise ValueError(f"{path} holds {path.stat().st_size} bytes, this board's flash has {size}")
        if blank:
            path.write_bytes(b"")
        self._file = path.open("r+b")
        self._file.truncate(size)
        self._data = mmap.mmap(self._file.fileno(), size)
        if blank:
            self._blank_all()

    def read(self, address: int, n: int) -> bytes:
        self._check(address, n)
        return self._data[address : address + n]

    def program(self, address: int, data: bytes) -> list[int]:
        """Clear bits. Returns the offsets of bytes (but 0xFF) that the flash could not hold: they need an erase."""
        n = len(data)
        new = self.burn(address, data)
        self.programs += 1
        self.programmed_bytes += n
        if new == data:
            return []
        return [i for i in range(n) if new[i] != data[i] and data[i] != 0xFF]

    def erase(self, sector: int) -> None:
        self.blank(sector)
        self.erases += 1
        self.wear[sector] = self.wear.get(sector, 0) + 1

    def burn(self, address: int, data: bytes) -> bytes:
        """As `program`, but not counted: what the system writes for itself. Returns what stands there now."""
        n = len(data)
        self._check(address, n)
        old = self._data[address : address + n]
        new = (int.from_bytes(old, "little") & int.from_bytes(data, "little")).to_bytes(n, "little")
        self._data[address : address + n] = new
        return new

    def blank(self, sector: int) -> None:
        """As `erase`, but not counted."""
        self._check(sector * SECTOR, SECTOR)
        self._data[sector * SECTOR : (sector + 1) * SECTOR] = _BLANK

    def tear_program(self, address: int, data: bytes) -> int:
        """The supply fails during `program`: the front is written, one byte in part. Returns how many whole bytes."""
        whole = self._random.choice(
            (0, len(data) // 2, max(len(data) - 1, 0), len(data), self._random.randint(0, len(data)))
        )
        part = bytearray(data[:whole])
        if whole < len(data):
            part.append(data[whole] | self._random.randrange(256))  # some of its bits are not cleared yet
        self.program(address, bytes(part))
        return whole

    def tear_word(self, address: int, data: bytes) -> int:
        """As `tear_program`, of so few bits that all of them are cleared or none. Returns how many whole bytes."""
        if self._random.random() < 0.5:
            return 0
        self.program(address, data)
        return len(data)

    def tear_erase(self, sector: int) -> int:
        """The supply fails during `erase`: bits go to 1 here and there. Returns how many bytes at the front all did."""
        start = sector * SECTOR
        self._check(start, SECTOR)
        front = self._random.choice((0, 1, SECTOR // 2, SECTOR - 1, SECTOR))
        self._data[start : start + front] = _BLANK[:front]
        if self._random.random() < 0.5:
            rest = SECTOR - front
            noise = int.from_bytes(self._random.randbytes(rest), "little")
            old = int.from_bytes(self._data[start + front : start + SECTOR], "little")
            self._data[start + front : start + SECTOR] = (old | noise).to_bytes(rest, "little")
        return front

    def close(self) -> None:
        self._data.close()
        if self._file:
            self._file.close()

    def _blank_all(self) -> None:
        for sector in range(self.size // SECTOR):
            self._data[sector * SECTOR : (sector + 1) * SECTOR] = _BLANK

    def _check(self, address: int, n: int) -> None:
        if not 0 <= address <= self.size - n:
            raise ValueError(f"flash {address:#x}+{n} is outside {self.size:#x}")
