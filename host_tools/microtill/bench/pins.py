"""GPIO lines: who drives them, what level they have, who is told."""

from collections.abc import Callable

from microtill.bench.chips.base import Chip
from microtill.bench.wiring import MAX_GPIO, Wiring

_IN, _OUT, _OPEN_DRAIN = 1, 3, 7
_PULL_DOWN, _PULL_UP = 1, 2
_RISING, _FALLING = 1, 2
_KEEP = 255


class Pins:
    """A line has the level of whoever drives it, else of its pull, else it floats: read as 0 by the firmware (which is
    a violation), seen as 1 by a chip (selects and resets are active low and pulled up inside).
    """

    def __init__(self, wiring: Wiring, violation: Callable[[str], None], interrupt: Callable[[int, int], None]):
        self._violation = violation
        self._interrupt = interrupt
        self._taps = [list(wiring.pins.get(gpio, ())) for gpio in range(MAX_GPIO + 1)]
        self._where = {(chip, pin): gpio for gpio, taps in wiring.pins.items() for chip, pin in taps}
        self._board_pull: list[int | None] = [
            1 if gpio in wiring.pull_up else 0 if gpio in wiring.pull_down else None for gpio in range(MAX_GPIO + 1)
        ]
        self._chip_level: list[dict[Chip, int]] = [{} for _ in range(MAX_GPIO + 1)]
        self.reset()

    def reset(self) -> None:
        """The microcontroller restarts: its pins are inputs without pulls."""
        n = MAX_GPIO + 1
        self._mode = [_IN] * n
        self._latch = [0] * n
        self._pull: list[int | None] = [None] * n
        self._trigger = [0] * n
        self._told_float = [False] * n
        if not hasattr(self, "_level"):
            self._level: list[int | None] = [self._resolve(gpio) for gpio in range(n)]
        else:
            for gpio in range(n):
                self._update(gpio, None)

    def soft_reset(self) -> None:
        """Only the interrupts go: the ESP32 port leaves modes and levels as they are."""
        self._trigger = [0] * len(self._trigger)

    def greet(self) -> None:
        """Tell every chip the levels of its pins, as its supply rises."""
        for gpio, taps in enumerate(self._taps):
            for chip, pin in taps:
                chip.pin_changed(pin, self._seen(gpio))

    def mode(self, gpio: int, mode: int, pull: int, level: int) -> None:
        if mode not in (0, _IN, _OUT, _OPEN_DRAIN):
            self._violation(f"GPIO {gpio}: mode {mode}")
            return
        if level != _KEEP:
            self._latch[gpio] = level
        if mode:
            self._mode[gpio] = mode
        if pull != _KEEP:
            self._pull[gpio] = 1 if pull & _PULL_UP else 0 if pull & _PULL_DOWN else None
        self._update(gpio, None)

    def set(self, gpio: int, level: int) -> None:
        self._latch[gpio] = level
        self._update(gpio, None)

    def get(self, gpio: int) -> int:
        level = self._level[gpio]
        if level is None:
            if not self._told_float[gpio]:
                self._told_float[gpio] = True
                self._violation(f"GPIO {gpio} read while it floats")
            return 0
        return level

    def chip_level(self, gpio: int | None) -> int:
        """The level a chip sees on this line; 1 when the wiring has none."""
        return 1 if gpio is None else self._seen(gpio)

    def irq(self, gpio: int, trigger: int) -> None:
        self._trigger[gpio] = trigger

    def drive(self, chip: Chip, pin: str, level: int | None) -> None:
        gpio = self._where.get((chip, pin))
        if gpio is None:
            return  # a signal that this board leaves open
        if level is None:
            self._chip_level[gpio].pop(chip, None)
        else:
            self._chip_level[gpio][chip] = level
        self._update(gpio, chip)

    def _seen(self, gpio: int) -> int:
        level = self._level[gpio]
        return 1 if level is None else level

    def _resolve(self, gpio: int) -> int | None:
        driven = self._chip_level[gpio]
        mode = self._mode[gpio]
        if mode == _OUT or (mode == _OPEN_DRAIN and not self._latch[gpio]):
            level = self._latch[gpio]
            if any(other != level for other in driven.values()):
                self._violation(f"GPIO {gpio} driven against {' and '.join(chip.name for chip in driven)}")
            return level
        if driven:
            return min(driven.values())
        pull = self._pull[gpio]
        return self._board_pull[gpio] if pull is None else pull

    def _update(self, gpio: int, cause: Chip | None) -> None:
        before = self._level[gpio]
        level = self._resolve(gpio)
        if level == before:
            return
        was = self._seen(gpio)
        self._level[gpio] = level
        seen = self._seen(gpio)
        if seen == was:
            return
        for chip, pin in self._taps[gpio]:
            if chip is not cause:
                chip.pin_changed(pin, seen)
        if self._trigger[gpio] & (_RISING if seen else _FALLING):
            self._interrupt(gpio, seen)
