"""The check of a fresh box of parts, on boards that are wired wrongly: each fault is named, by the real firmware."""

import threading
import time

import pytest
from microtill.bench import wiring
from microtill.bench.client import Bench
from microtill.device import texts
from microtill.device.console import Console, ConsoleError
from microtill.device.hardware import PARTS, Hardware
from microtill.device.keys import CAPS
from microtill.paths import BOARDS
from PIL import Image, ImageChops, ImageOps

WIRING = BOARDS / "TILL_ESP32S3" / "wiring.toml"
NAMES = {"A": "UP", "B": "DOWN", "C": "CLEAR", "D": "MENU", "*": "CANCEL", "#": "OK"}
KEYS = {cap: NAMES.get(cap, cap) for cap in CAPS}


class Technician:
    """Does what is asked: presses the key it is told, looks at the panel and the lights, listens, holds a card."""

    def __init__(self, bench: Bench, good: Image.Image | None = None):
        self.bench = bench
        self.good = good  # the test picture as it should be
        self.asked: list[str] = []
        self.picture: Image.Image | None = None
        self._typed: list[str] = []
        self._tones = 0
        self._hand: threading.Thread | None = None

    def told(self, text: str) -> None:
        self.asked.append(text)
        if text.startswith("Press "):
            cap = text.split()[1].rstrip(":")
            self._press(KEYS[cap])
        elif text.startswith("Look at the panel"):
            self.picture = self.bench.frame()
            self._typed.append(self._judge(self.picture))
        elif text.startswith("Is there a picture"):
            self._typed.append("y" if self.bench.frame().getbbox() else "n")
        elif text.startswith("Do you hear"):
            self._typed.append("y")
        elif text.startswith("Four "):
            lights = self.bench.seen()["leds"]["lights"]
            wanted = [0, 40, 0] if "green" in text else [40, 0, 0]
            self._typed.append("y" if lights == [wanted] * 4 else "n")
        elif text.startswith("Hold a card"):
            self.bench.tap("visa")

    def answered(self) -> str | None:
        return self._typed.pop(0) if self._typed else None

    def _press(self, key: str) -> None:
        if self._hand:
            self._hand.join()
        self._hand = threading.Thread(target=self._hold, args=(key,))
        self._hand.start()

    def _hold(self, key: str) -> None:
        # The rows are all selected while the terminal only waits; it looks at contacts with them let go.
        deadline = time.monotonic() + 3
        while self.bench.seen()["keypad"]["rests"] and time.monotonic() < deadline:
            time.sleep(0.005)
        self.bench.key(key, hold_ms=170, gap_ms=20)

    def _judge(self, seen: Image.Image) -> str:
        if not seen.getbbox():
            return "7" if self.bench.counters()["panel"]["bytes"] else "8"
        good = self.good or seen
        blue, green, red = seen.split()[::-1]
        for answer, right in (
            ("1", seen),
            ("2", ImageOps.mirror(seen)),
            ("3", seen.rotate(180)),
            ("4", ImageOps.invert(seen)),
            ("5", Image.merge("RGB", (blue, green, red))),
            ("6", ImageChops.offset(seen, -8, 0)),
        ):
            if not ImageChops.difference(right, good).getbbox():
                return answer
        return "7"


@pytest.fixture(autouse=True)
def english():
    texts.set_language("en")
    yield
    texts.set_language(None)


def examine(tmp_path, faults, parts, good=None, **options):
    """`(hardware, technician, what the bench minded)` of a run."""
    file = wiring.miswired(WIRING, tmp_path / "wiring.toml", faults)
    with Bench(wiring=file, **options) as bench:
        console = Console(bench.console_write, bench.console_lines)
        technician = Technician(bench, good)
        hardware = Hardware(console, technician)
        hardware.run(parts)
        return hardware, technician, bench.violations(), console.wait_ready() if bench.state()["running"] else {}


@pytest.fixture(scope="module")
def good_run(tmp_path_factory):
    """A board without a fault, whole."""
    texts.set_language("en")
    try:
        return examine(tmp_path_factory.mktemp("good"), [], PARTS)
    finally:
        texts.set_language(None)


def faults_of(hardware) -> list[str]:
    return [f.key for f in hardware.findings if f.level == "fault"]


