"""What the firmware draws is read back; what is one pixel off is not."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from microtill.bench import reading
from microtill.release.font import read_blob

from tests.support.fuzz import examples
from tests.support.port import Port
from tests.ui.panel import HEIGHT, WIDTH, frames

SOURCE = """
from till.ui.canvas import Canvas
from till.ui.font import Font
class Display:
    width = 240
    height = rows = 320
    buffer = bytearray(240 * 320 // 2)
    def flush(self, y0, y1):
        pass
display = Display()
canvas = Canvas(display, Font())
canvas.begin(0, 320)
def draw(x, y, text, ink, paper, scale, ground):
    canvas.rect(0, 0, 240, 320, ground)
    canvas.text(x, y, text, ink, paper, scale)
    return bytes(display.buffer)
"""
PALETTE = [bytes((n * 16, 255 - n * 9, n * n)) for n in range(16)]
PAIRS = [PALETTE[n >> 4] + PALETTE[n & 15] for n in range(256)]
GLYPHS = read_blob()
# Characters that are told from drawn lines and have no double under another code point.
LETTERS = [
    chr(code)
    for code in GLYPHS
    if 0x21 <= code < 0x7F or 0xC0 <= code < 0x180 or 0x4E00 <= code < 0xA000 or 0xFF01 <= code < 0xFF5F
]
KNOWN = sorted({glyph.character for glyph, _ in reading._font().looks(False).by_columns.values()} & set(LETTERS))


@pytest.fixture(scope="module")
def port():
    with Port(SOURCE, heap="2M") as port:
        yield port


def frame_of(buffer: bytes, right: int = 0) -> bytes:
    """RGB of a 4-bit buffer, moved to the right by some pixels (the firmware draws at even x only)."""
    pixels = b"".join(PAIRS[byte] for byte in buffer)
    if right:
        row = WIDTH * 3
        pixels = b"".join(
            pixels[i : i + 3 * right] + pixels[i : i + row - 3 * right] for i in range(0, len(pixels), row)
        )
    return pixels


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("text", ["¥123.45", "商户 01", "Wi-Fi: ok", "，未扣款。"])
def test_text_is_read_where_it_stands(port, scale, text):
    if len(text.encode("gb2312", "replace")) * 8 * scale > WIDTH - 9:
        text = text[:3]
    for y in (0, 33, HEIGHT - 16 * scale):
        for x, right in ((0, 0), (8, 1)):
            buffer = port.call("draw", x, y, text, 3, 5, scale, 5)
            assert reading.read_lines(frame_of(buffer, right)) == [(x + right, y, scale, text)]


def test_any_two_colours_and_any_ground(port):
    for ink in range(16):
        paper = (ink * 7 + 3) % 16
        for ground in (paper, ink, (ink + 1) % 16):
            buffer = port.call("draw", 20, 40, "余额 7", ink, paper, 2, ground)
            assert "余额 7" in reading.read_text(frame_of(buffer)), (ink, paper, ground)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_one_wrong_pixel_and_the_glyph_is_not_read(port, scale):
    buffer = port.call("draw", 0, 0, "A商", 3, 5, scale, 5)
    right = frame_of(buffer)
    assert reading.contains(right, "A商")
    shuffled = random.Random(scale)
    for _ in range(12):
        x, y = shuffled.randrange(8 * scale, 24 * scale), shuffled.randrange(16 * scale)
        at = (y * WIDTH + x) * 3
        for wrong in (3, 5, 9):
            frame = bytearray(right)
            if frame[at : at + 3] == PALETTE[wrong]:
                continue
            frame[at : at + 3] = PALETTE[wrong]
            texts = [line[3] for line in reading.read_lines(bytes(frame))]
            assert any(text.startswith("A") for text in texts) and not any("商" in text for text in texts), (
                x,
                y,
                wrong,
            )


def test_lines_that_are_drawn_are_not_text(port):
    frame = bytearray(bytes(PALETTE[1]) * WIDTH * HEIGHT)
    for y, x0, x1 in ((10, 0, 240), (40, 12, 228), (90, 30, 60)):
        frame[(y * WIDTH + x0) * 3 : (y * WIDTH + x1) * 3] = PALETTE[4] * (x1 - x0)
    assert not any(len(text) > 1 for _, _, _, text in reading.read_lines(bytes(frame)))


def test_the_end_of_a_drawn_line_takes_nothing_from_the_text_below_it(port):
    frame = bytearray(frame_of(port.call("draw", 76, 190, "9CF0 A260 1039 06E2", 3, 5, 1, 5)))
    line, row = PALETTE[3], WIDTH * 3
    for x in range(12, 228):  # its end looks like 一, whose cell reaches into that of the last two digits
        frame[186 * row + x * 3 : 186 * row + x * 3 + 3] = line
    assert reading.read_lines(bytes(frame)) == [(76, 190, 1, "9CF0 A260 1039 06E2")]
    assert [text for *_, text in reading.read_lines(frame_of(port.call("draw", 80, 40, "一", 3, 5, 1, 5)))] == ["一"]


def test_contains_follows_a_broken_line_and_not_spaces(port):
    shown = {name: frame for name, frame, _ in frames("en")}
    assert reading.contains(shown["present"], "Present card or phone")
    assert not reading.contains(shown["present"], "Present one card")
    with pytest.raises(ValueError, match="rows of 240"):
        reading.read_lines(bytes(100))


@settings(max_examples=examples(60), deadline=None)
@given(
    text=st.text(st.sampled_from(KNOWN), min_size=1, max_size=6),
    scale=st.integers(1, 4),
    x=st.integers(0, 119).map(lambda n: n * 2),
    y=st.integers(0, HEIGHT - 16),
    ink=st.integers(0, 15),
    paper=st.integers(0, 15),
    right=st.integers(0, 1),
)
def test_fuzz_reading(port, text, scale, x, y, ink, paper, right):
    if ink == paper or y + 16 * scale > HEIGHT:
        return
    shown, end = "", x
    for c in text:
        end += len(GLYPHS[ord(c)]) // 2 * scale
        if end + right > WIDTH:
            break
        shown += c
    buffer = port.call("draw", x, y, shown, ink, paper, scale, paper)
    lines = reading.read_lines(frame_of(buffer, right))
    found = "".join(line[3] for line in lines)
    assert found == shown and all(line[1:3] == (y, scale) for line in lines)
