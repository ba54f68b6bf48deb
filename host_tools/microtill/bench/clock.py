"""The bench's clock: the desk's monotonic clock times a speed that may change, and what is due when."""

import heapq
import time
from collections.abc import Callable
from itertools import count


class Due:
    """A call to come; `cancel` takes it back."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]):
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


def real_us() -> int:
    """The desk's monotonic clock, microseconds: the same number the firmware process reads."""
    return time.monotonic_ns() // 1000


class Clock:
    """Bench time = base_us + (monotonic - base_real) * speed / 1000."""

    def __init__(self, speed: float = 1.0):
        self.base_us = 0
        self.base_real = real_us()
        self.speed = _thousandths(speed)
        self._queue: list[tuple[int, int, Due]] = []
        self._order = count()

    def now_us(self) -> int:
        return self.base_us + (time.monotonic_ns() // 1000 - self.base_real) * self.speed // 1000

    def set_speed(self, speed: float) -> None:
        """Bench seconds a desk second, 0.01 to 1000. Time does not jump."""
        now, real = self.now_us(), real_us()
        self.speed = _thousandths(speed)
        self.base_us, self.base_real = now, real

    def state(self) -> tuple[int, int, int]:
        return self.base_us, self.base_real, self.speed

    def after(self, us: int, call: Callable[[], None]) -> Due:
        due = Due(call)
        heapq.heappush(self._queue, (self.now_us() + us, next(self._order), due))
        return due

    def run_due(self) -> None:
        """Run what has fallen due, in order."""
        queue = self._queue
        while queue and queue[0][0] <= self.now_us():
            call = heapq.heappop(queue)[2].call
            if call:
                call()

    def wait(self) -> float | None:
        """Desk seconds until something falls due; None when nothing will."""
        queue = self._queue
        while queue and queue[0][2].call is None:
            heapq.heappop(queue)
        if not queue:
            return None
        return max(0.0, (queue[0][0] - self.now_us()) * 1000 / self.speed / 1e6)


def _thousandths(speed: float) -> int:
    if not 0.01 <= speed <= 1000:
        raise ValueError("speed must be 0.01 to 1000")
    return round(speed * 1000)
