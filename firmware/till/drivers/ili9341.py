"""ILI9341 colour panels: the commands of the ST7789, set up and mounted otherwise."""

from till.drivers.st7789 import ILI9341_INIT, ST7789

# Columns from right to left and blue before red: as the usual modules are wired, upright with the connector below.
PORTRAIT = 0x48


class ILI9341(ST7789):
    """As ST7789. `spi`: the data sheet promises 10 MHz (ILI9341 §19.3.4: 100 ns a cycle), the usual modules take 40.

    `init`: ST7789_INIT where the glass is inverted. `keys_height`: so many rows at the bottom of the glass are a
    keypad's that is drawn there.
    """

    def __init__(
        self,
        spi,
        dc,
        cs,
        reset=None,
        backlight=None,
        *,
        rows=96,
        madctl=PORTRAIT,
        keys_height=0,
        init=ILI9341_INIT,
        x0=0,
        y0=0,
    ):
        self.keys_height = keys_height
        super().__init__(spi, dc, cs, reset, backlight, rows=rows, x0=x0, y0=y0, madctl=madctl, init=init)
