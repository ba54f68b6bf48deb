"""The members of a request, checked: unknown ones, wrong types and values out of bounds are refused.

Nothing here knows the terminal or the database; see `service.py` for what a right message may still not do.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from microtill.acquirer.shapes import Check, ShapeError, array, integer, record, text

VERSION = 1
SALE, REVERSAL, STATUS = "sale", "reversal", "status"
SIGN_ON, SIGN_OFF, ECHO = "sign_on", "sign_off", "echo"

# Later types of the protocol: known by name, refused until they are built.
_LATER = """void refund preauth preauth_void completion completion_void balance advice settle upload settle_end backup
    download"""
LATER = frozenset(_LATER.split())
# What the terminal reverses when no answer came: never refunds, balance enquiries or settlement.
REVERSIBLE = frozenset({SALE, "void", "preauth", "preauth_void", "completion", "completion_void"})

AMOUNT_MAX = 10**12 - 1
_PARTS = ("goods", "tip", "tax", "discount", "cashback")


class UnknownVersion(ShapeError):
    """The message is of a version that this acquirer does not speak."""


def _date(value: Any, name: str) -> str:
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{8}", value):
            date(int(value[:4]), int(value[4:6]), int(value[6:]))
            return value
    except ValueError:
        pass  # no such day: refused below like any other text
    raise ShapeError(name)


_anything: Check = lambda value, name: value  # noqa: E731
_amount = integer(1, AMOUNT_MAX)
_part = integer(0, AMOUNT_MAX)
_seq = integer(1, 2**53 - 1)
_utc = integer(0, 2**33)  # to the year 2242; whether it is now is asked later
_hash = text(r"[0-9a-f]{64}")
_digits6 = text(r"[0-9]{6}")
_currency = text(r"[0-9]{3}")
_type = text(r"[a-z_]{1,20}")

_COMMON: dict[str, Check] = {
    "v": integer(VERSION, VERSION),
    "aud": text(r"[\x21-\x7e]{1,100}"),
    "type": _type,
    "tkt": integer(1, 2**21 - 1),
    "tid": text(r"[0-9A-Z]{8}"),
    "mid": text(r"[0-9]{15}"),
    "seq": _seq,
    "stan": _digits6,
    "batch": _digits6,
    "time": record({"utc": _utc, "offset": integer(-840, 840), "date": _date}),
    "ksn": text(r"[0-9A-F]{24}"),
    "journal": record({"n": integer(0, 2**32 - 1), "head": _hash}),
    "fw": text(r"[\x20-\x7e]{1,40}"),
    "operator": record({"id": text(r"[0-9A-Za-z]{1,16}"), "role": text(r"[a-z_]{1,16}"), "shift": integer(0, 10**9)}),
}

_CARD = record(
    {
        "aid": text(r"([0-9A-F]{2}){5,16}"),
        "scheme": text(r"[a-z0-9_]{1,16}"),
        "psn": text(r"[0-9]{2}"),
        "cvm": text(r"[a-z0-9_]{1,24}"),
        "pan": text(r"[0-9]{6}\*{2,9}[0-9]{4}"),
        "emv": text(r"([0-9A-F]{2}){1,512}"),
        "enc": text(r"[A-Za-z0-9_.-]{1,1024}"),
    }
)
_ITEM = record(
    {
        "sku": text(r".{0,32}"),
        "name": text(r".{0,64}"),
        "quantity": integer(1, 10**9),
        "price": _part,
        "total": _part,
    }
)
_ORIGINAL = record(
    {
        "seq": _seq,
        "req": _hash,
        "type": _type,
        "stan": _digits6,
        "batch": _digits6,
        "time": _utc,
        "amount": integer(0, AMOUNT_MAX),
        "currency": _currency,
    }
)
_REQUIRED: dict[str, dict[str, Check]] = {
    SALE: {
        "amount": _amount,
        "currency": _currency,
        "instrument": record({"entry": text(r"[0-9]{3}")}, {"card": _CARD, "code": _anything}),
    },
    REVERSAL: {"original": _ORIGINAL},
    STATUS: {"original": _ORIGINAL},
    SIGN_ON: {"versions": array(integer(1, 1000), 8)},
    SIGN_OFF: {},
    ECHO: {},
}
_OPTIONAL: dict[str, dict[str, Check]] = {
    SALE: {"parts": record({}, dict.fromkeys(_PARTS, _part)), "items": array(_ITEM, 32)}
}
_CHECKS = {name: record(_COMMON | _REQUIRED[name], _OPTIONAL.get(name)) for name in _REQUIRED}


@dataclass(frozen=True)
class Envelope:
    """The least a signed message must say to get a signed answer: who, which, and under what key."""

    tid: str
    seq: int
    tkt: int
    ksn: str

    @property
    def ikid(self) -> str:
        return self.ksn[:16]

    @property
    def counter(self) -> int:
        return int(self.ksn[16:], 16)

    @classmethod
    def of(cls, payload: dict[str, Any]) -> "Envelope":
        """Raises ShapeError when one of them is missing or malformed."""
        values = {}
        for name in ("tid", "seq", "tkt", "ksn"):
            values[name] = _COMMON[name](payload.get(name), name)
        return cls(**values)


def check(payload: dict[str, Any]) -> str:
    """The type of a message whose every member is in order. Raises ShapeError, UnknownVersion.

    Of a type that is not built here only the type is read.
    """
    version = payload.get("v")
    if isinstance(version, int) and not isinstance(version, bool) and version != VERSION:
        raise UnknownVersion("version")
    kind = _type(payload.get("type"), "type")
    if kind not in _CHECKS:
        return kind
    _CHECKS[kind](payload, "")
    times = payload["time"]
    local = datetime.fromtimestamp(times["utc"], UTC) + timedelta(minutes=times["offset"])
    business = datetime.strptime(times["date"], "%Y%m%d").date()
    if abs((local.date() - business).days) > 1:
        raise ShapeError("time.date is not the day of time.utc")
    if kind == SALE:
        _check_sale(payload)
    elif kind in (REVERSAL, STATUS) and payload["original"]["seq"] >= payload["seq"]:
        raise ShapeError("original.seq is not before this message")
    return kind


def _check_sale(payload: dict[str, Any]) -> None:
    if ("card" in payload["instrument"]) == ("code" in payload["instrument"]):
        raise ShapeError("instrument is neither card nor code")
    parts = payload.get("parts")
    if parts is not None:
        total = sum(parts.get(p, 0) for p in _PARTS if p != "discount") - parts.get("discount", 0)
        if total != payload["amount"]:
            raise ShapeError("parts do not add up to amount")
    for item in payload.get("items", ()):
        # The line total may be rounded either way, by less than one minor unit.
        if abs(item["quantity"] * item["price"] - 1000 * item["total"]) >= 1000:
            raise ShapeError("items.total is not quantity × price")
