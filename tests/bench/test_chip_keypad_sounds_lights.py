"""The virtual keypad matrix, buzzer and lights, each alone."""

import itertools

import pytest
from microtill.bench.chips.buzzer import Buzzer, Tone
from microtill.bench.chips.leds import Leds
from microtill.bench.chips.matrix import COLUMNS, LEGEND, ROWS, Matrix
from support.seam import ManualSeam

WS2812 = (400, 850, 800, 450)


@pytest.fixture
def seam():
    return ManualSeam()


def attach(chip, seam):
    chip.attach(seam)
    chip.power_on()
    return chip


def scan(chip, seam) -> set[str]:
    """What a scan row by row would read as pressed."""
    down = set()
    for row, pin in enumerate(ROWS):
        for other in ROWS:
            chip.pin_changed(other, 0 if other == pin else 1)
        down |= {LEGEND[row][c] for c, column in enumerate(COLUMNS) if seam.levels.get((chip.name, column)) == 0}
    return down


def test_each_key_is_where_its_cap_says(seam):
    chip = attach(Matrix(), seam)
    for keys in LEGEND:
        for key in keys:
            chip.press(key, bounce_us=0)
            assert scan(chip, seam) == {key}
            chip.release(key, bounce_us=0)
    assert scan(chip, seam) == set()


def test_an_open_column_is_left_to_its_pull_up(seam):
    chip = attach(Matrix(), seam)
    chip.pin_changed("R0", 0)
    chip.press("1", bounce_us=0)
    assert seam.levels["keypad", "C0"] == 0
    chip.release("1", bounce_us=0)
    assert seam.levels["keypad", "C0"] is None


def test_three_corners_pull_the_fourth(seam):
    chip = attach(Matrix(), seam)
    for key in ("1", "2", "4"):
        chip.press(key, bounce_us=0)
    assert scan(chip, seam) == {"1", "2", "4", "5"}


def test_two_keys_and_three_in_a_row_pull_nothing_else(seam):
    chip = attach(Matrix(), seam)
    for key in ("1", "2", "3"):
        chip.press(key, bounce_us=0)
    assert scan(chip, seam) == {"1", "2", "3"}


def test_contacts_chatter_and_then_rest(seam):
    chip = attach(Matrix(), seam)
    chip.pin_changed("R0", 0)
    for act, rest in ((chip.press, 0), (chip.release, None)):
        act("1", bounce_us=5_000)
        levels = []
        for _ in range(100):
            levels.append(seam.levels["keypad", "C0"])
            seam.advance(50)
        assert sum(a != b for a, b in itertools.pairwise(levels)) >= 3
        seam.advance(1_000)
        assert seam.levels["keypad", "C0"] == rest


def test_a_release_while_the_contact_still_chatters_ends_open(seam):
    chip = attach(Matrix(), seam)
    chip.pin_changed("R0", 0)
    chip.press("1")
    seam.advance(500)
    chip.release("1")
    seam.advance(20_000)
    assert seam.levels["keypad", "C0"] is None
    assert chip.seen()["down"] == []


def test_a_key_that_is_not_there(seam):
    with pytest.raises(ValueError, match="no key"):
        attach(Matrix(), seam).press("F1")


def test_the_buzzer_keeps_its_tones(seam):
    chip = attach(Buzzer(), seam)
    seam.advance(1_000)
    chip.pwm("SIGNAL", 1500, 32768)
    seam.advance(500_000)
    chip.pwm("SIGNAL", 750, 32768)
    seam.advance(200_000)
    chip.pwm("SIGNAL", 750, 0)
    assert chip.tones == [Tone(1_000, 1500, 500_000), Tone(501_000, 750, 200_000)]
    assert chip.seen() == {"frequency": 0, "tones": 2}
    assert seam.violations == []


def test_a_buzzer_is_not_a_loudspeaker(seam):
    attach(Buzzer(), seam).pwm("SIGNAL", 40_000, 32768)
    assert "40000 Hz" in seam.violations[0]


def test_lights_read_green_first(seam):
    chip = attach(Leds(), seam)
    chip.bitstream("DIN", WS2812, bytes.fromhex("ff0000 00ff00 0000ff 010203"))
    assert chip.seen() == {"lights": [[0, 255, 0], [255, 0, 0], [0, 0, 255], [2, 1, 3]]}
    assert seam.violations == []


@pytest.mark.parametrize(
    ("timing", "data", "words"),
    [
        ((800, 450, 400, 850), bytes(12), "not a WS2812's"),
        (WS2812, bytes(11), "not whole lights"),
        (WS2812, bytes(15), "5 lights"),
    ],
)
def test_lights_refuse(seam, timing, data, words):
    attach(Leds(), seam).bitstream("DIN", timing, data)
    assert words in seam.violations[0]


def test_lights_need_a_rest_between_frames(seam):
    chip = attach(Leds(), seam)
    chip.bitstream("DIN", WS2812, bytes(12))
    seam.advance(10)
    chip.bitstream("DIN", WS2812, bytes(12))
    assert "of rest" in seam.violations[0]
    seam.advance(1_000)
    chip.bitstream("DIN", WS2812, b"\xff" * 12)
    assert chip.colours == [(255, 255, 255)] * 4
