"""Three lights in one, red, green and blue, each on a pin of its own: on while the pin is low, as modules wire them."""

from microtill.bench.chips.base import Chip


class RgbLed(Chip):
    pins = ("R", "G", "B")

    def __init__(self, name: str = "leds"):
        super().__init__(name)
        self._levels = dict.fromkeys(self.pins, 1)
        self._powered = False

    def power_on(self) -> None:
        self._powered = True

    def power_off(self) -> None:
        self._powered = False

    def pin_changed(self, pin: str, level: int) -> None:
        if self._levels[pin] != level:
            self._levels[pin] = level
            if self.seam:
                self.seam.changed(self)

    def seen(self) -> dict:
        """One light, as three brightnesses."""
        return {"lights": [[255 if self._powered and not self._levels[pin] else 0 for pin in self.pins]]}
