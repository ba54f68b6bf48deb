"""Boards wired wrongly on purpose: what a keypad's contacts say, without a firmware, and what doctor makes of it."""

import pytest
from microtill.bench import miswiring, wiring
from microtill.bench.chips.matrix import LEGEND
from microtill.device.hardware import from_boot
from microtill.device.keys import CAPS, Press, diagnose
from microtill.paths import BOARDS
from support.seam import ManualSeam

ROWS, COLUMNS = (4, 5, 6, 7), (15, 16, 17, 18)  # GPIOs, as the board has them
KEYS = dict(zip(CAPS, (key for row in LEGEND for key in row), strict=True))
_LONG_US = 200_000


class Fingers:
    """The pins of a TILL_ESP32S3 at a keypad that has `faults`, looked at contact by contact as its driver does."""

    def __init__(self, tmp_path, faults):
        wired = wiring.load(wiring.miswired(BOARDS / "TILL_ESP32S3" / "wiring.toml", tmp_path / "wiring.toml", faults))
        self.keypad = wired.chips["keypad"]
        self._pin = {gpio: pin for gpio, ends in wired.pins.items() for chip, pin in ends if chip is self.keypad}
        self._seam = ManualSeam()
        self.keypad.attach(self._seam)
        self.keypad.power_on()

    def look(self) -> int:
        closed = 0
        for i, row in enumerate(ROWS):
            if row in self._pin:
                self.keypad.pin_changed(self._pin[row], 0)
            for j, column in enumerate(COLUMNS):
                if self._seam.levels.get(("keypad", self._pin.get(column, ""))) == 0:
                    closed |= 1 << 4 * i + j
            if row in self._pin:
                self.keypad.pin_changed(self._pin[row], 1)
        return closed

    def press(self, key: str, ignore: int) -> Press:
        """What the terminal measures of a press."""
        now = edges = changed = 0
        self.keypad.press(key)
        for ms in range(_LONG_US // 1000):
            last, now = now, self.look() & ~ignore
            if now != last:
                edges, changed = edges + 1, ms
            self._seam.advance(1000)
        self.keypad.release(key)
        self._seam.advance(_LONG_US)
        return Press(now, changed, edges, self.look() & ~ignore)


def found(tmp_path, faults):
    fingers = Fingers(tmp_path, faults)
    stuck = fingers.look()
    return diagnose(stuck, {cap: fingers.press(KEYS[cap], stuck) for cap in CAPS})


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ("keypad-rows-2-3", ("hw.rows_swapped", {"a": 2, "b": 3})),
        ("keypad-columns-1-4", ("hw.columns_swapped", {"a": 1, "b": 4})),
        ("keypad-columns-off-by-one", ("hw.columns_off", {"step": 1, "to": "+"})),
        ("keypad-turned", ("hw.keypad_turned", {})),
        ("keypad-row-4-open", ("hw.rows_open", {"n": 4})),
        ("keypad-stuck", ("hw.key_stuck", {"key": "8"})),
    ],
)
def test_each_fault_of_a_keypad_is_named(tmp_path, fault, wanted):
    assert found(tmp_path, [fault]) == [wanted]


def test_worn_contacts_are_told_from_good_ones(tmp_path):
    assert found(tmp_path, []) == []
    ((key, fields),) = found(tmp_path, ["keypad-bounce"])
    assert (key, fields["key"]) == ("hw.key_bounces", "5")
    assert 20 < fields["ms"] <= 61


def test_a_boot_loader_that_finds_too_small_a_flash_is_read():
    said = (
        "E (58) spi_flash: Detected size(4096k) smaller than the size in the binary image header(8192k). Probe failed."
    )
    finding = from_boot(["ESP-ROM:esp32s3-20210327", said])
    assert finding and finding.check == "hw_module"
    assert "4 MB" in finding.text
    assert "8 MB" in finding.text
    assert from_boot(["ESP-ROM:esp32s3-20210327", "Traceback (most recent call last):", "OSError: 19"]) is None


def test_every_fault_makes_a_board_and_one_that_is_not_known_is_refused(tmp_path):
    other = {"panel-inverted": "TILL_CYD", "panel-data-swapped": "TILL_ESP32"}
    for name in miswiring.FAULTS:
        board = BOARDS / other.get(name, "TILL_ESP32S3") / "wiring.toml"
        wiring.load(wiring.miswired(board, tmp_path / f"{name}.toml", [name]))
    with pytest.raises(wiring.WiringError, match="no fault 'upside-up'"):
        wiring.load(wiring.miswired(board, tmp_path / "unknown.toml", ["upside-up"]))
