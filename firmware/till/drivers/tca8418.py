"""A 4×4 keypad behind a TCA8418 on I2C: the chip scans and debounces, we read its FIFO when INT says so."""

from micropython import const

from till.drivers.flag import TimedFlag
from till.drivers.keys import LAYOUT, Keys

_CFG = const(0x01)
_INT_STAT = const(0x02)
_KEY_LCK_EC = const(0x03)
_KEY_EVENT_A = const(0x04)
_KP_GPIO1 = const(0x1D)
_KP_GPIO2 = const(0x1E)

# The newest events push out the oldest, and both keys and that overflow pull INT low, until all of it is read.
_CONFIGURED = const(0x29)
_KEY = const(0x01)
_OVERFLOW = const(0x08)

_FIFO = const(10)
_DOWN = const(0x80)
_COLUMNS = const(10)  # of the chip's own matrix: key codes count from 1, row by row
_LOOK_MS = const(250)  # a lost interrupt costs at most this


class TCA8418(Keys):
    """Rows on ROW0 … ROW3, columns on COL0 … COL3. `i2c`: at most 400 kHz (400 is the chip's fast mode); `irq`: input
    pin on INT, with a pull-up; without it the chip is asked every quarter of a second.

    A chip that does not answer costs events, not the task: it is set up again as soon as it is there.
    """

    def __init__(self, i2c, irq=None, address: int = 0x34, layout: str = LAYOUT):
        super().__init__(layout)
        self._i2c = i2c
        self._irq = irq
        self._address = address
        self._byte = bytearray(1)
        self._events = bytearray(_FIFO)
        self._closed = 0  # contacts, ghosts and all
        self._ready = False
        self._wake = TimedFlag()
        if irq is not None:
            irq.irq(handler=self._struck, trigger=irq.IRQ_FALLING)

    def _struck(self, _pin):
        self._wake.set()

    async def _run(self):
        while True:
            try:
                self._serve()
            except OSError:
                self._ready = False  # pulled off, or a burst on the bus
                self._release()
            await self._wake.wait_ms(_LOOK_MS)

    def _serve(self):
        if not self._ready:
            self._set(_KP_GPIO1, 0x0F)  # ROW0 … ROW3 in the matrix
            self._set(_KP_GPIO2, 0x0F)  # COL0 … COL3
            self._set(_CFG, _CONFIGURED)
            while self._get(_KEY_LCK_EC) & 0x0F:
                self._get(_KEY_EVENT_A)  # from before we came: nobody means them now
            self._ready = True
        while True:
            status = self._get(_INT_STAT) & (_KEY | _OVERFLOW)
            count = min(self._get(_KEY_LCK_EC) & 0x0F, _FIFO)
            if not status and not count:  # chips were seen that have events and tell of none
                return
            for i in range(count):
                self._events[i] = self._get(_KEY_EVENT_A)
            self._take(count)
            if status & _OVERFLOW:  # more than ten events: which keys are up is not known, so none is down
                self._release()
            self._set(_INT_STAT, _KEY | _OVERFLOW)

    def _take(self, count):
        """Events in their order. What went down, or came up, together is judged together: a ghost comes and goes in
        the same scan as its cause, and may be told first."""
        i = 0
        while i < count:
            first = i
            down = self._events[i] & _DOWN
            while i < count and self._events[i] & _DOWN == down:
                bit = self._bit(self._events[i])
                self._closed = self._closed | bit if down else self._closed & ~bit
                i += 1
            changed = self._without_ghosts(self._closed) ^ self._state
            for event in self._events[first:i]:
                bit = self._bit(event)
                if changed & bit:
                    changed &= ~bit
                    self._switch(bit)
            while changed:  # what was unsure until now
                bit = changed & -changed
                changed &= ~bit
                self._switch(bit)

    def _bit(self, event) -> int:
        """The key of an event, as in `Keys._state`; 0 for a line that nothing is wired to."""
        row, column = divmod((event & 0x7F) - 1, _COLUMNS)
        return 1 << 4 * row + column if 0 <= row < 4 and column < 4 else 0

    def _switch(self, bit):
        for i in range(16):
            if bit >> i & 1:
                self._change(i, not self._state >> i & 1)

    def _release(self):
        self._closed = 0
        for i in range(16):
            self._change(i, False)

    def _get(self, register: int) -> int:
        self._i2c.readfrom_mem_into(self._address, register, self._byte)
        return self._byte[0]

    def _set(self, register: int, value: int) -> None:
        self._byte[0] = value
        self._i2c.writeto_mem(self._address, register, self._byte)
