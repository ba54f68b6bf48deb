"""What the journal's records say: kinds, flags, and their bodies (compact JSON with known members, each bounded).

An INTENT is the life of one financial message. Its `n` is its name: every later record says `of` = that n.

    INTENT -> RESULT approved | declined | refused       the signed answer came while the flow was on screen
    INTENT -> REVERSING (again at will) -> RESULT reversed   it did not: only the signed acknowledgement ends it
    either RESULT -> SHOWN                                  a person has seen the outcome

A reversal is a new message but has no INTENT of its own: after a restart it is made anew from the INTENT it reverses,
and its acknowledgement (`reversed`, `not_found` or `not_approved`) is that INTENT's one RESULT. The journal refuses
records outside this order, so no late answer can approve what is being reversed, and nothing approved is reversed.
"""

import json

from micropython import const

from till.core.errors import InvalidValue, StorageError
from till.core.fields import hexadecimal, integer, text
from till.core.identifiers import check_batch, check_mid, check_stan, check_tid
from till.core.money import check_amount
from till.core.outcome import APPROVED, DECLINED, REFUSED

# Kinds. Numbers are for ever; those without a builder below are reserved for what their name says.
INTENT = const(1)
RESULT = const(2)
SHOWN = const(3)
REVERSING = const(4)
SETTLE_BEGIN = const(5)
SETTLE_UPLOADED = const(6)
SETTLED = const(7)
OFFLINE = const(8)
ADVICE = const(9)
SEAL = const(10)
CHECKPOINT = const(11)  # the journal's own, first in every sector
IDENTITY = const(12)
SIGN_ON = const(13)
SHIFT = const(14)
ITEMS = const(15)
EVENT = const(16)

# Flags.
MONEY = const(0x01)  # RESULT: an approved outcome that counts in the batch, so it is kept until settled

REVERSED = "reversed"  # the outcome of a RESULT that ends a reversal
OUTCOMES = (APPROVED, DECLINED, REFUSED, REVERSED)
ACKNOWLEDGEMENTS = ("reversed", "not_found", "not_approved")
REASONS = ("timeout", "answer", "restart", "cancelled", "card", "storage")

SEQ_MAX = const(2**53 - 1)
TIME_MAX = const(2**40 - 1)
N_MAX = const(2**32 - 1)


class Record:
    """One record as read. `intact` is False when it does not verify: then `body` is not to be believed."""

    def __init__(self, n: int, kind: int, flags: int, time: int, profile: int, body: bytes, scrub: bytes, intact: bool):
        self.n = n
        self.kind = kind
        self.flags = flags
        self.time = time
        self.profile = profile
        self.body = body
        self.scrub = scrub  # all zeros once acknowledged
        self.intact = intact

    def data(self) -> dict:
        """The body as a dict; StorageError when it is not one."""
        return parse(self.body)


def parse(body) -> dict:
    """The JSON object in `body`; StorageError when there is none."""
    try:
        data = json.loads(body)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise StorageError("journal body")
    return data


def compact(members: dict) -> bytes:
    """`members` as compact JSON, those that are None left out."""
    return json.dumps({k: v for k, v in members.items() if v is not None}, separators=(",", ":")).encode()


def _masked(value) -> str:
    # No PAN in clear is ever stored: at most the first six and the last four digits.
    text(value, 19, "masked PAN", 12)
    if value[6:-4] != "*" * (len(value) - 10):
        raise InvalidValue("masked PAN")
    for c in value[:6] + value[-4:]:
        if not "0" <= c <= "9":
            raise InvalidValue("masked PAN")
    return value


def _of(value) -> int:
    return integer(value, 1, N_MAX, "of")


def intent(
    seq: int,
    req: str,
    type: str,
    stan: str,
    batch: str,
    time: int,
    amount: int,
    currency: str,
    operator: str,
    entry: "str | None" = None,
    pan: "str | None" = None,
    fp: "str | None" = None,
    scheme: "str | None" = None,
    original: "int | None" = None,
) -> bytes:
    """Body of an INTENT: what `original` of a later reversal needs, and what the receipt and the history show.

    `req`: hex SHA-256 of the payload octets; `time`: the payload's Unix seconds; `operator`: id, 1–8 characters;
    `entry`: F22; `pan`: masked 6/4; `fp`: the batch's card fingerprint, hex; `original`: n of the INTENT that a
    void or refund is about. InvalidValue names the member that is wrong.
    """
    return compact(
        {
            "seq": integer(seq, 1, SEQ_MAX, "seq"),
            "req": hexadecimal(req, 64, "req"),
            "type": text(type, 20, "type"),
            "stan": check_stan(stan),
            "batch": check_batch(batch),
            "time": integer(time, 0, TIME_MAX, "time"),
            "amount": check_amount(amount),
            "currency": text(currency, 3, "currency", 3),
            "operator": text(operator, 8, "operator"),
            "entry": None if entry is None else text(entry, 3, "entry", 3),
            "pan": None if pan is None else _masked(pan),
            "fp": None if fp is None else hexadecimal(fp, len(fp) if len(fp) in (16, 32) else 16, "fp"),
            "scheme": None if scheme is None else text(scheme, 16, "scheme"),
            "original": None if original is None else integer(original, 1, N_MAX, "original"),
        }
    )


def result(
    of: int,
    outcome: str,
    rc: "str | None" = None,
    rrn: "str | None" = None,
    auth: "str | None" = None,
    token: "str | None" = None,
    action: "str | None" = None,
    reason: "str | None" = None,
    ack: "str | None" = None,
    time: "int | None" = None,
) -> bytes:
    """Body of a RESULT: the signed answer that ends INTENT `of`.

    `outcome`: one of OUTCOMES; `ack`: one of ACKNOWLEDGEMENTS, with the outcome `reversed` and only there;
    `time`: the answer's Unix seconds. InvalidValue names the member that is wrong.
    """
    if outcome not in OUTCOMES:
        raise InvalidValue("outcome")
    if (outcome == REVERSED) != (ack in ACKNOWLEDGEMENTS):
        raise InvalidValue("ack")
    return compact(
        {
            "of": _of(of),
            "outcome": outcome,
            "rc": None if rc is None else text(rc, 2, "rc", 2),
            "rrn": None if rrn is None else text(rrn, 12, "rrn", 0),
            "auth": None if auth is None else text(auth, 6, "auth", 0),
            "token": None if token is None else text(token, 64, "token"),
            "action": None if action is None else text(action, 16, "action"),
            "reason": None if reason is None else text(reason, 64, "reason"),
            "ack": ack,
            "time": None if time is None else integer(time, 0, TIME_MAX, "time"),
        }
    )


def shown(of: int) -> bytes:
    """Body of a SHOWN: a person has seen how INTENT `of` ended."""
    return compact({"of": _of(of)})


def reversing(of: int, reason: str, attempts: int = 1) -> bytes:
    """Body of a REVERSING: from now on only a reversal's acknowledgement ends INTENT `of`. `reason`: one of REASONS."""
    if reason not in REASONS:
        raise InvalidValue("reason")
    return compact({"of": _of(of), "reason": reason, "attempts": integer(attempts, 1, 65535, "attempts")})


def settled(batch: str) -> bytes:
    """Body of a SETTLED: the acquirer acknowledged the end of `batch`; what it counted need not be kept any more."""
    return compact({"batch": check_batch(batch)})


def identity(mid: object, tid: object, version: object) -> bytes:
    """Body of an IDENTITY: whose records follow. `version`: the ticket's."""
    return compact({"mid": check_mid(mid), "tid": check_tid(tid), "version": integer(version, 1, 2**21 - 1, "version")})
