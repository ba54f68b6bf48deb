"""The virtual TCA8418 is strict, and tells keys as the real one does."""

import pytest
from microtill.bench.chips.base import Nack
from microtill.bench.chips.matrix import BOUNCE_US
from microtill.bench.chips.tca8418 import DEBOUNCE_US, TCA8418

from tests.support.seam import ManualSeam

CFG, INT_STAT, COUNT, EVENT = 0x01, 0x02, 0x03, 0x04


class Keypad:
    def __init__(self, config=0x29):
        self.seam = ManualSeam()
        self.chip = TCA8418()
        self.chip.attach(self.seam)
        self.chip.power_on()
        self.seam.advance(1)
        if config is not None:
            self.set(0x1D, 0x0F)
            self.set(0x1E, 0x0F)
            self.set(CFG, config)

    def set(self, *octets):
        self.chip.addressed(False)
        self.chip.write(bytes(octets))

    def get(self, register):
        self.set(register)
        return self.chip.read(1)[0]

    def events(self):
        return [self.get(EVENT) for _ in range(self.get(COUNT) & 15)]

    def stroke(self, key):
        for act in (self.chip.press, self.chip.release):
            act(key)
            self.seam.advance(BOUNCE_US + DEBOUNCE_US)

    @property
    def interrupt(self):
        return self.seam.levels["keypad", "INT"]


def test_keys_come_once_each_however_they_bounce_by_row_and_column():
    keypad = Keypad()
    for key in ("1", "UP", "CANCEL", "MENU"):
        keypad.stroke(key)
    assert keypad.events() == [0x81, 0x01, 0x84, 0x04, 0x80 | 31, 31, 0x80 | 34, 34]
    assert keypad.seam.violations == []


def test_three_corners_of_a_rectangle_close_the_fourth_in_the_same_scan():
    keypad = Keypad()
    for key in ("2", "4", "5"):  # and so 1
        keypad.chip.press(key)
        keypad.seam.advance(BOUNCE_US + DEBOUNCE_US)
    assert keypad.events() == [0x82, 0x80 | 11, 0x81, 0x80 | 12], "the ghost comes before its cause"
    keypad.chip.release("5")
    keypad.seam.advance(BOUNCE_US + DEBOUNCE_US)
    assert keypad.events() == [1, 12]


def test_a_quiet_chip_has_events_and_tells_of_none():
    keypad = Keypad()
    keypad.chip.fault("quiet")
    keypad.stroke("1")
    assert keypad.interrupt is None and keypad.get(INT_STAT) == 0 and keypad.get(COUNT) == 2
    keypad.set(INT_STAT, 9)
    assert keypad.get(INT_STAT) == 0 and keypad.events() == [0x81, 1]


def test_a_short_knock_is_no_key():
    keypad = Keypad()
    keypad.chip.press("5")
    keypad.seam.advance(DEBOUNCE_US // 2)
    keypad.chip.release("5")
    keypad.seam.advance(2 * DEBOUNCE_US)
    assert keypad.events() == []


def test_int_is_low_until_all_is_read_and_cleared():
    keypad = Keypad()
    assert keypad.interrupt is None
    keypad.chip.press("1")
    keypad.seam.advance(BOUNCE_US + DEBOUNCE_US)
    assert keypad.interrupt == 0 and keypad.get(INT_STAT) == 1
    keypad.set(INT_STAT, 1)
    assert keypad.interrupt == 0 and keypad.get(INT_STAT) == 1, "an event is still there"
    assert keypad.events() == [0x81]
    assert keypad.interrupt == 0
    keypad.set(INT_STAT, 1)
    assert keypad.interrupt is None and keypad.get(INT_STAT) == 0


def test_the_fifo_keeps_ten_and_says_when_it_lost_some():
    keypad = Keypad()
    for key in "123456":
        keypad.stroke(key)
    assert keypad.get(INT_STAT) == 9 and keypad.get(COUNT) == 10
    assert keypad.events()[0] == 0x82, "the oldest are gone"
    keypad = Keypad(config=0x01)
    for key in "123456":
        keypad.stroke(key)
    assert keypad.get(INT_STAT) == 9 and keypad.events()[0] == 0x81, "the newest are gone"


def test_nothing_is_scanned_before_it_is_set_up_or_after_a_reset():
    keypad = Keypad(config=None)
    keypad.stroke("1")
    assert keypad.events() == []
    keypad = Keypad()
    keypad.chip.pin_changed("RESET", 0)
    with pytest.raises(Nack):
        keypad.set(CFG)
    keypad.chip.pin_changed("RESET", 1)
    keypad.stroke("1")
    assert keypad.events() == []


def test_a_dead_chip_answers_nothing_and_has_forgotten_all():
    keypad = Keypad()
    keypad.chip.fault("dead")
    with pytest.raises(Nack):
        keypad.get(CFG)
    keypad.chip.fault(None)
    assert keypad.get(CFG) == 0
    with pytest.raises(ValueError, match="no fault"):
        keypad.chip.fault("tired")


def test_it_rests_when_the_terminal_has_heard_of_every_key():
    keypad = Keypad()
    keypad.stroke("1")
    assert not keypad.chip.seen()["rests"]
    keypad.events()
    assert keypad.chip.seen()["rests"]


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda k: k.set(0x00), "none, or reserved"),
        (lambda k: k.set(0x2F), "none, or reserved"),
        (lambda k: k.set(CFG, 0x29, 0x00), "auto-increment"),
        (lambda k: (k.set(CFG), k.chip.read(2)), "auto-increment"),
        (lambda k: k.get(EVENT), "while the FIFO is empty"),
        (lambda k: k.set(EVENT, 1), "not for writing"),
        (lambda k: k.set(0x1D, 0x1F), "nothing is wired to"),
        (lambda k: k.set(CFG, 0x09), "OVR_FLOW_M"),
    ],
)
def test_what_the_data_sheet_forbids_is_a_violation(act, text):
    keypad = Keypad()
    act(keypad)
    assert len(keypad.seam.violations) == 1 and text in keypad.seam.violations[0]


def test_registers_follow_each_other_when_told_to():
    keypad = Keypad(config=0xA9)
    keypad.stroke("1")
    keypad.set(INT_STAT)
    assert keypad.chip.read(3) == bytes((1, 2, 0x81)) and keypad.seam.violations == []
