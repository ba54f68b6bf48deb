"""Both catalogues are whole, have their glyphs, and fit where they are shown."""

import ast
import importlib.util
import re

import pytest
from microtill.paths import FIRMWARE
from microtill.release.font import read_blob

LANGUAGES = ("zh", "en")
FONT = {code: len(rows) // 2 for code, rows in read_blob().items()}


def load(language: str) -> dict[str, str]:
    path = FIRMWARE / "till" / "ui" / f"catalogue_{language}.py"
    spec = importlib.util.spec_from_file_location(f"catalogue_{language}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    texts: dict[str, str] = {}
    for section, lines in module.TEXTS.items():
        assert lines.startswith("\n") and lines.endswith("\n"), section
        for line in lines.strip("\n").split("\n"):
            name, _, text = line.partition(" ")
            key = f"{section}.{name}"
            assert name and text and key not in texts, f"{language}: {line!r}"
            texts[key] = text.replace("|", "\n")
    return texts


LOADED = {language: load(language) for language in LANGUAGES}
# Words of some panels, in place of the entries they are named for: each language has its own that are too long.
OWN = ("mono", "touch")


def words_of(panel: str, language: str) -> dict[str, str]:
    return {k.partition(".")[2]: text for k, text in LOADED[language].items() if k.startswith(panel + ".")}


MONO = {language: words_of("mono", language) for language in LANGUAGES}
TEXTS = {
    language: {k: text for k, text in LOADED[language].items() if k.partition(".")[0] not in OWN}
    for language in LANGUAGES
}


def columns(text: str) -> int:
    """Width in half-width columns of 8 pixels."""
    return sum(FONT[ord(c)] for c in text) // 8


def wrapped(text: str, limit: int) -> int:
    """How many lines of `limit` columns a text takes at least, by its words and its commas."""
    lines, used = 1, 0
    for word in re.findall(r"[\u2e80-\uffef][，。；]?|[^ \u2e80-\uffef]+ ?| ", text):
        if used + columns(word.rstrip()) > limit:
            lines, used = lines + 1, 0
        assert columns(word.rstrip()) <= limit, f"{word!r} in {text!r} is wider than a line"
        used += columns(word)
    return lines


def test_the_catalogues_have_the_same_keys():
    assert TEXTS["zh"].keys() == TEXTS["en"].keys()


def test_both_languages_fill_in_the_same_names():
    for key, text in TEXTS["zh"].items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", TEXTS["en"][key])), key
    for language in LANGUAGES:
        for key, text in (words_of("mono", language) | words_of("touch", language)).items():
            assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", TEXTS[language][key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_character_has_a_glyph(language):
    missing = {c for text in LOADED[language].values() for c in text if c != "\n" and ord(c) not in FONT}
    assert not missing


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_fit_where_they_are_shown(language):
    """×2 is 16 pixels a column: 14 columns in a block of 224 pixels. Nothing that matters is shown smaller."""
    large_lines = ("rc.", "action.", "screen.unknown_")  # two lines under an outcome, each whole
    large_words = ("error.", "screen.")  # the first line large, in at most two lines
    small = ("_hint",)
    for key, text in TEXTS[language].items():
        lines = text.split("\n")
        if key.startswith(large_lines):
            assert len(lines) <= 2 and max(map(columns, lines)) <= 14, f"{key}: {text!r}"
        elif key.endswith(small):
            assert wrapped(text, 28) <= 3, f"{key}: {text!r}"
        elif key.startswith("outcome."):
            assert columns(text) <= 9, f"{key} does not fit at ×3"
        elif key.startswith(large_words):
            assert wrapped(lines[0], 14) <= 2, f"{key}: {text!r}"
            assert all(columns(line) <= 28 for line in lines[1:]), f"{key}: {text!r}"
        elif key.startswith("reason."):
            assert columns(text) <= 28, key
        elif key.startswith("menu."):
            assert columns(text) <= 21, key
        elif key.startswith(("footer.", "status.")):
            assert columns(re.sub(r"{\w+}", "99", text)) <= 9, key
        elif key.startswith("label."):
            assert columns(text) <= 12, key
    # The status line at its fullest: 240 pixels, 4 at either end, 10 for the dot, 4 between.
    t = TEXTS[language]
    operators = (t["status.operator"].format(operator="99"), t["status.signed_off"])
    links = [t[f"status.{link}"] for link in ("online", "connecting", "offline")]
    widest = max(map(columns, operators)) + max(map(columns, links)) + columns(t["status.pending"].format(count="99+"))
    assert (widest + columns("23:59")) * 8 + 8 + 10 + 4 <= 240


# What stands in one line of a mono panel by itself, and what may turn over to a second page.
_MONO_LINES = ("rc.", "action.", "outcome.", "screen.unknown_", "screen.idle")
_PROMPTS = (
    *("screen.present", "screen.reading", "screen.two_cards", "screen.pulled_away", "screen.remove_card"),
    *("screen.online", "error.card_removed", "error.card_collision", "error.card_retry", "error.reader"),
    "error.card_see_phone",  # beside lights that change: its second page would never come up
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_fit_a_mono_panel(language):
    """128 pixels are 16 columns. What has no line of its own turns over, but not for ever."""
    texts = TEXTS[language] | MONO[language]
    assert texts.keys() == TEXTS[language].keys()
    for key, text in texts.items():
        lines = re.sub(r"{\w+}", "R-1042", text).split("\n")
        if key.startswith(_MONO_LINES) or key in _PROMPTS:
            limit = 1 if key in _PROMPTS else 2
            assert len(lines) <= limit and max(map(columns, lines)) <= 16, f"{key}: {text!r}"
        elif key.startswith("menu."):
            assert columns(text) <= 13, f"{key}: {text!r}"
        elif key.startswith("type."):
            assert columns(text) <= 14, f"{key}: {text!r}"
        elif key.startswith(("screen.", "error.", "reason.")):
            assert wrapped(lines[0], 16) <= (4 if key.endswith("_hint") else 2), f"{key}: {text!r}"
            assert sum(wrapped(line, 16) for line in lines[1:]) <= 2, f"{key}: {text!r}"
    for cancel, ok in (("cancel", "retry"), ("void", "ok"), ("cancel", "ok"), ("back", "ok")):
        assert columns("*" + texts[f"footer.{cancel}"] + " #" + texts[f"footer.{ok}"]) <= 16
    # The status line at its fullest, with the clock.
    for operator in (texts["status.operator"].format(operator="99"), texts["status.signed_off"]):
        for link in ("online", "connecting", "offline"):
            fullest = operator + texts[f"status.{link}"] + texts["status.pending"].format(count="99+") + "23:59"
            assert columns(fullest) <= 16


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_fit_a_panel_with_keys_on_it(language):
    """What has room on the whole panel has it here, and the caps of the keys take two lines of 6 columns."""
    own = words_of("touch", language)
    assert own.keys() <= TEXTS[language].keys()
    for key, text in own.items():
        assert all(columns(line) <= 28 for line in text.split("\n")), f"{key}: {text!r}"
        assert not re.search(r"\b[ABCD]\b|[*#]", text), f"{key} names a key that is not on the caps: {text!r}"
    for name in ("ok", "cancel", "back", "void", "retry", "menu", "clear"):
        assert wrapped(TEXTS[language][f"footer.{name}"], 6) <= 2, name


RESPONSE_CODES = {
    "03": "商户未登记\n请联系收单行",
    "13": "金额无效\n请重新输入",
    "25": "无原交易\n请核对凭证号",
    "51": "余额不足\n请换卡",
    "54": "卡已过期\n请换卡",
    "55": "密码错误\n请重试",
    "61": "金额超限\n请换卡",
    "64": "原金额不符\n请核对原交易",
    "65": "次数超限\n请换卡",
    "68": "交易超时\n请勿再次收款",
    "75": "密码次数超限\n请联系发卡行",
    "77": "批次不符\n请重新签到",
    "90": "系统日切\n请稍后重试",
    "91": "发卡行故障\n请稍后重试",
    "92": "线路故障\n请稍后重试",
    "94": "重复交易\n请先查询",
    "96": "系统故障\n请稍后重试",
    "97": "终端未登记\n请联系收单行",
    "98": "发卡行超时\n请勿再次收款",
    "99": "密码格式错\n请重新签到",
    "A0": "校验错误\n请重新签到",
    "other": "交易拒绝\n请联系发卡行",
}


def test_every_response_code_says_what_it_is_and_what_to_do():
    texts = {key[3:]: text for key, text in TEXTS["zh"].items() if key.startswith("rc.")}
    assert texts.pop("00") == "交易成功"
    assert texts == RESPONSE_CODES
    assert all(TEXTS["en"][f"rc.{code}"].count("\n") == 1 for code in RESPONSE_CODES)


def test_the_first_word_of_an_outcome_tells_it():
    assert [TEXTS["en"][f"outcome.{o}"] for o in ("approved", "declined", "unknown")] == [
        "APPROVED",
        "DECLINED",
        "UNKNOWN",
    ]
    assert [TEXTS["zh"][f"outcome.{o}"] for o in ("approved", "declined", "unknown")] == [
        "交易成功",
        "交易拒绝",
        "结果未知",
    ]


def test_every_key_the_firmware_names_is_in_the_catalogue():
    sections = {key.split(".")[0] for key in TEXTS["zh"]}
    pattern = re.compile(rf"({'|'.join(sections)})\.[a-zA-Z_0-9]+")
    unknown = []
    for path in FIRMWARE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and pattern.fullmatch(node.value):
                known = node.value in TEXTS["zh"] or node.value == "footer.both"
                if not known:
                    unknown.append(f"{path.name}: {node.value}")
    assert not unknown


def test_every_error_of_the_firmware_has_a_text():
    tree = ast.parse((FIRMWARE / "till" / "core" / "errors.py").read_text("utf-8"))
    keys = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and str(n.value).startswith("error.")}
    assert keys and keys <= TEXTS["zh"].keys()
