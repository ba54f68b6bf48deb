"""A 4×4 matrix keypad without diodes: sleeps until a key closes, tells bounce and ghosts from keys."""

import asyncio
import os

from micropython import const

from till.drivers.flag import TimedFlag
from till.drivers.keys import LAYOUT, Keys

_SCAN_MS = const(5)  # four equal scans decide: 20 ms, above what worn contacts chatter
_LOOK_MS = const(250)  # a lost interrupt costs at most this


class Keypad(Keys):
    """`rows`: four open-drain output pins; `columns`: four input pins with pull-ups. `start()`, then `read()`.

    Open drain, because two keys held in one column join two rows: a row driven high would be shorted to one driven low.
    Idle, all rows are low and any key pulls a column down, which wakes the scan; rows are scanned in random order, so
    that the moment a line answers says nothing about the key to someone who listens to the wires.
    """

    def __init__(self, rows, columns, layout: str = LAYOUT):
        super().__init__(layout)
        if len(rows) != 4 or len(columns) != 4:
            raise ValueError("keypad wants 4 rows, 4 columns, 16 names")
        self._rows = rows
        self._columns = columns
        self._order = bytearray((0, 1, 2, 3))
        # Two bits of counter a key, kept in two numbers: all sixteen are debounced by the same few operations.
        self._low = 0
        self._high = 0
        self._wake = TimedFlag()
        self._struck_handler = self._struck

    def stop(self) -> None:
        """Watch no more; a key that is down is forgotten. The rows are let go at the next turn of the event loop."""
        super().stop()
        self._low = self._high = 0

    def look(self) -> int:
        """While stopped: the contacts that are closed now, bounce and ghosts and all, bit 4 × row + column."""
        return self._look()

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

    def _settle(self, closed):
        """A key changes after four scans in a row that say so."""
        differs = closed ^ self._state
        self._high = (self._high ^ self._low) & differs
        self._low = ~self._low & differs
        changed = differs & ~(self._high | self._low)
        if not changed:
            return
        for i in range(16):
            if changed >> i & 1:
                self._change(i, not self._state >> i & 1)
