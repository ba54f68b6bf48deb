"""The XPT2046 touch controller: where a resistive panel is pressed, and how firmly. Takes ADS7843 and TSC2046, too."""

from micropython import const

# Start bit, channel, 12 bits, differential (what the drivers' own resistance takes away does not count). The last one
# powers down, which lets PENIRQ work.
_Z1 = const(0xB1)
_Z2 = const(0xC1)
_X = const(0xD1)
_Y = const(0x91)
_Y_LAST = const(0x90)

_PAIRS = const(5)  # of places, of which the middle one is taken
_FIRST = const(3)  # what is measured before: pressure, and one place while the plates settle


class XPT2046:
    """`spi`: mode 0, most significant bit first, at most 2.5 MHz. `cs`: output pin, called with 0 or 1.

    `firm`: the resistance of the contact up to which it counts as pressed, in 4096ths of the X plate's (some 300 ohms).
    A finger makes hundreds of ohms, at most a few thousand; a sleeve that brushes by more.
    """

    def __init__(self, spi, cs, firm: int = 40000):
        self._spi = spi
        self._cs = cs
        self._firm = firm
        commands = [_Z1, _Z2, _Y] + [_X, _Y] * _PAIRS
        commands[-1] = _Y_LAST
        # A conversion's answer begins behind its command and ends beside the next one (16 clocks a conversion).
        self._ask = bytearray(2 * len(commands) + 1)
        for i, command in enumerate(commands):
            self._ask[2 * i] = command
        self._answer = bytearray(len(self._ask))
        self._sorted = [0] * _PAIRS
        cs(1)
        self.sample()  # whatever it was asked last: it is powered down now

    def sample(self) -> tuple[int, int] | None:
        """`(x, y)` of the place that is pressed, 0 … 4095 each, or None; takes 0.25 ms at 2 MHz."""
        self._cs(0)
        try:
            self._spi.write_readinto(self._ask, self._answer)
        finally:
            self._cs(1)
        z1, z2 = self._value(0), self._value(1)
        x, y = self._middle(_FIRST), self._middle(_FIRST + 1)
        # R = Rx · X/4096 · (Z2/Z1 - 1), the data sheet's first way to measure pressure.
        if z1 == 0 or x * (z2 - z1) // z1 > self._firm:
            return None
        return x, y

    def _value(self, n: int) -> int:
        at = 2 * n + 1
        return (self._answer[at] << 8 | self._answer[at + 1]) >> 3 & 4095

    def _middle(self, first: int) -> int:
        """The median of every second conversion from `first` on: noise that strikes one or two of them is not seen."""
        values = self._sorted
        for i in range(_PAIRS):
            values[i] = self._value(first + 2 * i)
        values.sort()
        return values[_PAIRS // 2]
