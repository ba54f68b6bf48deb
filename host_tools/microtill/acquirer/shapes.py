"""What JSON must look like: checks that are put together, and refuse unknown members and values out of bounds."""

import re
from collections.abc import Callable
from typing import Any


class ShapeError(ValueError):
    """A member is missing, unknown or wrong; the text names it and never its value."""


Check = Callable[[Any, str], Any]


def text(pattern: str) -> Check:
    """A string that matches `pattern` as a whole."""
    compiled = re.compile(pattern, re.ASCII | re.DOTALL)

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ShapeError(name)
        return value

    return check


# What names a unit, its board, its firmware.
LABEL = text(r"[\x21-\x7e][\x20-\x7e]{0,39}")


def printable(shortest: int, longest: int) -> Check:
    """A string of so many characters, in any script, none of which controls a terminal or a log."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str) or not shortest <= len(value) <= longest or not value.isprintable():
            raise ShapeError(name)
        return value

    return check


def one_of(*values: str) -> Check:
    """One of these strings."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str) or value not in values:
            raise ShapeError(name)
        return value

    return check


def integer(low: int, high: int) -> Check:
    """A whole number between `low` and `high`, both included."""

    def check(value: Any, name: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ShapeError(name)
        return value

    return check


def record(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    """An object with all of `required`, perhaps some of `optional`, and nothing else."""
    optional = optional or {}

    def check(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ShapeError(name)
        dot = f"{name}." if name else ""
        for member in required:
            if member not in value:
                raise ShapeError(f"{dot}{member} is missing")
        for member, inner in value.items():
            test = required.get(member) or optional.get(member)
            if test is None:
                raise ShapeError(f"unknown member in {name or 'message'}")
            test(inner, f"{dot}{member}")
        return value

    return check


def array(item: Check, longest: int) -> Check:
    """At most `longest` items."""

    def check(value: Any, name: str) -> list[Any]:
        if not isinstance(value, list) or len(value) > longest:
            raise ShapeError(name)
        for inner in value:
            item(inner, name)
        return value

    return check
