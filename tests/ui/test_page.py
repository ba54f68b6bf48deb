"""The page in a real browser, with the real firmware and acquirer behind it; the panel is read from the canvas."""

import base64
import contextlib
import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator

import playwright.sync_api as playwright
import pytest
from microtill.bench import reading
from microtill.cli.sim import prepare
from microtill.simulator.page.session import Session
from microtill.simulator.script import WAIT_SPEED
from microtill.simulator.world import World
from support.page import served

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DEADLINE_S = 20.0
IDLE = "输入金额收款"


def _executable() -> str:
    """The browser; without one the tests are skipped, or fail where MICROTILL_REQUIRE_BROWSER is set."""
    named = os.environ.get("MICROTILL_BROWSER")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        why = f"no browser: {named or ', '.join(NAMES)} not found; set MICROTILL_BROWSER to a Chromium"
        if os.environ.get("MICROTILL_REQUIRE_BROWSER"):
            pytest.fail(why, pytrace=False)
        pytest.skip(why)
    return found


@pytest.fixture(scope="module")
def browser():
    executable = _executable()
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def world(browser) -> Iterator[World]:
    with World() as world:
        yield world


@pytest.fixture(scope="module")
def url(world) -> Iterator[str]:
    with served(lambda: Session(world.bench, world.acquirer, lambda say: prepare(world, "zh", say=say))) as url:
        yield url


class Browsed:
    """One page in the browser."""

    def __init__(self, context, url: str, phase: str):
        self.errors: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(DEADLINE_S * 1000)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.goto(url)
        self.page.wait_for_selector(f'#phase[data-phase="{phase}"]', timeout=90_000)

    def panel(self) -> bytes:
        """The canvas's pixels, RGB."""
        rgba = base64.b64decode(
            self.page.evaluate(
                """() => {
                  const canvas = document.getElementById("panel");
                  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
                  let text = "";
                  for (let i = 0; i < data.length; i += 8192) {
                    text += String.fromCharCode(...data.subarray(i, i + 8192));
                  }
                  return btoa(text);
                }"""
            )
        )
        rgb = bytearray(len(rgba) // 4 * 3)
        for channel in range(3):
            rgb[channel::3] = rgba[channel::4]
        return bytes(rgb)

    def until(self, holds: Callable[[], object], what: str, seconds: float = DEADLINE_S) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                width = self.page.evaluate("document.getElementById('panel').width")
                raise AssertionError(f"{what} did not come; the panel says {reading.read_text(self.panel(), width)!r}")
            self.page.wait_for_timeout(20)  # lets the browser's events in

    def shows(self, text: str, seconds: float = DEADLINE_S) -> None:
        self.until(lambda: reading.contains(self.panel(), text), text, seconds)

    def click_keys(self, *keys: str) -> None:
        for key in keys:
            self.page.click(f'[data-key="{key}"]')

    def card(self, name: str) -> str:
        """The selector of a card in the wallet."""
        return f"#wallet [data-card={name}]"

    def on_reader(self) -> list[str]:
        return self.page.eval_on_selector_all("#held [data-card]", "all => all.map((card) => card.dataset.card)")

    def lit(self) -> int:
        return self.page.locator("#lights .lit").count()

    def switch(self, name: str, on: bool) -> None:
        self.page.click(f"#{name}")
        self.page.wait_for_selector(f"#{name}[aria-checked={str(on).lower()}]")


@pytest.fixture
def open_page(browser, url, world):
    """Opens pages on a terminal at rest; at the end none of them may have met an error."""
    contexts, pages = [], []
    if world.console.wait_ready()["state"] == "provisioned" and not (world.shows(IDLE) and world.shows("联机")):
        world.bench.reset()  # what a failed test has left
        world.wait_at_rest()

    def opened(at: str = url, phase: str = "ready", **options) -> Browsed:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "zh-CN", **options})
        contexts.append(context)
        pages.append(Browsed(context, at, phase))
        pages[-1].until(lambda: pages[-1].on_reader() == [], "an empty reader")  # of the test before
        return pages[-1]

    yield opened
    for context in contexts:
        context.close()
    assert [error for page in pages for error in page.errors] == []


@pytest.fixture
def page(open_page) -> Browsed:
    return open_page()


