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
from microtill.bench.nvs import NO_FREE_PAGES, Nvs, NvsError
from microtill.bench.protocol import Op

_INT, _BLOB = 1, 2
_EIO = 5
_ADDRESS = struct.Struct("<II")

Answer = tuple[int, bytes]


class Host(Protocol):
    """The bench, as storage sees it."""

    def power_cut(self) -> None: ...

    def tell(self, who: str, text: str) -> None: ...

    def violate(self, text: str) -> None: ...


class _PowerGone(Exception):
    """It went inside an operation of NVS."""


class Storage:
    """Every program and every erase of the flash is one operation, also those of NVS (a set makes three or more).

    `cut_in` = 1 cuts the power inside the next; a commit makes none.
    """

    def __init__(self, table: Path, flash_size: int, state: Path | None, host: Host, seed: int = 1):
        if state:
            state.mkdir(parents=True, exist_ok=True)
        self.partitions = partitions.load(table, flash_size)
        self._lock = _lock(state) if state else None
        self.flash = NorFlash(flash_size, state / "flash.bin" if state else None, seed)
        self._nvs = next((range(p.offset, p.end) for p in self.partitions if p.label == "nvs"), range(0))
        self._loaded: Nvs | None = None  # at the first call after a start
        self.commits = 0
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
        """The firmware stopped, by a reset or a cut."""
        self._loaded = None
        self._namespaces.clear()

    def counters(self) -> dict[str, int]:
        return {
            "operations": self.done,
            "programs": self.flash.programs,
            "erases": self.flash.erases,
            "programmed_bytes": self.flash.programmed_bytes,
            "nvs_commits": self.commits,
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
            self._loaded = None

    # NVS

    def _nvs_open(self, _obj: int, data: memoryview) -> Answer | None:
        name = bytes(data).decode()

        def call(nvs: Nvs) -> bytes:
            nvs.open(name)
            if name not in self._namespaces:
                self._namespaces.append(name)
            return b""

        answer = self._do("open", call)
        return (self._namespaces.index(name), b"") if answer == (0, b"") else answer

    def _nvs_get(self, obj: int, data: memoryview) -> Answer | None:
        where = self._namespaces[obj & 255], bytes(data).decode()

        def call(nvs: Nvs) -> bytes:
            value = nvs.get(*where, int if obj >> 8 == _INT else bytes)
            return struct.pack("<i", value) if isinstance(value, int) else value

        return self._do("get", call)

    def _nvs_set(self, obj: int, data: memoryview) -> Answer | None:
        key, _, value = bytes(data).partition(b"\0")
        typed = struct.unpack("<i", value)[0] if obj >> 8 == _INT else value
        return self._do("set", lambda nvs: nvs.set(self._namespaces[obj & 255], key.decode(), typed))

    def _nvs_erase(self, obj: int, data: memoryview) -> Answer | None:
        return self._do("erase_key", lambda nvs: nvs.erase(self._namespaces[obj & 255], bytes(data).decode()))

    def _nvs_commit(self, _obj: int, _data: memoryview) -> Answer:
        self.commits += 1
        return 0, b""

    def _do(self, what: str, call: Callable[[Nvs], bytes | None]) -> Answer | None:
        try:
            return 0, call(self._loaded or self._load()) or b""
        except NvsError as e:
            return -e.code, b""
        except _PowerGone as e:
            self._loaded = None
            self._host.tell("nvs", f"cut in {what}, {e}")
            self._host.power_cut()
            return None

    def _load(self) -> Nvs:
        try:
            self._loaded = Nvs(_Metal(self), self._nvs.start, len(self._nvs))
        except NvsError as e:
            if e.code != NO_FREE_PAGES:
                raise
            self._host.tell("nvs", "has no free page, and MicroPython's start erases it")
            for address in range(self._nvs.start, self._nvs.stop, SECTOR):
                _Metal(self).blank(address // SECTOR)
            self._loaded = Nvs(_Metal(self), self._nvs.start, len(self._nvs))
        return self._loaded

    def burn(self, address: int, data: bytes) -> None:
        """One operation of NVS. Raises _PowerGone."""
        if self._cut_now():
            # ESP-IDF's recovery counts on whole words of states: after half of one, a value written later can be lost.
            tear = self.flash.tear_word if len(data) == 4 else self.flash.tear_program
            written = tear(address, data)
            raise _PowerGone(f"program {address:#x}: {written} of {len(data)} bytes")
        self.flash.burn(address, data)

    def blank(self, sector: int) -> None:
        """One operation of NVS. Raises _PowerGone."""
        if self._cut_now():
            front = self.flash.tear_erase(sector)
            raise _PowerGone(f"erase {sector * SECTOR:#x}: {front} bytes at the front are blank")
        self.flash.blank(sector)


class _Metal:
    """The flash as NVS has it."""

    def __init__(self, storage: Storage):
        self.read = storage.flash.read
        self.burn = storage.burn
        self.blank = storage.blank


def _lock(state: Path) -> int:
    """Hold the state for this bench alone; two would write over each other. Raises ValueError."""
    descriptor = os.open(state, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ValueError(f"{state} is in use by another bench") from None
    return descriptor
