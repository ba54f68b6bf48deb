"""The wiring pictures and the key caps: up to date, complete, and nothing printed over anything else."""

import os
import re
import shutil
import tomllib

import pytest
from microtill.bench.chips.matrix import LEGEND
from microtill.paths import BOARDS
from microtill.release import boards_checks as checks
from microtill.release import boards_pictures
from microtill.release.boards import names
from microtill.release.boards_pictures import PictureError

PICTURES = {str(path.relative_to(BOARDS)): path for path in boards_pictures.pictures()}


def texts(svg: str) -> list[str]:
    return re.findall(r"<text [^>]*>([^<]*)</text>", svg)


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_up_to_date(name):
    path = PICTURES[name]
    drawn = boards_pictures.pictures()[path]
    assert path.read_text("utf-8") == drawn, "run: python -m microtill.release.boards_pictures"


def test_every_board_has_a_picture():
    assert set(PICTURES) == {"overlay.svg", *(f"{name}/wiring.svg" for name in names())}


@pytest.mark.parametrize("name", [name for name in PICTURES if name.endswith("wiring.svg")])
def test_every_wire_is_drawn_once(name):
    path = PICTURES[name]
    drawn = [int(text.split()[-1]) for text in texts(path.read_text("utf-8")) if re.search(r"\bGPIO \d", text)]
    table = tomllib.loads((path.parent / "wiring.toml").read_text("utf-8"))
    soldered = {n for name, chip in table["chip"].items() if chip.get("on_board") for n in (name, chip.get("bus"))}
    wires = [wire.gpio for wire in checks.wiring(path.parent).wires if wire.part not in soldered]
    assert sorted(drawn) == sorted(wires)


def test_what_is_on_the_board_is_not_drawn_and_its_sockets_are_named():
    (reader,) = boards_pictures.modules(BOARDS / "TILL_CYD")
    assert {wire.printed: wire.goal for wire in reader.wires} == {
        "GND": "CN1 · GND", "VCC": "CN1 · 3V3", "SDA/TXD": "CN1 · GPIO 27", "SCL/RXD": "CN1 · GPIO 22",
        "IRQ": "P3 · GPIO 35",
    }  # fmt: skip


@pytest.mark.parametrize("name", names())
def test_the_readme_shows_the_wiring_as_it_is(name):
    board = BOARDS / name
    readme = (BOARDS / "README.md").read_text("utf-8")
    section = readme.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    picture = f"{name}/wiring.svg"
    assert (f"]({picture})" in section) == (picture in PICTURES)
    rows = re.findall(r"^\| `([A-Za-z0-9_]+)` \| `([A-Za-z0-9_]+)` \| (\d+) \|", section, re.M)
    # A bus and its chip have one name: their pins stand in one table.
    assert {(part, pin): int(gpio) for part, pin, gpio in rows} == {
        (wire.part, wire.signal): wire.gpio for wire in checks.wiring(board).wires
    }


def test_the_reader_on_a_uart_is_crossed():
    reader = next(m for m in boards_pictures.modules(BOARDS / "TILL_ESP32") if "PN532" in m.title[0])
    goals = {wire.printed: wire.gpio for wire in reader.wires}
    assert (goals["SDA/TXD"], goals["SCL/RXD"]) == (16, 17)  # rx and tx of the ESP32


def test_what_cannot_be_drawn_is_told(tmp_path):
    (tmp_path / "wiring.toml").write_text('[chip.x]\nmodel = "nothing:Such"\n')
    with pytest.raises(PictureError, match="nothing:Such is not in modules"):
        boards_pictures.modules(tmp_path)
    (tmp_path / "wiring.toml").write_text('[chip.x]\nmodel = "leds:Leds"\npins = { DIN = 4, DOUT = 5 }\n')
    with pytest.raises(PictureError, match="DOUT"):
        boards_pictures.modules(tmp_path)


def test_the_caps_are_those_of_the_pad_at_their_size():
    svg = PICTURES["overlay.svg"].read_text("utf-8")
    assert '<svg xmlns="http://www.w3.org/2000/svg" width="210mm" height="297mm" viewBox="0 0 210 297"' in svg
    assert svg.count('width="12" height="11"') == 2 * 16
    shown = [text for text in texts(svg) if len(text) == 1]
    digits = [key for row in LEGEND for key in row if key.isdigit()]
    assert [text for text in shown if text.isdigit()] == digits * 2
    for caps in (
        ("上 · 00", "下", "删除", "菜单", "取消", "确认"),
        ("up · 00", "down", "clear", "menu", "cancel", "OK"),
    ):
        assert all(texts(svg).count(cap) == 1 for cap in caps)


BOXES = """() => [...document.querySelectorAll('text')].map(t => {
    const b = t.getBBox();
    return [t.textContent, b.x, b.y, b.x + b.width, b.y + b.height];
})"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    named = os.environ.get("MICROTILL_BROWSER")
    executable = next(filter(None, map(shutil.which, [named] if named else ["chromium", "google-chrome"])), None)
    if not executable:
        assert not os.environ.get("MICROTILL_REQUIRE_BROWSER"), "no browser"
        pytest.skip("no browser: set MICROTILL_BROWSER to a Chromium")
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_printed_over_another_or_off_the_paper(browser, name):
    page = browser.new_page()
    page.goto(PICTURES[name].as_uri())
    width, height = (297, 210) if name.endswith("wiring.svg") else (210, 297)
    boxes = page.evaluate(BOXES)
    page.close()
    assert len(boxes) > 20
    for i, (text, x1, y1, x2, y2) in enumerate(boxes):
        assert x1 > 0 and y1 > 0 and x2 < width and y2 < height, text
        for other, ox1, oy1, ox2, oy2 in boxes[:i]:
            # A line of text has some air above and below its letters; half a millimetre of it may be shared.
            apart = x2 <= ox1 or ox2 <= x1 or y2 - 0.5 <= oy1 + 0.5 or oy2 - 0.5 <= y1 + 0.5
            assert apart, f"{text!r} over {other!r}"
