"""What doctor makes of a terminal's answers, recorded ones, where no board of ours gives them."""

import pytest
from microtill.device import texts
from microtill.device.console import Console, TerminalRefuses
from microtill.device.errors import Refused
from microtill.device.hardware import Hardware
from microtill.device.keys import CAPS

NAMES = {"A": "UP", "B": "DOWN", "C": "CLEAR", "D": "MENU", "*": "CANCEL", "#": "OK"}


class Terminal(Console):
    """Answers each step from `said`, a dict, or a function of the request; `caps` are the keys that were asked for."""

    def __init__(self, board: str, said: dict):
        self.board = board
        self.said = said
        self.shown: list[str] = []
        self.steps: list[str] = []
        self._answers: dict[int, object] = {}

    def send(self, do: str, **request) -> int:
        step = request["step"]
        self.steps.append(step)
        if step == "show":
            self.shown.append(request["title"])
        answer = self.said.get(step, {})
        self._answers[len(self.steps)] = answer(request) if callable(answer) else answer
        return len(self.steps)

    def poll(self, number: int) -> dict | None:
        answer = self._answers[number]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        if self.steps[-1] == "end":  # what comes next is another start
            self.said = {"parts": TerminalRefuses("error.invalid_value", "say begin first")}
        return answer

    def wait_ready(self, timeout: float = 0) -> dict:
        return {"board": self.board, "language": "zh", "reset": "power"}


class Person:
    """Types `answers`, each to the next question; then says that nothing happens."""

    def __init__(self, *answers: str):
        self.answers = list(answers)
        self.heard: list[str] = []

    def told(self, text: str) -> None:
        self.heard.append(text)

    def answered(self) -> str:
        return self.answers.pop(0) if self.answers else ""


@pytest.fixture(autouse=True)
def english():
    texts.set_language("en")
    yield
    texts.set_language(None)


def examine(board: str, part: str, said: dict, *answers: str, vid: int | None = None):
    about = {"flash": 1 << 23, "region": 1 << 23, "matrix": False, "drawn": board == "TILL_CYD"}
    terminal = Terminal(board, {"parts": about, "answer": {"keys": []}} | said)
    hardware = Hardware(terminal, Person(*answers), vid=vid)
    hardware.run([part])
    return [f.key for f in hardware.findings], hardware.findings, terminal


def keys_that(arrive):
    """Answers of a keypad that gives names: the key with the number `arrive(n)` when key `n` is asked for."""
    asked = iter(range(16))

    def answer(_request):
        n = arrive(next(asked))
        return {"keys": [] if n is None else ["CLEAR_ALL", NAMES.get(CAPS[n], CAPS[n])]}

    return {"answer": answer}


