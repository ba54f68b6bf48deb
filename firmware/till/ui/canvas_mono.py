"""Drawing text and boxes into the whole picture of a mono panel, a band of rows at a time: it is sent as it is done."""

import framebuf

from till.core import fast
from till.ui.font import HEIGHT


class MonoCanvas:
    """`display`: width, height, buffer (framebuf.MONO_VLSB), flush. `begin` a band, draw in it, `flush` it.

    A band begins dark. Text is light on dark, or dark on light where `inverse`; at a scale of 1 or 2.
    """

    def __init__(self, display, font):
        self.font = font
        self.width = display.width
        self.height = display.height
        self._display = display
        self._frame = framebuf.FrameBuffer(display.buffer, display.width, display.height, framebuf.MONO_VLSB)
        self._glyph = bytearray(128)  # one glyph of 16×16 at ×2
        self._cells = [self._cell(columns * scale, HEIGHT * scale) for scale in (1, 2) for columns in (8, 16)]
        self._colours = [framebuf.FrameBuffer(bytearray(pair), 2, 1, framebuf.MONO_VLSB) for pair in (b"\0\1", b"\1\0")]
        self._top = self._end = 0

    def _cell(self, width: int, height: int):
        return framebuf.FrameBuffer(self._glyph, width, height, framebuf.MONO_HLSB)

    def begin(self, y0: int, y1: int) -> None:
        """From now on rows `y0` … `y1 - 1` are drawn."""
        self._top, self._end = y0, y1
        self._frame.fill_rect(0, y0, self.width, y1 - y0, 0)

    def flush(self) -> None:
        """Send the band."""
        self._display.flush(self._top, self._end)

    def blank(self, y0: int, y1: int, colour: int) -> None:
        """Rows of one colour, drawn and sent."""
        self.begin(y0, y1)
        self.rect(0, y0, self.width, y1 - y0, colour)
        self.flush()

    def rect(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        """A filled box, light (1) or dark (0)."""
        self._frame.fill_rect(x, y, width, height, colour)

    def outline(self, x: int, y: int, width: int, height: int) -> None:
        self._frame.rect(x, y, width, height, 1)

    def text(self, x: int, y: int, text: str, inverse: bool = False, scale: int = 1) -> int:
        """Draw one line with its top left at (x, y), as far as whole glyphs fit; returns the x behind it."""
        font, glyph = self.font, self._glyph
        colours = self._colours[1 if inverse else 0]
        for i in range(font.decode(text)):
            slot = font.load(font.codes[i])
            wide = slot >> 7
            after = x + (16 if wide else 8) * scale
            if after > self.width:
                break
            if scale == 1:
                bits = font.bits(slot)
                glyph[: len(bits)] = bits
            else:
                fast.enlarge(glyph, font.bits(slot), 2 if wide else 1, scale)
            self._frame.blit(self._cells[2 * scale - 2 + wide], x, y, -1, colours)
            x = after
        return x
