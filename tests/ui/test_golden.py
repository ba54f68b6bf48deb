"""Every screen is, pixel by pixel, the one that was looked at and recorded."""

import pytest
from microtill.bench.reading import contains, read_text

from tests.ui import golden
from tests.ui.panel import SIZES, frames

# What must be legible on a screen, whatever it looks like: read back from the pixels.
LEGIBLE = {
    "zh": {
        "idle": ("操作员01", "联机", "待上送0", "14:05", "海河大学第一食堂", "T0001234"),
        "idle_offline": ("脱机", "待上送3", "无线网络密码错误"),
        "amount": ("消费", "¥123.45"),
        "amount_largest": ("¥9999999999.99",),
        "present": ("请挥卡或出示手机", "¥123.45", "取消"),
        "two_cards": ("请只出示一张卡",),
        "pulled_away": ("读卡中断，请重新挥卡",),
        "remove_card": ("请移开卡片",),
        "processing": ("正在联机，请勿断电",),
        "approved": ("交易成功", "¥123.45", "061405000123"),
        "declined": ("交易拒绝", "余额不足", "请换卡"),
        "declined_timeout": ("交易超时", "请勿再次收款"),
        "unknown": ("结果未知", "本笔将自动冲正", "请勿再刷卡"),
        "unknown_refund": ("结果未知", "请勿另行退款", "联网后自动核实"),
        "reversed": ("上笔已冲正，未扣款",),
        "reversing": ("上笔未完成，正在冲正",),
        "stopped": ("冲正未完成，暂停交易", "R-1042"),
        "reader_fault": ("读卡器故障，正在恢复",),
        "settled": ("结算完成，账平",),
        "unbalanced": ("账不平，正在上送明细",),
        "ticket": ("海河大学第一食堂", "898210154110002", "2101", "5411", "0002"),
        "trust": ("https://pay.haihe.example:8443/v1", "k3Xh0uZ8QbYq7s2mTn4vWcE1rLf6JdGpA9oIyNtKxMs"),
        "menu": ("消费", "撤销", "管理"),
        "wifi_password": ("S3cr3t-passw0rd_for the Wi-Fi",),
    },
    "en": {
        "idle": ("Op 01", "Online", "Queue 0", "14:05", "Haihe University Canteen"),
        "idle_offline": ("Offline", "Queue 3", "Wrong Wi-Fi password"),
        "present": ("Present card or phone", "¥123.45", "Cancel"),
        "approved": ("APPROVED", "¥123.45"),
        "declined": ("DECLINED", "Funds too low", "Use other card"),
        "unknown": ("UNKNOWN", "Being reversed", "Do not repeat"),
        "reversed": ("Sale reversed, not charged",),
        "link_certificate": ("Acquirer not reached", "Certificate: wrong host name"),
    },
}