def test_a_keypad_behind_a_chip_is_judged_by_the_names_of_its_keys():
    assert examine("TILL_ESP32", "keys", keys_that(lambda n: n))[0] == ["hw.keys_named"]
    assert examine("TILL_ESP32", "keys", keys_that(lambda n: n ^ 12 if n // 4 in (1, 2) else n))[0] == [
        "hw.rows_swapped"
    ]
    assert examine("TILL_ESP32", "keys", keys_that(lambda n: None if n > 11 else n))[0] == ["hw.rows_open"]
    found, _, terminal = examine("TILL_ESP32", "keys", {})
    assert found == ["hw.keypad_open"]
    assert len([title for title in terminal.shown if title.startswith("Press")]) == 5  # nobody presses all of them


def test_keys_on_the_glass_that_are_missed_want_calibrating():
    assert examine("TILL_CYD", "keys", keys_that(lambda n: n))[0] == ["hw.touch_good"]
    found, findings, terminal = examine("TILL_CYD", "keys", keys_that(lambda n: n if n < 14 else 13))
    assert found == ["hw.touch_off"]
    assert "确认 菜单" in findings[0].text  # as they are drawn: in the terminal's language
    assert "Press ↑" in terminal.shown
    assert examine("TILL_CYD", "keys", {})[0] == ["hw.touch_dead"]


@pytest.mark.parametrize(
    ("answer", "key"),
    [("1", "hw.picture_good"), ("3", "hw.mono_turned"), ("6", "hw.mono_shifted"), ("8", "hw.mono_dark")],
)
def test_a_panel_of_one_colour(answer, key):
    assert examine("TILL_ESP32", "panel", {}, "2", "13", answer)[0] == [key]


@pytest.mark.parametrize(
    ("part", "said", "found"),
    [
        ("wifi", {"networks": 0, "strongest": None}, "hw.wifi_none"),
        ("wifi", {"networks": 1, "strongest": ["shop\x1b[2J", -85]}, "hw.wifi_weak"),
        ("card", {"card": None, "several": True}, "hw.card_several"),
        ("card", {"card": None, "why": "checksum"}, "hw.card_reader"),
        ("card", {"card": [8, 4, False]}, "hw.card_plain"),
        ("card", {"card": None}, "hw.card_none"),
        ("both", {"networks": 0, "why": "cards"}, "hw.card_several"),
        ("both", {"networks": 0, "why": "no answer"}, "hw.supply_reader"),
    ],
)
def test_reader_and_radio(part, said, found):
    works = {"reader": {"version": [50, 1, 6, 7]}, "hold": {"answers": False}}
    terminal = Terminal("TILL_ESP32", {"parts": {}, part: said} | works)
    hardware = Hardware(terminal, Person())
    hardware.run(["reader", "supply" if part == "both" else part])
    assert hardware.findings[0].key == "hw.reader_good"
    assert hardware.findings[1].key == found
    assert "\x1b" not in hardware.findings[1].text


def test_a_reader_that_is_silent_is_tried_on_its_wires_and_what_needs_it_is_left_out():
    tried: list[tuple] = []

    def reader(request):
        tried.append((request.get("link"), request.get("was"), request.get("pins")))
        return {"version": None, "why": "no acknowledgement"}

    for board in ("TILL_ESP32", "TILL_CYD"):
        terminal = Terminal(board, {"parts": {}, "reader": reader})
        hardware = Hardware(terminal, Person())
        hardware.run(["reader", "card", "supply"])
        assert [f.key for f in hardware.findings] == ["hw.reader_silent", "hw.reader_first", "hw.reader_first"]
    assert tried == [
        (None, None, None),
        ("i2c", "hsu", {"scl": 17, "sda": 16, "RSTPD_N": 23}),
        ("hsu", "hsu", {"tx": 16, "rx": 17, "RSTPD_N": 23}),
        (None, None, None),
        ("i2c", "i2c", {"scl": 22, "sda": 27}),
        ("hsu", "i2c", {"tx": 22, "rx": 27}),
        ("i2c", "i2c", {"scl": 27, "sda": 22}),
    ]


def test_firmware_without_the_check_says_so():
    terminal = Terminal("TILL_ESP32", {"begin": TerminalRefuses("error.invalid_value", "do")})
    with pytest.raises(Refused) as e:
        Hardware(terminal, Person()).run(["wifi"])
    assert e.value.key == "hw.old_firmware"


@pytest.mark.parametrize(
    ("board", "vid", "key"),
    [
        ("TILL_ESP32S3", 0x303A, "hw.usb_native"),
        ("TILL_ESP32S3", 0x10C4, "hw.usb_bridge"),
        ("TILL_ESP32", 0x1A86, "hw.usb_only"),
        ("TILL_ESP32S3", None, None),
    ],
)
def test_the_usb_socket_is_told_by_the_port(board, vid, key):
    """303A is Espressif's own vendor ID, the others are those of bridges (CP210x, CH340)."""
    told = examine(board, "module", {}, vid=vid)[0]
    assert [k for k in told if k.startswith("hw.usb")] == ([key] if key else [])