def test_a_good_board_passes_and_is_as_it_was(good_run):
    hardware, _technician, violations, status = good_run
    assert [(f.check, f.level) for f in hardware.findings if f.level != "ok"] == []
    assert {f.check.removeprefix("hw_") for f in hardware.findings} == set(PARTS)
    assert hardware.exit_code == 0
    assert violations == []
    assert status["state"] == "blank"
    assert status["reset"] == "restart"


CASES = [
    ("keypad-rows-2-3", "keys", ["hw.rows_swapped"], "rows 2 and 3 are swapped"),
    ("keypad-columns-off-by-one", "keys", ["hw.columns_off"], "1 pin(s) off (+)"),
    ("keypad-turned", "keys", ["hw.keypad_turned"], "wrong way round"),
    ("keypad-stuck", "keys", ["hw.key_stuck"], "key 8 is stuck"),
    ("keypad-bounce", "keys", ["hw.key_bounces"], "key 5 bounces"),
    ("reader-i2c", "reader", ["hw.reader_switches"], "say I2C (1 ON, 2 OFF), SPI is wanted (1 OFF, 2 ON)"),
    ("reader-hsu", "reader", ["hw.reader_switches"], "say HSU (UART) (1 OFF, 2 OFF), SPI is wanted (1 OFF, 2 ON)"),
    ("reader-data-swapped", "reader", ["hw.reader_swapped"], "MOSI and MISO"),
    ("reader-select-elsewhere", "reader", ["hw.reader_elsewhere"], "is on GPIO 47"),
    ("reader-irq-open", "reader", ["hw.reader_irq"], "interrupt line"),
    ("panel-dc-rst", "panel", ["hw.panel_swapped"], "DC and RST are swapped"),
    ("panel-mirrored", "panel", ["hw.picture_mirrored"], "is mirrored"),
    ("panel-upside-down", "panel", ["hw.picture_turned"], "upside down"),
    ("panel-not-inverted", "panel", ["hw.picture_negative"], "negative"),
    ("panel-bgr", "panel", ["hw.picture_bgr"], "red and blue"),
    ("panel-shifted", "panel", ["hw.picture_shifted"], "shifted"),
    ("no-psram", "module", ["hw.psram"], "PSRAM: none, 8 MB"),
    ("small-flash", "module", ["hw.flash_small"], "4 MB of flash, 8 MB"),
    ("weak-supply", "reader supply", ["hw.supply_brownout"], "pull the supply down"),
]


@pytest.mark.parametrize(("fault", "parts", "keys", "said"), CASES, ids=[case[0] for case in CASES])
def test_a_fault_is_named(tmp_path, good_run, fault, parts, keys, said):
    good = good_run[1].picture
    hardware, _, _, status = examine(tmp_path, [fault], parts.split(), good)
    assert faults_of(hardware) == keys
    (found,) = [f for f in hardware.findings if f.level == "fault"]
    assert said in found.text
    assert found.next
    assert hardware.exit_code == 5
    assert status["state"] == "blank"


def test_a_mirrored_panel_is_given_the_setting_that_mends_it(tmp_path, good_run):
    hardware, technician, _, _ = examine(tmp_path, ["panel-mirrored"], ["panel"], good_run[1].picture)
    assert "madctl=0x40" in hardware.findings[0].next
    assert technician.picture and not ImageChops.difference(technician.picture, good_run[1].picture).getbbox()


def test_the_console_wants_a_beginning_and_known_steps():
    with Bench() as bench:
        console = Console(bench.console_write, bench.console_lines)
        console.wait_ready()
        for step in ("parts", "nonsense"):
            with pytest.raises(ConsoleError) as e:
                console.request("hardware", step=step)
            assert e.value.error == "error.invalid_value"
        console.request("hardware", step="begin")
        for members in (
            {"step": "nonsense"},
            {"step": "show", "kind": "info", "title": "x" * 33, "lines": []},
            {"step": "show", "kind": "info", "title": "x", "lines": ["\x1b[2J"]},
            {"step": "reader", "link": "spi", "pins": {"sck": 99}},
            {"step": "key", "ms": 1_000_000},
            {"step": "lights", "n": 9},
        ):
            with pytest.raises(ConsoleError) as e:
                console.request("hardware", **members)
            assert e.value.error == "error.invalid_value", members
        # Nobody else may ask the person meanwhile; a laptop that comes back goes on.
        assert console.request("hardware", step="parts")["matrix"] is True
