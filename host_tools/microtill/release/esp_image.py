"""What goes into the flash of a bare ESP32: the parts of a MicroPython image, and our partition table in binary.

Formats: ESP-IDF's "App image format" and "Partition tables"; all numbers little-endian.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from microtill.bench.partitions import Partition

TABLE_OFFSET = 0x8000
TABLE_SIZE = 0xC00
"""Room of a partition table, with its MD5; the sector's rest stays blank."""

_MAGIC = 0xE9
_HEADER = struct.Struct("<BBBBIB3sHBHH4sB")
_SEGMENT = struct.Struct("<II")
_DESCRIPTION = struct.Struct("<II8s32s32s")  # of the app: magic, secure version, reserved, version, project
_DESCRIPTION_MAGIC = 0xABCD5432
_CHECKSUM = 0xEF
_ENTRY = struct.Struct("<2sBBII16sI")
_ENTRY_MAGIC = b"\xaa\x50"
_MD5_MAGIC = b"\xeb\xeb" + b"\xff" * 14
_ENCRYPTED = 1

# chip_id of an image's header, and where that chip's ROM looks for the boot loader.
CHIPS = {"esp32": (0, 0x1000), "esp32s2": (2, 0x1000), "esp32c3": (5, 0), "esp32s3": (9, 0), "esp32c6": (13, 0)}


class ImageFormatError(ValueError):
    """Not such an image, or a damaged one; the text says what does not hold."""


@dataclass(frozen=True)
class AppImage:
    """An image that the boot loader starts: checked against its own checksum and hash."""

    data: bytes
    chip_id: int
    version: str
    project: str


@dataclass(frozen=True)
class MicroPythonImage:
    """The two programs in an image that micropython.org offers for a chip; its partition table is not used."""

    chip: str
    bootloader: bytes
    app: bytes
    version: str

    @property
    def bootloader_offset(self) -> int:
        """Where the chip's ROM looks for it."""
        return CHIPS[self.chip][1]


def table_bytes(partitions: Sequence[Partition]) -> bytes:
    """The binary partition table: one entry each, the MD5 of the entries, and blank to its full size."""
    entries = b"".join(
        _ENTRY.pack(_ENTRY_MAGIC, p.type, p.subtype, p.offset, p.size, p.label.encode(), _ENCRYPTED * p.encrypted)
        for p in partitions
    )
    table = entries + _MD5_MAGIC + hashlib.md5(entries, usedforsecurity=False).digest()
    if len(table) > TABLE_SIZE:
        raise ImageFormatError(f"a table has room for {TABLE_SIZE // 32 - 1} partitions")
    return table.ljust(TABLE_SIZE, b"\xff")


def read_table(data: bytes) -> list[tuple[int, int, int, int, str]]:
    """(type, subtype, offset, size, label) of a binary partition table. ImageFormatError when its MD5 does not hold."""
    found = []
    for at in range(0, len(data) - _ENTRY.size + 1, _ENTRY.size):
        entry = data[at : at + _ENTRY.size]
        if entry[:16] == _MD5_MAGIC:
            if hashlib.md5(data[:at], usedforsecurity=False).digest() != entry[16:]:
                raise ImageFormatError("the partition table's MD5 does not hold")
            break
        magic, kind, subtype, offset, size, label, _ = _ENTRY.unpack(entry)
        if magic != _ENTRY_MAGIC:
            break
        found.append((kind, subtype, offset, size, label.rstrip(b"\0").decode("ascii", "replace")))
    if not found:
        raise ImageFormatError("no partition table")
    return found


def read_app(data: bytes) -> AppImage:
    """The image at the start of `data`, without what follows it. ImageFormatError when it is not whole."""
    if len(data) < _HEADER.size or data[0] != _MAGIC:
        raise ImageFormatError("no program image")
    _, segments, _, _, _, _, _, chip_id, *_, has_hash = _HEADER.unpack_from(data)
    at, check = _HEADER.size, _CHECKSUM
    first = b""
    for _ in range(segments):
        if at + _SEGMENT.size > len(data):
            raise ImageFormatError("cut off")
        _, size = _SEGMENT.unpack_from(data, at)
        at += _SEGMENT.size
        body = data[at : at + size]
        if len(body) < size:
            raise ImageFormatError("cut off")
        # Exclusive or over all bytes, a word of eight at a time.
        folded = 0
        for word in struct.iter_unpack("<Q", body[: size // 8 * 8]):
            folded ^= word[0]
        for octet in folded.to_bytes(8, "little") + body[size // 8 * 8 :]:
            check ^= octet
        first = first or body
        at += size
    end = at + 16 - at % 16  # the checksum is the last byte of a block of 16
    if len(data) < end or data[end - 1] != check:
        raise ImageFormatError("the checksum does not hold")
    if has_hash:
        if hashlib.sha256(data[:end]).digest() != data[end : end + 32]:
            raise ImageFormatError("the hash does not hold")
        end += 32
    version = project = ""
    if len(first) >= _DESCRIPTION.size and _DESCRIPTION.unpack_from(first)[0] == _DESCRIPTION_MAGIC:
        version, project = (
            text.rstrip(b"\0").decode("utf-8", "replace") for text in _DESCRIPTION.unpack_from(first)[3:]
        )
    return AppImage(data[:end], chip_id, version, project)


def read_micropython(data: bytes, chip: str) -> MicroPythonImage:
    """The boot loader and the program of a MicroPython image for `chip`. ImageFormatError: what is wrong with it."""
    chip_id, start = CHIPS[chip]
    bootloader = read_app(data)
    if bootloader.chip_id != chip_id:
        names = {number: name for name, (number, _) in CHIPS.items()}
        raise ImageFormatError(f"it is for {names.get(bootloader.chip_id, f'chip {bootloader.chip_id}')}, not {chip}")
    if len(bootloader.data) > TABLE_OFFSET - start:
        raise ImageFormatError(
            "its first program is no boot loader: an image with boot loader and partitions is needed"
        )
    try:
        table = read_table(data[TABLE_OFFSET - start :][:TABLE_SIZE])
    except ImageFormatError as e:
        raise ImageFormatError(f"{e}: an image with boot loader and partitions is needed") from e
    offset = next((offset for kind, _, offset, _, _ in table if kind == 0), None)
    if offset is None or offset < start:
        raise ImageFormatError("its partition table has no program")
    app = read_app(data[offset - start :])
    if app.chip_id != chip_id:
        raise ImageFormatError("boot loader and program are for different chips")
    return MicroPythonImage(chip, bootloader.data, app.data, f"{app.project} {app.version}".strip())
