# The viper loops of the display and their plain twins give the same bytes.
import random

from till.core import fast_plain
from till.ui.font import Font

try:
    from till.core import fast_viper
except (ImportError, SyntaxError):
    fast_viper = None


def _skip_without_viper():
    if fast_viper is None:

        class SkipTest(Exception):
            pass

        raise SkipTest("no native emitter")


def _noise(n):
    return bytes([random.getrandbits(8) & random.getrandbits(8) for _ in range(n)])


def test_expand_pairs():
    _skip_without_viper()
    table = bytearray(_noise(1024))
    for count in (8, 16, 120, 960):
        source = _noise(count)
        a, b = bytearray(count * 4 + 4), bytearray(count * 4 + 4)
        fast_viper.expand_pairs(a, source, table, count)
        fast_plain.expand_pairs(b, source, table, count)
        assert a == b and a[-4:] == bytes(4)


def test_draw_bits():
    _skip_without_viper()
    pairs = b"\x55\x5f\xf5\xff"
    for width in (1, 2, 3, 8):
        bits = _noise(width * 16)
        a, b = bytearray(120 * 20), bytearray(120 * 20)
        fast_viper.draw_bits(a, bits, pairs, 121, 120, width, 16)
        fast_plain.draw_bits(b, bits, pairs, 121, 120, width, 16)
        assert a == b
        assert a[:121] == bytes(121) and a[121 + width * 4 : 240] == bytes(119 - width * 4)


def test_draw_glyphs():
    _skip_without_viper()
    room = _noise(32 * 8)
    slots = bytes((3, 128 + 7, 0, 128, 5))
    a, b = bytearray(120 * 20), bytearray(120 * 20)
    fast_viper.draw_glyphs(a, room, b"\x55\x5f\xf5\xff", 250, 120, slots, 5)
    fast_plain.draw_glyphs(b, room, b"\x55\x5f\xf5\xff", 250, 120, slots, 5)
    assert a == b
    assert a[250 + 28 : 370] == bytes(92) and a[250:278] != bytes(28)


def test_code_points():
    _skip_without_viper()
    from array import array

    for text in ("", "plain", "¥12 商户é…", "\U0001f600x", "\uffff\u0800\u07ff\x7f"):
        data = text.encode()
        a, b = array("H", bytes(2 * len(data))), array("H", bytes(2 * len(data)))
        n = fast_viper.code_points(a, data, len(data))
        assert n == fast_plain.code_points(b, data, len(data)) == len(text)
        assert list(a)[:n] == list(b)[:n] == [0xFFFD if ord(c) > 0xFFFF else ord(c) for c in text]


def test_enlarge():
    _skip_without_viper()
    font = Font()
    slots = [font.load(ord(c)) for c in "08%¥,一圆交餐赢□"]
    samples = [(font.bits(slot), slot // 128 + 1) for slot in slots]
    samples += [(_noise(16 * width), width) for width in (1, 2) for _ in range(6)]
    for bits, width in samples:
        for scale in (2, 3, 4):
            a, b = bytearray(512), bytearray(512)
            fast_viper.enlarge(a, bits, width, scale)
            fast_plain.enlarge(b, bits, width, scale)
            assert a == b, (bytes(bits), scale)
    font.close()


def test_enlarge_follows_its_rule():
    # One diagonal step: X at (3, 3) and (4, 4). At ×4 the corner between them is filled, and the free corners rounded.
    bits = bytearray(16)
    bits[3], bits[4] = 0b00010000, 0b00001000
    out = bytearray(512)
    fast_plain.enlarge(out, bits, 1, 4)
    rows = ["{:032b}".format(int.from_bytes(out[y * 4 : y * 4 + 4], "big")) for y in range(64)]
    ink = [row.replace("0", ".").replace("1", "#")[10:24] for row in rows[12:20]]
    assert ink == [
        "...####.......",
        "..######......",
        "..#######.....",
        "...#######....",
        "....#######...",
        ".....#######..",
        "......######..",
        ".......####...",
    ], ink
    assert "1" not in "".join(rows[:12] + rows[20:])
