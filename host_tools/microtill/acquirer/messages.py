"""The members of a request, checked: unknown ones, wrong types and values out of bounds are refused.

Nothing here knows the terminal or the database; see `service.py` for what a right message may still not do.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

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


class MessageError(ValueError):
    """A member is missing, unknown or wrong; the text names it and never its value."""


class UnknownVersion(MessageError):
    """The message is of a version that this acquirer does not speak."""


Check = Callable[[Any, str], Any]


def _text(pattern: str) -> Check:
    compiled = re.compile(pattern, re.ASCII | re.DOTALL)

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise MessageError(name)
        return value

    return check


def _int(low: int, high: int) -> Check:
    def check(value: Any, name: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise MessageError(name)
        return value

    return check


def _object(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    optional = optional or {}

    def check(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise MessageError(name)
        dot = f"{name}." if name else ""
        for member in required:
            if member not in value:
                raise MessageError(f"{dot}{member} is missing")
        for member, inner in value.items():
            test = required.get(member) or optional.get(member)
            if test is None:
                raise MessageError(f"unknown member in {name or 'message'}")
            test(inner, f"{dot}{member}")
        return value

    return check


def _list(item: Check, longest: int) -> Check:
    def check(value: Any, name: str) -> list[Any]:
        if not isinstance(value, list) or len(value) > longest:
            raise MessageError(name)
        for inner in value:
            item(inner, name)
        return value

    return check


def _date(value: Any, name: str) -> str:
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{8}", value):
            date(int(value[:4]), int(value[4:6]), int(value[6:]))
            return value
    except ValueError:
        pass  # no such day: refused below like any other text
    raise MessageError(name)


_anything: Check = lambda value, name: value  # noqa: E731
_amount = _int(1, AMOUNT_MAX)
_part = _int(0, AMOUNT_MAX)
_seq = _int(1, 2**53 - 1)
_utc = _int(0, 2**33)  # to the year 2242; whether it is now is asked later
_hash = _text(r"[0-9a-f]{64}")
_digits6 = _text(r"[0-9]{6}")
_currency = _text(r"[0-9]{3}")
_type = _text(r"[a-z_]{1,20}")

_COMMON: dict[str, Check] = {
    "v": _int(VERSION, VERSION),
    "aud": _text(r"[\x21-\x7e]{1,100}"),
    "type": _type,
    "tkt": _int(1, 2**21 - 1),
    "tid": _text(r"[0-9A-Z]{8}"),
    "mid": _text(r"[0-9]{15}"),
    "seq": _seq,
    "stan": _digits6,
    "batch": _digits6,
    "time": _object({"utc": _utc, "offset": _int(-840, 840), "date": _date}),
    "ksn": _text(r"[0-9A-F]{24}"),
    "journal": _object({"n": _int(0, 2**32 - 1), "head": _hash}),
    "fw": _text(r"[\x20-\x7e]{1,40}"),
    "operator": _object({"id": _text(r"[0-9A-Za-z]{1,16}"), "role": _text(r"[a-z_]{1,16}"), "shift": _int(0, 10**9)}),
}

_CARD = _object(
    {
        "aid": _text(r"([0-9A-F]{2}){5,16}"),
        "scheme": _text(r"[a-z0-9_]{1,16}"),
        "psn": _text(r"[0-9]{2}"),
        "cvm": _text(r"[a-z0-9_]{1,24}"),
        "pan": _text(r"[0-9]{6}\*{2,9}[0-9]{4}"),
        "emv": _text(r"([0-9A-F]{2}){1,512}"),
        "enc": _text(r"[A-Za-z0-9_.-]{1,1024}"),
    }
)
_ITEM = _object(
    {
        "sku": _text(r".{0,32}"),
        "name": _text(r".{0,64}"),
        "quantity": _int(1, 10**9),
        "price": _part,
        "total": _part,
    }
)
_ORIGINAL = _object(
    {
        "seq": _seq,
        "req": _hash,
        "type": _type,
        "stan": _digits6,
        "batch": _digits6,
        "time": _utc,
        "amount": _int(0, AMOUNT_MAX),
        "currency": _currency,
    }
)
_REQUIRED: dict[str, dict[str, Check]] = {
    SALE: {
        "amount": _amount,
        "currency": _currency,
        "instrument": _object({"entry": _text(r"[0-9]{3}")}, {"card": _CARD, "code": _anything}),
    },
    REVERSAL: {"original": _ORIGINAL},
    STATUS: {"original": _ORIGINAL},
    SIGN_ON: {"versions": _list(_int(1, 1000), 8)},
    SIGN_OFF: {},
    ECHO: {},
}
_OPTIONAL: dict[str, dict[str, Check]] = {
    SALE: {"parts": _object({}, dict.fromkeys(_PARTS, _part)), "items": _list(_ITEM, 32)}
}
_CHECKS = {name: _object(_COMMON | _REQUIRED[name], _OPTIONAL.get(name)) for name in _REQUIRED}


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
        """Raises MessageError when one of them is missing or malformed."""
        values = {}
        for name in ("tid", "seq", "tkt", "ksn"):
            values[name] = _COMMON[name](payload.get(name), name)
        return cls(**values)


def check(payload: dict[str, Any]) -> str:
    """The type of a message whose every member is in order. Raises MessageError, UnknownVersion.

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
        raise MessageError("time.date is not the day of time.utc")
    if kind == SALE:
        _check_sale(payload)
    elif kind in (REVERSAL, STATUS) and payload["original"]["seq"] >= payload["seq"]:
        raise MessageError("original.seq is not before this message")
    return kind


def _check_sale(payload: dict[str, Any]) -> None:
    if ("card" in payload["instrument"]) == ("code" in payload["instrument"]):
        raise MessageError("instrument is neither card nor code")
    parts = payload.get("parts")
    if parts is not None:
        total = sum(parts.get(p, 0) for p in _PARTS if p != "discount") - parts.get("discount", 0)
        if total != payload["amount"]:
            raise MessageError("parts do not add up to amount")
    for item in payload.get("items", ()):
        # The line total may be rounded either way, by less than one minor unit.
        if abs(item["quantity"] * item["price"] - 1000 * item["total"]) >= 1000:
            raise MessageError("items.total is not quantity × price")
