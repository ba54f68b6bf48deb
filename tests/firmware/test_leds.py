from till.drivers.leds import Leds


class Pixels:
    def __init__(self):
        self.now = [None] * 4
        self.frames = []

    def __setitem__(self, i, colour):
        self.now[i] = colour

    def write(self):
        self.frames.append(["green" if c[1] else "red" if c[0] else "off" for c in self.now])


def test_dark_from_the_start():
    pixels = Pixels()
    Leds(pixels)
    assert pixels.frames == [["off"] * 4]


def test_the_first_n_are_green():
    pixels = Pixels()
    leds = Leds(pixels)
    for n in range(1, 5):
        leds.show(n)
        assert pixels.frames[-1] == ["green"] * n + ["off"] * (4 - n)


def test_what_is_shown_is_not_sent_again():
    pixels = Pixels()
    leds = Leds(pixels)
    leds.show(2)
    leds.show(2)
    assert len(pixels.frames) == 2


def test_errors_are_red_and_pass():
    pixels = Pixels()
    leds = Leds(pixels)
    leds.error()
    assert pixels.frames[-1] == ["red"] * 4
    leds.show(1)
    assert pixels.frames[-1] == ["green", "off", "off", "off"]


def test_there_are_four():
    for n in (-1, 5):
        try:
            Leds(Pixels()).show(n)
        except ValueError:
            continue
        raise AssertionError(n)
