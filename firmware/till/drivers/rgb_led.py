"""One light for the four of a reader: green from the first to the last of them, red for an error."""


class RgbLed:
    """`red`, `green`, `blue`: output pins, called with 0 or 1; the light of a pin is on while it is low.

    The panel shows how many of the four are lit.
    """

    def __init__(self, red, green, blue):
        self._red = red
        self._green = green
        blue(1)
        self.show(0)

    def show(self, n: int) -> None:
        """As Leds: green for 1 to 4, off for 0."""
        if not 0 <= n <= 4:
            raise ValueError("lights")
        self._red(1)
        self._green(0 if n else 1)

    def error(self) -> None:
        """Red, until the next `show`."""
        self._green(1)
        self._red(0)
