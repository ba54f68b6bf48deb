"""Flash and NVS as the firmware asks for them, and the power cut in the middle of an operation."""

import fcntl
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from microtill.bench import partitions
from microtill.bench.chips.flash import SECTOR, NorFlash
from microtill.bench.nvs import Nvs, NvsError
from microtill.bench.protocol import Op

_INT, _BLOB = 1, 2
_EIO = 5
_NVS_SIZE = 0x6000  # where the table has none
_ADDRESS = struct.Struct("<II")

Answer = tuple[int, bytes]


class Host(Protocol):
    """The bench, as storage sees it."""

    def power_cut(self) -> None: ...

    def tell(self, who: str, text: str) -> None: ...

    def violate(self, text: str) -> None: ...


class Storage:
    """Every program, erase, set, erase_key and commit is one operation; `cut_in` = 1 cuts the power inside the next.

    What writes nothing is none: erase_key of a key that is not there, and a commit of nothing.
    """

    def __init__(self, table: Path, flash_size: int, state: Path | None, host: Host, seed: int = 1):
        if state:
            state.mkdir(parents=True, exist_ok=True)
        self.partitions = partitions.load(table, flash_size)
        self._lock = _lock(state) if state else None
        self.flash = NorFlash(flash_size, state / "flash.bin" if state else None, seed)
        self._nvs = next((range(p.offset, p.end) for p in self.partitions if p.label == "nvs"), range(0))
        if self._nvs:
            self.nvs = Nvs(self.flash, self._nvs.start, len(self._nvs), seed)
        else:
            self.nvs = Nvs(NorFlash(_NVS_SIZE), 0, _NVS_SIZE, seed)
        self.cut_in: int | None = None
        self.done = 0
        self._host = host
        self._namespaces: list[str] = []
        self.operations: dict[int, Callable[[int, memoryview], Answer | None]] = {
            Op.FLASH_FIND: self._find,
            Op.FLASH_READ: self._read,
            Op.FLASH_PROGRAM: self._program,
            Op.FLASH_ERASE: self._erase,
            Op.NVS_OPEN: self._nvs_open,
            Op.NVS_GET: self._nvs_get,
            Op.NVS_SET: self._nvs_set,
            Op.NVS_ERASE: self._nvs_erase,
            Op.NVS_COMMIT: self._nvs_commit,
        }

    def restart(self) -> None:
        """The firmware stopped, by a reset or a cut: what NVS had not committed is at risk."""
        lost = self.nvs.stop()
        if lost:
            self._host.tell("nvs", f"{lost} uncommitted changes lost")
        self.nvs.reload()
        self._namespaces.clear()

    def counters(self) -> dict[str, int]:
        return {
            "operations": self.done,
            "programs": self.flash.programs,
            "erases": self.flash.erases,
            "programmed_bytes": self.flash.programmed_bytes,
            "nvs_commits": self.nvs.commits,
            "worst_sector_erases": max(self.flash.wear.values(), default=0),
        }

    def close(self) -> None:
        self.flash.close()
        if self._lock is not None:
            os.close(self._lock)

    def _cut_now(self) -> bool:
        self.done += 1
        if self.cut_in is None:
            return False
        self.cut_in -= 1
        if self.cut_in:
            return False
        self.cut_in = None
        return True

    # Flash: addresses are from the start of the chip

    def _find(self, _obj: int, _data: memoryview) -> Answer:
        table = [[p.type, p.subtype, p.offset, p.size, p.label, p.encrypted] for p in self.partitions]
        return 0, json.dumps(table).encode()

    def _read(self, _obj: int, data: memoryview) -> Answer:
        return 0, self.flash.read(*_ADDRESS.unpack(data))

    def _program(self, _obj: int, data: memoryview) -> Answer | None:
        (address,) = struct.unpack_from("<I", data)
        octets = bytes(data[4:])
        if self._cut_now():
            written = self.flash.tear_program(address, octets)
            self._host.tell("flash", f"cut in program {address:#x}: {written} of {len(octets)} bytes")
            self._host.power_cut()
            return None
        stuck = self.flash.program(address, octets)
        if stuck:
            self._host.violate(f"flash: program {address:#x}+{stuck[0]:#x} wants bits that only an erase sets")
        self._changed(address)
        return 0, b""

    def _erase(self, _obj: int, data: memoryview) -> Answer | None:
        (address,) = struct.unpack("<I", data)
        if address % SECTOR:
            return -_EIO, b""
        if self._cut_now():
            front = self.flash.tear_erase(address // SECTOR)
            self._host.tell("flash", f"cut in erase {address:#x}: {front} bytes at the front are blank")
            self._host.power_cut()
            return None
        self.flash.erase(address // SECTOR)
        self._changed(address)
        return 0, b""

    def _changed(self, address: int) -> None:
        # On the chip NVS would go on with what it remembers; firmware that erases its pages restarts at once.
        if address in self._nvs:
            self.nvs.reload()

    # NVS

    def _nvs_open(self, _obj: int, data: memoryview) -> Answer:
        name = bytes(data).decode()
        if not self._namespaces:
            self.nvs.reload()  # the firmware has just started; the file may have been changed while the power was off
        if name not in self._namespaces:
            self._namespaces.append(name)
        return self._namespaces.index(name), b""

    def _nvs_get(self, obj: int, data: memoryview) -> Answer:
        try:
            value = self.nvs.get(self._namespaces[obj & 255], bytes(data).decode(), int if obj >> 8 == _INT else bytes)
        except NvsError as e:
            return -e.code, b""
        return 0, struct.pack("<i", value) if isinstance(value, int) else value

    def _nvs_set(self, obj: int, data: memoryview) -> Answer | None:
        key, _, value = bytes(data).partition(b"\0")
        if self._nvs_cut("set"):
            return None
        try:
            typed = struct.unpack("<i", value)[0] if obj >> 8 == _INT else value
            self.nvs.set(self._namespaces[obj & 255], key.decode(), typed)
        except NvsError as e:
            return -e.code, b""
        return 0, b""

    def _nvs_erase(self, obj: int, data: memoryview) -> Answer | None:
        where = self._namespaces[obj & 255], bytes(data).decode()
        if self.nvs.holds(*where) and self._nvs_cut("erase_key"):
            return None
        try:
            self.nvs.erase(*where)
        except NvsError as e:
            return -e.code, b""
        return 0, b""

    def _nvs_commit(self, _obj: int, _data: memoryview) -> Answer | None:
        if self.nvs.pending and self._nvs_cut("commit"):
            return None
        self.nvs.commit()
        return 0, b""

    def _nvs_cut(self, what: str) -> bool:
        if not self._cut_now():
            return False
        self._host.tell("nvs", f"cut in {what}")
        self._host.power_cut()
        return True


def _lock(state: Path) -> int:
    """Hold the state for this bench alone; two would write over each other. Raises ValueError."""
    descriptor = os.open(state, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ValueError(f"{state} is in use by another bench") from None
    return descriptor
