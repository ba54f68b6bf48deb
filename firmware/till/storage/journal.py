"""The journal: every financial message and how it ended, append-only, hash-chained, safe at any power cut.

Layout and commit protocol are in README.md beside this file; what may follow what, in records.py.
"""

from till.core.errors import InvalidValue, JournalFull, StorageError, Tampered
from till.core.outcome import APPROVED
from till.storage.outstanding import OUTSTANDING_MAX, UNSCRUBBED_MAX, Outstanding
from till.storage.records import (
    CHECKPOINT,
    IDENTITY,
    INTENT,
    MONEY,
    RESULT,
    REVERSING,
    SEAL,
    SETTLE_BEGIN,
    SETTLE_UPLOADED,
    SETTLED,
    SHOWN,
    TIME_MAX,
    Record,
    parse,
)
from till.storage.ring import RECORD_MAX, Ring

# These are never refused for want of reserve: they are what it is for.
_CLOSING = (RESULT, SHOWN, REVERSING, SETTLE_BEGIN, SETTLE_UPLOADED, SETTLED, SEAL, IDENTITY)


class Journal:
    """`flash`: the raw partition (see Ring). `reserve`: whole sectors that only closing records may fill, beside one
    for each outstanding INTENT: room for a settlement and for sectors that power cuts leave unfinished.

    StorageError when the partition is not usable; damage found on the way in is in `damaged`.
    """

    def __init__(self, flash, reserve: int = 6):
        self._reserve = reserve
        self._time = 0
        self._outstanding = Outstanding()
        self._ring = Ring(flash, self._needed, self._outstanding.checkpoint)
        for record in self._ring.start():
            self._replay(record)
        self._outstanding.unscrubbed = [n for n in self._outstanding.unscrubbed if self._scrub_stands(n)]

    def _needed(self) -> int:
        return self._outstanding.needed(self._ring.count + 1)

    def _replay(self, record: Record) -> None:
        self._time = max(self._time, record.time)
        try:
            if record.kind == CHECKPOINT:
                self._outstanding.restore(record.data())
            else:
                self._outstanding.apply(record.kind, record.n, record.flags, record.data())
        except (InvalidValue, StorageError):  # it is ours by its chain, and yet not as we write it
            self._ring.note_damage(record.n)
        if record.scrub:
            self._outstanding.unscrubbed.append(record.n)

    def _scrub_stands(self, n: int) -> bool:
        try:
            return any(self.record(n).scrub)
        except (InvalidValue, Tampered):
            return False

    # What it knows at any time.

    @property
    def count(self) -> int:
        """n of the last record; 0 when there is none. Never falls."""
        return self._ring.count

    @property
    def head(self) -> bytes:
        """Chain value over all records, 32 bytes."""
        return self._ring.head

    @property
    def damaged(self) -> int:
        """n of the first record found damaged since power-on, or 0."""
        return self._ring.damaged

    @property
    def last_time(self) -> int:
        """Greatest Unix time of the records read at start and appended since: a floor for the clock."""
        return self._time

    @property
    def stan(self) -> "str | None":
        """STAN of the last INTENT."""
        return self._outstanding.stan

    @property
    def identity(self) -> "dict | None":
        """`{mid, tid, version}` of the last IDENTITY record: whose records these are."""
        return self._outstanding.identity

    @property
    def settling(self) -> bool:
        """A settlement has begun and is not acknowledged: no INTENT is accepted."""
        return self._outstanding.settling

    @property
    def unsettled(self) -> bool:
        """Something is open, unseen, being settled, or approved and not yet settled."""
        return bool(len(self._outstanding) or self._outstanding.keep or self._outstanding.settling)

    @property
    def open_batch(self) -> bool:
        """Something approved waits to be settled, or a settlement is not acknowledged."""
        return bool(self._outstanding.keep or self._outstanding.settling)

    def open_intents(self) -> list:
        """n of each INTENT without RESULT, oldest first; those being reversed included."""
        return sorted(self._outstanding.open)

    def reversing(self) -> list:
        """`(n of the INTENT, its REVERSING records)` of each unacknowledged reversal, oldest first."""
        reversals = self._outstanding.open
        return [(n, reversals[n]) for n in sorted(reversals) if reversals[n]]

    def unshown(self) -> list:
        """`(n of the INTENT, n of its RESULT)` of each outcome that nobody has seen, oldest first."""
        unshown = self._outstanding.unshown
        return [(n, unshown[n]) for n in sorted(unshown)]

    def unscrubbed(self) -> list:
        """n of each closed record whose scrub part still stands: `scrub` them."""
        return [n for n in self._outstanding.unscrubbed if n not in self._outstanding.open]

    def free_sectors(self) -> int:
        """Whole sectors that can be filled before something needed would be erased."""
        return self._ring.free_sectors()

    def accepts_intent(self) -> bool:
        """Whether an INTENT would be accepted now: room for it, its closing records and a settlement."""
        return (
            not self._outstanding.settling
            and len(self._outstanding) < OUTSTANDING_MAX
            # Its own closing records, and the sector that it may open itself.
            and self._has_room(2)
        )

    def _has_room(self, sectors: int) -> bool:
        return self._ring.free_sectors() >= self._reserve + len(self._outstanding) + sectors

    # Writing.

    def append(self, kind: int, body: bytes, time: int, flags: int = 0, scrub: bytes = b"", profile: int = 0) -> int:
        """Write one record and return its n; it is durable on return.

        `time`: Unix seconds; `scrub`: bytes that `scrub()` destroys later. An approved RESULT is marked MONEY here.
        InvalidValue when the record does not follow from what is there, JournalFull when there is no room for it or,
        for an INTENT, for what must be able to follow it; nothing is written then.
        """
        if self._ring.size(body, scrub) > RECORD_MAX:
            raise InvalidValue("record size")
        if not 0 <= time <= TIME_MAX or not 0 < kind < 255 or not 0 <= flags < 256 or not 0 <= profile < 256:
            raise InvalidValue("record header")
        if kind == CHECKPOINT:
            raise InvalidValue("kind")
        data = parse(body)
        self._outstanding.admit(kind, data)
        self._require_room(kind, data, scrub)
        if kind == RESULT and data["outcome"] == APPROVED:
            flags |= MONEY
        self._ring.write(kind, flags, time, profile, body, scrub)
        self._time = max(self._time, time)
        self._outstanding.apply(kind, self.count, flags, data)
        if scrub:
            self._outstanding.unscrubbed.append(self.count)
        return self.count

    def _require_room(self, kind: int, data: dict, scrub: bytes) -> None:
        if scrub and len(self._outstanding.unscrubbed) >= UNSCRUBBED_MAX:
            raise JournalFull("scrub parts")
        if kind == INTENT:
            if not self.accepts_intent():
                raise JournalFull("intent")
        elif kind == REVERSING:
            if self._outstanding.open[data["of"]] and not self._has_room(0):
                raise JournalFull("reversing")  # only the first has room reserved
        elif kind not in _CLOSING and not self._has_room(1):
            raise JournalFull("record")

    def prepare(self) -> bool:
        """Erase the next sector now, so that no append waits for it. True when it erased one. Call it while idle."""
        return self._ring.prepare()

    def scrub(self, n: int) -> None:
        """Destroy the scrub part of record `n`, which must be closed. Again after a power cut is harmless."""
        if n not in self.unscrubbed():
            raise InvalidValue("scrub")
        self._ring.scrub(n)
        self._outstanding.unscrubbed.remove(n)

    # Reading.

    def record(self, n: int) -> Record:
        """Record `n`. InvalidValue when it is not (or no longer) there, Tampered when it does not verify."""
        return self._ring.record(n)

    def records(self, from_n: int = 1, kinds: "tuple | None" = None):
        """Yield the records from `from_n` on, oldest first; with `kinds`, only those. Damaged ones have `intact` False.

        Records appended meanwhile are yielded too; those erased meanwhile are not.
        """
        return self._ring.records(from_n, kinds)

    def exported(self, from_n: int = 1):
        """Yield `(n, octets, chain value before it)` of the records from `from_n` on, for a copy outside.

        The octets are what the chain covers and then the chain value itself: all but the commit byte and the scrub
        part, which never leaves. None for octets: the record is damaged.
        """
        return self._ring.exported(from_n)

    def verify(self, from_n: int = 1) -> int:
        """Check the whole chain from the sector of `from_n` on; returns how many records hold.

        Tampered, with `n` of the first record that does not.
        """
        held = 0
        for _ in self._ring.verify_steps(from_n):
            held += 1
        return held

    def verify_steps(self, from_n: int = 1):
        """As `verify`, in steps for an idle task: yields n of each record that holds."""
        return self._ring.verify_steps(from_n)
