"""An ESP32-S3 in download mode at a pseudo-terminal, as far as esptool asks: its ROM's loader, then the stub's.

The protocol is Espressif's "Serial Protocol" of esptool: SLIP frames; a request is 0, command, length (16 bits),
checksum (32), data; an answer 1, command, length, value (32), data and status. The flash behind it is strict: bits are
only cleared, and what is not erased before it is written comes out wrong.
"""

import hashlib
import os
import pty
import select
import struct
import threading
import tty
import zlib

from microtill.bench.chips.flash import SECTOR, NorFlash

SYNC_VALUE = 0x20120707
CHIP_ID = 9
_SPI_W0 = 0x60002058  # where the answer to a flash command stands
_END = b"\xc0"


class DownloadMode:
    """Use as a context manager. `flash`: the chip's; `flash_id`: what it says it is; `chip_id`: the processor's."""

    def __init__(self, flash: NorFlash, flash_id: int = 0x1740C8, chip_id: int = CHIP_ID):
        self.flash = flash
        self.commands: list[int] = []
        self._flash_id = flash_id
        self._chip_id = chip_id
        self._stub = False
        self._at = 0
        self._left = 0
        self._inflate = zlib.decompressobj()
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "DownloadMode":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join(5)
        os.close(self._master)
        os.close(self._slave)

    # The line

    def _run(self) -> None:
        seen = bytearray()
        while not self._over.is_set():
            if not select.select([self._master], [], [], 0.05)[0]:
                continue
            seen += os.read(self._master, 65536)
            while True:
                first = seen.find(_END)
                last = seen.find(_END, first + 1)
                if first < 0 or last < 0:
                    break
                frame = bytes(seen[first + 1 : last]).replace(b"\xdb\xdc", _END).replace(b"\xdb\xdd", b"\xdb")
                del seen[: last + 1]
                if frame:
                    self._request(frame)

    def _send(self, frame: bytes) -> None:
        data = _END + frame.replace(b"\xdb", b"\xdb\xdd").replace(_END, b"\xdb\xdc") + _END
        while data:
            data = data[os.write(self._master, data) :]

    def _answer(self, command: int, value: int = 0, data: bytes = b"", error: int = 0) -> None:
        status = bytes([1 if error else 0, error]) + (b"" if self._stub else b"\0\0")
        self._send(struct.pack("<BBHI", 1, command, len(data) + len(status), value) + data + status)

    # The commands

    def _request(self, frame: bytes) -> None:
        if len(frame) < 8 or frame[0] != 0:
            return  # the acknowledgement of a read
        _, command, size, _ = struct.unpack_from("<BBHI", frame)
        data = frame[8 : 8 + size]
        self.commands.append(command)
        handler = getattr(self, f"_do_{command:02x}", None)
        if handler is None:
            self._answer(command, error=5)
        else:
            handler(data)

    def _do_08(self, data: bytes) -> None:  # SYNC
        for _ in range(8):
            self._answer(0x08, 0 if self._stub else SYNC_VALUE)

    def _do_14(self, data: bytes) -> None:  # GET_SECURITY_INFO
        self._answer(0x14, 0, struct.pack("<IB7sII", 0, 0, bytes(7), self._chip_id, 0))

    def _do_0a(self, data: bytes) -> None:  # READ_REG
        (address,) = struct.unpack("<I", data)
        self._answer(0x0A, self._flash_id if address == _SPI_W0 else 0)

    def _done(self, command: int) -> None:
        self._answer(command)

    def _do_09(self, data: bytes) -> None:  # WRITE_REG
        self._done(0x09)

    def _do_05(self, data: bytes) -> None:  # MEM_BEGIN
        self._done(0x05)

    def _do_07(self, data: bytes) -> None:  # MEM_DATA
        self._done(0x07)

    def _do_06(self, data: bytes) -> None:  # MEM_END: what was loaded runs now
        self._done(0x06)
        self._stub = True
        self._send(b"OHAI")

    def _do_0f(self, data: bytes) -> None:  # CHANGE_BAUDRATE
        self._done(0x0F)

    def _do_0d(self, data: bytes) -> None:  # SPI_ATTACH
        self._done(0x0D)

    def _do_0b(self, data: bytes) -> None:  # SPI_SET_PARAMS
        self._done(0x0B)

    def _do_d0(self, data: bytes) -> None:  # ERASE_FLASH
        self._erase(0, self.flash.size)
        self._done(0xD0)

    def _do_d1(self, data: bytes) -> None:  # ERASE_REGION
        self._erase(*struct.unpack("<II", data[:8]))
        self._done(0xD1)

    def _do_d2(self, data: bytes) -> None:  # READ_FLASH: frames of data, then their MD5
        at, size, block, _ = struct.unpack("<IIII", data)
        self._done(0xD2)
        content = self.flash.read(at, size)
        for i in range(0, size, block):
            self._send(content[i : i + block])
        self._send(hashlib.md5(content, usedforsecurity=False).digest())

    def _do_13(self, data: bytes) -> None:  # SPI_FLASH_MD5
        at, size, _, _ = struct.unpack("<IIII", data)
        self._answer(0x13, 0, hashlib.md5(self.flash.read(at, size), usedforsecurity=False).digest())

    def _do_10(self, data: bytes) -> None:  # FLASH_DEFL_BEGIN
        self._left, _, _, self._at = struct.unpack("<IIII", data[:16])
        self._inflate = zlib.decompressobj()
        self._erase(self._at, -(-self._left // SECTOR) * SECTOR)
        self._done(0x10)

    def _do_11(self, data: bytes) -> None:  # FLASH_DEFL_DATA
        octets = self._inflate.decompress(data[16:])
        if octets:
            self.flash.program(self._at, octets)
            self._at += len(octets)
        self._done(0x11)

    def _do_12(self, data: bytes) -> None:  # FLASH_DEFL_END
        self._done(0x12)

    def _do_02(self, data: bytes) -> None:  # FLASH_BEGIN
        self._left, _, _, self._at = struct.unpack("<IIII", data[:16])
        self._erase(self._at, -(-self._left // SECTOR) * SECTOR)
        self._done(0x02)

    def _do_03(self, data: bytes) -> None:  # FLASH_DATA: the last block is filled up
        octets = data[16:][: self._left]
        self._left -= len(octets)
        if octets:
            self.flash.program(self._at, octets)
            self._at += len(octets)
        self._done(0x03)

    def _do_04(self, data: bytes) -> None:  # FLASH_END
        self._done(0x04)

    def _erase(self, at: int, size: int) -> None:
        for sector in range(at // SECTOR, (at + size) // SECTOR):
            self.flash.erase(sector)
