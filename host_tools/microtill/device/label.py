"""A terminal's label, 50×30 mm: who it is in words, and as a QR code.

It is drawn on the dots of a 203 dpi label printer, 8 a millimetre, and no dot is ever split: the SVG has them as
rectangles, the PNG each as 3×3 pixels. The letters are the terminal's own font, so no other is needed to print it.
"""

import io
import re
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from xml.sax.saxutils import escape

import segno
from PIL import Image

from microtill.device import texts
from microtill.device.probe import Unit
from microtill.device.texts import t
from microtill.release.font import read_blob

WIDTH_MM, HEIGHT_MM = 50, 30
DOTS_MM = 8
WIDTH, HEIGHT = WIDTH_MM * DOTS_MM, HEIGHT_MM * DOTS_MM
PNG_SCALE = 3

_MM_INCH = 25.4
_QUIET = 4  # modules around a QR code, ISO/IEC 18004 §5.3.8
_CODE = 164  # dots for the code with its quiet zone: 4 a module at version 4, half a millimetre
_LEFT, _TOP, _FOOT = 12, 12, 176
_FIRMWARE = 284
_CELL = 16
_MISSING = 0x25A1  # □
_LONGEST = 24


@dataclass(frozen=True)
class Label:
    """A drawn label: `code` is what the QR code says, `picture` one pixel a dot, black on white."""

    code: str
    picture: Image.Image

    def svg(self) -> str:
        """As SVG of 50×30 mm."""
        path = "".join(f"M{x} {y}h{w}v{h}h-{w}z" for x, y, w, h in _rectangles(self.picture))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM}mm" height="{HEIGHT_MM}mm" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" shape-rendering="crispEdges">\n'
            f"<title>{escape(self.code)}</title>\n"
            f'<path fill="#fff" d="M0 0h{WIDTH}v{HEIGHT}h-{WIDTH}z"/>\n<path d="{path}"/>\n</svg>\n'
        )

    def png(self) -> bytes:
        """As PNG of 50×30 mm."""
        out = io.BytesIO()
        size = (WIDTH * PNG_SCALE, HEIGHT * PNG_SCALE)
        resolution = DOTS_MM * PNG_SCALE * _MM_INCH
        self.picture.resize(size, Image.Resampling.NEAREST).save(out, "PNG", dpi=(resolution, resolution))
        return out.getvalue()


def code_of(unit: Unit) -> str:
    """What the QR code of `unit` says: in capitals, for the smallest code, and for who reads it with a telephone."""
    named = (("SN", unit.serial), ("TID", unit.tid), ("MID", unit.mid), ("FW", unit.fw))
    return " ".join(["MICROTILL", *(f"{name}:{value[:_LONGEST]}" for name, value in named if value)])


def file_name(unit: Unit) -> str:
    """What the label's files may be called."""
    return re.sub(r"[^A-Za-z0-9-]", "_", unit.name[:_LONGEST]) or "unit"


def draw(unit: Unit) -> Label:
    """The label of `unit`, worded in the language of this process."""
    picture = Image.new("1", (WIDTH, HEIGHT), 1)
    code = code_of(unit)
    _draw_code(picture, code)
    head, second = (("tid", unit.tid), ("serial", unit.serial)) if unit.tid else (("serial", unit.serial), None)
    width = WIDTH - _CODE - _LEFT
    _draw_field(picture, _LEFT, _TOP, head, 3, width)
    if second:
        _draw_field(picture, _LEFT, _TOP + 84, second, 2, width)
    mid = ("mid", unit.mid) if unit.mid else ("mid", t("label.no_merchant"))
    _draw_field(picture, _LEFT, _FOOT, mid, 2, _FIRMWARE - _LEFT - _CELL)
    _draw_field(picture, _FIRMWARE, _FOOT, ("fw", unit.fw), 2, WIDTH - _FIRMWARE - _LEFT)
    return Label(code, picture)


def _draw_code(picture: Image.Image, text: str) -> None:
    matrix = segno.make(text, error="m", micro=False, boost_error=True).matrix
    dots = _CODE // (len(matrix) + 2 * _QUIET)
    margin = (_CODE - dots * len(matrix)) // 2
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            if dark:
                left, top = WIDTH - _CODE + margin + x * dots, margin + y * dots
                picture.paste(0, (left, top, left + dots, top + dots))


def _draw_field(picture: Image.Image, x: int, y: int, named: tuple[str, str], scale: int, width: int) -> None:
    """A caption, and its value under it as large as `scale` and `width` dots allow."""
    name, value = named
    _draw_text(picture, x, y, t(f"label.caption_{name}"), 1)
    while scale > 1 and measure(value) * scale > width:
        scale -= 1
    while measure(value) * scale > width:
        value = value[:-1]
    _draw_text(picture, x, y + _CELL + 2, value, scale)


def measure(text: str) -> int:
    """Dots that `text` is wide, at scale 1."""
    return sum(len(_glyph(c)) // 2 for c in text)


def _draw_text(picture: Image.Image, x: int, y: int, text: str, scale: int) -> None:
    for character in text:
        data = _glyph(character)
        ink = Image.frombytes("1", (len(data) // 2, _CELL), data)
        ink = ink.resize((ink.width * scale, _CELL * scale), Image.Resampling.NEAREST)
        stronger = 0 if character == "*" else scale // 2  # asterisks would touch
        for right in range(stronger + 1):
            picture.paste(0, (x + right, y), ink)
        x += ink.width


def _glyph(character: str) -> bytes:
    glyphs = _font()
    return glyphs.get(ord(character), glyphs[_MISSING])


@cache
def _font() -> dict[int, bytes]:
    return read_blob()


def _rectangles(picture: Image.Image) -> list[tuple[int, int, int, int]]:
    """The black dots as (left, top, width, height), equal runs of neighbouring rows as one."""
    pixels = picture.convert("L").tobytes()
    done, growing = [], {}
    for y in range(HEIGHT + 1):
        row = pixels[y * WIDTH : (y + 1) * WIDTH]  # empty below the last one
        runs, x = set(), 0
        for value, group in groupby(row):
            length = len(list(group))
            if value == 0:
                runs.add((x, length))
            x += length
        for run in [run for run in growing if run not in runs]:
            top = growing.pop(run)
            done.append((run[0], top, run[1], y - top))
        for run in runs:
            growing.setdefault(run, y)
    return sorted(done, key=lambda r: (r[1], r[0]))


texts.add(
    {
        "label.caption_tid": ("终端号", "Terminal ID"),
        "label.caption_serial": ("序列号", "Serial number"),
        "label.caption_mid": ("商户号", "Merchant ID"),
        "label.caption_fw": ("固件", "Firmware"),
        "label.no_merchant": ("未绑定", "none yet"),
    }
)
