"""The virtual SSD1306 is strict, and shows what a real one would."""

import pytest
from microtill.bench.chips.ssd1306 import LIT, SSD1306

from tests.support.seam import ManualSeam

START = (0xAE, 0xA8, 0x3F, 0x8D, 0x14, 0x20, 0x00, 0xA1, 0xC8, 0xDA, 0x12)


class Panel:
    """A chip, its seam, and the transfers a driver would make."""

    def __init__(self, **options):
        self.seam = ManualSeam()
        self.chip = SSD1306("panel", **options)
        self.chip.attach(self.seam)
        self.chip.power_on()

    def command(self, *octets):
        self.chip.write(bytes((0x00, *octets)))

    def data(self, *octets):
        self.chip.write(bytes((0x40, *octets)))

    def wake(self, *more):
        self.command(*START)
        self.command(0x21, 0, 127, 0x22, 0, 7)
        self.data(*bytes(1024))
        self.command(*more, 0xAF)
        return self

    def lit(self):
        """`(x, y)` of every light."""
        frame, glass = self.chip.frame(), self.chip.glass
        pixels = [tuple(frame[i : i + 3]) for i in range(0, len(frame), 3)]
        assert set(pixels) <= {LIT, (0, 0, 0)}
        return {(i % glass.width, i // glass.width) for i, pixel in enumerate(pixels) if pixel == LIT}

    @property
    def violations(self):
        return self.seam.violations


def test_memory_wakes_up_as_noise_and_shows_only_when_the_display_is_on():
    panel = Panel()
    assert panel.lit() == set()
    panel.command(*START)
    assert panel.lit() == set()
    panel.command(0xAF)
    assert 2000 < len(panel.lit()) < 6000
    panel.command(0xAE)
    assert panel.lit() == set() and panel.violations == []


def test_a_byte_is_eight_rows_of_a_column():
    panel = Panel().wake()
    panel.command(0x21, 5, 6, 0x22, 2, 3)
    panel.data(0x01, 0x80, 0x03)
    assert panel.lit() == {(5, 16), (6, 23), (5, 24), (5, 25)}
    panel.data(0xFF, 0x01)  # (6, page 3), then round to (5, page 2)
    assert panel.lit() == {(6, 23), (5, 16), (5, 24), (5, 25), *((6, 24 + n) for n in range(8))}
    assert panel.violations == []


def test_vertical_and_page_addressing():
    panel = Panel().wake(0x20, 0x01, 0x21, 3, 4, 0x22, 0, 1)
    panel.data(1, 1, 1)
    assert panel.lit() == {(3, 0), (3, 8), (4, 0)}
    panel = Panel().wake(0x20, 0x02, 0xB5, 0x0E, 0x17)
    panel.data(1, 2, 4)  # columns 7E, 7F, then round to 0 of the same page
    assert panel.lit() == {(126, 40), (127, 41), (0, 42)}
    assert panel.violations == []


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ((), (0, 0)),
        ((0xA0,), (127, 0)),
        ((0xC0,), (0, 63)),
        ((0xA0, 0xC0), (127, 63)),
        ((0x48,), (0, 56)),
        ((0xD3, 4), (0, 60)),
    ],
)
def test_where_the_first_pixel_of_the_memory_is_on_the_glass(commands, expected):
    panel = Panel().wake(*commands)
    panel.command(0x21, 0, 127, 0x22, 0, 7)
    panel.data(1)
    assert panel.lit() == {expected} and panel.violations == []


def test_all_on_and_inverse():
    panel = Panel().wake(0xA5)
    assert len(panel.lit()) == 128 * 64
    panel.command(0xA4, 0xA7)
    assert len(panel.lit()) == 128 * 64
    panel.command(0xA5)
    assert panel.lit() == set()


