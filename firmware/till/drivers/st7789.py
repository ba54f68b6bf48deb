"""MIPI DCS colour panels (ST7789, ILI9341) behind a 4-bit buffer of some rows: the glass remembers the rest."""

import time

from micropython import const

from till.core import fast

_CASET = const(0x2A)
_RASET = const(0x2B)
_RAMWR = const(0x2C)
_MADCTL = const(0x36)
_DISPON = const(0x29)

# Rows expanded for one SPI write: 6 rows of 240 pixels are 2880 bytes, one DMA transfer on the ESP32 (at most 4092).
_ROWS = const(6)

# An init table is a run of (command, n, n parameter bytes, wait in ms), ended by the end of the table.
#
# ST7789V: sleep out (5 ms before the next command; a sleep may end within its last ms), 16 bits a pixel, inversion on
# as IPS glass needs it.
ST7789_INIT = b"\x11\x00\x06\x3a\x01\x55\x00\x21\x00\x00\x13\x00\x00"
# ILI9341: the same commands; sleep out wants 120 ms and the glass is not inverted. Its MADCTL is 0x48 in portrait.
ILI9341_INIT = b"\x11\x00\x79\x3a\x01\x55\x00\x20\x00\x00\x13\x00\x00"


class ST7789:
    """`buffer` holds `rows` rows of two pixels a byte, left one in the high nibble (framebuf.GS4_HMSB); `flush` sends
    them to any place on the glass. The whole picture would be 38 KB, and nobody reads it back.

    `spi`: a bus set to mode 0 or 3, most significant bit first, at most 62.5 MHz (ST7789V §7.4.3: 16 ns write cycle).
    `dc`, `cs`, `reset`, `backlight`: output pins, called with 0 or 1; without `reset` the panel is reset by command.
    `x0`, `y0`: where the glass starts in the controller's memory. `madctl`: memory access order, for the way the
    panel is mounted. Takes about 130 ms, after which the glass shows colour 0 everywhere.
    """

    def __init__(
        self,
        spi,
        dc,
        cs,
        reset=None,
        backlight=None,
        *,
        width=240,
        height=320,
        rows=96,
        x0=0,
        y0=0,
        madctl=0x00,
        init=ST7789_INIT,
    ):
        if width % 16:
            raise ValueError("width")  # the inner loop takes eight bytes of the buffer at a time
        self.width = width
        self.height = height
        self.rows = min(rows, height)
        self.buffer = bytearray(width * self.rows // 2)
        self._view = memoryview(self.buffer)
        self._lines = bytearray(width * 2 * _ROWS)
        self._lines_view = memoryview(self._lines)
        self._table = bytearray(256 * 4)
        self._x0 = x0
        self._y0 = y0
        self._byte = bytearray(1)
        self._window = bytearray(4)
        self.palette = tuple([0x111111 * n for n in range(16)])  # until the layout sets its own; black is first
        self.start(spi, dc, cs, reset, backlight, madctl, init)

    def start(self, spi, dc, cs, reset, backlight, madctl: int, init: bytes) -> None:
        """Start the panel (again) on these pins, with what the buffer holds all over the glass; as the constructor."""
        self._spi = spi
        self._dc = dc
        self._cs = cs
        x0, width, height = self._x0, self.width, self.height
        if backlight is not None:
            backlight(0)
        self._reset(reset)
        self._run(init)
        self._send(_MADCTL, bytes((madctl,)))
        # Every flush is whole rows, so the columns are set once for all.
        self._send(_CASET, bytes((x0 >> 8, x0 & 0xFF, (x0 + width - 1) >> 8, (x0 + width - 1) & 0xFF)))
        # The controller's memory wakes up as noise: it is overwritten before it is shown.
        self._open(0, height)
        for y in range(0, height, self.rows):
            self._pour(min(self.rows, height - y))
        self._send(_DISPON)
        if backlight is not None:
            backlight(1)

    @property
    def palette(self) -> tuple:
        """The 16 colours, each 0xRRGGBB. Setting it changes what the next `flush` sends, not what is on the glass."""
        return self._palette

    @palette.setter
    def palette(self, colours: tuple) -> None:
        if len(colours) != 16:
            raise ValueError("palette")
        self._palette = tuple(colours)
        table = self._table
        for pair in range(256):
            for half, colour in ((0, colours[pair >> 4]), (2, colours[pair & 15])):
                # RGB565, most significant byte first on the wire.
                table[pair * 4 + half] = (colour >> 16 & 0xF8) | (colour >> 13 & 0x07)
                table[pair * 4 + half + 1] = (colour >> 5 & 0xE0) | (colour >> 3 & 0x1F)

    def flush(self, y0: int, y1: int) -> None:
        """Send the buffer's first `y1 - y0` rows to rows `y0` … `y1 - 1` of the glass; rows that the glass or the
        buffer does not have are left out."""
        y1 = min(y1, self.height, y0 + self.rows)
        if 0 <= y0 < y1:
            self._open(y0, y1)
            self._pour(y1 - y0)

    def _open(self, y0: int, y1: int) -> None:
        """What is poured next fills rows `y0` … `y1 - 1`."""
        first, last = self._y0 + y0, self._y0 + y1 - 1
        window = self._window
        window[0], window[1], window[2], window[3] = first >> 8, first & 0xFF, last >> 8, last & 0xFF
        self._send(_RASET, window)
        self._send(_RAMWR)

    def _pour(self, rows: int) -> None:
        spi, view, lines, table, stride = self._spi, self._view, self._lines, self._table, self.width // 2
        self._cs(0)
        y = 0
        while y < rows:
            end = min(y + _ROWS, rows)
            count = (end - y) * stride
            fast.expand_pairs(lines, view[y * stride : end * stride], table, count)
            spi.write(lines if end - y == _ROWS else self._lines_view[: count * 4])
            y = end
        self._cs(1)

    def _reset(self, reset) -> None:
        if reset is None:
            self._send(0x01)  # SWRESET
        else:
            reset(1)
            reset(0)
            time.sleep_ms(1)  # at least 10 us (ST7789V §7.4.5)
            reset(1)
        time.sleep_ms(121)  # sleep out is not accepted for 120 ms

    def _run(self, table: bytes) -> None:
        at = 0
        while at < len(table):
            count = table[at + 1]
            self._send(table[at], table[at + 2 : at + 2 + count])
            time.sleep_ms(table[at + 2 + count])
            at += 3 + count

    def _send(self, command: int, data: bytes | bytearray = b"") -> None:
        self._byte[0] = command
        self._cs(0)
        self._dc(0)
        self._spi.write(self._byte)
        self._dc(1)  # what follows a command is its data: _pour relies on it
        if data:
            self._spi.write(data)
        self._cs(1)
