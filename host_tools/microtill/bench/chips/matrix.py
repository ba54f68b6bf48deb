"""A 4×4 matrix keypad without diodes: contacts bounce, and three corners of a rectangle pull the fourth."""

import random
from collections.abc import Mapping, Sequence

from microtill.bench.chips.base import Chip, Timer

LEGEND = (
    ("1", "2", "3", "UP"),
    ("4", "5", "6", "DOWN"),
    ("7", "8", "9", "CLEAR"),
    ("CANCEL", "0", "OK", "MENU"),
)
"""What the caps say, row by row, as the firmware names its keys."""

ROWS = ("R0", "R1", "R2", "R3")
COLUMNS = ("C0", "C1", "C2", "C3")

BOUNCE_US = 4_000
"""How long a contact chatters; dome sheets are specified at 5 ms or less, worn ones take longer."""


class Matrix(Chip):
    """Rows are driven by the firmware (low = selected), columns need its pull-ups. A key joins one row and one column.

    Current takes every path: a column is low when any chain of closed keys leads from it to a row that is low.
    `stuck`: keys whose contact never opens; `bounces`: keys that chatter for so many microseconds. `turned`: its plug
    is the wrong way round; contacts conduct both ways, so that its columns do as rows, from the last to the first.
    """

    pins = ROWS + COLUMNS
    hands = ("press", "release", "glitch")

    def __init__(
        self, name: str = "keypad", legend: tuple[tuple[str, ...], ...] = LEGEND, seed: int = 1,
        stuck: Sequence[str] = (), bounces: Mapping[str, int] | None = None,
        turned: bool = False,
    ):  # fmt: skip
        super().__init__(name)
        self._where = {key: (row, column) for row, keys in enumerate(legend) for column, key in enumerate(keys)}
        if turned:
            self._where = {key: (3 - column, 3 - row) for key, (row, column) in self._where.items()}
        self._random = random.Random(seed)
        self._rows = [1] * len(ROWS)
        self._driven: list[int | None] = [None] * len(COLUMNS)
        self._stuck = {self._where[key] for key in stuck}
        self._bounces = bounces or {}
        self._closed: set[tuple[int, int]] = set(self._stuck)
        self._bouncing: dict[str, Timer] = {}
        self._down: list[str] = []

    def press(self, key: str, bounce_us: int | None = None) -> None:
        """Push `key` down and hold it; its contact chatters for `bounce_us`."""
        if key not in self._down:
            self._down.append(key)
        self._settle(key, True, self._chatters(key, bounce_us))

    def release(self, key: str, bounce_us: int | None = None) -> None:
        """Let `key` go; its contact chatters for `bounce_us`."""
        if key in self._down:
            self._down.remove(key)
        self._settle(key, False, self._chatters(key, bounce_us))

    def _chatters(self, key: str, bounce_us: int | None) -> int:
        return self._bounces.get(key, BOUNCE_US) if bounce_us is None else bounce_us

    def glitch(self, key: str, us: int) -> None:
        """One short false contact of `key`, as dirt or a knock makes it."""
        assert self.seam
        self._set(key, True)
        self.seam.after(us, lambda: self._set(key, key in self._down))

    def seen(self) -> dict:
        """The keys that are held; `rests`: the terminal takes all keys for up (it selects all rows then, and waits)."""
        return {"down": list(self._down), "rests": not any(self._rows)}

    def power_on(self) -> None:
        self._driven = [None] * len(COLUMNS)
        self._spread()

    def pin_changed(self, pin: str, level: int) -> None:
        if pin in ROWS:
            self._rows[ROWS.index(pin)] = level
            self._spread()

    def _settle(self, key: str, closed: bool, bounce_us: int) -> None:
        assert self.seam
        if key not in self._where:
            raise ValueError(f"no key {key!r}")
        running = self._bouncing.pop(key, None)
        if running:
            running.cancel()
        self.seam.changed(self)
        self._set(key, closed)
        if bounce_us:
            self._chatter(key, closed, self.seam.now_us() + bounce_us)

    def _chatter(self, key: str, closed: bool, end: int) -> None:
        assert self.seam
        now = self.seam.now_us()
        step = self._random.randint(60, 900)

        def turn() -> None:
            if now + step >= end:
                self._bouncing.pop(key, None)
                self._set(key, closed)
            else:
                self._set(key, self._where[key] not in self._closed)
                self._chatter(key, closed, end)

        self._bouncing[key] = self.seam.after(min(step, max(end - now, 0)), turn)

    def _set(self, key: str, closed: bool) -> None:
        if closed:
            self._closed.add(self._where[key])
        elif self._where[key] not in self._stuck:
            self._closed.discard(self._where[key])
        self._spread()

    def _spread(self) -> None:
        rows = {row for row, level in enumerate(self._rows) if level == 0}
        columns: set[int] = set()
        grown = True
        while grown:
            grown = False
            for row, column in self._closed:
                if (row in rows) != (column in columns):
                    rows.add(row)
                    columns.add(column)
                    grown = True
        for column, pin in enumerate(COLUMNS):
            level = 0 if column in columns else None
            if level != self._driven[column]:
                self._driven[column] = level
                if self.seam:
                    self.seam.drive(self, pin, level)
