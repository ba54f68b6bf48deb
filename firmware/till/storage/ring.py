"""A ring of hash-chained records on raw NOR flash: layout, commit protocol, start-up, damage (see README.md)."""

import hashlib
import struct
from array import array

from micropython import const

from till.core.errors import InvalidValue, JournalFull, StorageError, Tampered
from till.storage.records import CHECKPOINT, N_MAX, Record

_SECTOR = const(4096)
_MAGIC = b"MTJ1"
_HEADER = const(56)  # magic 4, sequence 4, first n 4, blocks of the ring 2, zero 2, head 32, check 8
_CHECKED = const(48)
_VERSION = const(1)
# Commit 1, version 1, kind 1, flags 1, n 4, time 5, profile 1, length 2, scrub length 2, (body), SHA-256 32.
_FIXED = const(50)
_BODY = const(18)
_SCRUB_FIXED = const(33)  # SHA-256 of the scrub part 32, scrub mark 1
_BLOCKS_MIN = const(16)
_TRIES = const(3)
_FF = b"\xff" * 64
_GENESIS = bytes(32)

RECORD_MAX = const(3000)  # bytes of one record, all included: it fits any sector beside a header and a checkpoint
CHECKPOINT_MAX = const(990)  # bytes of a checkpoint's body

# What stands where a record is looked for.
GOOD = const(0)
DAMAGED = const(1)  # it was committed and does not verify
BROKEN = const(2)  # good, first in a sector whose header is damaged or is not what the records before lead to
_BLANK = const(3)
_TORN = const(4)


class DamagedRecord(Tampered):
    """Record `n` does not verify, or does not follow from the one before it."""

    def __init__(self, n: int):
        super().__init__("journal record %d" % n)
        self.n = n


