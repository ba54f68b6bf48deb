"""The four contactless lights of a reader (EMV Contactless Book A, 9.2): WS2812 in a row."""

import time

from micropython import const

# The line must rest low for so long, or the next colours go to the lights further down (WS2812B-V5: 280 µs).
_REST_US = const(300)

_OFF = (0, 0, 0)
_GREEN = (0, 40, 0)
_RED = (40, 0, 0)


class Leds:
    """`pixels`: a row of lights like `neopixel.NeoPixel`: `pixels[i] = (red, green, blue)`, then `pixels.write()`."""

    def __init__(self, pixels, count: int = 4):
        self._pixels = pixels
        self._count = count
        self._shown = None  # after a restart the lights may still show anything
        self._sent = time.ticks_add(time.ticks_us(), -_REST_US)
        self.show(0)

    def show(self, n: int) -> None:
        """Light the first `n` lights green: 0 off, 1 ready for a card, all of them read."""
        if not 0 <= n <= self._count:
            raise ValueError("lights")
        self._set(n, _GREEN)

    def error(self) -> None:
        """All lights red, until the next `show`."""
        self._set(self._count, _RED)

    def _set(self, n, colour):
        if self._shown == (n, colour):
            return
        for i in range(self._count):
            self._pixels[i] = colour if i < n else _OFF
        rest = _REST_US - time.ticks_diff(time.ticks_us(), self._sent)
        if 0 < rest <= _REST_US:
            time.sleep_us(rest)
        self._pixels.write()
        self._sent = time.ticks_us()
        self._shown = (n, colour)
