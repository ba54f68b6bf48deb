"""The virtual ST7789 is strict, and shows what a real one would."""

import pytest
from microtill.bench.chips.base import SpiSettings
from microtill.bench.chips.st7789 import ST7789, Glass

from tests.support.seam import ManualSeam

MODE_0 = SpiSettings(40_000_000, 0, 0, False)
BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)


class Panel:
    """A chip, its seam, and the commands a driver would send."""

    def __init__(self, glass=None):
        self.seam = ManualSeam()
        self.chip = ST7789("panel", glass)
        self.chip.attach(self.seam)
        self.chip.power_on()

    def write(self, dc, data, settings=MODE_0):
        self.chip.pin_changed("DC", dc)
        self.chip.transfer(memoryview(bytes(data)), settings, False)

    def command(self, number, *data):
        self.write(0, [number])
        if data:
            self.write(1, data)

    def wake(self, *more):
        """Reset, sleep out, 16 bits, inversion for IPS glass, `more`, display on: as the datasheet wants it."""
        self.chip.pin_changed("RST", 0)
        self.seam.advance(10)
        self.chip.pin_changed("RST", 1)
        self.seam.advance(120_000)
        self.command(0x11)
        self.seam.advance(5_000)
        self.command(0x3A, 0x55)
        self.command(0x21)
        for one in more:
            self.command(*one)
        self.command(0x29)
        return self

    def window(self, x0, y0, x1, y1):
        self.command(0x2A, x0 >> 8, x0 & 255, x1 >> 8, x1 & 255)
        self.command(0x2B, y0 >> 8, y0 & 255, y1 >> 8, y1 & 255)

    def pixel(self, x, y):
        frame = self.chip.frame()
        at = (y * self.chip.glass.width + x) * 3
        return tuple(frame[at : at + 3])

    @property
    def violations(self):
        return self.seam.violations


def test_a_correct_start_breaks_no_rule_and_shows_the_noise_of_power_on():
    panel = Panel()
    assert panel.chip.frame() == bytes(240 * 320 * 3)
    panel.wake()
    assert panel.violations == []
    assert len(set(panel.chip.frame())) > 200


def test_a_pixel_lands_where_the_window_says_in_its_colour():
    panel = Panel().wake()
    panel.window(7, 300, 8, 300)
    panel.command(0x2C, 0xF8, 0x00, 0xFF, 0xFF)
    assert (panel.pixel(7, 300), panel.pixel(8, 300)) == (RED, WHITE)
    panel.window(9, 300, 9, 300)
    panel.command(0x2C, 0x84, 0x10)
    assert panel.pixel(9, 300) == (0x84, 0x82, 0x84)


def test_the_counter_wraps_inside_the_window_and_ramwrc_goes_on():
    panel = Panel().wake()
    panel.window(10, 20, 11, 21)
    red, white, black = b"\xf8\x00", b"\xff\xff", b"\x00\x00"
    panel.command(0x2C, *(red + white + black))
    panel.command(0x3C, *(white + red))  # (11, 21), then round to (10, 20)
    assert [panel.pixel(x, y) for y in (20, 21) for x in (10, 11)] == [RED, WHITE, BLACK, WHITE]
    panel.command(0x2C, *(black + black + black + black + red))
    assert [panel.pixel(x, y) for y in (20, 21) for x in (10, 11)] == [RED, BLACK, BLACK, BLACK]
    assert panel.violations == []


def test_a_pixel_may_be_cut_between_transfers_but_not_left_unfinished():
    panel = Panel().wake()
    panel.window(0, 0, 0, 0)
    panel.command(0x2C, 0xF8)
    panel.write(1, [0x00])
    assert panel.pixel(0, 0) == RED and panel.violations == []
    panel.command(0x2C, 0xFF)
    panel.command(0x00)
    assert panel.pixel(0, 0) == RED
    assert "inside a pixel" in panel.violations[-1]


@pytest.mark.parametrize(
    ("colmod", "data"),
    [(0x03, [0xF0, 0x0F, 0xFF]), (0x55, [0xF8, 0x00, 0xFF, 0xFF]), (0x66, [0xFC, 0, 0, 0xFC, 0xFC, 0xFC])],
)
def test_three_pixel_formats(colmod, data):
    panel = Panel().wake((0x3A, colmod))
    panel.window(0, 0, 1, 0)
    panel.command(0x2C)
    for byte in data:  # byte by byte, so that a 12-bit pixel ends inside a transfer
        panel.write(1, [byte])
    assert (panel.pixel(0, 0), panel.pixel(1, 0)) == (RED, WHITE)
    assert panel.violations == []


@pytest.mark.parametrize(
    ("madctl", "origin", "along"),
    [
        (0x00, (0, 0), (1, 0)),
        (0x40, (239, 0), (238, 0)),
        (0x80, (0, 319), (1, 319)),
        (0xC0, (239, 319), (238, 319)),
        (0x20, (0, 0), (0, 1)),
        (0x60, (239, 0), (239, 1)),
        (0xA0, (0, 319), (0, 318)),
        (0xE0, (239, 319), (239, 318)),
    ],
)
def test_madctl_turns_and_mirrors(madctl, origin, along):
    panel = Panel().wake((0x36, madctl))
    panel.window(0, 0, 1, 0)
    panel.command(0x2C, 0xF8, 0x00, 0xFF, 0xFF)
    assert (panel.pixel(*origin), panel.pixel(*along)) == (RED, WHITE)
    width, height = (320, 240) if madctl & 0x20 else (240, 320)
    panel.window(0, 0, width - 1, height - 1)
    panel.command(0x2C, *(b"\x07\xe0" * 240 * 320))
    assert panel.chip.frame() == b"\x00\xff\x00" * 240 * 320
    assert panel.violations == []


