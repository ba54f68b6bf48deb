"""Builds the terminal's font, `firmware/till/ui/unifont.bin`, from GNU Unifont: `python -m microtill.release.font`.

The blob (numbers little-endian), read by `firmware/till/ui/font.py`:

    0    "MTF1"
    4    u8 pages P, u8 0, u16 length of the notice
    8    256 bytes, one for each code point >> 8: 0 none, n the n-th page (from 1)
    264  P pages of 96 bytes: for each 16 code points u16 base, u16 present, u16 wide
         `present` has bit n for code point n of the 16; `wide` has it too where the glyph is 16 pixels wide, not 8;
         `base` is where the first glyph of the 16 starts in the glyph data, in units of 16 bytes
    …    glyph data: 16 rows, one byte a row (two where wide), leftmost pixel in the highest bit
    …    the notice: UTF-8 text, where the glyphs come from, and their licence, which goes where they go
"""

import struct
import sys
from pathlib import Path

from microtill.paths import FIRMWARE

SOURCE = Path("/usr/share/unifont/unifont.hex")
"""Where Debian's package `unifont` puts the glyphs."""
BLOB = FIRMWARE / "till" / "ui" / "unifont.bin"
NOTICE = BLOB.with_name("unifont.LICENSE")

_MAGIC = b"MTF1"
_HEADER = 8 + 256
_PAGE = 96


def code_points() -> list[int]:
    """What the terminal can show: GB2312, ASCII, Latin-1, Latin Extended-A, punctuation, currency, arrows, boxes."""
    wanted: set[int] = set()
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            try:
                wanted.add(ord(bytes((high, low)).decode("gb2312")))
            except UnicodeDecodeError:
                continue
    for first, last in (
        (0x0020, 0x007E),
        (0x00A0, 0x017F),
        (0x2010, 0x2027),  # dashes, quotation marks, bullet, ellipsis
        (0x2030, 0x203B),
        (0x20A0, 0x20BF),  # currency signs
        (0x2190, 0x2199),  # arrows
        (0x2500, 0x259F),  # boxes and blocks
        (0x25A0, 0x25A1),
        (0x2713, 0x2713),
        (0x2717, 0x2717),
        (0x3000, 0x3017),  # Chinese punctuation
        (0xFF01, 0xFF5E),  # full-width forms
        (0xFFE0, 0xFFE6),
    ):
        wanted.update(range(first, last + 1))
    return sorted(wanted)


def read_hex(path: Path) -> dict[int, bytes]:
    """Unifont's own format: `CODE:HEX` lines, 32 digits for an 8×16 glyph and 64 for a 16×16 one."""
    glyphs = {}
    for line in path.read_text("ascii").splitlines():
        code, _, digits = line.partition(":")
        glyphs[int(code, 16)] = bytes.fromhex(digits)
    return glyphs


def build(glyphs: dict[int, bytes]) -> bytes:
    """The blob of `glyphs` (16 or 32 bytes each, code points below 0x10000)."""
    directory = bytearray(256)
    pages = bytearray()
    data = bytearray()
    for page in sorted({code >> 8 for code in glyphs}):
        directory[page] = len(pages) // _PAGE + 1
        for block in range(page << 8, (page + 1) << 8, 16):
            base, present, wide = len(data) // 16, 0, 0
            for n in range(16):
                glyph = glyphs.get(block + n)
                if glyph is None:
                    continue
                if len(glyph) not in (16, 32):
                    raise ValueError(f"glyph U+{block + n:04X} is {len(glyph)} bytes long")
                present |= 1 << n
                wide |= (len(glyph) == 32) << n
                data += glyph
            pages += struct.pack("<HHH", base, present, wide)
    notice = NOTICE.read_bytes()
    header = struct.pack("<4sBBH", _MAGIC, len(pages) // _PAGE, 0, len(notice))
    return header + bytes(directory) + bytes(pages) + bytes(data) + notice


def read_blob(path: Path = BLOB) -> dict[int, bytes]:
    """Every glyph of a blob, by code point. Raises ValueError if it is not one."""
    blob = path.read_bytes()
    magic, pages, _, notice = struct.unpack_from("<4sBBH", blob)
    if magic != _MAGIC:
        raise ValueError(f"{path} is not a font of ours")
    start = _HEADER + pages * _PAGE
    data = blob[start : len(blob) - notice]
    glyphs = {}
    for page in range(256):
        if not blob[8 + page]:
            continue
        for block in range(16):
            at = _HEADER + (blob[8 + page] - 1) * _PAGE + block * 6
            base, present, wide = struct.unpack_from("<HHH", blob, at)
            offset = base * 16
            for n in range(16):
                if present >> n & 1:
                    size = 32 if wide >> n & 1 else 16
                    glyphs[page << 8 | block << 4 | n] = data[offset : offset + size]
                    offset += size
    return glyphs


def selection(source: Path = SOURCE) -> dict[int, bytes]:
    """The glyphs of `code_points()` that Unifont has. A missing one is an error: the selection is made to be whole."""
    everything = read_hex(source)
    missing = [f"U+{code:04X}" for code in code_points() if code not in everything]
    if missing:
        raise ValueError(f"not in {source}: {' '.join(missing)}")
    return {code: everything[code] for code in code_points()}


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE
    if not source.exists():
        sys.exit(f"{source} is not there: install the package `unifont`, or name a unifont.hex")
    blob = build(selection(source))
    BLOB.write_bytes(blob)
    sys.stdout.write(f"{BLOB}: {len(blob)} bytes, {len(code_points())} glyphs\n")


if __name__ == "__main__":
    main()
