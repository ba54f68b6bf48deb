"""The virtual XPT2046 is strict, and answers as a resistive panel under a finger does."""

from statistics import median

import pytest
from microtill.bench.chips.base import SpiSettings
from microtill.bench.chips.xpt2046 import BOUNCE_US, XPT2046

from tests.support.seam import ManualSeam

SLOW = SpiSettings(2_000_000, 0, 0, False)
X, Y, Z1, Z2 = 0xD1, 0x91, 0xB1, 0xC1


class Touch:
    def __init__(self, **options):
        self.seam = ManualSeam()
        self.chip = XPT2046("keypad", **options)
        self.chip.attach(self.seam)
        self.chip.power_on()

    def transfer(self, data, settings=SLOW):
        self.chip.pin_changed("CS", 0)
        answer = self.chip.transfer(memoryview(bytes(data)), settings, True)
        self.chip.pin_changed("CS", 1)
        return answer

    def ask(self, control, count=1):
        """The median of `count` conversions, each told by the sixteen bits behind its command."""
        values = []
        for _ in range(count):
            answer = self.transfer([control, 0, 0])
            values.append((answer[1] << 8 | answer[2]) >> 3)
            assert answer[1] < 0x80 and not answer[2] & 7
        return median(values)

    def touch(self, x, y, **options):
        self.chip.touch(x, y, **options)
        self.seam.advance(BOUNCE_US)

    @property
    def pen(self):
        return self.seam.levels["keypad", "IRQ"]


def test_places_are_where_the_plates_say():
    touch = Touch()
    touch.touch(120, 160)
    assert abs(touch.ask(X, 25) - 2020) < 20 and abs(touch.ask(Y, 25) - 1950) < 20
    touch.touch(12, 310)
    assert abs(touch.ask(X, 25) - 3622) < 20 and abs(touch.ask(Y, 25) - 3591) < 20
    assert touch.seam.violations == []


def test_conversions_are_noisy_and_some_are_wild():
    touch = Touch()
    touch.touch(120, 160)
    values = [touch.ask(X) for _ in range(400)]
    off = [abs(value - 2020) for value in values]
    assert len(set(values)) > 10 and 2 < sum(n > 100 for n in off) < 40


def test_pressure_tells_a_finger_from_a_brush_and_from_nothing():
    def ohms(touch):
        x, z1, z2 = touch.ask(X, 25), touch.ask(Z1, 25), touch.ask(Z2, 25)
        return 320 * x / 4096 * (z2 / z1 - 1) if z1 > 5 else None

    touch = Touch()
    assert ohms(touch) is None
    touch.touch(120, 160)
    assert 200 < ohms(touch) < 300
    touch.touch(120, 160, ohms=9000)
    assert 7000 < ohms(touch) < 11000
    touch.chip.lift()
    touch.seam.advance(BOUNCE_US)
    assert ohms(touch) is None


def test_a_contact_is_bad_while_it_begins_and_ends():
    touch = Touch()
    touch.chip.touch(120, 160)
    assert touch.ask(Z2, 5) - touch.ask(Z1, 5) > 3000
    touch.seam.advance(BOUNCE_US)
    assert touch.ask(Z2, 5) - touch.ask(Z1, 5) < 2000


def test_penirq_tells_a_touch_while_the_chip_is_powered_down():
    touch = Touch()
    assert touch.pen == 1
    touch.touch(10, 10)
    assert touch.pen == 0
    touch.ask(X)  # PD0 = 1: it stays on, and PENIRQ off
    assert touch.pen == 1
    touch.ask(X & ~1)
    assert touch.pen == 0
    touch.chip.lift()
    touch.seam.advance(BOUNCE_US)
    assert touch.pen == 1


def test_sixteen_clocks_a_conversion():
    touch = Touch()
    touch.touch(120, 160)
    answers = [touch.transfer([Y, 0, X, 0, Y, 0, X & ~1, 0, 0]) for _ in range(9)]
    words = [[(answer[n] << 8 | answer[n + 1]) >> 3 & 4095 for n in (1, 3, 5, 7)] for answer in answers]
    assert abs(median(row[2] for row in words) - 1950) < 30 and abs(median(row[3] for row in words) - 2020) < 30
    assert touch.seam.violations == []


@pytest.mark.parametrize(
    ("octets", "settings", "text"),
    [
        ((X, 0, 0), SpiSettings(2_600_000, 0, 0, False), "at most 2500000"),
        ((X, 0, 0), SpiSettings(2_000_000, 0, 1, False), "mode 1 or 2"),
        ((X, 0, 0), SpiSettings(2_000_000, 0, 0, True), "least significant bit first"),
        ((X | 8, 0, 0), SLOW, "MODE is high"),
        ((X | 4, 0, 0), SLOW, "single-ended"),
        ((0xA1, 0, 0), SLOW, "channel 2"),
        ((X, Y, 0), SLOW, "eight clocks after another"),
        ((0x51, 0, 0), SLOW, "without its start bit"),
        ((X, 0), SLOW, "CS rose inside a conversion"),
    ],
)
def test_what_the_data_sheet_forbids_is_a_violation(octets, settings, text):
    touch = Touch()
    touch.transfer(octets, settings)
    assert len(touch.seam.violations) == 1 and text in touch.seam.violations[0]


def test_clocked_without_cs_it_answers_nothing():
    touch = Touch()
    assert touch.chip.transfer(memoryview(b"\xd1\0\0"), SLOW, True) == b"\xff\xff\xff"
    assert "CS is high" in touch.seam.violations[0]


def test_a_finger_finds_the_keys_that_are_drawn():
    touch = Touch()
    touch.chip.press("0")
    assert touch.chip.seen()["down"] == ["0"] and not touch.chip.seen()["rests"]
    touch.seam.advance(BOUNCE_US)
    x = (touch.ask(X, 25) - 3800) * 240 / (240 - 3800)
    y = (touch.ask(Y, 25) - 200) * 320 / 3500
    assert 60 < x < 120 and 278 < y < 320
    touch.chip.release("0")
    touch.seam.advance(BOUNCE_US)
    assert touch.chip.seen()["down"] == []
    touch.seam.advance(30_000)
    assert touch.chip.seen()["rests"]
    with pytest.raises(ValueError, match="no key"):
        touch.chip.press("F1")