def test_bgr_and_inversion_are_as_the_glass_is_wired():
    panel = Panel().wake((0x36, 0x08))
    panel.window(0, 0, 0, 0)
    panel.command(0x2C, 0xF8, 0x00)
    assert panel.pixel(0, 0) == (0, 0, 255)
    panel.command(0x36, 0x00)
    assert panel.pixel(0, 0) == RED
    panel.command(0x20)
    assert panel.pixel(0, 0) == (0, 255, 255)
    assert Panel(Glass(inverted=False, bgr=True)).wake((0x20,), (0x36, 0x08)).violations == []


def test_a_smaller_glass_shows_its_part_of_the_memory():
    panel = Panel(Glass(135, 240, 52, 40)).wake()
    panel.window(52, 40, 52, 40)
    panel.command(0x2C, 0xF8, 0x00)
    assert len(panel.chip.frame()) == 135 * 240 * 3
    assert panel.pixel(0, 0) == RED


def test_asleep_off_dark_or_unpowered_is_black_and_memory_stays():
    panel = Panel().wake()
    panel.window(0, 0, 0, 0)
    panel.command(0x2C, 0xFF, 0xFF)
    for off, on in (
        (lambda: panel.command(0x28), lambda: panel.command(0x29)),
        (lambda: panel.chip.pin_changed("BLK", 0), lambda: panel.chip.pin_changed("BLK", 1)),
        (lambda: panel.chip.pwm("BLK", 1000, 0), lambda: panel.chip.pwm("BLK", 1000, 30000)),
    ):
        off()
        assert panel.chip.frame() == bytes(240 * 320 * 3)
        on()
        assert panel.pixel(0, 0) == WHITE
    panel.seam.advance(120_000)
    panel.command(0x10)
    assert panel.pixel(0, 0) == BLACK
    panel.seam.advance(120_000)
    panel.command(0x11)
    assert panel.pixel(0, 0) == WHITE
    panel.chip.power_off()
    assert panel.pixel(0, 0) == BLACK
    assert panel.violations == []


def test_changes_count_what_can_be_seen():
    panel = Panel()
    panel.command(0x3A, 0x55)
    assert panel.chip.changes == 0
    panel.wake()
    before = panel.chip.changes
    panel.window(0, 0, 0, 0)
    assert panel.chip.changes == before
    panel.command(0x2C, 0xFF, 0xFF)
    assert panel.chip.changes == before + 1
    assert panel.seam.changes.count("panel") == panel.chip.changes


def broken(text):
    """Marks a way to break the datasheet, with what the violation must say."""

    def mark(f):
        f.text = text
        return f

    return mark


@broken("early: 5 ms after SWRESET")
def early_after_reset(p):
    p.command(0x01)
    p.seam.advance(4_999)
    p.command(0x3A, 0x55)


@broken("SLPOUT 100 us early")
def early_sleep_out(p):
    p.command(0x01)
    p.seam.advance(119_900)
    p.command(0x11)


@broken("5 ms after SLPOUT")
def early_after_sleep_out(p):
    p.command(0x01)
    p.seam.advance(120_000)
    p.command(0x11)
    p.seam.advance(4_000)
    p.command(0x29)


@broken("SLPIN 100000 us early")
def early_sleep_in(p):
    p.wake()
    p.seam.advance(15_000)
    p.command(0x10)


@broken("SWRESET during the sleep out sequence")
def reset_while_waking(p):
    p.wake()
    p.command(0x01)


@broken("RST low for less than 10 us")
def short_reset(p):
    p.chip.pin_changed("RST", 0)
    p.seam.advance(9)
    p.chip.pin_changed("RST", 1)


@broken("while RST is low")
def written_in_reset(p):
    p.chip.pin_changed("RST", 0)
    p.command(0x00)


@broken("start after end")
def window_backwards(p):
    p.wake()
    p.window(10, 0, 9, 0)


@broken("out of the memory")
def window_too_wide(p):
    p.wake()
    p.window(0, 0, 240, 0)


@broken("MADCTL has put out of the memory")
def window_turned_away(p):
    p.wake((0x36, 0x20))
    p.window(0, 0, 319, 239)
    p.command(0x36, 0x00)
    p.command(0x2C, 0xFF, 0xFF)


@broken("with 2 of its 4 parameters")
def too_few_parameters(p):
    p.wake()
    p.command(0x2A, 0, 0)
    p.command(0x00)


@broken("more than its 1 parameters")
def too_many_parameters(p):
    p.wake()
    p.command(0x3A, 0x55, 0x55)


@broken("names no pixel format")
def unknown_format(p):
    p.wake()
    p.command(0x3A, 0x57)


@broken("40h is unknown")
def unknown_command(p):
    p.wake()
    p.command(0x40)


@broken("data without a command")
def data_first(p):
    p.write(1, [1])


@broken("SPI mode 1 or 2")
def wrong_mode(p):
    p.seam.advance(5_000)
    p.write(0, [0], SpiSettings(1_000_000, 0, 1, False))


@broken("least significant bit first")
def wrong_order(p):
    p.seam.advance(5_000)
    p.write(0, [0], SpiSettings(1_000_000, 0, 0, True))


@broken("above 62500000")
def too_fast(p):
    p.seam.advance(5_000)
    p.write(0, [0], SpiSettings(80_000_000, 0, 0, False))


@pytest.mark.parametrize("fault", [f for f in list(globals().values()) if hasattr(f, "text")], ids=lambda f: f.__name__)
def test_a_broken_rule_is_one_violation(fault):
    panel = Panel()
    panel.seam.advance(5_000)
    fault(panel)
    assert len(panel.violations) == 1, panel.violations
    assert fault.text in panel.violations[0]
