"""What a page may ask for, checked: anything else is an `Unknown`, never a guess.

One JSON object a message: `do` names what a person would do, one further member says to what.
"""

import json
from dataclasses import dataclass
from typing import Any

from microtill.bench.chips.matrix import LEGEND

LONGEST = 256
"""Characters of a message. The longest valid one has some forty."""

FARTHEST = 1023
"""Of the pixels of a glass, in either direction."""

KEYS = frozenset(key for row in LEGEND for key in row)

WALLET = ("visa", "mastercard", "unionpay", "phone", "nofunds", "expired", "blocked")
"""The cards that pages have, of those in `bench.cards`. (`trace:FILE` would let a page name files.)"""

_MEMBERS = {
    "press": ("key", KEYS),
    "release": ("key", KEYS),
    "touch": ("at", tuple),
    "lift": None,
    "hold": ("card", frozenset(WALLET)),
    "take": ("card", frozenset(WALLET)),
    "wifi": ("up", bool),
    "host": ("up", bool),
    "power": ("on", bool),
    "reset": None,
    "prepare": None,
}


class Unknown(ValueError):
    """Not a message of this protocol; the text says why, and quotes nothing long."""


@dataclass(frozen=True)
class Request:
    """`do` as above; `what` is the key, the place on the glass (column and row in pixels), the card or the position of
    the switch (None where there is nothing to say)."""

    do: str
    what: str | bool | tuple[int, int] | None = None


def parse(text: str) -> Request:
    """The request in `text`. Raises Unknown."""
    if len(text) > LONGEST:
        raise Unknown(f"{len(text)} characters, at most {LONGEST}")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise Unknown("not JSON") from None
    if not isinstance(message, dict):
        raise Unknown("not an object")
    do = message.pop("do", None)
    if not isinstance(do, str) or do not in _MEMBERS:
        raise Unknown(f"do: {do!r:.40}")
    wanted = _MEMBERS[do]
    if wanted is None:
        if message:
            raise Unknown(f"{do} takes nothing")
        return Request(do)
    name, allowed = wanted
    value = _value(message.pop(name, None), allowed)
    if message or value is None:
        raise Unknown(f"{do}: {name} cannot be that: {text!r:.40}")
    return Request(do, value)


def _value(value: Any, allowed: Any) -> str | bool | tuple[int, int] | None:
    """What the member says, if that is allowed."""
    if allowed is bool:
        return value if isinstance(value, bool) else None
    if allowed is not tuple:
        return value if isinstance(value, str) and value in allowed else None
    match value:
        case [int(x), int(y)] if not isinstance(x, bool) and not isinstance(y, bool):
            return (x, y) if 0 <= x <= FARTHEST and 0 <= y <= FARTHEST else None
    return None
