"""A 4×4 matrix keypad without diodes: sleeps until a key closes, tells bounce and ghosts from keys."""

import asyncio
import os
import time

from micropython import const

from till.drivers.flag import TimedFlag

LAYOUT = "1 2 3 UP 4 5 6 DOWN 7 8 9 CLEAR CANCEL 0 OK MENU"
"""Names of the keys, row by row from the top left."""

_KEYS = const(16)
_SCAN_MS = const(5)  # four equal scans decide: 20 ms, above what worn contacts chatter
_RING = const(32)
_DOWN = const(0x80)
_LOOK_MS = const(250)  # a lost interrupt costs at most this


class Keypad:
    """`rows`: four open-drain output pins; `columns`: four input pins with pull-ups. `start()`, then `read()`.

    Open drain, because two keys held in one column join two rows: a row driven high would be shorted to one driven low.
    Idle, all rows are low and any key pulls a column down, which wakes the scan; rows are scanned in random order, so
    that the moment a line answers says nothing about the key to someone who listens to the wires.
    """

    def __init__(self, rows, columns, layout: str = LAYOUT):
        self._rows = rows
        self._columns = columns
        self._names = layout.split()
        if len(rows) != 4 or len(columns) != 4 or len(self._names) != _KEYS:
            raise ValueError("keypad wants 4 rows, 4 columns, 16 names")
        self._ring = bytearray(_RING)
        self._head = 0
        self._count = 0
        self._order = bytearray((0, 1, 2, 3))
        self._since = [time.ticks_ms()] * _KEYS
        self._state = 0  # the keys that are down, bit 4 × row + column
        # Two bits of counter a key, kept in two numbers: all sixteen are debounced by the same few operations.
        self._low = 0
        self._high = 0
        self._wake = TimedFlag()
        self._news = asyncio.Event()
        self._struck_handler = self._struck
        self._task = None

    def start(self) -> None:
        """Begin to watch the keys, in a task of its own."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Watch no more; a key that is down is forgotten. The rows are let go at the next turn of the event loop."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._state = self._low = self._high = 0
        self.clear()

    def look(self) -> int:
        """While stopped: the contacts that are closed now, bounce and ghosts and all, bit 4 × row + column."""
        return self._look()

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

    def _struck(self, _pin):
        self._wake.set()

    async def _run(self):
        while True:
            await self._sleep()
            await self._scan_until_quiet()

    async def _sleep(self):
        """Until a column is pulled down with every row low."""
        for row in self._rows:
            row(0)
        self._wake.clear()
        for column in self._columns:
            column.irq(handler=self._struck_handler, trigger=column.IRQ_FALLING)
        try:
            while all(column() for column in self._columns):
                if await self._wake.wait_ms(_LOOK_MS):
                    break
        finally:
            # The scan itself would strike them.
            for column in self._columns:
                column.irq(handler=None)
            for row in self._rows:
                row(1)

    async def _scan_until_quiet(self):
        quiet = 0
        while quiet < 4:
            closed = self._look()
            self._settle(self._without_ghosts(closed))
            quiet = 0 if closed or self._state else quiet + 1
            await asyncio.sleep_ms(_SCAN_MS)

    def _look(self):
        """One scan: the contacts that seem closed, bit 4 × row + column."""
        order = self._order
        columns = self._columns
        draw = os.urandom(3)
        for i in range(3, 0, -1):
            j = draw[i - 1] % (i + 1)
            order[i], order[j] = order[j], order[i]
        closed = 0
        for i in order:
            row = self._rows[i]
            row(0)
            for j in range(4):
                if not columns[j]():
                    closed |= 1 << 4 * i + j
            row(1)
        return closed

    def _without_ghosts(self, closed):
        """Two rows that share two columns make a rectangle: a corner of it may be a ghost, so none of them changes."""
        unsure = 0
        for i in range(3):
            upper = closed >> 4 * i & 15
            for j in range(i + 1, 4):
                shared = upper & closed >> 4 * j
                if shared & shared - 1:
                    unsure |= shared << 4 * i | shared << 4 * j
        return closed & ~unsure | self._state & unsure

    def _settle(self, closed):
        """A key changes after four scans in a row that say so."""
        differs = closed ^ self._state
        self._high = (self._high ^ self._low) & differs
        self._low = ~self._low & differs
        changed = differs & ~(self._high | self._low)
        if not changed:
            return
        self._state ^= changed
        now = time.ticks_ms()
        for i in range(_KEYS):
            if changed >> i & 1:
                down = self._state >> i & 1
                if down:
                    self._since[i] = now
                self._tell(i | _DOWN if down else i)
        self._news.set()

    def _tell(self, code):
        if self._count == _RING:  # nobody reads: the oldest goes
            self._head = (self._head + 1) % _RING
            self._count -= 1
        self._ring[(self._head + self._count) % _RING] = code
        self._count += 1
