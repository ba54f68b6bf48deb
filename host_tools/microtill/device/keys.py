"""What is wrong with a matrix keypad, from which contacts closed when which key was pressed.

Contacts are bits, 4 × row + column, rows and columns being those of the board's pins. Keys are named as on their caps.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CAPS: list[str] = [*"123A456B789C*0#D"]
"""What the caps say, row by row from the top left."""

DEBOUNCE_MS = 20
"""How long the terminal's own keypad driver lets contacts chatter."""

_LINES = range(4)
_EDGES = 5  # fewer are a contact that was lifted once

Found = tuple[str, dict[str, object]]
"""A catalogue key, and what fills it in."""

_Map = dict[int, int | None]


@dataclass(frozen=True)
class Press:
    """`closed`: contacts that closed, 0 for none; `ms` and `edges`: how long and often they chattered; `held`: contacts
    that did not open again."""

    closed: int = 0
    ms: int = 0
    edges: int = 0
    held: int = 0


def diagnose(stuck: int, presses: Mapping[str, Press]) -> list[Found]:
    """Every fault. `stuck`: contacts that are closed while nobody presses; `presses` by cap, of all keys."""
    found: list[Found] = [("hw.key_stuck", {"key": CAPS[i]}) for i in range(16) if stuck >> i & 1]
    asked = [cap for i, cap in enumerate(CAPS) if cap in presses and not stuck >> i & 1]
    where = {divmod(CAPS.index(cap), 4): presses[cap].closed for cap in asked}
    if where and not any(where.values()):
        return [*found, ("hw.keypad_open", {})]
    found += _wires(where)
    for cap in asked:
        press = presses[cap]
        if press.ms > DEBOUNCE_MS and press.edges >= _EDGES:
            found.append(("hw.key_bounces", {"key": cap, "ms": press.ms}))
        if press.held:
            found.append(("hw.key_hangs", {"key": cap}))
    return found


def _wires(where: dict[tuple[int, int], int]) -> list[Found]:
    single = {place: divmod(mask.bit_length() - 1, 4) for place, mask in where.items() if mask.bit_count() == 1}
    straight = len(single) == sum(mask != 0 for mask in where.values())
    if straight:
        for crossed in (False, True):
            rows = _lines(0, single, 1 if crossed else 0)
            columns = _lines(1, single, 0 if crossed else 1)
            if rows is not None and columns is not None:
                return _told(rows, columns, where, crossed)
    return _joined(where) or _one_by_one(where)


def _lines(axis: int, single: dict[tuple[int, int], tuple[int, int]], seen_axis: int) -> _Map | None:
    """Which line each line of the keypad arrives on, None for one that does not; None when that is not one answer."""
    lines: _Map = {}
    for line in _LINES:
        arrived = {seen[seen_axis] for place, seen in single.items() if place[axis] == line}
        if len(arrived) > 1:
            return None
        lines[line] = arrived.pop() if arrived else None
    used = [line for line in lines.values() if line is not None]
    return lines if len(used) == len(set(used)) else None


def _told(rows: _Map, columns: _Map, where: dict[tuple[int, int], int], crossed: bool) -> list[Found]:
    found: list[Found] = []
    if crossed:
        turned = all(lines[i] in (3 - i, None) for lines in (rows, columns) for i in _LINES)
        found.append(("hw.keypad_turned" if turned else "hw.keypad_crossed", {}))
        if not turned:
            found += _order("rows", rows) + _order("columns", columns)
    else:
        found += _order("rows", rows) + _order("columns", columns)
    for (row, column), mask in where.items():
        if not mask and rows[row] is not None and columns[column] is not None:
            found.append(("hw.key_dead", {"key": CAPS[4 * row + column]}))
    return found


def _order(kind: str, lines: _Map) -> list[Found]:
    """In words: which of four lines are exchanged, displaced or open."""
    dead = [i for i in _LINES if lines[i] is None]
    moved = {i: line for i, line in lines.items() if line is not None and line != i}
    steps = {line - i for i, line in lines.items() if line is not None}
    if len(steps) == 1 and moved and dead:
        step = steps.pop()
        if all(not 0 <= i + step < 4 for i in dead):
            return [(f"hw.{kind}_off", {"step": abs(step), "to": "+" if step > 0 else "-"})]
    found: list[Found] = [(f"hw.{kind}_open", {"n": i + 1}) for i in dead]
    if len(moved) == 2:
        (a, to_a), (b, to_b) = moved.items()
        if (to_a, to_b) == (b, a):
            return [(f"hw.{kind}_swapped", {"a": a + 1, "b": b + 1}), *found]
    if moved and all(line == 3 - i for i, line in lines.items() if line is not None):
        return [(f"hw.{kind}_reversed", {}), *found]
    if moved:
        order = ", ".join("-" if lines[i] is None else str((lines[i] or 0) + 1) for i in _LINES)
        return [(f"hw.{kind}_order", {"order": order}), *found]
    return found


def _joined(where: dict[tuple[int, int], int]) -> list[Found]:
    """Two rows, or two columns, that touch: all their keys close both."""
    for kind, bit in (
        ("rows", lambda line, other: 1 << 4 * line + other),
        ("columns", lambda line, o: 1 << 4 * o + line),
    ):
        for a in _LINES:
            for b in range(a + 1, 4):
                axis = 0 if kind == "rows" else 1
                masks = [(place, mask) for place, mask in where.items() if place[axis] in (a, b)]
                if masks and all(mask == bit(a, place[1 - axis]) | bit(b, place[1 - axis]) for place, mask in masks):
                    return [(f"hw.{kind}_joined", {"a": a + 1, "b": b + 1})]
    return []


def _one_by_one(where: dict[tuple[int, int], int]) -> list[Found]:
    found: list[Found] = []
    for (row, column), mask in where.items():
        i = 4 * row + column
        if not mask:
            found.append(("hw.key_dead", {"key": CAPS[i]}))
        elif mask != 1 << i:
            seen = " ".join(CAPS[n] for n in range(16) if mask >> n & 1)
            found.append(("hw.key_other", {"key": CAPS[i], "seen": seen}))
    return found
