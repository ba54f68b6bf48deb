"""The PN532's I2C link (UM0701-02 §6.2.4): each reading begins with a status byte, and takes one frame."""

import asyncio

from micropython import const

from till.core.errors import ReaderError
from till.drivers.pn532.frame import opened

_ADDRESS = const(0x24)
_READY = const(0x01)

_OSCILLATOR_MS = const(3)  # T_osc_start: at most 2 ms, and a tick may be nearly over when it is counted

# Bytes of a reading, the status byte included: an acknowledgement whole; most answers of a payment whole. A reading
# cannot be continued, so an answer that proves longer is asked for again, with its length known.
_ACK = const(7)
_FIRST = const(64)


class I2CTransport:
    """`i2c`: at most 400 kHz, and one that bears SCL held low for 1 ms (`timeout=` of 2000 µs or more).

    The chip holds it for some 440 µs behind its address, and for up to 1 ms when that address wakes it.
    """

    def __init__(self, i2c):
        self._i2c = i2c
        self._status = bytearray(1)
        self._due = _FIRST

    async def wake(self) -> None:
        """Wake the chip out of power-down or LowVbat by its address; takes T_osc_start (§6.3.2.3)."""
        self.ready()
        await asyncio.sleep_ms(_OSCILLATOR_MS)

    def ready(self) -> bool:
        """Whether the chip has a frame for us. A chip that does not answer has none."""
        try:
            self._i2c.readfrom_into(_ADDRESS, self._status)
        except OSError:
            return False
        return self._status[0] == _READY

    def write(self, frame: memoryview) -> None:
        """Send one frame; its first byte is not used here. Raises ReaderError."""
        try:
            self._i2c.writeto(_ADDRESS, frame[1:])
        except OSError as e:
            raise ReaderError("I2C error %d" % e.errno)

    def read(self, buffer: bytearray, view: memoryview, ack: bool) -> tuple[int, int]:
        """Read one frame into `buffer`; `(offset, length)` of its body, length 0 for an acknowledgement.

        `view` is the same memory. `ack`: an acknowledgement is due, so few bytes are read. Raises ReaderError, also
        for an answer longer than what was read: after a NACK, the next call reads it whole.
        """
        have = _ACK if ack else self._due
        self._due = _FIRST
        try:
            self._i2c.readfrom_into(_ADDRESS, view[:have])
        except OSError as e:
            raise ReaderError("I2C error %d" % e.errno)
        if buffer[0] != _READY:
            raise ReaderError("read too early")
        at, length = opened(buffer, have)
        end = at + length + 2 if length else at + 1
        if end > have:
            self._due = end
            raise ReaderError("answer longer than read")
        return at, length
