"""SSD1306 mono panels on I2C, 128×64 or 128×32, behind a whole picture of one bit a pixel (1 KB)."""

import time

from micropython import const

_COLUMNS = const(0x21)
_PAGES = const(0x22)
_CONTRAST = const(0x81)
_ON = const(0xAF)

# What follows a control byte until the stop condition (§8.1.5.2): commands with their arguments, or picture data.
_COMMANDS = b"\x00"
_DATA = b"\x40"


class SSD1306:
    """`buffer` is the picture as the chip keeps it: pages of eight rows, a byte a column, top row in bit 0
    (framebuf.MONO_VLSB); `flush` sends the pages that hold some rows.

    `i2c`: a bus of at most 400 kHz (Table 13-6). `reset`: output pin, called with 0 or 1; most modules have none and
    reset themselves at power-on. The charge pump makes the panel's voltage, as modules with four pins need it.
    Takes about 30 ms at 400 kHz, after which the panel is on and dark.
    """

    def __init__(
        self, i2c, address: int = 0x3C, reset=None, *, width: int = 128, height: int = 64, contrast: int = 0xCF
    ):
        if width != 128 or height not in (32, 64):
            raise ValueError("size")
        self.width = width
        self.height = height
        self.buffer = bytearray(width * height // 8)
        self._view = memoryview(self.buffer)
        self._i2c = i2c
        self._address = address
        self._window = bytearray((0, _PAGES, 0, 0))
        self._data = [_DATA, self._view]
        if reset is not None:
            reset(0)
            time.sleep_us(10)  # at least 3 us (§8.9)
            reset(1)
            time.sleep_us(10)
        # Whatever it was in the middle of: everything is set, not only what differs from a reset.
        self._send(
            (0xAE, 0x2E)  # off, not scrolling: it may be on from before a restart
            + (0xD5, 0x80, 0xA8, height - 1, 0xD3, 0x00, 0x40)  # clock, rows, no offset, from row 0
            + (0x8D, 0x14)  # charge pump: before the panel is on
            + (0x20, 0x00, _COLUMNS, 0, width - 1)  # the address runs along a page, then to the next
            + (0xA1, 0xC8)  # upright: the connector is above the picture
            + (0xDA, 0x12 if height == 64 else 0x02)
            + (0xD9, 0xF1, 0xDB, 0x20, 0xA4, 0xA6)
        )
        self.contrast(contrast)
        self.flush(0, height)  # its memory wakes up as noise
        self._send((_ON,))

    def flush(self, y0: int, y1: int) -> None:
        """Send the pages that hold rows `y0` … `y1 - 1`; rows that the panel does not have are left out."""
        first, behind = max(0, y0) >> 3, (min(y1, self.height) + 7) >> 3
        if first >= behind:
            return
        window = self._window
        window[2], window[3] = first, behind - 1
        self._i2c.writeto(self._address, window)
        self._data[1] = self._view[first * self.width : behind * self.width]
        self._i2c.writevto(self._address, self._data)

    def contrast(self, level: int) -> None:
        """0 … 255; an OLED ages by its light."""
        self._send((_CONTRAST, level))

    def _send(self, commands: tuple) -> None:
        self._i2c.writeto(self._address, _COMMANDS + bytes(commands))
