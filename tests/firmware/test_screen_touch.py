from glass import Glass, assert_nothing_shines_through
from till.ui.screen import Screen

HEAP = "1M"  # some tests hold several panels


class Display(Glass):
    # A panel with a keypad of 168 rows at its bottom, and a buffer of 80.
    def __init__(self):
        super().__init__(rows=80)
        self.keys_height = 168


KEYS = set(range(152, 320))
LAST = set(range(278, 320))  # CANCEL 0 OK MENU


def make(language="zh"):
    display = Display()
    screen = Screen(display, language)
    screen.status("01", "online", 0, "14:05")
    return display, screen


def test_a_screen_covers_the_panel_and_the_same_again_sends_nothing():
    display, screen = make()
    display.sent()
    screen.idle("商户", "T0001234")
    assert display.sent() == set(range(22, 320))
    screen.idle("商户", "T0001234")
    assert display.sent() == set()


def test_a_key_press_sends_the_amount_and_no_key():
    display, screen = make()
    screen.amount("type.sale", "¥1.00")
    display.sent()
    screen.amount("type.sale", "¥10.05")
    assert display.sent() == set(range(56, 128))


def test_caps_say_what_keys_do_and_are_sent_when_that_changes():
    display, screen = make()
    screen.present("type.sale", "¥1.00", 1)
    display.sent()
    screen.present("type.sale", "¥1.00", 2)
    assert not display.sent() & KEYS
    screen.present("type.sale", "¥1.00", 2, "screen.reading", False)  # nothing can be cancelled any more
    assert display.sent() & KEYS == LAST
    screen.amount("type.sale", "¥1.00")  # the arrow becomes 00
    assert display.sent() & KEYS == LAST | set(range(152, 194))


def test_letters_are_on_the_caps_while_text_is_keyed():
    display, screen = make()
    seen = set()
    for mode in ("abc", "ABC", "123", ""):
        screen.entry("screen.wifi_password", "x", "", False, mode)
        seen.add(bytes(display.glass[152 * 120 :]))
    assert len(seen) == 4


def test_caps_are_in_the_language_that_is_chosen():
    display, screen = make("zh")
    screen.idle("M", "T")
    chinese = bytes(display.glass)
    screen.language = "en"
    assert bytes(display.glass[152 * 120 :]) != chinese[152 * 120 :]
    screen.language = "zh"
    assert bytes(display.glass) == chinese


def test_confirm_says_which_rows_found_no_place():
    _, screen = make()
    rows = (("主机", "https://pay.haihe.example:8443/v1"), ("版本", "1"), ("指纹", "k" * 43), ("商户", "海" * 26))
    pages = []
    first = 0
    while first < len(rows):
        after = screen.confirm("标题", rows, first)
        assert after > first
        pages.append(after)
        first = after
    assert pages == [2, 3, 4], pages


def test_every_screen_is_the_same_whatever_stood_there_before():
    draw = (
        lambda s: s.idle("商户", "T0001234", "注意"),
        lambda s: s.amount("type.sale", "¥1.00"),
        lambda s: s.present("type.sale", "¥1.00", 3),
        lambda s: s.processing("screen.online", "¥1.00"),
        lambda s: s.result("approved", ("a", "b"), "¥1.00"),
        lambda s: s.result("unknown", ("a", "b", "c"), "¥1.00"),
        lambda s: s.message("warn", "标题", ("行",)),
        lambda s: s.confirm("标题", (("甲", "1"), ("乙", "2"))),
        lambda s: s.menu("菜单", ["项 %d" % i for i in range(12)], 11),
        lambda s: s.entry("screen.pin", "12", "", True),
        lambda s: s.error("error.link", "reason.timeout"),
    )
    assert_nothing_shines_through(make, draw)