def test_a_sale_by_mouse(page, world):
    before = world.acquirer.sales()["approved"]
    page.click_keys("1", "2", "3", "4")
    page.shows("¥12.34")
    page.click_keys("OK")
    page.shows("请挥卡")
    page.page.click(page.card("visa"))
    page.shows("交易成功")
    page.shows("¥12.34")
    page.page.wait_for_selector('#decisions li[data-outcome="approved"]:has-text("¥12.34")')
    page.until(lambda: page.on_reader() == [], "the card's way back")
    assert world.acquirer.sales()["approved"] == before + 1
    page.click_keys("OK")
    page.shows(IDLE)
    assert world.bench.violations() == []


def test_a_sale_by_keyboard(page):
    keyboard = page.page.keyboard
    for key in ("4", "5", "6", "Backspace"):
        keyboard.press(key)
    page.shows("¥0.45")
    keyboard.press("Enter")
    page.shows("请挥卡")
    # By keyboard alone: the card is a button like any other.
    page.page.focus(page.card("unionpay"))
    keyboard.press("Space")
    page.shows("交易成功")
    page.page.evaluate("document.activeElement.blur()")
    keyboard.press("Enter")
    page.shows(IDLE)
    keyboard.press("m")
    page.shows("选择")
    keyboard.press("ArrowDown")
    keyboard.press("Escape")
    page.shows(IDLE)


def test_enter_stays_the_ok_key_after_a_click(page):
    page.click_keys("7")
    page.shows("¥0.07")
    page.page.keyboard.press("Enter")
    page.shows("请挥卡")
    page.page.click(page.card("mastercard"))
    page.shows("交易成功")
    page.page.keyboard.press("Enter")
    page.shows(IDLE)


def test_a_key_can_be_held(page):
    page.click_keys("1", "2", "3")
    page.shows("¥1.23")
    page.page.hover('[data-key="CLEAR"]')
    page.page.mouse.down()
    page.page.wait_for_selector('[data-key="CLEAR"].down')
    page.shows("¥0.00")
    page.page.mouse.up()
    page.page.wait_for_selector('[data-key="CLEAR"]:not(.down)')
    page.click_keys("CANCEL")
    page.shows(IDLE)


def test_a_focused_key_is_pressed_by_space_and_enter(page):
    page.page.focus('[data-key="8"]')
    page.page.keyboard.press("Space")
    page.page.keyboard.press("Enter")
    page.shows("¥0.88")
    page.page.keyboard.press("Escape")
    page.shows(IDLE)


def test_touch(open_page):
    page = open_page(has_touch=True, viewport={"width": 390, "height": 844}, device_scale_factor=3)
    for key in ("5", "0", "OK"):
        page.page.tap(f'[data-key="{key}"]')
    page.shows("请挥卡")
    page.page.tap(page.card("phone"))
    page.shows("交易成功")
    page.page.tap('[data-key="OK"]')
    page.shows(IDLE)


def test_the_lights(page):
    assert page.lit() == 0
    page.click_keys("9", "OK")
    page.until(lambda: page.lit() == 1, "the first light")
    page.click_keys("CANCEL")
    page.until(lambda: page.lit() == 0, "darkness")
    page.shows(IDLE)


def test_a_declined_card(page):
    page.click_keys("1", "UP", "OK")
    page.shows("请挥卡")
    page.page.click(page.card("nofunds"))
    page.shows("余额不足")
    page.page.wait_for_selector('#decisions li[data-outcome="declined"]:has-text("¥1.00")')
    page.click_keys("OK")
    page.shows(IDLE)


def test_two_cards_and_one_taken_away(page):
    for name in ("visa", "phone"):
        page.page.click(page.card(name))
    page.until(lambda: page.on_reader() == ["visa", "phone"], "both cards on the reader")
    page.page.click(page.card("unionpay"))
    page.page.wait_for_selector("#notice:visible:has-text('两张卡')")
    page.click_keys("3", "OK")
    page.shows("请只出示一张卡")
    assert page.on_reader() == ["visa", "phone"]
    page.page.click("#held [data-card=visa]", force=True)
    page.shows("交易成功")
    page.until(lambda: page.on_reader() == [], "the card's way back")
    page.click_keys("OK")
    page.shows(IDLE)


