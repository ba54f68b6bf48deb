"""`esp32` as on the ESP32-S3: partitions and non-volatile storage."""

import json as _json
import struct as _struct

import simbus as _bus
from micropython import const

HEAP_DATA = 4
HEAP_EXEC = 1

_INTERNAL = const(327680)  # octets, about, of the chip's own memory
_SPARED = const(65536)  # octets of the PSRAM that the system takes for itself
_INT = const(1)
_BLOB = const(2)
_MOST = const(8192)  # octets a read or a program carries at once
_BLOCK = const(4096)
_INVALID_LENGTH = const(-0x110C)
_EINVAL = const(22)

_changes = None  # called with where (address, octets) the flash is about to change, by whoever keeps what it has read


def idf_heap_info(capabilities):
    """`(total, free, largest block, least ever free)` of each region."""
    regions = [_INTERNAL]
    psram = _json.loads(_bus.fetch(_bus.HELLO, 0))["psram_bytes"]
    if capabilities == HEAP_DATA and psram:
        regions.append(psram - _SPARED)
    return [(total, total // 2, total // 2, total // 4) for total in regions]


class Partition:
    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, id, block_size=4096):
        if isinstance(id, str):
            found = [row for row in _table() if row[4] == id]
        else:
            found = [row for row in _table() if row[0] == 0]  # what boots and runs is the first slot
        if not found:
            raise OSError(-2)
        self._open(found[0])

    def _open(self, row):
        self._info = tuple(row)
        self._at = bytearray(8)
        self._sector = bytearray(4)
        self._head = bytearray(12)
        return self

    @classmethod
    def find(cls, type=0, subtype=0xFF, label=None, block_size=4096):
        found = []
        for row in _table():
            if row[0] == type and subtype in (0xFF, row[1]) and label in (None, row[4]):
                found.append(cls(row[4]))
        return found

    def info(self):
        return self._info

    def readblocks(self, block, buf, offset=0):
        n = len(buf)
        address = self._address(block, offset, n)
        if n <= _MOST:
            _struct.pack_into("<II", self._at, 0, address, n)
            _bus.ask(_bus.FLASH_READ, 0, self._at, buf)
            return
        view = memoryview(buf)
        for at in range(0, n, _MOST):
            part = view[at : at + _MOST]
            _struct.pack_into("<II", self._at, 0, address + at, len(part))
            _bus.ask(_bus.FLASH_READ, 0, self._at, part)

    def writeblocks(self, block, buf, offset=None):
        """With an offset it only programs; without, it erases the blocks first."""
        n = len(buf)
        address = self._address(block, offset or 0, n)
        if offset is None:
            if n % _BLOCK:
                raise OSError(_EINVAL)
            for b in range(block, block + n // _BLOCK):
                self.ioctl(6, b)
        if n <= _MOST:
            self._program(address, buf)
            return
        view = memoryview(buf)
        for at in range(0, n, _MOST):
            self._program(address + at, view[at : at + _MOST])

    def _program(self, address, buf):
        if _changes is not None:
            _changes(address, len(buf))
        _bus.ask_at(_bus.FLASH_PROGRAM, self._head, address, buf)

    def _address(self, block, offset, n):
        address = block * _BLOCK + offset
        if block < 0 or offset < 0 or address + n > self._info[3]:
            raise OSError(-0x104)  # ESP_ERR_INVALID_SIZE
        return self._info[2] + address

    def ioctl(self, op, arg):
        if op == 4:
            return self._info[3] // _BLOCK
        if op == 5:
            return _BLOCK
        if op == 6:
            address = self._address(arg, 0, _BLOCK)
            if _changes is not None:
                _changes(address, _BLOCK)
            _struct.pack_into("<I", self._sector, 0, address)
            _bus.ask(_bus.FLASH_ERASE, 0, self._sector)
            return 0
        return 0

    def get_next_update(self):
        apps = [row for row in _table() if row[0] == 0]
        return Partition(apps[1][4])

    def set_boot(self):
        raise OSError(-0x1503)  # ESP_ERR_OTA_VALIDATE_FAILED: there is no app image here

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        return None


def _table():
    return _json.loads(_bus.fetch(_bus.FLASH_FIND, 0))


class NVS:
    def __init__(self, namespace):
        self._handle = _bus.ask(_bus.NVS_OPEN, 0, namespace.encode())

    def set_i32(self, key, value):
        self._set(_INT, key, _struct.pack("<i", value))

    def get_i32(self, key):
        return _struct.unpack("<i", _bus.fetch(_bus.NVS_GET, self._handle | _INT << 8, key.encode()))[0]

    def set_blob(self, key, value):
        self._set(_BLOB, key, value)

    def get_blob(self, key, buffer):
        """Length of the value, which now fills the front of `buffer`."""
        value = _bus.fetch(_bus.NVS_GET, self._handle | _BLOB << 8, key.encode())
        if len(value) > len(buffer):
            raise OSError(_INVALID_LENGTH)
        buffer[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        _bus.ask(_bus.NVS_ERASE, self._handle, key.encode())

    def commit(self):
        _bus.ask(_bus.NVS_COMMIT, self._handle)

    def _set(self, kind, key, value):
        _bus.ask(_bus.NVS_SET, self._handle | kind << 8, key.encode() + b"\0" + bytes(value))


def mcu_temperature():
    return 35
