"""A strict virtual XPT2046 on a resistive panel, with a keypad drawn below it and a finger that presses there.

Facts are from the XPT2046 data sheet (2007.5) and that of its model, the TSC2046 (SBAS265).
"""

import random

from microtill.bench.chips.base import SpiChip, SpiSettings, Timer
from microtill.bench.chips.matrix import LEGEND

FASTEST_HZ = 2_500_000
FULL = 4096

X_OHMS, Y_OHMS = 320, 480
"""Of the two plates, from edge to edge."""

PRESSED_OHMS = 250
"""Of the contact under a fingertip; a light touch makes thousands."""

LIGHT_OHMS = 6_000
BOUNCE_US = 6_000
"""For so long a finger that comes or goes makes bad contact."""

NOISE = 6  # standard deviation of a conversion
SETTLING = 60  # by how much the first conversion of another plate is off
SPIKES = 0.03  # of all conversions are wild

_START, _EIGHT_BITS, _SINGLE_ENDED, _PD0 = 0x80, 0x08, 0x04, 0x01
_Y, _Z1, _Z2, _X = 1, 3, 4, 5


class XPT2046(SpiChip):
    """`keys`: left, top, width and height in pixels of the keypad that the firmware draws, four by four.

    `x`, `y`: what the plates give at two pixels each, as (pixel, conversion, pixel, conversion); `skew`: what y gives
    to x for each pixel, as panels are glued on. `IRQ` is PENIRQ.
    """

    pins = ("CS", "IRQ")
    hands = ("press", "release", "touch", "lift")

    def __init__(
        self,
        name: str = "keypad",
        keys: tuple[int, int, int, int] = (0, 152, 240, 168),
        x: tuple[int, int, int, int] = (0, 3800, 240, 240),
        y: tuple[int, int, int, int] = (0, 200, 320, 3700),
        skew: float = 0.0,
        legend: tuple[tuple[str, ...], ...] = LEGEND,
        seed: int = 1,
    ):
        super().__init__(name)
        self._where = {key: (row, column) for row, names in enumerate(legend) for column, key in enumerate(names)}
        self._keys, self._x, self._y, self._skew = tuple(keys), tuple(x), tuple(y), skew
        self._random = random.Random(seed)
        self._powered = False
        self._cs = 1
        self._key: str | None = None
        self._place: tuple[float, float] | None = None  # conversions that the contact would give
        self._ohms = 0.0
        self._contact: Timer | None = None
        self._pen_enabled = True
        self._channel = 0
        self._sampled_us = -1_000_000
        self._begin()

    # The bench's hand

    def press(self, key: str) -> None:
        """Put a finger on the middle of `key`, or near it, and leave it there."""
        if key not in self._where:
            raise ValueError(f"no key {key!r}")
        row, column = self._where[key]
        left, top, width, height = self._keys
        x = left + width * (column + 0.5 + self._random.uniform(-0.25, 0.25)) / 4
        y = top + height * (row + 0.5 + self._random.uniform(-0.25, 0.25)) / 4
        self.touch(x, y)

    def release(self, key: str) -> None:
        """Take the finger off `key`."""
        if self._key == key:
            self.lift()

    def touch(self, x: float, y: float, ohms: float = PRESSED_OHMS) -> None:
        """Press the glass at this pixel; the contact is bad for a moment."""
        assert self.seam
        x0, at0, x1, at1 = self._x
        y0, down0, y1, down1 = self._y
        along = at0 + (x - x0) * (at1 - at0) / (x1 - x0) + self._skew * y
        down = down0 + (y - y0) * (down1 - down0) / (y1 - y0)
        self._place = (along, down)
        self._key = self._key_at(x, y)
        self._firm(LIGHT_OHMS, ohms)

    def _key_at(self, x: float, y: float) -> str | None:
        left, top, width, height = self._keys
        column, row = int((x - left) * 4 // width), int((y - top) * 4 // height)
        return next((key for key, where in self._where.items() if where == (row, column)), None)

    def lift(self) -> None:
        """Take the finger off the glass."""
        self._key = None
        if self._place:
            self._firm(LIGHT_OHMS, 0)

    def _firm(self, first: float, then: float) -> None:
        """The contact has `first` ohms for a moment, and `then` after it; none for 0."""
        assert self.seam
        if self._contact:
            self._contact.cancel()
        self._ohms = first
        self._pen()

        def settle() -> None:
            self._contact = None
            self._ohms = then
            if not then:
                self._place = None
            self._pen()
            assert self.seam
            self.seam.changed(self)

        self._contact = self.seam.after(BOUNCE_US, settle)
        self.seam.changed(self)

    def seen(self) -> dict:
        """The key under the finger; `rests`: the terminal has looked since the glass was let go; `glass`: left, top,
        width and height of the keys, in pixels."""
        assert self.seam
        idle = self.seam.now_us() - self._sampled_us > 25_000
        down = [self._key] if self._key else []
        return {"down": down, "rests": self._place is None and idle, "glass": list(self._keys)}

    # Supply and pins

    def power_on(self) -> None:
        self._powered = True
        self._pen_enabled = True
        self._begin()
        self._pen()

    def power_off(self) -> None:
        self._powered = False
        self._pen()

    def pin_changed(self, pin: str, level: int) -> None:
        if pin == "CS" and level != self._cs:
            self._cs = level
            if level and self._converting:
                self._violation("CS rose inside a conversion: its answer is not read")
            self._begin()

    def _begin(self) -> None:
        self._converting = 0  # bytes of a conversion that are still to be clocked
        self._value = 0

    def _pen(self, measuring: bool = False) -> None:
        if not self._powered or not self.seam:
            return
        # While a position is measured PENIRQ falls, whatever is pressed: whoever listens is to look away.
        low = measuring or (self._pen_enabled and self._place is not None)
        self.seam.drive(self, "IRQ", 0 if low else 1)

    # The bus

    def transfer(self, mosi: memoryview, settings: SpiSettings, read: bool) -> bytes | None:
        if settings.baudrate > FASTEST_HZ:
            self._violation(f"SPI clock {settings.baudrate} Hz, at most {FASTEST_HZ}")
        if settings.polarity != settings.phase:
            self._violation("clocked in SPI mode 1 or 2: bits are taken at the rising edge")
        if settings.lsb_first:
            self._violation("bytes sent least significant bit first")
        if not self._powered or self._cs:
            self._violation("clocked while it has no supply or CS is high")
            return b"\xff" * len(mosi) if read else None
        out = bytearray(len(mosi))
        for n, byte in enumerate(mosi):
            if self._converting:
                # Behind the command one clock is busy; then twelve bits, of which five stand in the second byte.
                out[n] = self._value >> 5 if self._converting == 2 else self._value << 3 & 0xF8
                self._converting -= 1
                if byte & _START and self._converting:
                    self._violation("a command eight clocks after another: a conversion takes sixteen")
                    continue
            if byte & _START:
                self._convert(byte)
            elif byte:
                self._violation(f"control byte {byte:02X}h without its start bit")
        self._sampled_us = self.seam.now_us() if self.seam else 0
        self._pen()
        return bytes(out) if read else None

    def _convert(self, control: int) -> None:
        channel = control >> 4 & 7
        if control & _EIGHT_BITS:
            self._violation("MODE is high: eight bits are not enough to tell keys apart")
        if control & _SINGLE_ENDED:
            self._violation("a position is measured single-ended: it goes by the drivers' own resistance")
        if channel not in (_X, _Y, _Z1, _Z2):
            self._violation(f"channel {channel} is not of the touch panel; this module has nothing else wired")
        self._pen_enabled = not control & _PD0
        self._pen(measuring=True)
        self._value = self._measure(channel)
        self._channel = channel
        self._converting = 2

    def _measure(self, channel: int) -> int:
        if self._place is None or not self._ohms:
            # Nothing joins the plates: a position floats, Z1 is at its ground and Z2 at its supply.
            return {_Z1: self._random.randint(0, 3), _Z2: FULL - 1 - self._random.randint(0, 3)}.get(
                channel, self._random.randint(0, FULL - 1)
            )
        along, down = self._place
        # From the supply on Y+ through the plates and the contact to X-.
        x_part, y_part = X_OHMS * along / FULL, Y_OHMS * (1 - down / FULL)
        whole = x_part + y_part + self._ohms
        value = {_X: along, _Y: down, _Z1: FULL * x_part / whole, _Z2: FULL * (x_part + self._ohms) / whole}[channel]
        value += self._random.gauss(0, NOISE)
        if channel in (_X, _Y) and channel != self._channel and self._channel in (_Z1, _Z2, 0):
            value += SETTLING
        if channel in (_X, _Y) and self._ohms >= LIGHT_OHMS:
            value += self._random.gauss(0, 40 * NOISE)
        if self._random.random() < SPIKES and channel in (_X, _Y):
            value = self._random.uniform(0, FULL)
        return max(0, min(FULL - 1, round(value)))

    def _violation(self, text: str) -> None:
        if self.seam:
            self.seam.violation(self, text)
