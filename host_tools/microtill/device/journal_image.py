"""Reads and verifies a raw image of a journal partition, with no code of the firmware's.

An image comes out of a terminal by reading its `journal` partition, damaged or not; this tells what it says, and where
it does not hold. The layout is described in firmware/till/storage/README.md.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

SECTOR = 4096
GENESIS = bytes(32)

_MAGIC = b"MTJ1"
_HEADER = struct.Struct(">4sIIHH32s8s")
_RECORD = struct.Struct(">BBBBIBIBHH")
_VERSION = 1
_DIGEST = 32
_RECORD_MAX = 3000


class Kind(IntEnum):
    """Kinds of record; others are listed by their number."""

    INTENT = 1
    RESULT = 2
    SHOWN = 3
    REVERSING = 4
    SETTLE_BEGIN = 5
    SETTLE_UPLOADED = 6
    SETTLED = 7
    OFFLINE = 8
    ADVICE = 9
    SEAL = 10
    CHECKPOINT = 11
    IDENTITY = 12
    SIGN_ON = 13
    SHIFT = 14
    ITEMS = 15
    EVENT = 16


@dataclass(frozen=True)
class Record:
    """One record that verifies. `scrub` is None when it has no scrub part, all zeros once it was scrubbed."""

    n: int
    kind: int
    flags: int
    time: int
    profile: int
    body: bytes
    scrub: bytes | None
    head: bytes
    committed: bool
    sector: int
    offset: int

    @property
    def name(self) -> str:
        """Name of the kind, or its number."""
        return Kind(self.kind).name if self.kind in Kind._value2member_map_ else str(self.kind)

    def data(self) -> dict[str, Any]:
        """The body as JSON. ValueError when it is not an object."""
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError(f"record {self.n}: not an object")
        return value


@dataclass(frozen=True)
class Problem:
    """Something that does not hold: at record `n`, in block `sector` of the image."""

    n: int
    sector: int
    text: str

    def __str__(self) -> str:
        return f"record {self.n} (sector {self.sector}): {self.text}"


@dataclass
class _Sector:
    block: int
    sequence: int
    first: int
    head: bytes


@dataclass
class JournalImage:
    """What an image holds: `records` in order, `problems` where the chain is broken. ValueError: not such an image."""

    image: bytes
    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.image or len(self.image) % SECTOR:
            raise ValueError(f"not a journal image: {len(self.image)} bytes are not whole sectors of {SECTOR}")
        self._read()

    @property
    def count(self) -> int:
        """n of the last record; 0 when there is none."""
        return self.records[-1].n if self.records else 0

    @property
    def head(self) -> bytes:
        """Chain value after the last record."""
        return self.records[-1].head if self.records else GENESIS

    def of_kind(self, *kinds: int) -> Iterator[Record]:
        """The records of these kinds."""
        return (record for record in self.records if record.kind in kinds)

    def open_intents(self) -> list[int]:
        """n of each INTENT in the image without a RESULT in the image."""
        closed = {record.data()["of"] for record in self.of_kind(Kind.RESULT)}
        return [record.n for record in self.of_kind(Kind.INTENT) if record.n not in closed]

    def unshown(self) -> list[int]:
        """n of each INTENT whose RESULT nobody has seen."""
        seen = {record.data()["of"] for record in self.of_kind(Kind.SHOWN)}
        results = {record.data()["of"] for record in self.of_kind(Kind.RESULT)}
        return sorted(results - seen)

    # Inside.

    def _sectors(self) -> list[_Sector]:
        """Sectors with a whole header at the place their sequence number gives them, oldest first."""
        blocks = len(self.image) // SECTOR
        found = []
        for block in range(blocks):
            raw = self.image[block * SECTOR : block * SECTOR + _HEADER.size]
            magic, sequence, first, ring, _, head, check = _HEADER.unpack(raw)
            if magic != _MAGIC or hashlib.sha256(raw[:-8]).digest()[:8] != check:
                continue
            if ring != blocks:
                raise ValueError(f"the image has {blocks} sectors, the journal {ring}")
            if sequence and (sequence - 1) % blocks == block:
                found.append(_Sector(block, sequence, first, head))
        found.sort(key=lambda sector: sector.sequence)
        while found and not self._begun(found[-1]):
            found.pop()  # cut off while it was opened
        return [sector for sector in found if sector.sequence > found[-1].sequence - blocks]

    def _begun(self, sector: _Sector) -> bool:
        data = self.image[sector.block * SECTOR : (sector.block + 1) * SECTOR]
        return (
            data[_HEADER.size] != 0xFF
            or _parse(data, sector.block, _HEADER.size, sector.first, sector.head) is not None
        )

    def _read(self) -> None:
        sectors = self._sectors()
        n, head, sequence = 0, b"", 0
        for position, sector in enumerate(sectors):
            if sequence:
                self._join(sector, n, head, sector.sequence - sequence)
            elif sector.sequence > 1 and len(self.image) // SECTOR > sectors[-1].sequence:
                self.problems.append(Problem(1, 0, "the journal does not begin where it should"))
            limit = sectors[position + 1].first if position + 1 < len(sectors) else None
            n, head = self._sector(sector, limit)
            sequence = sector.sequence

    def _join(self, sector: _Sector, n: int, head: bytes, step: int) -> None:
        if sector.first == n and sector.head == head:
            return
        missing = "" if step == 1 else f", {step - 1} sector header(s) between are damaged"
        if sector.first > n:
            text = f"records {n} to {sector.first - 1} are missing{missing}"
        else:
            text = f"the sector does not follow from the records before it{missing}"
        self.problems.append(Problem(n, sector.block, text))

    def _sector(self, sector: _Sector, limit: int | None) -> tuple[int, bytes]:
        n, head, offset = sector.first, sector.head, _HEADER.size
        data = self.image[sector.block * SECTOR : (sector.block + 1) * SECTOR]
        while limit is None or n < limit:
            record = _parse(data, sector.block, offset, n, head)
            if record is None:
                committed = offset + _RECORD.size + _DIGEST <= SECTOR and data[offset] != 0xFF
                if not committed:
                    break  # blank, or cut off before it was whole
                self.problems.append(Problem(n, sector.block, "does not verify"))
                following = _resume(data, sector.block, offset, n, head)
                if following is None:
                    return n + 1, head
                n, offset, head = following
                continue
            self.records.append(record)
            n, head, offset = n + 1, record.head, offset + _size(data, offset)
        return n, head


def _size(data: bytes, offset: int) -> int:
    """Bytes of the record by its own length fields; 0 when they cannot be right."""
    if offset + _RECORD.size + _DIGEST > SECTOR:
        return 0
    *_, length, scrub = _RECORD.unpack_from(data, offset)
    size = _RECORD.size + length + _DIGEST + (_DIGEST + 1 + scrub if scrub else 0)
    return size if size <= min(_RECORD_MAX, SECTOR - offset) else 0


def _parse(data: bytes, block: int, offset: int, n: int, head: bytes) -> Record | None:
    """Record `n`, if it stands at `offset` and follows `head`."""
    if not _size(data, offset):
        return None
    commit, version, kind, flags, number, high, low, profile, length, scrub_length = _RECORD.unpack_from(data, offset)
    if version != _VERSION or number != n:
        return None
    start = offset + _RECORD.size
    chained = start + length + (_DIGEST if scrub_length else 0)
    digest = data[chained : chained + _DIGEST]
    if hashlib.sha256(head + data[offset + 1 : chained]).digest() != digest:
        return None
    scrub = None
    if scrub_length:
        mark, scrub = data[chained + _DIGEST], data[chained + _DIGEST + 1 : chained + _DIGEST + 1 + scrub_length]
        if mark == 0xFF and hashlib.sha256(scrub).digest() != data[chained - _DIGEST : chained]:
            return None
    body = data[start : start + length]
    return Record(n, kind, flags, high << 32 | low, profile, body, scrub, digest, commit != 0xFF, block, offset)


def _resume(data: bytes, block: int, offset: int, n: int, head: bytes) -> tuple[int, int, bytes] | None:
    """`(n, offset, head)` of the next record that verifies after a damaged one in the same sector."""
    size = _size(data, offset)
    for at in range(offset + _RECORD.size + _DIGEST, SECTOR - _RECORD.size - _DIGEST + 1):
        heads = [data[at - _DIGEST : at]]
        if size and at == offset + size:
            length, scrub = _RECORD.unpack_from(data, offset)[-2:]
            chained = offset + _RECORD.size + length + (_DIGEST if scrub else 0)
            heads += [data[chained : chained + _DIGEST], hashlib.sha256(head + data[offset + 1 : chained]).digest()]
        for candidate in heads:
            if _parse(data, block, at, n + 1, candidate):
                return n + 1, at, candidate
    return None