def test_a_smaller_glass():
    panel = Panel(height=32)
    panel.command(0xAE, 0xA8, 0x1F, 0x8D, 0x14, 0x20, 0x00, 0xA1, 0xC8, 0xDA, 0x02, 0x21, 0, 127, 0x22, 0, 3)
    panel.data(*bytes(512))
    panel.data(0x80)
    panel.command(0xAF)
    assert panel.lit() == {(0, 7)} and len(panel.chip.frame()) == 128 * 32 * 3 and panel.violations == []


def test_control_bytes_may_announce_one_byte_each():
    panel = Panel().wake()
    panel.command(0x21, 0, 127, 0x22, 0, 7)
    panel.chip.write(bytes((0x80, 0x81, 0x80, 0x33, 0xC0, 0x01, 0x40, 0x01, 0x01)))
    assert panel.lit() == {(0, 0), (1, 0), (2, 0)} and panel.chip.seen()["contrast"] == 0x33
    assert panel.violations == []


def test_status_tells_whether_it_is_on():
    panel = Panel()
    assert panel.chip.read(1) == b"\x40"
    panel.wake()
    assert panel.chip.read(2) == b"\x00\x00"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ((0x00, 0xFD), "unknown"),
        ((0x00, 0xE0), "unknown"),
        ((0x20, 0xA6), "lower six bits"),
        ((0x80,), "behind a control byte"),
        ((0x00, 0x81), "0 of its 1 arguments"),
        ((0x00, 0x21, 5), "1 of its 2 arguments"),
        ((0x80, 0x21, 0xC0, 0x00), "0 of its 2 arguments"),
        ((0x00, 0x21, 0, 128), "out of the memory"),
        ((0x00, 0x22, 3, 2), "start after end"),
        ((0x00, 0x22, 0, 8), "out of the memory"),
        ((0x00, 0xB0), "page addressing mode only"),
        ((0x00, 0x10), "page addressing mode only"),
        ((0x00, 0x20, 0x03), "does not list"),
        ((0x00, 0xA8, 0x0E), "does not list"),
        ((0x00, 0xA8, 0x1F), "this glass has 64"),
        ((0x00, 0xD3, 0x40), "does not list"),
        ((0x00, 0xD9, 0x0F), "does not list"),
        ((0x00, 0xDA, 0x13), "does not list"),
        ((0x00, 0xDA, 0x02), "not how this glass is wired"),
        ((0x00, 0xDB, 0x40), "does not list"),
        ((0x00, 0x8D, 0x04), "does not list"),
        ((0x00, 0x8D, 0x14), "while the display is on"),
        ((0x00, 0x2F), "not modelled"),
        ((0x40, *bytes(1025)), "no room"),
    ],
)
def test_what_the_data_sheet_forbids_is_a_violation(octets, text):
    panel = Panel().wake()
    panel.chip.write(bytes(octets))
    assert len(panel.violations) == 1 and text in panel.violations[0]


def test_windows_are_not_for_page_addressing_mode():
    panel = Panel()
    panel.command(0x21, 0, 127)
    assert "horizontal and vertical addressing only" in panel.violations[0]


def test_without_the_charge_pump_it_stays_dark():
    panel = Panel()
    panel.command(0xA5, 0xAF)
    assert "charge pump" in panel.violations[0] and panel.lit() == set()


def test_reset_restores_the_registers_and_wants_its_time():
    panel = Panel().wake(0xA5)
    panel.chip.pin_changed("RES", 0)
    assert panel.lit() == set()
    panel.command(0xA5)
    assert "in reset" in panel.violations.pop()
    panel.seam.advance(3)
    panel.chip.pin_changed("RES", 1)
    assert panel.violations == [] and panel.chip.read(1) == b"\x40"
    panel.chip.pin_changed("RES", 0)
    panel.seam.advance(2)
    panel.chip.pin_changed("RES", 1)
    assert "less than 3 us" in panel.violations[0]


def test_addresses_and_sizes_that_there_are_not():
    for options in ({"address": 0x3E}, {"height": 48}):
        with pytest.raises(ValueError):
            SSD1306("panel", **options)
