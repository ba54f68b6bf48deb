"""The PN532's high-speed UART link (UM0701-02 §6.2.3): frames come by themselves, one character after the other."""

import asyncio

from micropython import const

from till.core.errors import ReaderError
from till.drivers.pn532.frame import SIZE, opened

_WAKE = b"\x55\x55\x00\x00\x00"

# The preamble takes 0.4 ms on the wire, then T_osc_start: at most 2 ms. A tick may be nearly over when it is counted.
_OSCILLATOR_MS = const(4)


class UARTTransport:
    """`uart`: 115200 baud 8N1, not blocking (`timeout=0`), with 300 bytes or more of room in each direction.

    Needs no interrupt line: the room of the UART is its sign that something came.
    """

    def __init__(self, uart):
        self._uart = uart
        self._in = bytearray(SIZE)  # from 1 on, so that `opened` reads it
        self._view = memoryview(self._in)
        self._have = 1
        self._end = 0  # of the frame at the front, when it is whole

    async def wake(self) -> None:
        """Wake the chip out of power-down or LowVbat by edges on its line; takes T_osc_start (§6.3.2.3)."""
        self._uart.write(_WAKE)
        await asyncio.sleep_ms(_OSCILLATOR_MS)
        self._forget()

    def ready(self) -> bool:
        """Whether a whole frame has come; never waits for the rest of one."""
        if self._end:
            return True
        if self._uart.any():
            self._have += self._uart.readinto(self._view[self._have :]) or 0
            self._end = self._whole()
        return self._end > 0

    def write(self, frame: memoryview) -> None:
        """Send one frame; its first byte is not used here. What has come of an older answer is dropped."""
        self._forget()
        self._uart.write(frame[1:])

    def read(self, buffer: bytearray, view: memoryview, ack: bool) -> tuple[int, int]:
        """Hand over one frame in `buffer`; `(offset, length)` of its body, length 0 for an acknowledgement.

        `view` is the same memory. Only after `ready`. Raises ReaderError.
        """
        end = self._end
        if not end:
            raise ReaderError("read too early")
        view[1:end] = self._view[1:end]
        self._shift(end, 1)
        self._end = self._whole()
        return opened(buffer, end)

    def _forget(self):
        while self._uart.any():
            self._uart.readinto(self._view[1:])
        self._have = 1
        self._end = 0

    def _shift(self, end, to):
        """Drop what comes before `end`: the rest begins at `to`."""
        left = self._have - end
        if left:
            self._view[to : to + left] = bytes(self._view[end : self._have])
        self._have = to + left

    def _whole(self):
        """The end of the first frame once all of it is there, else 0. Noise before a start code makes room."""
        if self._have < 2:
            return 0
        data = self._in
        start = data.find(b"\x00\xff", 1, self._have)
        if start < 0:
            self._shift(self._have - (data[self._have - 1] == 0), 1)
            return 0
        if start > 2:
            self._shift(start, 2)
            start = 2
        at = start + 2
        left = self._have - at
        if left < 2:
            return 0
        length = data[at]
        if length == 0xFF and data[at + 1] == 0xFF:
            if left < 5:
                return 0
            end = at + 5 + (data[at + 2] << 8 | data[at + 3]) + 2
        elif length + data[at + 1] == 0xFF:
            end = at + 3  # an acknowledgement: its code and a postamble
        else:
            end = at + 2 + length + 2
        if end > SIZE:
            return self._have  # nonsense: it is read, and asked for again
        return end if self._have >= end else 0
