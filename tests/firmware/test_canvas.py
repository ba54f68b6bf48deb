from array import array

from till.ui.canvas import Canvas
from till.ui.font import Font


class Display:
    width = 240
    height = rows = 320

    def __init__(self):
        self.buffer = bytearray(240 * 320 // 2)
        self.flushed = []

    def flush(self, y0, y1):
        self.flushed.append((y0, y1))

    def pixel(self, x, y):
        byte = self.buffer[(y * 240 + x) // 2]
        return byte & 15 if x & 1 else byte >> 4

    def picture(self, x, y, width, height):
        return ["".join(".#"[self.pixel(x + i, y + j) == 7] for i in range(width)) for j in range(height)]


def make():
    display = Display()
    canvas = Canvas(display, Font())
    canvas.begin(0, 320)
    return display, canvas


def test_text_is_the_glyph_in_its_colours():
    display, canvas = make()
    assert canvas.text(10, 20, "0", 7, 2) == 18
    assert display.picture(10, 20, 8, 16) == [
        "........",
        "........",
        "........",
        "........",
        "...##...",
        "..#..#..",
        ".#....#.",
        ".#...##.",
        ".#..#.#.",
        ".#.#..#.",
        ".##...#.",
        ".#....#.",
        "..#..#..",
        "...##...",
        "........",
        "........",
    ]
    assert display.pixel(10, 20) == 2 and display.pixel(9, 20) == 0 and display.pixel(18, 20) == 0
    assert display.pixel(10, 19) == 0 and display.pixel(10, 36) == 0


def test_odd_places_move_left_and_sizes_multiply():
    display, canvas = make()
    assert canvas.text(11, 0, "1", 7, 2) == 18
    for scale in (1, 2, 3, 4):
        assert canvas.text(0, 64, "1商", 7, 2, scale) == 24 * scale
        assert display.pixel(24 * scale - 1, 64 + 16 * scale - 1) in (2, 7)
        assert display.pixel(24 * scale, 64) == 0


def test_glyphs_that_would_leave_the_panel_are_left_out():
    display, canvas = make()
    before = bytes(display.buffer)
    assert canvas.text(236, 0, "商", 7, 2) == 236
    canvas.text(0, 310, "A", 7, 2)
    canvas.text(0, -1, "A", 7, 2)
    assert bytes(display.buffer) == before
    assert canvas.text(-16, 0, "商A", 7, 2) == 8
    assert display.pixel(0, 0) == 2


def test_a_line_is_right_however_full_the_font_is():
    # Glyphs are read while others wait to be drawn: none may lose its slot before it is.
    display, canvas = make()
    line = "甲乙丙丁戊己庚辛壬癸子丑寅卯"
    canvas.text(0, 0, line, 7, 2)
    want = bytes(display.buffer[: 120 * 16])
    for fill in range(70, 100):
        canvas.font.load(ord("癸"))
        for code in range(0x5000, 0x5000 + fill):
            canvas.font.load(code)
        canvas.rect(0, 0, 240, 16, 0)
        canvas.text(0, 0, line, 7, 2)
        assert bytes(display.buffer[: 120 * 16]) == want, fill


class Low(Display):
    # A panel whose buffer is 40 rows high.
    rows = 40

    def __init__(self):
        super().__init__()
        self.glass = bytearray(self.buffer)
        self.buffer = bytearray(120 * 40)

    def flush(self, y0, y1):
        super().flush(y0, y1)
        self.glass[120 * y0 : 120 * y1] = self.buffer[: 120 * (y1 - y0)]


def test_a_band_is_drawn_at_its_place_and_nothing_else_is_sent():
    def draw(canvas):
        canvas.rect(0, 200, 240, 40, 2)
        canvas.box(10, 202, 20, 10, 3, 7)
        canvas.outline(40, 202, 10, 10, 7)
        canvas.disc(100, 220, 8, 7)
        canvas.polygon(150, 220, array("h", (0, -5, 5, 5, -5, 5)), 7)
        canvas.text(170, 210, "金1", 7, 2)
        canvas.flush()

    whole, canvas = make()
    draw(canvas)
    low = Low()
    canvas = Canvas(low, canvas.font)
    canvas.begin(200, 240)
    draw(canvas)
    assert low.flushed == [(200, 240)]
    assert low.glass == whole.buffer
    assert whole.pixel(10, 202) == 2 and whole.pixel(20, 202) == 7  # round corner


def test_what_leaves_the_band_is_left_out():
    low = Low()
    canvas = Canvas(low, Font())
    canvas.begin(100, 120)
    canvas.rect(0, 0, 240, 320, 2)
    canvas.disc(100, 100, 30, 7)
    for y in (84, 99, 105, 120):
        assert canvas.text(0, y, "A", 7, 3) == 0
    canvas.flush()
    assert low.glass[: 120 * 100] == bytes(120 * 100) and low.glass[120 * 120 :] == bytes(120 * 200)
    for byte in low.glass:
        assert byte & 15 != 3


def test_a_blank_may_be_higher_than_the_buffer_and_a_band_not():
    low = Low()
    canvas = Canvas(low, Font())
    canvas.blank(22, 320, 5)
    assert low.flushed[0] == (22, 62) and low.flushed[-1] == (302, 320)
    assert low.glass == bytes(120 * 22) + b"\x55" * (120 * 298)
    for wrong in ((0, 41), (-1, 10), (310, 321), (20, 10)):
        try:
            canvas.begin(*wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)


def test_wrap_breaks_at_words_and_between_chinese_characters():
    _, canvas = make()
    assert canvas.font.wrap("Present card or phone", 96) == ["Present card", "or phone"]
    assert canvas.font.wrap("请挥卡或出示手机", 64) == ["请挥卡或", "出示手机"]
    assert canvas.font.wrap("one\n二三", 240) == ["one", "二三"]
    assert canvas.font.wrap("", 240) == [""]
    assert canvas.font.wrap("abcdefghij", 32) == ["abcd", "efgh", "ij"]
    assert canvas.font.wrap("按 D 进入菜单", 64) == ["按 D 进", "入菜单"]


def test_no_line_starts_with_punctuation_or_ends_with_an_opening_bracket():
    _, canvas = make()
    assert canvas.font.wrap("正在读卡，请稍候。", 64) == ["正在读", "卡，请稍", "候。"]
    assert canvas.font.wrap("金额（元）", 48) == ["金额", "（元）"]
    for width in range(48, 200, 16):
        for line in canvas.font.wrap("读卡中断，请重新挥卡；不要移开（三秒）。", width):
            assert line[0] not in "，；）。" and line[-1] != "（", (width, line)
            assert canvas.font.width(line) <= width


def test_balance_prefers_a_break_behind_a_comma():
    _, canvas = make()
    assert canvas.font.balance("上笔已冲正，未扣款", 224, 2) == ["上笔已冲正，", "未扣款"]
    assert canvas.font.balance("Settled, totals agree", 224, 2) == ["Settled,", "totals agree"]
    assert canvas.font.balance("请挥卡或出示手机", 224, 2) == ["请挥卡或", "出示手机"]
    assert canvas.font.balance("Approved now", 64) == ["Approved", "now"]  # no word is broken to even out lines


def test_fit_ends_with_an_ellipsis():
    _, canvas = make()
    assert canvas.font.fit("星星超市", 64) == "星星超市"
    assert canvas.font.fit("星星超市大学店", 64) == "星星超…"
    assert canvas.font.fit("abcdef", 40) == "abcd…"
    for width in range(8, 100, 4):
        assert canvas.font.width(canvas.font.fit("商户 merchant 一号店", width)) <= width
