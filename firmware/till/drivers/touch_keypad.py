"""A keypad drawn on a touch panel: sixteen regions at the bottom of the glass, in the events of any keypad."""

import asyncio

from micropython import const

from till.drivers.flag import TimedFlag
from till.drivers.keys import Keys

_SAMPLE_MS = const(10)
_LOOK_MS = const(250)  # a lost interrupt costs at most this
_AGREE = const(2)  # samples in a row that must say the same
_ONE = const(65536)


class TouchKeypad(Keys):
    """`touch`: `sample() -> (x, y) | None`. `irq`: its interrupt pin, low while pressed. `display`: the panel below;
    its width, height and keys_height say where the keys are.

    `calibration`: six numbers that make a place on the glass of a sample, see `solve`. A finger that slides off its
    key holds it until it is lifted: one touch is one key.
    """

    def __init__(self, touch, irq, display, calibration: tuple):
        super().__init__()
        self._touch = touch
        self._irq = irq
        self._top = display.height - display.keys_height
        self._key_width = display.width // 4
        self._key_height = display.keys_height // 4
        self.calibration = calibration
        self._wake = TimedFlag()
        self._struck_handler = self._struck

    def place(self) -> tuple[int, int] | None:
        """Where the glass is pressed now, in pixels; None when it is not."""
        sample = self._touch.sample()
        if sample is None:
            return None
        x, y = sample
        a = self.calibration
        return (a[0] * x + a[1] * y + a[2]) // _ONE, (a[3] * x + a[4] * y + a[5]) // _ONE

    def _key(self, place):
        if place is None or place[1] < self._top:
            return None
        column, row = place[0] // self._key_width, (place[1] - self._top) // self._key_height
        return 4 * row + column if 0 <= column < 4 and 0 <= row < 4 else None

    def _struck(self, _pin):
        self._wake.set()

    async def _run(self):
        while True:
            await self._sleep()
            await self._follow()

    async def _sleep(self):
        """Until the glass is touched."""
        self._wake.clear()
        self._irq.irq(handler=self._struck_handler, trigger=self._irq.IRQ_FALLING)
        try:
            while self._irq():
                if await self._wake.wait_ms(_LOOK_MS):
                    break
        finally:
            self._irq.irq(handler=None)  # measuring itself would strike it

    async def _follow(self):
        """From the first contact until the finger is gone."""
        held = None
        last = None
        agree = away = 0
        while away < _AGREE:
            place = self.place()
            if place is None:
                away += 1
                agree = 0
            else:
                away = 0
                key = self._key(place)
                agree = agree + 1 if key == last else 1
                last = key
                if held is None and key is not None and agree == _AGREE:
                    held = key
                    self._change(key, True)
            await asyncio.sleep_ms(_SAMPLE_MS)
        if held is not None:
            self._change(held, False)


def solve(samples, places) -> tuple:
    """The calibration by which three `samples` (x, y) become these `places`; ValueError when they lie on a line."""
    (x0, y0), (x1, y1), (x2, y2) = samples
    d = (x0 - x2) * (y1 - y2) - (x1 - x2) * (y0 - y2)
    if abs(d) < _ONE:
        raise ValueError("on a line")
    found = []
    for axis in (0, 1):
        p0, p1, p2 = [place[axis] for place in places]
        a = ((p0 - p2) * (y1 - y2) - (p1 - p2) * (y0 - y2)) * _ONE // d
        b = ((x0 - x2) * (p1 - p2) - (x1 - x2) * (p0 - p2)) * _ONE // d
        found += [a, b, p0 * _ONE - a * x0 - b * y0]
    return tuple(found)
