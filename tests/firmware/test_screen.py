from glass import Glass, assert_nothing_shines_through
from till.ui.screen import Screen

HEAP = "1M"  # some tests hold several panels


def make(language="zh"):
    display = Glass()
    return display, Screen(display, language)


def test_text_in_both_languages():
    _, screen = make()
    assert screen.text("outcome.approved") == "交易成功"
    assert screen.text("status.operator", operator="01") == "操作员01"
    screen.language = "en"
    assert screen.text("outcome.approved") == "APPROVED"
    assert screen.text("no.such_key") == "no.such_key"
    assert screen.has("rc.51") and not screen.has("rc.50")
    try:
        screen.language = "de"
    except ValueError:
        return
    raise AssertionError("de")


def test_an_unknown_response_code_is_a_failure_with_advice():
    _, screen = make()
    assert screen.reason_lines("51") == ["余额不足", "请换卡"]
    assert screen.reason_lines("A0") == ["校验错误", "请重新签到"]
    assert screen.reason_lines("7Z") == ["交易拒绝", "请联系发卡行"]


def test_timeouts_never_say_try_again():
    for language, forbidden in (("zh", ("重试", "再次出示")), ("en", ("again", "retry", "later"))):
        _, screen = make(language)
        for rc in ("68", "98"):
            text = " ".join(screen.reason_lines(rc)).lower()
            assert not any([word in text for word in forbidden]), text  # noqa: C419
    _, screen = make("zh")
    assert screen.reason_lines("68")[1] == screen.reason_lines("98")[1] == "请勿再次收款"


def test_a_screen_covers_the_panel_and_the_same_again_sends_nothing():
    display, screen = make()
    screen.status("01", "online", 0, "14:05")
    display.sent()
    screen.present("type.sale", "¥1.00", 1)
    assert display.sent() == set(range(22, 320))
    screen.present("type.sale", "¥1.00", 1)
    assert display.sent() == set()


def test_only_what_changed_is_sent():
    display, screen = make()
    screen.status("01", "online", 0, "14:05")
    screen.amount("type.sale", "¥1.00")
    display.sent()
    screen.amount("type.sale", "¥10.05")
    assert display.sent() == set(range(70, 166))
    screen.status("01", "online", 0, "14:06")
    assert display.sent() == set(range(22))
    screen.present("type.sale", "¥1.00", 1)
    display.sent()
    screen.present("type.sale", "¥1.00", 2)
    assert display.sent() == set(range(22, 52))


def test_the_language_changes_on_the_spot():
    display, screen = make("zh")
    screen.status("01", "online", 2, "14:05")
    screen.result("approved", ("RRN 1",), "¥1.00")
    chinese = bytes(display.glass)
    display.sent()
    screen.language = "en"
    assert display.sent() >= set(range(22)) | set(range(106, 158))
    assert bytes(display.glass) != chinese
    screen.language = "zh"
    assert bytes(display.glass) == chinese


def test_every_screen_is_the_same_whatever_stood_there_before():
    draw = (
        lambda s: s.idle("商户", "T0001234", "注意"),
        lambda s: s.amount("type.sale", "¥1.00"),
        lambda s: s.present("type.sale", "¥1.00", 3),
        lambda s: s.processing("screen.online", "¥1.00"),
        lambda s: s.result("unknown", ("a", "b"), "¥1.00"),
        lambda s: s.message("warn", "标题", ("行",)),
        lambda s: s.confirm("标题", (("甲", "1"), ("乙", "2"))),
        lambda s: s.menu("菜单", ["项 %d" % i for i in range(12)], 11),
        lambda s: s.entry("screen.pin", "12", "", True),
        lambda s: s.error("error.link", "reason.timeout"),
    )
    assert_nothing_shines_through(make, draw)


def test_after_a_screen_that_failed_everything_is_drawn_again():
    display, screen = make()
    screen.amount("type.sale", "¥1.00")
    before = bytes(display.glass)
    display.sent()
    try:
        screen.message("loud", "x")
    except KeyError:
        screen.amount("type.sale", "¥1.00")
    assert display.sent() == set(range(320)) and bytes(display.glass) == before


def test_confirm_says_which_rows_found_no_place():
    _, screen = make()
    rows = tuple([("label %d" % i, str(i)) for i in range(20)])
    seen, first = 0, 0
    while first < len(rows):
        after = screen.confirm("Rows", rows, first)
        assert after > first
        first = after
        seen += 1
    assert seen == 3 and screen.confirm("Rows", rows[:5]) == 5


def test_unknown_outcomes_links_kinds_and_panels_are_refused():
    _, screen = make()
    for wrong in (
        lambda: screen.result("perhaps"),
        lambda: screen.message("loud", "x"),
        lambda: screen.message("info", "x", (), "footer.perhaps"),
        lambda: Screen(Glass(160, 128)),
    ):
        try:
            wrong()
        except (KeyError, ValueError):
            continue
        raise AssertionError("accepted")


def test_memory_does_not_grow():
    import gc

    display, screen = make()
    screen.present("type.sale", "¥1.00", 1)

    def round():
        for i in range(20):
            screen.status("01", "online", i, "14:%02d" % i)
            screen.amount("type.sale", "¥%d.00" % i)
            screen.result("approved", ("RRN %d" % i,), "¥%d.00" % i)
            screen.language = "en" if i & 1 else "zh"
        del display.flushed[:]

    for _ in range(4):  # until the glyphs of all these screens have been kept once
        round()
    gc.collect()
    before = gc.mem_alloc()
    for _ in range(5):
        round()
    gc.collect()
    # The collector takes any word on the stack for a pointer, so one catalogue may live on; a leak would be a hundred.
    assert gc.mem_alloc() - before < 20_000, gc.mem_alloc() - before


def test_nothing_for_mono_panels_is_loaded():
    import sys

    make()
    assert not [name for name in sys.modules if name.endswith("_mono")]
