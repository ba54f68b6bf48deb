"""What the journal still owes: open intents, reversals, outcomes nobody has seen, what is unsettled; and its rules."""

from micropython import const

from till.core.errors import InvalidValue, StorageError
from till.core.fields import integer
from till.core.identifiers import check_stan
from till.storage.records import (
    IDENTITY,
    INTENT,
    MONEY,
    N_MAX,
    OUTCOMES,
    RESULT,
    REVERSED,
    REVERSING,
    SETTLE_BEGIN,
    SETTLED,
    SHOWN,
    compact,
    identity,
    parse,
)

OUTSTANDING_MAX = const(16)  # INTENTs open or unshown at one time: bounds the checkpoint and the heap
UNSCRUBBED_MAX = const(32)


def _of(data: dict) -> int:
    of = data.get("of")
    return of if isinstance(of, int) else 0


class Outstanding:
    """Rebuilt at start from a checkpoint and the records after it; bounded by OUTSTANDING_MAX and UNSCRUBBED_MAX."""

    def __init__(self):
        self.clear()

    def clear(self) -> None:
        self.open = {}  # n of an INTENT without RESULT -> its REVERSING records
        self.unshown = {}  # n of an INTENT -> n of its RESULT, without SHOWN
        self.unscrubbed = []  # n of records whose scrub part still stands
        self.keep = 0  # n of the first INTENT that a settlement must still count; 0: none
        self.settling = False
        self.stan = None  # of the last INTENT
        self.identity = None  # `{mid, tid, version}` of the last IDENTITY

    def __len__(self) -> int:
        return len(self.open) + len(self.unshown)

    def needed(self, n: int) -> int:
        """n of the oldest record that something still depends on; `n` when nothing does."""
        for group in (self.open, self.unshown, self.unscrubbed):
            if group:
                n = min(n, min(group))
        return min(n, self.keep) if self.keep else n

    def admit(self, kind: int, data: dict) -> None:
        """InvalidValue when a record of this kind may not follow now."""
        of = _of(data)
        if kind == INTENT:
            check_stan(data.get("stan"))
            if self.settling:
                raise InvalidValue("settling")
        elif kind == RESULT:
            outcome = data.get("outcome")
            if of not in self.open:
                raise InvalidValue("result of no open intent")
            # Once reversing, only the reversal's acknowledgement decides; and nothing else is ever reversed.
            if outcome not in OUTCOMES or (outcome == REVERSED) != bool(self.open[of]):
                raise InvalidValue("outcome")
        elif kind == SHOWN:
            if of not in self.unshown:
                raise InvalidValue("shown of no result")
        elif kind == REVERSING:
            if of not in self.open:
                raise InvalidValue("reversing no open intent")
        elif kind == SETTLE_BEGIN:
            if len(self) or self.settling:
                raise InvalidValue("settle")
        elif kind == SETTLED:
            if not self.settling:
                raise InvalidValue("settled")
        elif kind == IDENTITY and parse(identity(data.get("mid"), data.get("tid"), data.get("version"))) != data:
            raise InvalidValue("identity")

    def apply(self, kind: int, n: int, flags: int, data: dict) -> None:
        """Take in record `n`, admitted before."""
        of = _of(data)
        if kind == INTENT:
            self.open[n] = 0
            self.stan = check_stan(data.get("stan"))
        elif kind == RESULT and of in self.open:
            del self.open[of]
            self.unshown[of] = n
            if flags & MONEY and (not self.keep or of < self.keep):
                self.keep = of
        elif kind == SHOWN:
            self.unshown.pop(of, None)
        elif kind == REVERSING and of in self.open:
            self.open[of] += 1
        elif kind == SETTLE_BEGIN:
            self.settling = True
        elif kind == SETTLED:
            self.settling = False
            self.keep = 0
        elif kind == IDENTITY:
            self.identity = data

    def checkpoint(self) -> bytes:
        """Body of a CHECKPOINT, at most 990 bytes."""
        return compact(
            {
                "open": [[n, self.open[n]] for n in sorted(self.open)] or None,
                "unshown": [[n, self.unshown[n]] for n in sorted(self.unshown)] or None,
                "scrub": self.unscrubbed or None,
                "keep": self.keep or None,
                "settling": self.settling or None,
                "stan": self.stan,
                "identity": self.identity,
            }
        )

    def restore(self, data: dict) -> None:
        """Take everything from the body of a CHECKPOINT; unknown members are ignored.

        InvalidValue or StorageError when it is not one of ours.
        """
        self.clear()
        try:
            for n, attempts in data.get("open", ()):
                self.open[integer(n, 1, N_MAX, "open")] = integer(attempts, 0, N_MAX, "open")
            for n, result in data.get("unshown", ()):
                self.unshown[integer(n, 1, N_MAX, "unshown")] = integer(result, 1, N_MAX, "unshown")
            for n in data.get("scrub", ()):
                self.unscrubbed.append(integer(n, 1, N_MAX, "scrub"))
        except (TypeError, ValueError):
            raise StorageError("checkpoint")
        if len(self) > OUTSTANDING_MAX or len(self.unscrubbed) > UNSCRUBBED_MAX:
            raise StorageError("checkpoint")
        self.keep = integer(data.get("keep", 0), 0, N_MAX, "keep")
        self.settling = data.get("settling") is True
        self.stan = data.get("stan")
        self.identity = data.get("identity")
