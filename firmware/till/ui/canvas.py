"""Drawing text, boxes and shapes into a panel's 4-bit buffer, one band of rows at a time: it is sent as it is done."""

import framebuf

from till.core import fast
from till.ui import font as _font


class Canvas:
    """`display` as the board contract says (width, height, rows, buffer, flush); `font` a till.ui.font.Font.

    `begin` a band, cover all of it, `flush` it. Places are the panel's. Colours are 0 … 15. Text starts at even x (an
    odd one is moved left) and is drawn with its background; glyphs that would leave the band are left out.
    """

    def __init__(self, display, font):
        self.font = font
        self.width = display.width
        self.height = display.height
        self._display = display
        self._stride = display.width // 2
        self._frame = framebuf.FrameBuffer(display.buffer, display.width, display.rows, framebuf.GS4_HMSB)
        self._buffer = display.buffer
        self._pairs = bytearray(4)
        self._slots = bytearray(display.width // 8)  # the glyphs of a line, until they are drawn together
        self._large = bytearray(16 // 8 * 4 * 16 * 4)  # one 16×16 glyph at ×4
        self._top = self._end = 0  # of the band

    def begin(self, y0: int, y1: int) -> None:
        """From now on rows `y0` … `y1 - 1` are drawn, at most `display.rows` of them. ValueError for more."""
        if not 0 <= y0 <= y1 <= self.height or y1 - y0 > self._display.rows:
            raise ValueError("band %d-%d" % (y0, y1))
        self._top, self._end = y0, y1

    def flush(self) -> None:
        """Send the band."""
        self._display.flush(self._top, self._end)

    def blank(self, y0: int, y1: int, colour: int) -> None:
        """Rows of one colour, any number of them, drawn and sent."""
        rows = self._display.rows
        for y in range(y0, y1, rows):
            self.begin(y, min(y + rows, y1))
            self._frame.fill(colour)
            self.flush()

    # Shapes

    def rect(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        """A filled box."""
        self._frame.fill_rect(x, y - self._top, width, height, colour)

    def outline(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        self._frame.rect(x, y - self._top, width, height, colour)

    def box(self, x: int, y: int, width: int, height: int, radius: int, colour: int) -> None:
        """A filled box with round corners."""
        f = self._frame
        y -= self._top
        r = min(radius, width // 2, height // 2)
        f.fill_rect(x + r, y, width - 2 * r, height, colour)
        f.fill_rect(x, y + r, width, height - 2 * r, colour)
        for cx in (x + r, x + width - 1 - r):
            for cy in (y + r, y + height - 1 - r):
                f.ellipse(cx, cy, r, r, colour, True)

    def disc(self, x: int, y: int, radius: int, colour: int) -> None:
        """A filled circle around (x, y)."""
        self._frame.ellipse(x, y - self._top, radius, radius, colour, True)

    def polygon(self, x: int, y: int, points, colour: int) -> None:
        """A filled polygon; `points` is an array("h") of x, y pairs from (x, y)."""
        self._frame.poly(x, y - self._top, points, colour, True)

    # Text

    def text(self, x: int, y: int, text: str, ink: int, paper: int, scale: int = 1) -> int:
        """Draw one line with its top left at (x, y); returns the x behind it."""
        pairs, font = self._pairs, self.font
        pairs[0] = paper * 17
        pairs[1] = paper << 4 | ink
        pairs[2] = ink << 4 | paper
        pairs[3] = ink * 17
        x &= ~1
        if y < self._top or y + _font.HEIGHT * scale > self._end:
            return x
        y -= self._top
        slots, kept, width = self._slots, font.kept, self.width
        start, waiting = x, 0
        count, half, full = font.decode(text), 8 * scale, 16 * scale
        codes = font.codes
        for i in range(count):
            code = codes[i]
            slot = kept.get(code)
            if slot is None:
                # Reading a glyph may take the slot of one that waits.
                self._draw(start, y, waiting, scale)
                start, waiting = x, 0
                slot = font.load(code)
            after = x + (full if slot > 127 else half)
            if after > width:
                break
            if x < 0:
                start = after
            else:
                slots[waiting] = slot
                waiting += 1
            x = after
        self._draw(start, y, waiting, scale)
        return x

    def _draw(self, x: int, y: int, count: int, scale: int) -> None:
        """The glyphs of the first `count` slots, side by side from (x, y), y from the top of the band."""
        stride, pairs = self._stride, self._pairs
        at = y * stride + x // 2
        if scale == 1:
            fast.draw_glyphs(self._buffer, self.font.room, pairs, at, stride, self._slots, count)
            return
        for i in range(count):
            slot = self._slots[i]
            width = 2 if slot & 128 else 1
            fast.enlarge(self._large, self.font.bits(slot), width, scale)
            fast.draw_bits(self._buffer, self._large, pairs, at, stride, width * scale, 16 * scale)
            at += 4 * width * scale
