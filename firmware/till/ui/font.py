"""The font: glyphs of 8×16 and 16×16 pixels read from unifont.bin by seek, a few of them kept; and text set in it.

The file's format is described where it is built (host_tools/microtill/release/font.py). Text two to four times as large
is drawn from the same glyphs by `enlarge` of core/fast.py. Its rule, for a font pixel that becomes a cell of S×S:
the cell is inked or blank as the font pixel is; where two inked pixels touch only by a corner, the two blank cells
between them get that corner filled (legs of 1 pixel at ×2, else 2); at ×3 and ×4 an inked cell with nothing around a
corner loses the corner pixel; then every inked pixel is drawn on to its right by S // 2 pixels, within the glyph.
"""

import struct
from array import array

from micropython import const

from till.core import fast

_HEADER = const(264)
_PAGE = const(96)
_MISSING = const(0x25A1)  # □

# The fullest screen has some 60 different characters. At most 128: a slot number has seven bits.
_KEPT = const(64)

HEIGHT = const(16)


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


class Font:
    """Glyphs by code point; the file stays open until `close()`.

    The glyphs in use are kept in `room`, a slot of 32 bytes each: `kept` tells the slot of a code point, and 128 more
    where the glyph is 16 pixels wide. Raises OSError if the file cannot be read, ValueError if it is not a font.
    """

    def __init__(self, path: str | None = None):
        self.room = bytearray(32 * _KEPT)
        self.kept = {}
        # Beside this module, wherever that is: a ROMFS, or files.
        self._file = open(path or __file__[: __file__.rfind("/") + 1] + "unifont.bin", "rb")  # noqa: SIM115 - until close()
        self._view = memoryview(self.room)
        self._block = bytearray(6)
        self._order = array("H", bytes(2 * _KEPT))  # the code point in each slot; they are replaced in turn
        self._next = 0
        header = self._file.read(_HEADER)
        if len(header) != _HEADER or header[:4] != b"MTF1":
            self._file.close()
            raise ValueError("font")
        self._directory = header[8:]
        self._data = _HEADER + header[4] * _PAGE
        self.codes = array("H", bytes(2 * 64))

    def close(self) -> None:
        self._file.close()

    def decode(self, text: str) -> int:
        """How many characters `text` has; their code points are then in `codes` (U+FFFD for those above U+FFFF)."""
        data = text.encode()
        if len(data) > len(self.codes):
            self.codes = array("H", bytes(2 * len(data)))
        return fast.code_points(self.codes, data, len(data))

    def load(self, code: int) -> int:
        """The slot of a code point, read from the file if it is not kept: then the oldest one makes room.

        A character the font lacks is a □.
        """
        slot = self.kept.get(code)
        if slot is not None:
            return slot
        offset, size = self._find(code)
        if not size:
            if code == _MISSING:
                raise ValueError("font")
            return self.load(_MISSING)
        slot = self._next
        self._next = (slot + 1) % _KEPT
        self.kept.pop(self._order[slot], None)
        self._order[slot] = code
        self._file.seek(offset)
        self._file.readinto(self._view[slot * 32 : slot * 32 + size])
        if size == 32:
            slot |= 128
        self.kept[code] = slot
        return slot

    def bits(self, slot: int) -> memoryview:
        """16 rows of one byte, or two where the slot says so; valid until the slot makes room for another glyph."""
        return self._view[(slot & 127) * 32 : (slot & 127) * 32 + (32 if slot & 128 else 16)]

    def width(self, text: str, scale: int = 1) -> int:
        """Pixels that `text` takes in a line."""
        kept, load = self.kept, self.load
        count = columns = self.decode(text)
        codes = self.codes
        for i in range(count):
            code = codes[i]
            if code >= 0x7F:
                slot = kept.get(code)
                columns += (load(code) if slot is None else slot) >> 7
        return columns * 8 * scale

    def has(self, code: int) -> bool:
        """Whether the font has a glyph of its own for this code point."""
        return self._find(code)[1] != 0

    def _find(self, code: int) -> tuple:
        """`(offset, size)` of a glyph in the file; size 0 if there is none."""
        page = self._directory[code >> 8] if 0 <= code < 0x10000 else 0
        if not page:
            return 0, 0
        self._file.seek(_HEADER + (page - 1) * _PAGE + (code >> 4 & 15) * 6)
        self._file.readinto(self._block)
        base, present, wide = struct.unpack("<HHH", self._block)
        bit = 1 << (code & 15)
        if not present & bit:
            return 0, 0
        before = (present & (bit - 1)) | (wide & (bit - 1)) << 16
        while before:
            base += 1
            before &= before - 1
        return self._data + base * 16, 32 if wide & bit else 16

    # Text on lines

    def fit(self, text: str, width: int, scale: int = 1) -> str:
        """`text`, cut and ended with … where it is wider than `width` pixels."""
        if self.width(text, scale) <= width:
            return text
        room = width - self.width(_ELLIPSIS, scale)
        kept = ""
        for c in text:
            room -= self.width(c, scale)
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
                if self.width((line + unit).rstrip(), scale) <= width:
                    line += unit
                    continue
                if line.strip():
                    lines.append(line.rstrip())
                    line = ""
                for c in unit:  # a word wider than a line is broken where it must
                    if self.width((line + c).rstrip(), scale) > width:
                        lines.append(line)
                        line = ""
                    line += c
            lines.append(line.rstrip())
        return lines

    def widest(self, text: str, scale: int = 1) -> int:
        """Pixels of the widest piece of `text` that a line should not break inside."""
        measure = self.width
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
        measure = self.width
        least = self.widest(text, scale)
        while True:
            width = max([measure(line, scale) for line in lines]) - 8 * scale
            if width < least:
                return lines
            narrower = self.wrap(text, width, scale)
            if len(narrower) > len(lines):
                return lines
            lines = narrower
