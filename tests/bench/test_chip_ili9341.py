"""The virtual ILI9341: what it has of its own beside the MIPI DCS core, which test_st7789_chip.py goes through."""

import pytest
from microtill.bench.chips.base import SpiSettings
from microtill.bench.chips.ili9341 import ILI9341

from tests.support.seam import ManualSeam

SLOW = SpiSettings(10_000_000, 0, 0, False)
BLUE, RED, BLACK = (0, 0, 255), (255, 0, 0), (0, 0, 0)


class Panel:
    def __init__(self, **options):
        self.seam = ManualSeam()
        self.chip = ILI9341("panel", **options)
        self.chip.attach(self.seam)
        self.chip.power_on()
        self.seam.advance(120_000)

    def write(self, dc, data, settings=SLOW):
        self.chip.pin_changed("DC", dc)
        self.chip.transfer(memoryview(bytes(data)), settings, False)

    def command(self, number, *data):
        self.write(0, [number])
        if data:
            self.write(1, data)

    def wake(self, madctl=0x48, colmod=0x55):
        self.command(0x11)
        self.seam.advance(5_000)
        self.command(0x3A, colmod)
        self.command(0x36, madctl)
        self.command(0x29)
        return self

    def dot(self, x, y, *data):
        self.command(0x2A, x >> 8, x & 255, x >> 8, x & 255)
        self.command(0x2B, y >> 8, y & 255, y >> 8, y & 255)
        self.command(0x2C, *data)

    def pixel(self, x, y):
        at = (y * 240 + x) * 3
        return tuple(self.chip.frame()[at : at + 3])


def test_the_usual_module_is_upright_and_in_its_colours_with_mx_and_bgr():
    panel = Panel().wake()
    panel.dot(0, 0, 0xF8, 0x00)
    panel.dot(239, 319, 0x00, 0x1F)
    assert (panel.pixel(0, 0), panel.pixel(239, 319)) == (RED, BLUE)
    panel = Panel().wake(madctl=0x00)
    panel.dot(0, 0, 0xF8, 0x00)
    assert panel.pixel(239, 0) == BLUE, "mirrored, and blue for red"
    assert panel.seam.violations == []


def test_its_glass_is_not_inverted():
    panel = Panel().wake()
    panel.dot(5, 5, 0xF8, 0x00)
    panel.command(0x21)
    assert panel.pixel(5, 5) == (0, 255, 255)


def test_eighteen_bits_are_there_and_twelve_are_not():
    panel = Panel().wake(colmod=0x66)
    panel.dot(1, 1, 0xFC, 0, 0)
    assert panel.pixel(1, 1) == RED and panel.seam.violations == []
    panel.command(0x3A, 0x53)
    assert "names no pixel format" in panel.seam.violations[0] and "§8.2.33" in panel.seam.violations[0]


@pytest.mark.parametrize(
    ("parameters", "fine"),
    [
        ((0xB6, 0x08, 0x82, 0x27, 0x04), True),
        ((0xB6, 0x08, 0xC2, 0x27, 0x04), False),  # GS: bottom row first
        ((0xB6, 0x08, 0xA2, 0x27, 0x04), False),  # SS: last column first
        ((0xF6, 0x01, 0x30, 0x00), True),
        ((0xF6, 0x09, 0x00, 0x00), False),  # BGR_EOR
        ((0xF6, 0x01, 0x00, 0x20), False),  # low byte first
        ((0x37, 0x00, 0x10), False),  # scrolled
    ],
)
def test_what_would_turn_or_recolour_the_picture_is_not_passed_over(parameters, fine):
    panel = Panel().wake()
    panel.command(*parameters)
    assert bool(panel.seam.violations) != fine, panel.seam.violations


@pytest.mark.parametrize("number", [0xCB, 0xCF, 0xE8, 0xEA, 0xED, 0xF7])
def test_what_the_maker_does_not_tell_is_not_to_be_sent(number):
    panel = Panel().wake()
    panel.command(number)
    assert "unknown" in panel.seam.violations[0]


def test_its_data_sheet_ends_at_ten_megahertz_and_a_module_may_take_more():
    fast = SpiSettings(40_000_000, 0, 0, False)
    panel = Panel().wake()
    panel.write(0, [0x00], fast)
    assert "above 10000000" in panel.seam.violations[0]
    panel = Panel(fastest_hz=40_000_000).wake()
    panel.write(0, [0x00], fast)
    assert panel.seam.violations == []
    panel.write(0, [0x00], SpiSettings(41_000_000, 0, 0, False))
    assert panel.seam.violations


def test_sleep_out_waits_for_the_reset():
    seam = ManualSeam()
    chip = ILI9341("panel")
    chip.attach(seam)
    chip.power_on()
    seam.advance(119_999)
    chip.pin_changed("DC", 0)
    chip.transfer(memoryview(b"\x11"), SLOW, False)
    assert "SLPOUT 1 us early" in seam.violations[0]
