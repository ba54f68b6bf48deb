"""A screen as a column of bands: one that is as it was is neither drawn nor sent."""


class Bands:
    """A layout's ground. `canvas` as till.ui.canvas; `status` is the band on top that all screens have.

    Bands are `(first row, row behind, method that draws it, its arguments…)`, None for the method of a blank one.
    """

    blank = 0  # the colour of a blank band
    words = ""  # section of the catalogue whose words come before the general ones

    def __init__(self, canvas, status):
        self._canvas = canvas
        self._status = status
        self._shown: list = []
        self._wanted: list | tuple | None = [(status[1], canvas.height, None)]

    def picture(self, draw) -> None:
        """`draw(canvas)` covers the whole panel, the status too, until the next screen."""
        self._wanted = None
        self._shown = []
        draw(self._canvas)

    def speak(self, text) -> None:
        """The language has changed; `text(key)` gives an entry of its catalogue, for what a layout says by itself."""

    def _show(self, bands) -> None:
        self._wanted = bands
        if bands is None:  # a picture stands
            return
        shown, self._shown = self._shown, []
        now = [self._status]
        now.extend(bands)
        for band in now:
            if band not in shown:
                self._draw(band)
        self._shown = now

    def _draw(self, band) -> None:
        y0, y1, draw = band[:3]
        if draw is None:
            self._canvas.blank(y0, y1, self.blank)
        else:
            self._canvas.begin(y0, y1)
            draw(self, *band)
            self._canvas.flush()