LEGIBLE_MONO = {
    "zh": {
        "idle": ("01", "联机", "待0", "14:05", "海河大学第一食堂", "输入金额收款"),
        "idle_offline": ("脱机", "待3", "无线网络密码错误"),
        "idle_long": ("待99+", "14:05", "上海浦东新区世纪大道一百号地下一"),
        "idle_long-2": ("层便民服务中心餐饮部",),
        "idle_long-3": ("暂停交易 待冲正",),
        "amount": ("消费", "¥123.45", "删除"),
        "amount_largest": ("预授权完成撤销", "¥9999999999.99"),
        "present": ("请挥卡或手机", "¥123.45", "消费"),
        "two_cards": ("请只出示一张卡",),
        "pulled_away": ("读卡中断请重挥",),
        "remove_card": ("请移开卡片",),
        "processing": ("联机中 请勿断电",),
        "approved": ("交易成功", "¥123.45", "确认"),
        "approved-2": ("交易成功", "¥123.45", "061405000123"),
        "declined": ("交易拒绝", "¥123.45", "余额不足", "请换卡"),
        "declined_timeout": ("交易超时", "请勿再次收款"),
        "unknown": ("结果未知", "自动冲正", "请勿再刷"),
        "unknown_refund": ("结果未知", "请勿另行退款", "联网后自动核实"),
        "unknown_refund-2": ("¥1234567.89",),
        "unconfirmed-2": ("上笔请确认", "*撤销本笔", "#确认"),
        "reversed": ("已冲正 未扣款",),
        "reversing": ("正在冲正上笔",),
        "stopped": ("暂停交易 待冲正", "R-1042"),
        "reader_fault": ("读卡器恢复中", "取消"),
        "settled": ("账平 结算完成",),
        "unbalanced": ("账不平 上送中",),
        "menu": ("菜单", "1 消费", "2 撤销"),
        "wifi_password": ("网络密码", "S3cr3t-passw0rd_for the Wi-Fi"),
        "wifi_password-2": ("HAIHE-POS", "abc"),
    },
    "en": {
        "idle": ("On", "Q0", "14:05", "Haihe University Canteen", "Enter amount"),
        "present": ("Tap card/phone", "¥123.45"),
        "approved": ("APPROVED", "¥123.45"),
        "declined": ("DECLINED", "Funds too low", "Use other card"),
        "unknown": ("UNKNOWN", "Auto-reversed", "Do not repeat"),
        "reversed": ("not charged",),
        "link_certificate": ("Host not reached", "Wrong host name"),
    },
}
# What a panel with its keys on it has no room for comes on the next page, or when one moves down.
LEGIBLE_TOUCH = {
    "zh": LEGIBLE["zh"]
    | {
        "ticket": ("海河大学第一食堂", "898210154110002", "2101"),
        "trust": ("https://pay.haihe.example:8443/v1",),
        "menu": ("消费", "撤销", "返回", "确认", "菜单", "删除"),
        "amount": ("消费", "¥123.45", "00", "删除", "取消", "确认"),
        "unconfirmed": ("撤销", "本笔", "确认"),
    },
    "en": LEGIBLE["en"] | {"unconfirmed": ("Void", "OK"), "wifi_password": ("abc", "Cancel")},
}
PANELS = {"colour": LEGIBLE, "mono": LEGIBLE_MONO, "touch": LEGIBLE_TOUCH}


@pytest.mark.parametrize("language", golden.LANGUAGES)
@pytest.mark.parametrize("panel", SIZES)
def test_screens_are_the_golden_ones(panel, language):
    changed, seen = [], set()
    for name, old, new in golden.compare(language, panel):
        seen.add(name)
        if not golden.same(old, new):
            changed.append(name)
    assert not changed, f"look at them with `python -m tests.ui.golden`, then --record: {' '.join(changed)}"
    assert seen == {path.stem for path in golden.folder(language, panel).glob("*.png")}


@pytest.mark.parametrize("language", golden.LANGUAGES)
@pytest.mark.parametrize("panel", SIZES)
def test_texts_are_legible(panel, language):
    shown = {name: frame for name, frame, _ in frames(language, panel=panel)}
    width = SIZES[panel][0]
    for name, texts in PANELS[panel][language].items():
        for text in texts:
            assert contains(shown[name], text, width), f"{name}: {text} is not in\n{read_text(shown[name], width)}"


@pytest.mark.parametrize("language", golden.LANGUAGES)
def test_a_small_panel_never_cuts_a_text(language):
    for name, frame, _ in frames(language, panel="mono"):
        assert "…" not in read_text(frame, 128), name


def test_a_key_press_sends_only_the_rows_that_changed():
    sent = {name: count for name, _, count in frames("zh")}
    assert sent["amount"] <= 96 * 480 + 11  # the field of the amount, and the address of its first row
    assert sent["idle_offline"] <= (22 + 38) * 480 + 22


def test_a_pin_is_not_on_the_panel():
    shown = {name: frame for name, frame, _ in frames("zh")}
    assert contains(shown["pin"], "••••") and not contains(shown["pin"], "1234")
