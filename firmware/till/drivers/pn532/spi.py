"""The PN532's SPI link (UM0701-02 §6.2.5): a direction byte, then a frame, all least significant bit first."""

import asyncio

from micropython import const

from till.drivers.pn532.frame import opened

_STATUS = const(0x02)
_WRITE = const(0x01)
_READ = const(0x03)

_OSCILLATOR_MS = const(3)  # T_osc_start: at most 2 ms, and a tick may be nearly over when it is counted

# Bytes read before the length is looked at: an acknowledgement whole; the shortest answer to an APDU whole, which is
# also more than any header.
_ACK = const(7)
_FIRST = const(13)


class SPITransport:
    """`spi`: a bus of its own in mode 0, LSB first, at most 5 MHz. `cs`: output pin, called with 0 or 1.

    Bus of its own because changing the bit order tears it down. A transport for I2C or HSU has the same four methods.
    """

    def __init__(self, spi, cs):
        self._spi = spi
        self._cs = cs
        self._ask = bytes((_STATUS, 0))
        self._status = bytearray(2)
        self._fetch_ack = bytes((_READ,)) + bytes(_ACK - 1)
        self._fetch = bytes((_READ,)) + bytes(_FIRST - 1)
        cs(1)

    async def wake(self) -> None:
        """Wake the chip out of power-down or LowVbat; takes T_osc_start (§6.3.4.3)."""
        self._cs(0)
        try:
            await asyncio.sleep_ms(_OSCILLATOR_MS)
        finally:
            self._cs(1)

    def ready(self) -> bool:
        """Whether the chip has a frame for us. A bus that floats reads FF and is not ready."""
        self._cs(0)
        try:
            self._spi.write_readinto(self._ask, self._status)
        finally:
            self._cs(1)
        return self._status[1] == 1

    def write(self, frame: memoryview) -> None:
        """Send one frame; its first byte is ours to fill."""
        frame[0] = _WRITE
        self._cs(0)
        try:
            self._spi.write(frame)
        finally:
            self._cs(1)

    def read(self, buffer: bytearray, view: memoryview, ack: bool) -> tuple[int, int]:
        """Read one frame into `buffer`; `(offset, length)` of its body, length 0 for an acknowledgement.

        `view` is the same memory. `ack`: an acknowledgement is due, so few bytes are read. Raises ReaderError.
        """
        have = _ACK if ack else _FIRST
        self._cs(0)
        try:
            self._spi.write_readinto(self._fetch_ack if ack else self._fetch, view[:have])
            at, length = opened(buffer, have)
            end = at + length + 2 if length else at + 1
            if end > have:
                self._spi.readinto(view[have:end])
        finally:
            self._cs(1)
        return at, length
