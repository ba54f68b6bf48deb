"""Fake panels for tests of screens: what was flushed, and what stands on the glass then."""


class Glass:
    """A panel of 4 bits a pixel; its buffer holds the rows of one flush."""

    def __init__(self, width=240, height=320, rows=96):
        self.width = width
        self.height = height
        self.rows = rows
        self.buffer = bytearray(width * rows // 2)
        self.glass = bytearray(width * height // 2)
        self.palette = ()
        self.flushed = []

    def flush(self, y0, y1):
        stride = self.width // 2
        self.glass[stride * y0 : stride * y1] = self.buffer[: stride * (y1 - y0)]
        self.flushed.append((y0, y1))

    def sent(self):
        """The rows that were flushed since the last call."""
        rows = set()
        for y0, y1 in self.flushed:
            rows.update(range(y0, y1))
        del self.flushed[:]
        return rows


def assert_nothing_shines_through(make, draw):
    """Each of the screens `draw` is the same whichever stood there before. `make()`: a panel and its Screen."""
    alone = []
    for one in draw:
        display, screen = make()
        one(screen)
        alone.append(hash(bytes(display.glass)))
        screen.close()
    display, screen = make()
    for first in range(len(draw)):
        for second in range(len(draw)):
            draw[first](screen)
            draw[second](screen)
            assert hash(bytes(display.glass)) == alone[second], (first, second)
