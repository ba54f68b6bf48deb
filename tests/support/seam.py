"""A seam with a clock the test turns by hand, for virtual chips on their own."""

import heapq
from itertools import count

from microtill.bench.chips.base import Chip


class _Timer:
    def __init__(self, call):
        self.call = call

    def cancel(self) -> None:
        self.call = None


class ManualSeam:
    def __init__(self):
        self.us = 0
        self.levels: dict[tuple[str, str], int | None] = {}
        self.violations: list[str] = []
        self.traces: list[str] = []
        self.changes: list[str] = []
        self._queue: list = []
        self._order = count()

    def now_us(self) -> int:
        return self.us

    def after(self, us: int, call):
        timer = _Timer(call)
        heapq.heappush(self._queue, (self.us + us, next(self._order), timer))
        return timer

    def advance(self, us: int) -> None:
        """Let `us` microseconds pass, running what falls due in order."""
        end = self.us + us
        while self._queue and self._queue[0][0] <= end:
            self.us, _, timer = heapq.heappop(self._queue)
            if timer.call:
                timer.call()
        self.us = end

    def drive(self, chip: Chip, pin: str, level: int | None) -> None:
        self.levels[chip.name, pin] = level

    def violation(self, chip: Chip, text: str) -> None:
        self.violations.append(f"{chip.name}: {text}")

    def trace(self, chip: Chip, text: str) -> None:
        self.traces.append(f"{chip.name}: {text}")

    def changed(self, chip: Chip) -> None:
        self.changes.append(chip.name)