def test_a_card_is_dragged_to_the_reader_and_away(page):
    def drag(selector: str, x: float, y: float) -> None:
        box = page.page.locator(selector).bounding_box()
        page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.page.mouse.down()
        page.page.mouse.move(x - 30, y - 30, steps=4)
        page.page.mouse.move(x, y, steps=4)
        page.page.mouse.up()

    reader = page.page.locator("#reader").bounding_box()
    drag(page.card("visa"), reader["x"] + 100, reader["y"] + 30)
    page.until(lambda: page.on_reader() == ["visa"], "the card on the reader")
    drag("#held [data-card=visa]", 100, 700)
    page.until(lambda: page.on_reader() == [], "the card's way back")
    drag(page.card("visa"), 100, 780)  # nowhere
    assert page.on_reader() == []


@contextlib.contextmanager
def quickly(world: World) -> Iterator[None]:
    """Where the terminal waits long, it need not take long."""
    world.bench.set_speed(WAIT_SPEED)
    try:
        yield
    finally:
        world.bench.set_speed(1)


def test_wifi_goes_and_comes_back(page, world):
    with quickly(world):
        page.switch("wifi", False)
        page.shows("脱机", 60)
        page.switch("wifi", True)
        page.shows("联机", 60)


def test_the_acquirer_goes_during_a_sale_and_comes_back(page, world):
    page.click_keys("2", "OK")
    page.shows("请挥卡")
    page.switch("host", False)
    page.page.click(page.card("visa"))
    page.shows("结果未知")
    page.switch("host", True)
    with quickly(world):  # the next attempt comes after half a minute
        page.shows("上笔已冲正", 60)
    page.page.wait_for_selector("#decisions .what:text-is('冲正')")
    page.click_keys("OK")
    page.shows(IDLE)


def test_power_off_and_on(page):
    page.switch("power", False)
    page.page.wait_for_selector("#off:visible")
    page.until(lambda: not any(page.panel()), "a dark panel")
    page.switch("power", True)
    page.shows(IDLE)
    page.shows("联机")


def test_firmware_that_dies_is_shown_and_started_again(page, world):
    os.kill(world.bench.state()["pid"], signal.SIGKILL)
    page.page.wait_for_selector("#notice:visible")
    assert "固件已停止" in page.page.inner_text("#notice-text")
    page.page.click("#notice-act")
    page.page.wait_for_selector("#notice:visible", state="hidden")
    page.shows(IDLE)
    page.shows("联机")


def test_two_tabs_see_the_same(page, open_page):
    other = open_page()
    page.click_keys("6", "6")
    for each in (page, other):
        each.shows("¥0.66")
    other.click_keys("CANCEL")
    for each in (page, other):
        each.shows(IDLE)


def test_a_page_connects_again(open_page, world):
    with served(lambda: Session(world.bench, world.acquirer)) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        page = open_page(url, "blank")
    page.page.wait_for_selector("#notice:visible")
    assert "断开" in page.page.inner_text("#notice-text")
    with served(lambda: Session(world.bench, world.acquirer), port):
        page.page.wait_for_selector("#notice:visible", state="hidden")
        page.click_keys("5")
        page.shows("¥0.05")
        page.click_keys("CANCEL")
        page.shows(IDLE)
    page.errors.clear()  # the browser tells of connections that were refused


@pytest.mark.parametrize(
    ("width", "height", "density"), [(360, 740, 2), (390, 844, 3), (800, 600, 1), (1280, 800, 1), (1600, 1200, 1.5)]
)
def test_it_fits(open_page, width, height, density):
    page = open_page(viewport={"width": width, "height": height}, device_scale_factor=density).page
    for language in ("zh", "en"):
        page.click(f"[data-language={language}]")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut = page.evaluate(
            """() => [...document.querySelectorAll("button, summary, h1, h2, .hint, .does, .card span")]
              .filter((e) => e.checkVisibility() && e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1)
              .map((e) => `${e.className} ${e.textContent}`)"""
        )
        assert cut == []
        outside = page.evaluate(
            """() => [...document.querySelectorAll("button, summary, h1, h2, p, canvas")].filter((e) => {
                const box = e.getBoundingClientRect();
                return e.checkVisibility() && !e.classList.contains("unseen") && box.width
                  && (box.left < -0.5 || box.right > innerWidth + 0.5);
              }).map((e) => `${e.className} ${e.textContent}`)"""
        )
        assert outside == []
    across = page.evaluate("document.getElementById('panel').getBoundingClientRect().width") * density
    assert across / 240 == pytest.approx(round(across / 240), abs=0.001) and across >= 240
    keys = page.eval_on_selector_all(
        "[data-key]", "all => all.map((e) => e.getBoundingClientRect()).map((b) => [b.width, b.height])"
    )
    assert min(itertools.chain.from_iterable(keys)) >= 44, "too small for a finger"


