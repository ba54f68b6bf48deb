"""Drawing text, boxes and shapes into a panel's 4-bit buffer, one band of rows at a time: it is sent as it is done."""

import framebuf

from till.core import fast
from till.ui import font as _font

_CLOSING = "，。、！？：；）」』》】…·,.!?:;)]%"
_OPENING = "（「『《【([¥￥$"
_ELLIPSIS = "…"


def _is_wide(c: str) -> bool:
    # Scripts written without spaces: a line may break after any of their characters.
    return ord(c) >= 0x2E80


def _units(text: str) -> list:
    """Pieces that a line may not break inside: words with their space, single Chinese characters with punctuation."""
    units = []
    word = ""
    for c in text:
        last = word[-1:]
        glued = not word or c == " " or c in _CLOSING or last in _OPENING
        if not glued and (last == " " or _is_wide(c) or _is_wide(last)):
            units.append(word)
            word = ""
        word += c
    if word:
        units.append(word)
    return units


def _clauses(text: str) -> list:
    """`text` cut behind its commas."""
    clauses = []
    start = 0
    for i, c in enumerate(text):
        if c in "，；。" or (c in ",;." and text[i + 1 : i + 2] == " "):
            clauses.append(text[start : i + 1].strip())
            start = i + 1
    if text[start:].strip():
        clauses.append(text[start:].strip())
    return clauses


class Canvas:
    """`display` as the board contract says (width, height, rows, buffer, flush); `font` a till.ui.font.Font.

    `begin` a band, cover all of it, `flush` it. Places are the panel's. Colours are 0 … 15. Text starts at even x (an
    odd one is moved left) and is drawn with its background; glyphs that would leave the band are left out.
    """

    def __init__(self, display, font):
        self.width = display.width
        self.height = display.height
        self.font = font
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

    def fit(self, text: str, width: int, scale: int = 1) -> str:
        """`text`, cut and ended with … where it is wider than `width` pixels."""
        if self.font.width(text, scale) <= width:
            return text
        room = width - self.font.width(_ELLIPSIS, scale)
        kept = ""
        for c in text:
            room -= self.font.width(c, scale)
            if room < 0:
                break
            kept += c
        return kept + _ELLIPSIS

    def wrap(self, text: str, width: int, scale: int = 1) -> list:
        """Lines of at most `width` pixels: broken at spaces and between Chinese characters, not before punctuation."""
        lines = []
        for paragraph in text.split("\n"):
            line = ""
            for unit in _units(paragraph):
                if self.font.width((line + unit).rstrip(), scale) <= width:
                    line += unit
                    continue
                if line.strip():
                    lines.append(line.rstrip())
                    line = ""
                for c in unit:  # a word wider than a line is broken where it must
                    if self.font.width((line + c).rstrip(), scale) > width:
                        lines.append(line)
                        line = ""
                    line += c
            lines.append(line.rstrip())
        return lines

    def widest(self, text: str, scale: int = 1) -> int:
        """Pixels of the widest piece of `text` that a line should not break inside."""
        measure = self.font.width
        return max([measure(unit.rstrip(), scale) for part in text.split("\n") for unit in _units(part)] or [0])

    def balance(self, text: str, width: int, scale: int = 1) -> list:
        """`wrap` with as few lines as `width` allows: broken after a comma if that takes no more, else equally long."""
        lines = self.wrap(text, width, scale)
        if len(lines) == 1:
            return lines
        clauses = _clauses(text)
        if 1 < len(clauses) <= len(lines):
            by_clause = []
            for clause in clauses:
                by_clause.extend(self.balance(clause, width, scale))
            if len(by_clause) == len(lines):
                return by_clause
        measure = self.font.width
        least = self.widest(text, scale)
        while True:
            width = max([measure(line, scale) for line in lines]) - 8 * scale
            if width < least:
                return lines
            narrower = self.wrap(text, width, scale)
            if len(narrower) > len(lines):
                return lines
            lines = narrower
