"""The font: glyphs of 8×16 and 16×16 pixels read from unifont.bin by seek, a few of them kept.

The file's format is described where it is built (host_tools/microtill/release/font.py). Text two to four times as large
is drawn from the same glyphs by `enlarge` of core/fast.py. Its rule, for a font pixel that becomes a cell of S×S:
the cell is inked or blank as the font pixel is; where two inked pixels touch only by a corner, the two blank cells
between them get that corner filled (legs of 1 pixel at ×2, else 2); at ×3 and ×4 an inked cell with nothing around a
corner loses the corner pixel; then every inked pixel is drawn on to its right by S // 2 pixels, within the glyph.
"""

import struct

from micropython import const

_HEADER = const(264)
_PAGE = const(96)
_MISSING = const(0x25A1)  # □

# The longest text of a screen has some 60 different characters; 32 bytes each.
_KEPT = const(96)

HEIGHT = const(16)


class Font:
    """`glyph(code)` and `width(text)`; the file stays open until `close()`.

    Raises OSError if the file cannot be read, ValueError if it is not a font.
    """

    def __init__(self, path: str | None = None):
        # Beside this module, wherever that is: a ROMFS, or files.
        self._file = open(path or __file__[: __file__.rfind("/") + 1] + "unifont.bin", "rb")  # noqa: SIM115 - until close()
        self._room = memoryview(bytearray(32 * _KEPT))
        self._block = bytearray(6)
        header = self._file.read(_HEADER)
        if len(header) != _HEADER or header[:4] != b"MTF1":
            self._file.close()
            raise ValueError("font")
        self._directory = header[8:]
        self._data = _HEADER + header[4] * _PAGE
        self._glyphs = {}  # code point -> (bytes, bytes a row)
        self._order = [0] * _KEPT  # the code point in each slot, replaced in turn
        self._next = 0

    def close(self) -> None:
        self._file.close()

    def glyph(self, code: int) -> tuple:
        """`(bits, width)` of a code point: 16 rows of `width` (1 or 2) bytes. A character the font lacks is a □.

        The bits are valid until 96 other glyphs have been asked for.
        """
        found = self._glyphs.get(code)
        if found is None:
            found = self._read(code)
        return found

    def width(self, text: str, scale: int = 1) -> int:
        """Pixels that `text` takes in a line."""
        columns = 0
        for c in text:
            code = ord(c)
            columns += 1 if 0x20 <= code < 0x7F else self.glyph(code)[1]
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

    def _read(self, code: int) -> tuple:
        offset, size = self._find(code)
        if not size:
            if code == _MISSING:
                raise ValueError("font")
            return self.glyph(_MISSING)
        slot = self._next
        self._next = (slot + 1) % _KEPT
        if self._order[slot]:
            del self._glyphs[self._order[slot]]
        self._order[slot] = code
        bits = self._room[slot * 32 : slot * 32 + size]
        self._file.seek(offset)
        self._file.readinto(bits)
        found = (bits, size // 16)
        self._glyphs[code] = found
        return found