def test_the_pages_language(open_page):
    page = open_page(locale="en-GB").page
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.inner_text("#wallet-title") == "Wallet"
    page.click("[data-language=zh]")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.inner_text("#wallet-title") == "卡包"
    page.reload()
    page.wait_for_selector('#phase[data-phase="ready"]')
    assert page.inner_text("#wallet-title") == "卡包"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_everything_has_a_name_and_the_panel_is_read_out(page, language):
    page.page.click(f"[data-language={language}]")
    nameless = page.page.evaluate(
        """() => [...document.querySelectorAll("button, [role], [tabindex], canvas")]
          .filter((e) => e.checkVisibility() && e.getAttribute("role") !== "alert")
          .filter((e) => !(e.getAttribute("aria-label") ?? e.textContent).trim()).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    untold = page.page.evaluate(
        "[...document.querySelectorAll('[data-text], [data-label]')]"
        ".filter((e) => [e.textContent, e.ariaLabel].includes(e.dataset.text ?? e.dataset.label))"
        ".map((e) => e.outerHTML)"
    )
    assert untold == [], "keys of texts that there are not"
    page.until(lambda: IDLE in page.page.inner_text("#panel-text"), "the panel's text")


def test_sound_is_off_until_it_is_wanted(page):
    assert page.page.get_attribute("#sound", "aria-checked") == "false"
    page.switch("sound", True)
    page.click_keys("1")
    page.shows("¥0.01")
    page.switch("sound", False)
    page.click_keys("CANCEL")
    page.shows(IDLE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(open_page, scheme):
    page = open_page(color_scheme=scheme).page
    weak = page.evaluate(
        """() => {
          const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
            .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const ground = (e) => {
            for (; e; e = e.parentElement) {
              const colour = rgb(getComputedStyle(e).backgroundColor);
              if (colour.length < 4 || colour[3] === 1) return colour;
            }
            return [255, 255, 255];
          };
          return [...document.querySelectorAll("header *, .side *, .wallet > *, .does, footer p")]
            .filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
            .map((e) => {
              const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))];
              return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim()];
            }).filter(([ratio]) => ratio < 4.5);
        }"""
    )
    assert weak == []


# The other boards


@contextlib.contextmanager
def other_board(browser, name: str, provisioned: bool) -> Iterator[tuple[Browsed, World]]:
    with World(board=name) as world:
        prepares = (lambda say: prepare(world, "zh", say=say)) if provisioned else None
        with served(lambda: Session(world.bench, world.acquirer, prepares, board=name)) as url:
            context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
            page = Browsed(context, url, "ready" if provisioned else "blank")
            yield page, world
            context.close()
            assert page.errors == []
            assert world.bench.violations() == []


def test_a_panel_with_its_own_keys_is_touched(browser):
    """Fingers on the picture are fingers on the glass, wherever they fall; the page draws no keypad of its own."""
    with other_board(browser, "TILL_CYD", True) as (page, world):
        glass = page.page.locator("#panel")
        assert not page.page.locator("#keys").is_visible()
        assert page.page.locator("#lights li:visible").count() == 1

        def touch(x: int, y: int) -> None:
            scale = glass.bounding_box()["width"] / 240
            glass.click(position={"x": x * scale, "y": y * scale})

        touch(120, 40)  # no key
        for x, y in ((30, 173), (90, 173), (210, 173)):  # 1, 2, 00
            touch(x, y)
        page.shows("¥12.00")
        page.page.keyboard.press("5")
        page.shows("¥120.05")
        touch(150, 299)  # OK
        page.shows("请挥卡")
        page.page.click(page.card("visa"))
        page.shows("交易成功")
        assert world.acquirer.sales()["approved"] == 1


def test_a_small_panel_stays_small(browser):
    with other_board(browser, "TILL_ESP32", False) as (page, world):
        world.bench.wait(lambda: world.shows("未绑定商户"), "the blank terminal")
        page.page.wait_for_function("document.getElementById('panel').width === 128")
        box = page.page.locator("#panel").bounding_box()
        assert (box["width"], box["height"]) == (3 * 128, 3 * 64)
        assert page.page.locator("#lights li:visible").count() == 4
        page.click_keys("MENU")
        page.until(lambda: reading.contains(page.panel(), "激活码", 128), "the menu")
