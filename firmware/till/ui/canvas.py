"""Drawing into a panel's 4-bit buffer: text, boxes and shapes; `flush` sends the rows that were touched, no others."""

import framebuf
from micropython import const

from till.core import fast
from till.ui import font as _font

_CLOSING = "，。、！？：；）」』》】…·,.!?:;)]%"
_OPENING = "（「『《【([¥￥$"
_ELLIPSIS = "…"
_SPANS = const(8)


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
    """`display` as the board contract says (width, height, buffer, flush); `font` a till.ui.font.Font.

    Colours are 0 … 15. Text starts at even x (an odd one is moved left) and is drawn with its background.
    Glyphs that would leave the panel are left out.
    """

    def __init__(self, display, font):
        self.width = display.width
        self.height = display.height
        self.font = font
        self._display = display
        self._stride = display.width // 2
        self._frame = framebuf.FrameBuffer(display.buffer, display.width, display.height, framebuf.GS4_HMSB)
        self._buffer = display.buffer
        self._pairs = bytearray(4)
        self._slots = bytearray(display.width // 8)  # the glyphs of a line, until they are drawn together
        self._large = bytearray(16 // 8 * 4 * 16 * 4)  # one 16×16 glyph at ×4
        self._dirty = []

    def flush(self) -> None:
        """Send every row touched since the last flush."""
        for y0, y1 in self._dirty:
            self._display.flush(y0, y1)
        self._dirty.clear()

    def _touch(self, y0: int, y1: int) -> None:
        y0 = max(y0, 0)
        y1 = min(y1, self.height)
        if y0 >= y1:
            return
        dirty = self._dirty
        for i in range(len(dirty) - 1, -1, -1):
            a, b = dirty[i]
            if a <= y0 and y1 <= b:
                return
            if y0 <= b and a <= y1:
                y0, y1 = min(a, y0), max(b, y1)
                dirty.pop(i)
        if len(dirty) == _SPANS:  # more would cost more than the rows between them
            a, b = dirty.pop()
            y0, y1 = min(a, y0), max(b, y1)
        dirty.append((y0, y1))

    # Shapes

    def rect(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        """A filled box."""
        self._frame.fill_rect(x, y, width, height, colour)
        self._touch(y, y + height)

    def outline(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        self._frame.rect(x, y, width, height, colour)
        self._touch(y, y + height)

    def box(self, x: int, y: int, width: int, height: int, radius: int, colour: int) -> None:
        """A filled box with round corners."""
        f = self._frame
        r = min(radius, width // 2, height // 2)
        f.fill_rect(x + r, y, width - 2 * r, height, colour)
        f.fill_rect(x, y + r, width, height - 2 * r, colour)
        for cx in (x + r, x + width - 1 - r):
            for cy in (y + r, y + height - 1 - r):
                f.ellipse(cx, cy, r, r, colour, True)
        self._touch(y, y + height)

    def disc(self, x: int, y: int, radius: int, colour: int) -> None:
        """A filled circle around (x, y)."""
        self._frame.ellipse(x, y, radius, radius, colour, True)
        self._touch(y - radius, y + radius + 1)

    def polygon(self, x: int, y: int, points, colour: int) -> None:
        """A filled polygon; `points` is an array("h") of x, y pairs from (x, y)."""
        self._frame.poly(x, y, points, colour, True)
        rows = [points[i] for i in range(1, len(points), 2)]
        self._touch(y + min(rows), y + max(rows) + 1)

    # Text

    def text(self, x: int, y: int, text: str, ink: int, paper: int, scale: int = 1) -> int:
        """Draw one line with its top left at (x, y); returns the x behind it."""
        pairs, font = self._pairs, self.font
        pairs[0] = paper * 17
        pairs[1] = paper << 4 | ink
        pairs[2] = ink << 4 | paper
        pairs[3] = ink * 17
        x &= ~1
        if y < 0 or y + _font.HEIGHT * scale > self.height:
            return x
        self._touch(y, y + _font.HEIGHT * scale)
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
        """The glyphs of the first `count` slots, side by side from (x, y)."""
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
