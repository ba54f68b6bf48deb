import sys

from glass import Glass, assert_nothing_shines_through
from till.ui.screen import Screen

HEAP = "1M"  # some tests hold several panels


class Display(Glass):
    # One bit a pixel, in pages of eight rows, and a buffer for all of it.
    def __init__(self):
        self.width = 128
        self.height = 64
        self.buffer = bytearray(1024)
        self.glass = bytearray(1024)
        self.flushed = []

    def flush(self, y0, y1):
        assert y0 % 8 == 0 and y1 % 8 == 0
        self.glass[16 * y0 : 16 * y1] = self.buffer[16 * y0 : 16 * y1]
        self.flushed.append((y0, y1))


def make(language="zh"):
    display = Display()
    return display, Screen(display, language)


def turn(screen):
    # As long as a page stands.
    for _ in range(4):
        screen.status("01", "online", 0, "14:05")


def pages(display, screen):
    seen = [bytes(display.glass)]
    while True:
        turn(screen)
        if bytes(display.glass) == seen[0]:
            return seen
        seen.append(bytes(display.glass))


def test_nothing_for_colour_panels_is_loaded():
    make()
    loaded = [name for name in sys.modules if name.startswith("till.ui.")]
    assert "till.ui.layout_mono" in loaded and "till.ui.canvas_mono" in loaded, loaded
    assert "till.ui.layout_colour" not in loaded and "till.ui.canvas" not in loaded, loaded


def test_short_words_come_first_and_the_general_ones_where_there_are_none():
    _, screen = make()
    assert screen.text("screen.present") == "请挥卡或手机"
    assert screen.text("status.pending", count=3) == "待3"
    assert screen.text("outcome.approved") == "交易成功"
    assert screen.text("no.such_key") == "no.such_key" and not screen.has("mono.x")


def test_a_screen_covers_the_panel_and_the_same_again_sends_nothing():
    display, screen = make()
    screen.status("01", "online", 0, "14:05")
    display.sent()
    screen.present("type.sale", "¥1.00", 1)
    assert display.sent() == set(range(16, 64))
    screen.present("type.sale", "¥1.00", 1)
    assert display.sent() == set()
    screen.present("type.sale", "¥1.00", 2)
    assert display.sent() == set(range(16, 32))
    screen.status("01", "online", 0, "14:06")
    assert display.sent() == set(range(16))


def test_pages_turn_with_the_status_line_and_begin_again_with_a_new_screen():
    display, screen = make()
    screen.status("01", "online", 0, "14:05")
    screen.result("approved", ("623456******0003", "授权码 123456"), "¥1.00")
    word = bytes(display.glass)
    for _ in range(3):
        screen.status("01", "online", 0, "14:05")
        assert bytes(display.glass) == word
    screen.status("01", "online", 0, "14:05")
    assert bytes(display.glass) != word and bytes(display.glass[:256]) == word[:256]
    screen.result("approved", ("623456******0003", "授权码 123456"), "¥1.00")  # drawn again: it stays where it is
    assert bytes(display.glass) != word
    turn(screen)
    assert bytes(display.glass) == word
    turn(screen)
    screen.result("approved", ("623456******0003",), "¥2.00")
    assert len(pages(display, screen)) == 2


def test_advice_of_what_was_not_approved_is_on_the_first_page():
    display, screen = make()
    screen.status("01", "online", 0, "14:05")
    screen.result("unknown", ("自动冲正", "请勿再刷"), "¥1.00")
    assert len(pages(display, screen)) == 1
    screen.result("unknown", ("自动冲正", "请勿再刷"), "¥1234.00")
    first = pages(display, screen)
    assert len(first) == 2
    screen.result("unknown", ("自动冲正", "请勿再刷"), "¥5678.00")
    assert bytes(display.glass) == first[0], "the amount has the second page"


def test_confirm_shows_every_row_whole_and_says_which_found_no_place():
    display, screen = make()
    screen.status("01", "online", 0, "14:05")
    rows = (("主机", "https://pay.haihe.example:8443/v1"), ("版本", "1"), ("指纹", "k" * 43))
    shown, first = [], 0
    while first < len(rows):
        after = screen.confirm("信任此收单行", rows, first)
        assert after > first
        shown.append((after, len(pages(display, screen))))
        first = after
    # The title and three lines of host turn over; the fingerprint and what the keys do, too.
    assert shown == [(1, 2), (2, 1), (3, 2)], shown


def test_a_menu_keeps_the_selected_item_in_view():
    display, screen = make()
    screen.status("01", "online", 0, "14:05")
    items = ["项目%d" % i for i in range(12)]
    seen = set()
    for selected in range(12):
        screen.menu("菜单", items, selected)
        seen.add(bytes(display.glass))
    assert len(seen) == 12
    screen.menu("菜单", ["短", "这是一个很长很长很长的无线网络名称"], 1)
    assert len(pages(display, screen)) == 3


def test_every_screen_is_the_same_whatever_stood_there_before():
    draw = (
        lambda s: s.idle("商户", "T0001234", "注意"),
        lambda s: s.amount("type.sale", "¥1.00"),
        lambda s: s.present("type.sale", "¥1.00", 3),
        lambda s: s.processing("screen.online", "¥1.00"),
        lambda s: s.processing("screen.starting", "", 0),
        lambda s: s.result("unknown", ("a", "b"), "¥1.00"),
        lambda s: s.message("warn", "标题", ("行",)),
        lambda s: s.confirm("标题", (("甲", "1"), ("乙", "2"))),
        lambda s: s.menu("菜单", ["项 %d" % i for i in range(12)], 11),
        lambda s: s.entry("screen.pin", "12", "", True),
        lambda s: s.error("error.link", "reason.timeout"),
    )
    assert_nothing_shines_through(make, draw)


def test_the_language_changes_on_the_spot():
    display, screen = make("zh")
    screen.status("01", "online", 2, "14:05")
    screen.result("approved", ("RRN 1",), "¥1.00")
    chinese = bytes(display.glass)
    screen.language = "en"
    assert bytes(display.glass) != chinese
    screen.language = "zh"
    assert bytes(display.glass) == chinese
