# Every screen the terminal has, as a flow would call for it. Runs on the MicroPython Unix port.

_MERCHANT = {"zh": "海河大学第一食堂", "en": "Haihe University Canteen"}
_SALE = "¥123.45"


def _status(s, link="online", pending=0, operator="01", clock="14:05"):
    s.status(operator, link, pending, clock)


def _idle(s):
    _status(s)
    s.idle(_MERCHANT[s.language], "T0001234")


def _idle_offline(s):
    _status(s, "offline", 3)
    s.idle(_MERCHANT[s.language], "T0001234", s.text("reason.wifi_password"))


def _idle_signed_off(s):
    _status(s, "connecting", 0, "")
    s.idle("星星超市", "T0001234", "", "screen.sign_on_first")


def _idle_long(s):
    _status(s, "offline", 1234, "99")
    s.idle("上海浦东新区世纪大道一百号地下一层便民服务中心餐饮部", "T0001234", s.text("screen.stopped"))


def _error(key, reason=""):
    return lambda s: s.error(key, reason)


def _rc(rc):
    def draw(s):
        s.result("declined", s.reason_lines(rc), _SALE)

    return draw


def _ticket(s, first=0):
    t = s.text
    s.confirm(
        t("screen.ticket"),
        (
            (t("label.merchant"), _MERCHANT[s.language]),
            (t("label.mid"), "898210154110002"),
            (t("label.acquirer"), "898"),
            (t("label.area"), "2101"),
            (t("label.mcc"), "5411"),
            (t("label.serial"), "0002"),
            (t("label.tid"), "T0001234"),
        ),
        first,
    )


def _trust(s):
    t = s.text
    s.confirm(
        t("screen.trust"),
        (
            (t("label.name"), "Haihe Pay"),
            (t("label.host"), "https://pay.haihe.example:8443/v1"),
            (t("label.version"), "1"),
            (t("label.fingerprint"), "k3Xh0uZ8QbYq7s2mTn4vWcE1rLf6JdGpA9oIyNtKxMs"),
        ),
    )


def _totals(s):
    t = s.text
    s.confirm(
        t("screen.totals"),
        (
            (t("label.batch"), "000017"),
            (t("label.sales"), "142"),
            (t("label.amount"), "¥18,420.50"),
            (t("label.refunds"), "3"),
            (t("label.amount"), "-¥96.00"),
            (t("label.net"), "¥18,324.50"),
        ),
        0,
        "footer.ok",
    )


def _blank_unit(s):
    t = s.text
    lines = [t("screen.not_provisioned_hint"), t("label.unit") + " 02005E100001"]
    lines.append(t("screen.trusts_hint", digits="4F7A 09C3 11D8"))
    s.message("info", t("screen.not_provisioned"), lines, None)


_MAIN = ("sale", "void", "refund", "preauth", "query", "settle", "sign_on", "print", "manage")
_MANAGE = ("wifi", "language", "operators", "diagnose", "activate", "bind", "backup", "restore", "echo", "about")


def _menu(title, keys, selected):
    return lambda s: s.menu(s.text(title), [s.text("menu." + key) for key in keys], selected)


# What the laptop of `doctor --hardware` has the terminal show: its words, see tests/host/test_hardware_words.py.
_PICTURE = {
    "zh": ("红 RED", "绿 GREEN", "蓝 BLUE", "1 正常 2 左右反 3 倒置", "4 反色 5 红蓝互换", "6 黑框缺边"),
    "en": ("RED", "GREEN", "BLUE", "1 right 2 mirror 3 turned", "4 negative 5 red is blue", "6 frame cut or moved"),
}
_ANSWERS = {
    "zh": ("正常", "左右反", "倒置", "反色", "红蓝换", "缺边"),
    "en": ("right", "mirror", "turned", "invert", "red=blu", "cut"),
}
_MONO_ANSWERS = {"zh": ("1 正常", "3 倒置", "6 亮框缺边"), "en": ("1 right", "3 upside down", "6 frame cut")}
_PRESS = {"zh": ("请按 {}", "(8/16)"), "en": ("Press {}", "(8/16)")}
_GREEN = {"zh": ("四个灯都绿吗", "{} 是    {} 否"), "en": ("4 green lights?", "{} yes    {} no")}
_GREEN_ONE = {"zh": "灯是绿的吗", "en": "Is it green?"}


def _test_picture(s):
    from till.services import hardware

    words, language = s._layout.words, s.language
    lines = _PICTURE[language]
    if words:
        lines = lines[:3] + (_ANSWERS if words == "touch" else _MONO_ANSWERS)[language]
    draw = hardware._mono if words == "mono" else hardware._colours
    s.picture(lambda canvas: draw(canvas._display, canvas, lines))


