"""Reads the text on a panel from its pixels: exact matching of the font's glyphs, at any place, size and colours.

    lines = read_lines(frame)          # [(x, y, scale, "交易成功"), …] from the top
    contains(frame, "交易成功")

A glyph is found only if its whole cell is right: every inked pixel in one colour, every other pixel in one other
colour. One wrong pixel and it is not text.

How it is fast without compiled code: for each colour, the 16 rows that a line of text at some height would have are
packed into one integer, 16 bits a column, and moved down the panel row by row. Four neighbouring columns are then a
64-bit number, and whether any of them starts a glyph of the font is one set operation; the few that do are looked up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from PIL import Image

from microtill.release.font import read_blob

Line = tuple[int, int, int, str]
Frame = bytes | bytearray | Image.Image

_SCALES = (4, 3, 2, 1)
# Lines, blocks and geometric shapes: a panel is full of them and they are not text. □ is: a missing glyph.
_SHAPES = range(0x2500, 0x2600)
# Two pixels of a font pixel's S×S cell that are both looked at, as (across, down), and what is seen: `_seen`.
_SAMPLES = {2: ((1, 0), (1, 1)), 3: ((1, 0), (2, 2)), 4: ((2, 0), (3, 3))}


def read_lines(frame: Frame, width: int = 240) -> list[Line]:
    """`(x, y, scale, text)` of every run of glyphs in one size and colours; a picture, or RGB with 3 bytes a pixel."""
    if isinstance(frame, Image.Image):
        return list(_read(frame.convert("RGB").tobytes(), frame.width))
    return list(_read(bytes(frame), width))


@lru_cache(maxsize=8)  # whoever waits for a text asks about the same frame again and again
def _read(frame: bytes, width: int) -> tuple[Line, ...]:
    return tuple(_runs(_settle(list(_matches(_Planes(frame, width))))))


def read_text(frame: Frame, width: int = 240) -> str:
    """All of it, a line of the panel to a line."""
    return "\n".join(text for _, _, _, text in read_lines(frame, width))


def contains(frame: Frame, text: str, width: int = 240) -> bool:
    """Whether `text` stands on the panel, on one line or broken over consecutive lines of one size."""
    lines = read_lines(frame, width)
    wanted = _plain(text)
    for scale in {line[2] for line in lines}:
        if wanted in "".join(_plain(line[3]) for line in lines if line[2] == scale):
            return True
    return False


def _plain(text: str) -> str:
    """Without spaces, and with one character for each of those that look the same."""
    same = _font().same
    return "".join(same.get(c, c) for c in text if not c.isspace())


# The font, as it looks at each scale


@dataclass(frozen=True)
class _Glyph:
    character: str
    columns: int  # 8 or 16
    bits: int  # 16 rows of `columns`, top left in the highest bit
    ink: int


class _Looks:
    """What each glyph looks like through the samples, as 16 bits a column: its ink, and its paper."""

    def __init__(self, glyphs: list[_Glyph], enlarged: bool):
        self.by_columns: dict[bytes, tuple[_Glyph, bool]] = {}  # … and whether it is the paper that looks so
        self.offsets: dict[int, set[int]] = {}
        for glyph in glyphs:
            for paper in (False, True):
                key = _columns(_seen(glyph, paper) if enlarged else _plain_bits(glyph, paper), glyph.columns)
                self.by_columns.setdefault(key, (glyph, paper))
                # Four columns that are not all the same tell where a glyph may start. What has none of them (a dash) is
                # not told from a line that somebody has drawn, and not read.
                for offset in range(0, glyph.columns, 4):
                    four = key[offset * 2 : offset * 2 + 8]
                    if four != four[:2] * 4:
                        self.offsets.setdefault(int.from_bytes(four, "little"), set()).add(offset)
                        break
        self.anchors = frozenset(self.offsets)


class _Font:
    def __init__(self):
        self.same: dict[str, str] = {}
        self.glyphs: list[_Glyph] = []
        seen: dict[bytes, str] = {}
        for code, rows in sorted(read_blob().items()):
            bits = int.from_bytes(rows)
            if not bits or (code in _SHAPES and code != 0x25A1):
                continue
            character = chr(code)
            self.same[character] = seen.setdefault(rows, character)
            if self.same[character] == character:
                self.glyphs.append(_Glyph(character, len(rows) // 2, bits, bits.bit_count()))

    @cache  # noqa: B019 - one font for the life of the process
    def looks(self, enlarged: bool) -> _Looks:
        return _Looks(self.glyphs, enlarged)


@cache
def _font() -> _Font:
    return _Font()


@cache
def _edges(columns: int) -> tuple[int, int, int]:
    """Masks over 16 rows: everything, all but the leftmost column, all but the rightmost."""
    row = (1 << columns) - 1
    rows = sum(1 << columns * y for y in range(16))
    return row * rows, (row >> 1) * rows, (row - 1) * rows


def _neighbours(glyph: _Glyph) -> tuple[int, ...]:
    """`(all, ink, left, right, up, down)`: bit by bit, what a font pixel has on each side."""
    every, no_left, no_right = _edges(glyph.columns)
    ink = glyph.bits
    return every, ink, (ink >> 1) & no_left, (ink << 1) & no_right, ink >> glyph.columns, (ink << glyph.columns) & every


def _gaps(glyph: _Glyph) -> dict[tuple[int, int], int]:
    """Blank font pixels with a filled corner, by corner (-1, -1: top left). The rule is told in ui/font.py."""
    every, ink, left, right, up, down = _neighbours(glyph)
    _, no_left, no_right = _edges(glyph.columns)
    gaps = {}
    for dx, beside in ((-1, left), (1, right)):
        for dy, above in ((-1, up), (1, down)):
            diagonal = (above >> 1) & no_left if dx < 0 else (above << 1) & no_right
            gaps[dx, dy] = (every ^ ink) & beside & above & (every ^ diagonal)
    return gaps


def _plain_bits(glyph: _Glyph, paper: bool) -> int:
    return _edges(glyph.columns)[0] ^ glyph.bits if paper else glyph.bits


def _seen(glyph: _Glyph, paper: bool) -> int:
    """The font pixels both of whose samples are inked, at any scale above 1; or both of whose are `paper`.

    Each sample is inked by the font pixel itself (bolder by S // 2, it covers what a rounded tip takes away), the upper
    one also by a filled corner at the top, the lower one by a filled corner at the bottom.
    """
    gaps = _gaps(glyph)
    top, bottom = gaps[-1, -1] | gaps[1, -1], gaps[-1, 1] | gaps[1, 1]
    if paper:
        return _edges(glyph.columns)[0] ^ (glyph.bits | top | bottom)
    return glyph.bits | (top & bottom)


_SPREAD = [sum((byte >> (7 - n) & 1) << 16 * n for n in range(8)) for byte in range(256)]


def _columns(bits: int, columns: int) -> bytes:
    """16 rows of `columns` bits, turned into 16 bits a column (row 0 the lowest)."""
    rows = bits.to_bytes(columns * 2)
    lanes = 0
    if columns == 8:
        for y in range(16):
            lanes |= _SPREAD[rows[y]] << y
    else:
        for y in range(16):
            lanes |= (_SPREAD[rows[2 * y]] | _SPREAD[rows[2 * y + 1]] << 128) << y
    return lanes.to_bytes(columns * 2, "little")


@cache
def _drawn(character: str, columns: int, bits: int, scale: int) -> tuple[int, ...]:
    """Every row of a glyph at `scale`, one lane of 16 bits a pixel: written from the rule, not from the firmware."""
    glyph = _Glyph(character, columns, bits, 0)
    every, ink, left, right, up, down = _neighbours(glyph)
    _, no_left, no_right = _edges(columns)
    gaps = _gaps(glyph) if scale > 1 else {}
    leg = 1 if scale == 2 else 2
    tips = {}
    if scale > 2:
        for dx, beside in ((-1, left), (1, right)):
            for dy, above in ((-1, up), (1, down)):
                diagonal = (above >> 1) & no_left if dx < 0 else (above << 1) & no_right
                tips[dx, dy] = ink & (every ^ (beside | above | diagonal))
    rows = []
    for y in range(16):
        for j in range(scale):
            row = []
            for x in range(columns):
                bit = 1 << (columns * (15 - y) + columns - 1 - x)
                for i in range(scale):
                    pixel = bool(ink & bit)
                    for dx, across in ((-1, i), (1, scale - 1 - i)):
                        for dy, along in ((-1, j), (1, scale - 1 - j)):
                            if across + along < leg and gaps and gaps[dx, dy] & bit:
                                pixel = True
                            if across + along == 0 and tips and tips[dx, dy] & bit:
                                pixel = False
                    row.append(pixel)
            bold = [any(row[max(0, x - scale // 2) : x + 1]) for x in range(len(row))]
            rows.append(sum(1 << 16 * x for x, inked in enumerate(bold) if inked))
    return tuple(rows)


# The frame, as one integer for each colour of each row


class _Planes:
    """`colours`, and `rows[colour][y]`: one lane of 16 bits a pixel, 1 where the pixel has the colour."""

    def __init__(self, frame: bytes, width: int):
        self.width = width
        self.height = len(frame) // (3 * width)
        if len(frame) != 3 * width * self.height:
            raise ValueError(f"{len(frame)} bytes are not rows of {width} pixels")
        words = bytearray(width * self.height * 4)
        for channel in range(3):
            words[channel::4] = frame[channel::3]
        self.rows: dict[int, list[int]] = {}
        known: dict[bytes, list[tuple[int, int]]] = {}
        for y in range(self.height):
            row = bytes(words[y * width * 4 : (y + 1) * width * 4])
            if row not in known:
                known[row] = list(self._split(row))
            for colour, lanes in known[row]:
                self.rows.setdefault(colour, [0] * self.height)[y] = lanes

    def _split(self, row: bytes) -> Iterator[tuple[int, int]]:
        pixels = memoryview(row).cast("I").tolist()
        colours = list(dict.fromkeys(pixels))
        if len(colours) > 255:
            raise ValueError("more colours in a row than a palette has")
        number = {colour: n for n, colour in enumerate(colours)}
        numbers = bytes([number[pixel] for pixel in pixels])
        for n, colour in enumerate(colours):
            lanes = bytearray(2 * self.width)
            lanes[0::2] = numbers.translate(bytes(n) + b"\1" + bytes(255 - n))
            yield colour, int.from_bytes(lanes, "little")


@dataclass(frozen=True)
class _Match:
    x: int
    y: int
    scale: int
    glyph: _Glyph
    ink: int
    paper: int

    @property
    def right(self) -> int:
        return self.x + self.glyph.columns * self.scale

    @property
    def bottom(self) -> int:
        return self.y + 16 * self.scale


def _matches(planes: _Planes) -> Iterator[_Match]:
    """Every cell of the panel that is exactly a glyph; those of a character lie inside others too (a dot, a stroke)."""
    size = planes.width * 2
    keep = int.from_bytes(b"\xff\x7f" * planes.width, "little")
    # Two colours make a cell, and either shows the glyph: the commonest, which is most of the panel, is left out.
    amount = {colour: sum(row.bit_count() for row in rows) for colour, rows in planes.rows.items()}
    commonest = max(amount, key=lambda colour: amount[colour])
    for scale in _SCALES:
        for colour, pixels in planes.rows.items():
            if colour == commonest:
                continue
            rows = pixels
            if scale > 1:
                (left, top), (right, bottom) = _SAMPLES[scale]
                below = pixels[bottom:] + [0] * bottom
                rows = [a >> 16 * left & b >> 16 * right for a, b in zip(pixels[top:], below, strict=False)]
            for first in range(scale):
                window = 0
                for at in range(first, planes.height - scale + 1, scale):
                    window = (window >> 1) & keep | rows[at] << 15
                    y = at - 15 * scale
                    if not window or y < 0:
                        continue
                    for x, glyph, paper in _starts(window.to_bytes(size, "little"), scale):
                        other = _other(planes, x, y, scale, glyph, colour, paper)
                        if other is None:
                            continue
                        match = _Match(x, y, scale, glyph, *((other, colour) if paper else (colour, other)))
                        if not _goes_on(planes, match):
                            yield match


@lru_cache(maxsize=20_000)  # most of a frame is as it was in the frame before
def _starts(lanes: bytes, scale: int) -> list[tuple[int, _Glyph, bool]]:
    """`(x, glyph, paper)` for what looks like a glyph, or like its paper, where it is sampled."""
    looks = _font().looks(scale > 1)
    found: list[tuple[int, _Glyph, bool]] = []
    # Nothing starts in what is all blank or all inked from an edge on, but a glyph may reach into it.
    first = (len(lanes) - min(len(lanes.lstrip(b"\0")), len(lanes.lstrip(b"\xff")))) // 2
    if first * 2 == len(lanes):
        return found
    last = (min(len(lanes.rstrip(b"\0")), len(lanes.rstrip(b"\xff"))) + 1) // 2
    first = max(0, first - 16 * scale)
    seen = lanes[first * 2 : (last + 16 * scale) * 2]
    each = len(seen) // 2
    if scale > 1:
        # The columns that belong together, one phase behind the other.
        columns = memoryview(seen).cast("H")
        each = -(-len(columns) // scale)
        seen = b"".join(columns[phase::scale].tobytes().ljust(each * 2, b"\0") for phase in range(scale))
    for shift in range(4):
        quads = memoryview(seen[shift * 2 : shift * 2 + (len(seen) - shift * 2) // 8 * 8]).cast("Q").tolist()
        for quad in looks.anchors.intersection(quads):
            n = -1
            for _ in range(quads.count(quad)):
                n = quads.index(quad, n + 1)
                for offset in looks.offsets[quad]:
                    at = n * 4 + shift - offset
                    if at < 0:
                        continue
                    for width in (16, 8):
                        look = looks.by_columns.get(seen[at * 2 : (at + width) * 2])
                        if look and look[0].columns == width:
                            phase, column = divmod(at, each)
                            found.append((first + column * scale + phase, *look))
    return found


def _other(planes: _Planes, x: int, y: int, scale: int, glyph: _Glyph, colour: int, paper: bool) -> int | None:
    """The second colour of a cell whose first is its ink or its `paper`, if every pixel is right and there are two."""
    width = glyph.columns * scale
    if x + width > planes.width:
        return None
    every = (1 << 16 * width) // 0xFFFF  # a 1 in each lane
    window = (1 << 16 * width) - 1
    shift = 16 * x
    drawn = _drawn(glyph.character, glyph.columns, glyph.bits, scale)
    inverse = every if paper else 0
    rows = planes.rows[colour]
    for at, wanted in enumerate(drawn):
        if rows[y + at] >> shift & window != wanted ^ inverse:
            return None
    inverse ^= every
    for other, rows in planes.rows.items():
        if other == colour:
            continue
        if all(rows[y + at] >> shift & window == wanted ^ inverse for at, wanted in enumerate(drawn)):
            return other
    return None


def _goes_on(planes: _Planes, match: _Match) -> bool:
    """Whether it is the end of a line that somebody has drawn: one stroke across, and more of it beside the cell."""
    rows = match.glyph.bits.to_bytes(2 * match.glyph.columns)
    each = match.glyph.columns // 8
    inked = [y for y in range(16) if any(rows[y * each : (y + 1) * each])]
    if len(inked) != 1:
        return False
    lanes = planes.rows[match.ink][match.y + inked[0] * match.scale]
    return any(lanes >> 16 * x & 1 for x in (match.x - 1, match.right) if 0 <= x < planes.width)


def _settle(matches: list[_Match]) -> list[_Match]:
    """Of matches that overlap, the one that explains most: the larger cell, then the one with more ink."""
    kept: list[_Match] = []
    for match in sorted(matches, key=lambda m: (-m.scale * m.scale * m.glyph.columns, -m.glyph.ink, m.y, m.x)):
        if not any(m.x < match.right and match.x < m.right and m.y < match.bottom and match.y < m.bottom for m in kept):
            kept.append(match)
    return kept


def _runs(matches: list[_Match]) -> list[Line]:
    """Glyphs that follow each other in one size and colours, with the spaces between them (up to two)."""
    runs: list[tuple[list[_Match], str]] = []
    for match in sorted(matches, key=lambda m: (m.y, m.x)):
        for i, (run, text) in enumerate(runs):
            last = run[-1]
            spaces, odd = divmod(match.x - last.right, 8 * match.scale)
            same = (last.y, last.scale, last.ink, last.paper) == (match.y, match.scale, match.ink, match.paper)
            if same and not odd and 0 <= spaces <= 2:
                run.append(match)
                runs[i] = (run, text + " " * spaces + match.glyph.character)
                break
        else:
            runs.append(([match], match.glyph.character))
    return [(run[0].x, run[0].y, run[0].scale, text) for run, text in runs]