class Ring:
    """`flash`: `readblocks(block, buf, off)`, `writeblocks(block, buf, off)` (only programs, bits 1 to 0) and `ioctl`,
    as esp32.Partition has them.

    `needed()`: n of the oldest record that may not be erased; `checkpoint()`: body of the record that begins a sector,
    so that start-up need not read what is before it. `start()` must be drained before anything else is called.
    StorageError when the partition is not usable.
    """

    def __init__(self, flash, needed, checkpoint):
        self._buffer = bytearray(_SECTOR)
        self._view = memoryview(self._buffer)
        self._flash = flash
        self._needed = needed
        self._checkpoint = checkpoint
        self._blocks = flash.ioctl(4, 0)
        if flash.ioctl(5, 0) != _SECTOR or not _BLOCKS_MIN <= self._blocks < 65536:
            raise StorageError("journal partition")
        self._first = array("I", bytes(4 * self._blocks))  # by block: n of the sector's first record
        self._cached = -1  # the block whose content is in the buffer
        self._ready = False  # the next block was erased since power-on: an erase from before may be half an erase
        self._oldest = 1  # sequence numbers of the sectors in the ring; newest 0: nothing written yet
        self._newest = 0
        self._offset = 0
        self._closed = True  # nothing more goes into the newest sector
        self.count = 0  # n of the last record; never falls
        self.head = _GENESIS  # chain value over all records
        self.damaged = 0  # n of the first record found damaged since power-on

    # Start-up: every header once, then the records since the last checkpoint.

    def start(self):
        """Yield each Record since the last checkpoint, that one first; damaged ones are left out, see `damaged`."""
        self._survey()
        base = self._newest
        while base > self._oldest and not self._begins_well(base):
            base -= 1
        walk = self._walk(max(base, 1))
        expected, last = 0, 0
        while True:
            try:
                n, found, offset = next(walk)
            except StopIteration as stop:
                n, self.head, self._offset = stop.value
                break
            if found != GOOD or (expected and n != expected):
                self.note_damage(n)
            expected, last = n + 1, 0
            if found != DAMAGED:
                last = offset
                yield self._record(offset, n, True)
        self.count = n - 1
        self._closed = not self._offset
        if last:
            self._commit(last)

    def note_damage(self, n: int) -> None:
        """Remember record `n` as damaged, unless an earlier find stands."""
        self.damaged = self.damaged or n

    def _survey(self) -> None:
        """Find the oldest and the newest sector. All headers are read: a damaged one must not hide newer sectors."""
        sequences = array("I", bytes(4 * self._blocks))
        probe = self._view[:_HEADER]
        for block in range(self._blocks):
            self._flash.readblocks(block, probe, 0)
            _, sequence, first, blocks = struct.unpack_from(">4sIIH", self._buffer, 0)
            if self._header(sequence) and sequence:
                if blocks != self._blocks:
                    raise StorageError("journal of another size")
                if self._block(sequence) == block:
                    sequences[block] = sequence
                    self._first[block] = first
        self._newest = max(sequences)
        while self._newest and not self._begun(self._newest):
            if sequences[self._block(self._newest)] == self._newest:
                # Weak bits in it must never make it a sector later, when there are records that it does not know.
                self._strike(self._block(self._newest))
            self._newest -= 1
        self._find_headless(sequences)
        following = 0
        for sequence in range(self._newest, max(0, self._newest - self._blocks), -1):
            block = self._block(sequence)
            if sequences[block] == sequence:
                self._oldest, following = sequence, self._first[block]
            elif following:
                self._first[block] = following  # no header: for look-ups its records belong to the sector before
        self._extend()

    def _extend(self) -> None:
        """Before the oldest sector one whose header was damaged: what follows its checkpoint still verifies.

        Not if it is the next to be erased: then it is rather half erased.
        """
        sequence = self._oldest - 1
        if sequence < 1 or sequence <= self._newest + 1 - self._blocks:
            return
        block = self._block(sequence)
        self._load(block)
        if self._buffer[_HEADER] != 0xFF and self._buffer[_HEADER + 2] == CHECKPOINT and self._size(_HEADER):
            self._oldest = sequence
            self._first[block] = struct.unpack_from(">I", self._buffer, _HEADER + 4)[0]

    def _begun(self, sequence: int) -> bool:
        """Whether that sector holds a record. One cut off before its first is opened again."""
        block = self._block(sequence)
        self._load(block)
        header = self._header(sequence)
        return header is not None and self._step(block, _HEADER, *header)[0] in (GOOD, DAMAGED)

    def _find_headless(self, sequences) -> None:
        """A sector after the newest whose header was damaged since: its records are not lost."""
        sequence = self._newest + 1
        block = self._block(sequence)
        self._load(block)
        if sequences[block] or self._blank_from(0):
            return
        n, head = 1, _GENESIS
        if self._newest:
            walk = self._walk(self._newest)
            while True:
                try:
                    next(walk)
                except StopIteration as stop:
                    n, head, _ = stop.value
                    break
        if self._step(block, _HEADER, n, head)[0] == GOOD:
            self._newest = sequence
            self._first[block] = n
            self.damaged = n

    def _begins_well(self, sequence: int) -> bool:
        """Whether that sector begins with an intact checkpoint."""
        block = self._block(sequence)
        self._load(block)
        header = self._header(sequence)
        return (
            header is not None
            and self._step(block, _HEADER, *header)[0] == GOOD
            and self._buffer[_HEADER + 2] == CHECKPOINT
        )

    # Writing.

    def write(self, kind: int, flags: int, time: int, profile: int, body: bytes, scrub: bytes) -> None:
        """Append one record, its fields already checked; durable on return. StorageError, JournalFull."""
        size = self.size(body, scrub)
        for _ in range(_TRIES):
            if self._closed or self._offset + size > _SECTOR:
                self._open_sector(time)
            if not self._closed:
                if self._program(kind, flags, time, profile, body, scrub, size):
                    return
                self._closed = True
        raise StorageError("journal flash")

    def size(self, body: bytes, scrub: bytes) -> int:
        """Bytes that such a record takes in the flash."""
        return _FIXED + len(body) + (_SCRUB_FIXED + len(scrub) if scrub else 0)

    def free_sectors(self) -> int:
        """Whole sectors that can be filled before something needed would be erased."""
        return self._blocks - (self._newest - self._find(self._needed()) + 1)

    def prepare(self) -> bool:
        """Erase the next sector now, so that no append waits for it. True when it erased one. Call it while idle."""
        if self._ready or not self._may_open():
            return False
        self._erase_next()
        return True

    def scrub(self, n: int) -> None:
        """Program the scrub part of record `n` to zeros. Again after a power cut is harmless."""
        block, offset = self._locate(n)
        end = offset + self._size(offset)
        start = end - self._scrub_length(offset)
        # The mark first: from then on the part need not match its hash.
        self._flash.writeblocks(block, b"\x00", start - 1)
        for at in range(start, end, 64):
            self._flash.writeblocks(block, bytes(min(64, end - at)), at)
        self._cached = -1
        self._load(block)
        if any(self._view[start - 1 : end]):
            raise StorageError("scrub")

    def _open_sector(self, time: int) -> None:
        """Begin the next sector with its header and a checkpoint."""
        if not self._may_open():
            raise JournalFull("sectors")
        if not self._ready:
            self._erase_next()
        sequence = self._newest + 1
        block = self._block(sequence)
        self._cached = -1
        header = self._view[:_HEADER]
        struct.pack_into(">4sIIHH", self._buffer, 0, _MAGIC, sequence, self.count + 1, self._blocks, 0)
        header[16:_CHECKED] = self.head
        header[_CHECKED:] = hashlib.sha256(header[:_CHECKED]).digest()[:8]
        self._flash.writeblocks(block, header, 0)
        self._ready = False
        self._newest = sequence
        self._first[block] = self.count + 1
        self._offset = _HEADER
        self._load(block)
        # A header that did not take leaves a sector without records, which the next start passes over.
        self._closed = self._header(sequence) is None
        if not self._closed:
            body = self._checkpoint()
            if len(body) > CHECKPOINT_MAX:
                raise StorageError("checkpoint size")
            self._closed = not self._program(CHECKPOINT, 0, time, 0, body, b"", _FIXED + len(body))

    def _erase_next(self) -> None:
        sequence = self._newest + 1
        block = self._block(sequence)
        self._oldest = max(self._oldest, sequence - self._blocks + 1)
        self._cached = -1
        if sequence > self._blocks:
            # The header first: half an erase must not look like a sector with damaged records.
            self._strike(block)
        self._flash.ioctl(6, block)
        self._ready = True

    def _strike(self, block: int) -> None:
        self._cached = -1
        self._flash.writeblocks(block, bytes(_HEADER), 0)

    def _may_open(self) -> bool:
        return self.free_sectors() > 0

    def _program(self, kind: int, flags: int, time: int, profile: int, body: bytes, scrub: bytes, size: int) -> bool:
        """Program one record at the offset and read it back; commit it and return True if it stands."""
        block = self._block(self._newest)
        if self._cached != block:
            self._cached = -1
        offset, view, n = self._offset, self._view, self.count + 1
        if n > N_MAX:
            raise JournalFull("n")
        struct.pack_into(
            ">BBBBIBIBHH", self._buffer, offset,
            0xFF, _VERSION, kind, flags, n, time >> 32, time & 0xFFFFFFFF, profile, len(body), len(scrub),
        )  # fmt: skip
        at = offset + _BODY
        view[at : at + len(body)] = body
        at += len(body)
        if scrub:
            view[at : at + 32] = hashlib.sha256(scrub).digest()
            at += 32
        digest = self._digest(offset, self.head)
        view[at : at + 32] = digest
        at += 32
        if scrub:
            view[at] = 0xFF
            view[at + 1 : at + 1 + len(scrub)] = scrub
        self._flash.writeblocks(block, view[offset : offset + size], offset)
        self._flash.readblocks(block, view[offset : offset + size], offset)
        if self._check(offset, n, self.head) != digest:
            self._cached = -1
            return False
        # Only a record that was read back is committed: what is committed and does not verify has been damaged since.
        self._flash.writeblocks(block, b"\x00", offset)
        self._buffer[offset] = 0
        self.count = n
        self.head = digest
        self._offset = offset + size
        return True

    def _commit(self, offset: int) -> None:
        """Finish what a power cut left: the last record, whole but not committed. Its weak bits are written again."""
        block = self._block(self._newest)
        self._load(block)
        if self._buffer[offset] == 0:
            return
        self._flash.writeblocks(block, self._view[offset : offset + self._size(offset)], offset)
        self._flash.writeblocks(block, b"\x00", offset)
        self._buffer[offset] = 0

    # Reading.

    def record(self, n: int) -> Record:
        """Record `n`. InvalidValue when it is not (or no longer) there."""
        block, offset = self._locate(n)
        return self._record(offset, n, True)

    def records(self, from_n: int = 1, kinds: "tuple | None" = None):
        """Yield the records from `from_n` on, oldest first; with `kinds`, only those. Damaged ones have `intact` False.

        Records appended meanwhile are yielded too; those erased meanwhile are not.
        """
        for n, found, offset in self._walk(self._find(max(from_n, 1))):
            if n >= from_n and (kinds is None or self._buffer[offset + 2] in kinds):
                yield self._record(offset, n, found == GOOD)

    def exported(self, from_n: int = 1):
        """As the journal's: yields `(n, octets, chain value before)`, the octets without commit byte and scrub part."""
        head = None  # of the record before; its digest stands in its octets
        first = max(from_n, 1)
        for n, found, offset in self._walk(self._find(max(first - 1, 1))):
            octets = None
            if found != DAMAGED:
                octets = bytes(self._view[offset + 1 : self._chained(offset) + 32])
            if n >= first:
                yield n, octets, head if head or n > 1 else _GENESIS
            head = octets[-32:] if octets else None

    def verify_steps(self, from_n: int = 1):
        """As `verify`, in steps for an idle task: yields n of each record that holds."""
        expected = 0
        for n, found, _ in self._walk(self._find(max(from_n, 1))):
            if expected and n != expected:
                raise self._damage(expected)  # a gap: the records before it do not lead to what the sector says
            if found != GOOD:
                raise self._damage(n)
            expected = n + 1
            yield n
        if expected and expected <= self.count:
            raise self._damage(expected)

    def _damage(self, n: int) -> DamagedRecord:
        self.note_damage(n)
        return DamagedRecord(n)

    def _locate(self, n: int) -> tuple:
        """`(block, offset)` of record `n`, its block in the buffer; InvalidValue when it is not there."""
        if 1 <= n <= self.count:
            for found_n, found, offset in self._walk(self._find(n)):
                if found_n == n:
                    if found == DAMAGED:
                        raise self._damage(n)
                    return self._cached, offset
                if found_n > n:
                    break
        raise InvalidValue("no such record")

    def _record(self, offset: int, n: int, intact: bool) -> Record:
        size = self._size(offset)
        buffer = self._buffer
        kind, flags = buffer[offset + 2], buffer[offset + 3]
        _, high, low, profile = struct.unpack_from(">IBIB", buffer, offset + 4)
        body = scrub = b""
        if size:
            length = buffer[offset + 14] << 8 | buffer[offset + 15]
            body = bytes(self._view[offset + _BODY : offset + _BODY + length])
            scrub = bytes(self._view[offset + size - self._scrub_length(offset) : offset + size])
        return Record(n, kind, flags, high << 32 | low, profile, body, scrub, intact)

    # Sectors. Sequence number s sits in block (s - 1) % blocks, for ever.

    def _block(self, sequence: int) -> int:
        return (sequence - 1) % self._blocks

    def _find(self, n: int) -> int:
        """Sequence number of the sector that holds record `n` (the oldest there is, or the newest, at the ends)."""
        low, high = self._oldest, self._newest
        while low < high:
            middle = (low + high + 1) // 2
            if self._first[self._block(middle)] <= n:
                low = middle
            else:
                high = middle - 1
        return low

    def _header(self, sequence: int) -> "tuple | None":
        """`(first n, head)` of the header in the buffer if it is that sector's, else None."""
        magic, found, first, blocks, zero = struct.unpack_from(">4sIIHH", self._buffer, 0)
        if magic != _MAGIC or found != sequence:
            return None
        if hashlib.sha256(self._view[:_CHECKED]).digest()[:8] != self._view[_CHECKED:_HEADER]:
            return None
        return first, bytes(self._view[16:_CHECKED])

    def _load(self, block: int) -> None:
        if self._cached != block:
            self._cached = -1
            self._flash.readblocks(block, self._buffer, 0)
            self._cached = block

    def _blank_from(self, offset: int) -> bool:
        while offset < _SECTOR:
            step = min(64, _SECTOR - offset)
            if self._view[offset : offset + step] != (_FF if step == 64 else _FF[:step]):
                return False
            offset += step
        return True

    # Records in the buffer, and the chain through them.

    def _scrub_length(self, offset: int) -> int:
        return self._buffer[offset + 16] << 8 | self._buffer[offset + 17]

    def _size(self, offset: int) -> int:
        """Bytes of the record at `offset` by its own lengths, or 0 when they cannot be right."""
        length = self._buffer[offset + 14] << 8 | self._buffer[offset + 15]
        scrub = self._scrub_length(offset)
        size = _FIXED + length + (_SCRUB_FIXED + scrub if scrub else 0)
        return size if size <= RECORD_MAX and offset + size <= _SECTOR else 0

    def _chained(self, offset: int) -> int:
        """Where the digest of the record at `offset` stands. Its lengths must be plausible."""
        length = self._buffer[offset + 14] << 8 | self._buffer[offset + 15]
        return offset + _BODY + length + (32 if self._scrub_length(offset) else 0)

    def _digest(self, offset: int, head: bytes) -> bytes:
        """SHA-256 over the previous head, the header without its commit byte, the body and the scrub part's hash."""
        sha = hashlib.sha256(head)
        sha.update(self._view[offset + 1 : self._chained(offset)])
        return sha.digest()

    def _check(self, offset: int, n: int, head: bytes) -> "bytes | None":
        """The digest of record `n` if it stands at `offset` after `head`, else None."""
        buffer, view = self._buffer, self._view
        if offset + _FIXED > _SECTOR or buffer[offset + 1] != _VERSION or not self._size(offset):
            return None
        if struct.unpack_from(">I", buffer, offset + 4)[0] != n:
            return None
        at = self._chained(offset)
        digest = self._digest(offset, head)
        if digest != view[at : at + 32]:
            return None
        scrub = self._scrub_length(offset)
        if not scrub or buffer[at + 32] != 0xFF:  # there is none, or it is marked as scrubbed
            return digest
        part = hashlib.sha256(view[at + 33 : at + 33 + scrub]).digest()
        return digest if part == view[at - 32 : at] else None

    def _step(self, block: int, offset: int, n: int, head) -> tuple:
        """What stands at `offset`, where record `n` would follow `head`: `(found, next offset or 0, new head)`."""
        self._load(block)
        committed = offset + _FIXED <= _SECTOR and self._buffer[offset] != 0xFF
        digest = self._check(offset, n, head)
        if digest:
            return GOOD, offset + self._size(offset), digest
        if committed:
            following, digest = self._resume(offset, n, head)
            return DAMAGED, following, digest
        return (_BLANK if self._blank_from(offset) else _TORN), 0, head

    def _resume(self, offset: int, n: int, head: bytes) -> tuple:
        """`(offset of the next good record or 0, head)` after damaged record `n`."""
        size = self._size(offset)
        digest = head
        if size:
            at = self._chained(offset)
            digest = bytes(self._view[at : at + 32])
            for candidate in (digest, self._digest(offset, head)):  # the digest, or anything else, is damaged
                if self._check(offset + size, n + 1, candidate):
                    return offset + size, candidate
        for at in range(offset + _FIXED, _SECTOR - _FIXED):  # its lengths are
            if self._buffer[at + 1] == _VERSION:
                candidate = bytes(self._view[at - 32 : at])
                if self._check(at, n + 1, candidate):
                    return at, candidate
        return 0, digest

    def _sector(self, sequence: int, n: int, head: "bytes | None", broken: bool):
        """Yield `(n, found, offset)` of each record of one sector, its block in the buffer.

        Returns `(next n, head, offset of the blank rest or 0)`. `broken`: its header is not what the chain leads to.
        `head` None: not known, so that the first record cannot be checked, only what follows it.
        """
        block, offset = self._block(sequence), _HEADER
        if head is None:
            self._load(block)
            yield n, DAMAGED, offset
            n, at, offset = n + 1, self._chained(offset), offset + self._size(offset)
            self._load(block)
            head = bytes(self._view[at : at + 32])
        # What stands at or above the next sector's first n was given up when it did not read back.
        while offset and (sequence == self._newest or n < self._first[self._block(sequence + 1)]):
            found, following, digest = self._step(block, offset, n, head)
            if found == _BLANK:
                return n, head, offset
            if found == _TORN:
                break
            yield n, BROKEN if broken and found == GOOD else found, offset
            n, head, offset, broken = n + 1, digest, following, False
        return n, head, 0

    def _walk(self, sequence: int):
        """As `_sector`, from that sector (or one before it, if its header is damaged) to the end of the journal."""
        tail = 1, _GENESIS, 0
        n = 0
        while sequence <= self._newest:
            block = self._block(sequence)
            self._load(block)
            header = self._header(sequence)
            if header is None and not n and sequence > self._oldest:
                sequence -= 1
                continue
            follows = tail[:2] if n else header
            n, head = header or follows or (self._first[block], None)
            tail = yield from self._sector(sequence, n, head, header != follows)
            n = tail[0]
            sequence = max(sequence + 1, self._oldest)
        return tail
