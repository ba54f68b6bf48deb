"""A chain of WS2812 lights on one pin: bits are told apart by their pulse widths, colours come green first."""

from microtill.bench.chips.base import Chip

# WS2812B data sheet: high 400 ns for a 0, 800 ns for a 1, each ±150 ns; a whole bit 1250 ns ±600 ns.
_ZERO_HIGH_NS = (250, 550)
_ONE_HIGH_NS = (650, 950)
_BIT_NS = (650, 1850)
RESET_US = 280
"""The line must rest low this long (WS2812B-V5; 50 µs for older ones), or the next bits go further down the chain."""


class Leds(Chip):
    pins = ("DIN",)

    def __init__(self, name: str = "leds", count: int = 4):
        super().__init__(name)
        self.colours: list[tuple[int, int, int]] = [(0, 0, 0)] * count
        self._next = 0
        self._rest_from = -RESET_US

    def power_on(self) -> None:
        self.colours = [(0, 0, 0)] * len(self.colours)
        self._next = 0

    def power_off(self) -> None:
        self.power_on()

    def bitstream(self, pin: str, timing: tuple[int, int, int, int], data: bytes) -> None:
        assert self.seam
        zero_high, zero_low, one_high, one_low = timing
        wrong = not (
            _ZERO_HIGH_NS[0] <= zero_high <= _ZERO_HIGH_NS[1]
            and _ONE_HIGH_NS[0] <= one_high <= _ONE_HIGH_NS[1]
            and _BIT_NS[0] <= zero_high + zero_low <= _BIT_NS[1]
            and _BIT_NS[0] <= one_high + one_low <= _BIT_NS[1]
        )
        if wrong:
            self.seam.violation(self, f"pulse widths {timing} ns are not a WS2812's")
            return
        if len(data) % 3:
            self.seam.violation(self, f"{len(data)} bytes are not whole lights of three")
        now = self.seam.now_us()
        if now - self._rest_from >= RESET_US:
            self._next = 0
        else:
            self.seam.violation(self, f"only {now - self._rest_from} µs of rest before the next frame")
        before = list(self.colours)
        for at in range(0, len(data) - 2, 3):
            if self._next < len(self.colours):
                green, red, blue = data[at : at + 3]
                self.colours[self._next] = (red, green, blue)
            self._next += 1
        self._rest_from = now  # the firmware's call has sent the bits before it returned
        if self._next > len(self.colours):
            self.seam.violation(self, f"colours for {self._next} lights, there are {len(self.colours)}")
        if self.colours != before:
            self.seam.trace(self, " ".join("{:02x}{:02x}{:02x}".format(*colour) for colour in self.colours))
            self.seam.changed(self)

    def seen(self) -> dict:
        return {"lights": [list(colour) for colour in self.colours]}
