"""What every keypad hands on: events in a ring, which keys are down, and since when."""

import asyncio
import time

from micropython import const

LAYOUT = "1 2 3 UP 4 5 6 DOWN 7 8 9 CLEAR CANCEL 0 OK MENU"
"""Names of the keys, row by row from the top left."""

_KEYS = const(16)
_RING = const(32)
_DOWN = const(0x80)


class Keys:
    """A keypad's own part is a task that calls `_change`; `_run` is that task, for ever."""

    def __init__(self, layout: str = LAYOUT):
        self._names = layout.split()
        if len(self._names) != _KEYS:
            raise ValueError("keypad wants 16 names")
        self._ring = bytearray(_RING)
        self._head = 0
        self._count = 0
        self._since = [time.ticks_ms()] * _KEYS
        self._state = 0  # the keys that are down, bit 4 × row + column
        self._news = asyncio.Event()
        self._task = None

    def start(self) -> None:
        """Begin to watch the keys, in a task of its own."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self):
        raise NotImplementedError

    def stop(self) -> None:
        """Watch no more; a key that is down is forgotten."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._state = 0
        self.clear()

    async def read(self) -> tuple[str, bool]:
        """The next event: `(key, True)` when it went down, `(key, False)` when it came up."""
        while not self._count:
            self._news.clear()
            await self._news.wait()
        code = self._ring[self._head]
        self._head = (self._head + 1) % _RING
        self._count -= 1
        return self._names[code & 0x0F], bool(code & _DOWN)

    def held(self, key: str) -> int:
        """Milliseconds that `key` has been down, 0 when it is up."""
        i = self._names.index(key)
        if not self._state >> i & 1:
            return 0
        return max(1, time.ticks_diff(time.ticks_ms(), self._since[i]))

    def clear(self) -> None:
        """Forget events that nobody has read (keys typed at a screen that is gone)."""
        self._count = 0

    def _without_ghosts(self, closed: int) -> int:
        """Two rows that share two columns make a rectangle: a corner of it may be a ghost, so none of them changes."""
        unsure = 0
        for i in range(3):
            upper = closed >> 4 * i & 15
            for j in range(i + 1, 4):
                shared = upper & closed >> 4 * j
                if shared & shared - 1:
                    unsure |= shared << 4 * i | shared << 4 * j
        return closed & ~unsure | self._state & unsure

    def _change(self, i: int, down: bool) -> None:
        """Key `i` went down or came up; what it was already is no event."""
        if bool(self._state >> i & 1) == down:
            return
        self._state ^= 1 << i
        if down:
            self._since[i] = time.ticks_ms()
        if self._count == _RING:  # nobody reads: the oldest goes
            self._head = (self._head + 1) % _RING
            self._count -= 1
        self._ring[(self._head + self._count) % _RING] = i | _DOWN if down else i
        self._count += 1
        self._news.set()
