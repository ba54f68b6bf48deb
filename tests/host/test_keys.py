"""What is wrong with a keypad's wires, from the contacts that close."""

import pytest
from microtill.device.keys import CAPS, Press, diagnose


def presses(where):
    """Each key closes the contacts that `where(row, column)` gives."""
    return {
        cap: Press(sum(1 << 4 * r + c for r, c in where(*divmod(i, 4)) if 0 <= r < 4 and 0 <= c < 4))
        for i, cap in enumerate(CAPS)
    }


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (lambda r, c: [(r, c)], []),
        (lambda r, c: [([0, 2, 1, 3][r], c)], [("hw.rows_swapped", {"a": 2, "b": 3})]),
        (lambda r, c: [(r, [3, 1, 2, 0][c])], [("hw.columns_swapped", {"a": 1, "b": 4})]),
        (lambda r, c: [(3 - r, c)], [("hw.rows_reversed", {})]),
        (lambda r, c: [((r + 1) % 4, c)], [("hw.rows_order", {"order": "2, 3, 4, 1"})]),
        (lambda r, c: [(r, c + 1)], [("hw.columns_off", {"step": 1, "to": "+"})]),
        (lambda r, c: [(r - 2, c)], [("hw.rows_off", {"step": 2, "to": "-"})]),
        (lambda r, c: [] if r == 3 else [(r, c)], [("hw.rows_open", {"n": 4})]),
        (lambda r, c: [] if c == 1 else [(r, c)], [("hw.columns_open", {"n": 2})]),
        (lambda r, c: [(3 - c, 3 - r)], [("hw.keypad_turned", {})]),
        (lambda r, c: [(c, r)], [("hw.keypad_crossed", {})]),
        (lambda r, c: [(0, c), (1, c)] if r < 2 else [(r, c)], [("hw.rows_joined", {"a": 1, "b": 2})]),
        (lambda r, c: [(r, 2), (r, 3)] if c > 1 else [(r, c)], [("hw.columns_joined", {"a": 3, "b": 4})]),
        (lambda r, c: [] if (r, c) == (1, 1) else [(r, c)], [("hw.key_dead", {"key": "5"})]),
        (lambda r, c: [], [("hw.keypad_open", {})]),
    ],
)
def test_wires(where, found):
    assert diagnose(0, presses(where)) == found


def test_keys_that_stick_bounce_and_hang():
    good = presses(lambda r, c: [(r, c)])
    assert diagnose(1 << 5, good | {"5": Press()}) == [("hw.key_stuck", {"key": "5"})]
    assert diagnose(0, good | {"7": Press(1 << 8, 21, 9)}) == [("hw.key_bounces", {"key": "7", "ms": 21})]
    assert diagnose(0, good | {"7": Press(1 << 8, 20, 9)}) == []
    assert diagnose(0, good | {"D": Press(1 << 15, 3, 2, 1 << 15)}) == [("hw.key_hangs", {"key": "D"})]
