"""The check of a fresh box of parts, on boards that are wired wrongly: each fault is named, by the real firmware.

The keypad's faults that take long to press through are in tests/host/test_miswiring.py.
"""

import pytest
from microtill.bench import wiring
from microtill.bench.client import Bench
from microtill.device import texts
from microtill.device.console import Console, ConsoleError, TerminalRefuses
from microtill.device.hardware import PARTS, Hardware, from_boot
from microtill.paths import BOARDS
from microtill.simulator.texts import texts as shown
from PIL import Image, ImageChops
from support.fitter import Fitter

REFERENCE = "TILL_ESP32S3"
# Bytes of heap that a merchant's terminal has left while its hardware is tried.
FLOOR = 30_000


@pytest.fixture(autouse=True)
def english():
    texts.set_language("en")
    yield
    texts.set_language(None)


def examine(tmp_path, faults, parts, good=None, board=REFERENCE):
    """`(hardware, fitter, what the bench minded, the status after it)` of a run."""
    file = wiring.miswired(BOARDS / board / "wiring.toml", tmp_path / "wiring.toml", faults)
    with Bench(board, wiring=file) as bench:
        console = Console(bench.console_write, bench.console_lines)
        fitter = Fitter(bench, good, matrix=board != "TILL_CYD")
        hardware = Hardware(console, fitter)
        hardware.run(parts)
        fitter.rest()
        return hardware, fitter, bench.violations(), console.wait_ready()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The test picture of a good board, by board; each is looked at once."""
    texts.set_language("en")
    kept: dict[str, Image.Image] = {}

    def of(board: str) -> Image.Image:
        if board not in kept:
            _, fitter, _, _ = examine(tmp_path_factory.mktemp("good"), [], ["panel"], board=board)
            assert fitter.picture
            kept[board] = fitter.picture
        return kept[board]

    yield of
    texts.set_language(None)


def found(hardware) -> list[str]:
    return [f.key for f in hardware.findings if f.level == "fault"]


# The reference board goes through all parts in test_hardware_command.py.
@pytest.mark.parametrize("board", ["TILL_ESP32", "TILL_CYD"])
def test_a_good_board_passes_and_is_as_it_was(tmp_path, board):
    parts = PARTS if board == "TILL_CYD" else [part for part in PARTS if part != "keys"]  # the reference's
    hardware, _fitter, violations, status = examine(tmp_path, [], parts, board=board)
    assert [(f.check, f.level) for f in hardware.findings if f.level != "ok"] == []
    assert {f.check.removeprefix("hw_") for f in hardware.findings} == set(parts)
    assert hardware.exit_code == 0
    assert violations == []
    assert (status["state"], status["reset"]) == ("blank", "restart")


# Each is one board: its faults, the parts that are tried, and what is found, with some of its words.
BOXES = {
    "keys": (
        ["keypad-stuck", "keypad-bounce", "no-psram", "panel-mirrored", "reader-i2c"],
        "module keys panel reader",
        {
            "hw.psram": "PSRAM: none, 8 MB",
            "hw.key_stuck": "key 8 is stuck",
            "hw.key_bounces": "key 5 bounces",
            "hw.picture_mirrored": "is mirrored",
            "hw.reader_switches": "say I2C (1 ON, 2 OFF), SPI is wanted (1 OFF, 2 ON)",
        },
    ),
    "small": (
        ["small-flash", "panel-upside-down", "reader-hsu"],
        "module panel reader",
        {
            "hw.flash_small": "4 MB of flash, 8 MB",
            "hw.picture_turned": "upside down",
            "hw.reader_switches": "say HSU (UART) (1 OFF, 2 OFF), SPI is wanted (1 OFF, 2 ON)",
        },
    ),
    "negative": (
        ["panel-not-inverted", "reader-data-swapped"],
        "panel reader",
        {"hw.picture_negative": "negative", "hw.reader_swapped": "MOSI and MISO"},
    ),
    "bgr": (
        ["panel-bgr", "reader-select-elsewhere"],
        "panel reader",
        {"hw.picture_bgr": "red and blue", "hw.reader_elsewhere": "is on GPIO 47"},
    ),
    "weak": (
        ["panel-shifted", "reader-irq-open", "weak-supply"],
        "panel reader supply",
        {
            "hw.picture_shifted": "shifted",
            "hw.reader_irq": "interrupt line",
            "hw.supply_brownout": "pull the supply down",
        },
    ),
    "blank panel": (
        ["panel-dc-rst", "reader-reset-open"],
        "panel reader",
        {"hw.panel_swapped": "DC and RST are swapped", "hw.reader_reset": "reset of PN532"},
    ),
}


@pytest.mark.parametrize("name", BOXES)
def test_faults_are_named(tmp_path, pictures, name):
    faults, parts, wanted = BOXES[name]
    hardware, fitter, _, status = examine(tmp_path, faults, parts.split(), pictures(REFERENCE))
    assert found(hardware) == list(wanted)
    for finding in hardware.findings:
        if finding.level == "fault":
            assert wanted[finding.key] in finding.text
            assert finding.next
    assert hardware.exit_code == 5
    assert status["state"] == "blank"
    if name == "keys":  # the setting that is told is tried, and mends it; and the key that sticks answered nothing
        assert "madctl=0x40" in next(f.next for f in hardware.findings if f.key == "hw.picture_mirrored")
        assert fitter.picture and not ImageChops.difference(fitter.picture, pictures(REFERENCE)).getbbox()


@pytest.mark.parametrize(
    ("board", "fault", "part", "key", "said"),
    [
        ("TILL_ESP32", "reader-i2c", "reader", "hw.reader_switches", "say I2C (1 ON, 2 OFF), HSU (UART) is wanted"),
        ("TILL_CYD", "reader-hsu", "reader", "hw.reader_switches", "say HSU (UART) (1 OFF, 2 OFF), I2C is wanted"),
        ("TILL_CYD", "panel-inverted", "panel", "hw.picture_negative", "negative"),
    ],
)
def test_faults_of_other_boards_are_named(tmp_path, pictures, board, fault, part, key, said):
    good = pictures(board) if part == "panel" else None
    hardware, _, _, _ = examine(tmp_path, [fault], [part], good, board)
    assert found(hardware) == [key]
    assert said in hardware.findings[0].text
    if part == "panel":
        assert "ILI9341(…) in board.py init=ST7789_INIT" in hardware.findings[0].next


def test_a_terminal_that_cannot_start_without_its_panel_says_why(tmp_path):
    board = BOARDS / "TILL_ESP32" / "wiring.toml"
    file = wiring.miswired(board, tmp_path / "wiring.toml", ["panel-data-swapped"])
    with Bench("TILL_ESP32", wiring=file) as bench:
        bench.wait_exit()
        finding = from_boot(bench.console_lines())
    assert finding and (finding.check, finding.exit_code) == ("hw_panel", 5)
    assert "SCL and SDA are exchanged" in finding.next


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
        assert console.request("hardware", step="begin").keys() == {"id", "ok"}
        assert console.request("hardware", step="parts")["matrix"] is True


def test_a_merchants_terminal_must_be_idle_and_asks_at_its_keypad(world):
    console, bench = world.console, world.bench
    world.wait_at_rest()
    world.key("7")
    with pytest.raises(TerminalRefuses) as e:
        console.request("hardware", step="begin")
    assert e.value.error == "error.busy"
    world.key("CANCEL")
    world.wait_at_rest()

    number = console.send("hardware", step="begin")
    bench.wait(lambda: world.shows(*shown("screen.service")), "the question")
    world.key("CANCEL")
    with pytest.raises(TerminalRefuses) as e:
        console.answer(number)
    assert e.value.error == "error.cancelled"
    world.wait_at_rest()
    with pytest.raises(TerminalRefuses):  # nothing was lent
        console.request("hardware", step="parts")

    number = console.send("hardware", step="begin")
    bench.wait(lambda: world.shows(*shown("screen.service")), "the question")
    world.key("OK")
    console.answer(number)
    assert console.request("status")["free"] >= FLOOR
    Hardware(console, Fitter(bench)).run(["module", "panel", "reader"])
    world.wait_at_rest()
    assert bench.state()["resets"][-1] == 2