def _press_a_key(s):
    title, line = _PRESS[s.language]
    drawn = s._layout.words == "touch"
    s.message("info", title.format("↓" if drawn else "B"), (line,), "footer.both" if drawn else None)


def _green_lights(s):
    title, line = _GREEN[s.language]
    keys = "#", "*"
    drawn = s._layout.words == "touch"
    if drawn:
        title = _GREEN_ONE[s.language]
        keys = s.text("footer.ok"), s.text("footer.cancel")
    s.message("info", title, (line.format(*keys),), "footer.both" if drawn else None)


SCREENS = (
    ("idle", _idle),
    ("idle_offline", _idle_offline),
    ("idle_signed_off", _idle_signed_off),
    ("idle_long", _idle_long),
    ("starting", lambda s: (_status(s), s.message("wait", s.text("screen.starting"), ("microtill 0.1.0",), None))),
    ("amount_empty", lambda s: s.amount("type.sale", "¥0.00")),
    ("amount", lambda s: s.amount("type.sale", _SALE)),
    ("amount_large", lambda s: s.amount("type.sale", "¥1234567.89")),
    ("amount_largest", lambda s: s.amount("type.completion_void", "¥9999999999.99")),
    ("present", lambda s: s.present("type.sale", _SALE)),
    ("present_refund", lambda s: s.present("type.refund", "¥1234.50")),
    ("reading", lambda s: s.present("type.sale", _SALE, 2, "screen.reading", False)),
    ("two_cards", lambda s: s.present("type.sale", _SALE, 1, "screen.two_cards")),
    ("pulled_away", lambda s: s.present("type.sale", _SALE, 1, "screen.pulled_away")),
    ("remove_card", lambda s: s.present("type.sale", _SALE, 4, "screen.remove_card", False)),
    ("processing", lambda s: s.processing("screen.online", _SALE)),
    ("approved", lambda s: s.result("approved", ("RRN 061405000123",), _SALE)),
    ("declined", _rc("51")),
    ("declined_timeout", _rc("68")),
    ("declined_long", _rc("75")),
    ("unknown", lambda s: s.result("unknown", s.text("screen.unknown_sale").split("\n"), _SALE)),
    ("unknown_refund", lambda s: s.result("unknown", s.text("screen.unknown_refund").split("\n"), "¥1234567.89")),
    ("unconfirmed", lambda s: s.result("approved", (s.text("screen.unconfirmed"),), _SALE, "footer.void")),
    ("refused", lambda s: s.result("refused", s.text("action.suspended").split("\n"), _SALE)),
    ("reversing", lambda s: s.message("wait", s.text("screen.reversing"), (_SALE,), None)),
    ("reversed", lambda s: s.message("ok", s.text("screen.reversed"), (_SALE,))),
    (
        "stopped",
        lambda s: s.message("error", s.text("screen.stopped"), (s.text("screen.stopped_hint", code="R-1042"),)),
    ),
    ("reader_fault", lambda s: s.message("warn", s.text("screen.reader_fault"), (), "footer.cancel")),
    ("settling", lambda s: s.message("wait", s.text("screen.settling"), (), None)),
    ("settled", lambda s: s.message("ok", s.text("screen.settled"), ("000017 → 000018",))),
    ("unbalanced", lambda s: s.message("warn", s.text("screen.unbalanced"), (), None)),
    (
        "not_provisioned",
        lambda s: s.message("info", s.text("screen.not_provisioned"), (s.text("screen.not_provisioned_hint"),), None),
    ),
    ("blank_unit", _blank_unit),
    ("card_declined", _error("error.card_declined")),
    ("link_wifi", _error("error.link", "reason.wifi_password")),
    ("link_certificate", _error("error.link", "reason.tls_name")),
    ("answer", _error("error.answer", "reason.signature")),
    ("internal", _error("error.internal")),
    ("ticket", _ticket),
    ("ticket_end", lambda s: _ticket(s, 5)),
    ("trust", _trust),
    ("totals", _totals),
    ("menu", _menu("screen.menu", _MAIN, 0)),
    ("manage", _menu("screen.manage", _MANAGE, 9)),
    ("language", lambda s: s.menu(s.text("screen.language"), ("中文", "English"), ("zh", "en").index(s.language))),
    ("pin", lambda s: s.entry("screen.pin", "1234", s.text("label.operator") + " 01", True)),
    (
        "code",
        lambda s: s.entry("screen.activation_code", "3141592653", s.text("label.fingerprint") + " k3Xh 0uZ8 QbYq"),
    ),
    (
        "wifi_password",
        lambda s: s.entry(
            "screen.wifi_password",
            "S3cr3t-passw0rd_for the Wi-Fi",
            "HAIHE-POS\n" + s.text("screen.reveal_hint"),
            False,
            "abc",
        ),
    ),
    ("hardware_picture", _test_picture),
    ("hardware_key", _press_a_key),
    ("hardware_lights", _green_lights),
)
