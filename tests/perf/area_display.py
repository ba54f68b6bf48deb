"""One line of text on the panel: drawn into the 4-bit buffer and flushed, against a driver that blits glyph by glyph.

The peer is written here in the manner of the common pure-Python ST7789 drivers: no framebuffer, each glyph packed to 16
bits a pixel by a viper function and sent into an address window of its own. Both see a bus that takes bytes and does
nothing, so what is compared is the terminal's own work; the bytes on the wire are in the note.
"""

from figure import Figure, port_instructions, port_run

_SOURCE = """
import struct, time
import micropython
from till.drivers.st7789 import ST7789
from till.ui.canvas import Canvas
from till.ui.font import Font

class Bus:
    def __init__(self):
        self.sent = 0
    def write(self, data):
        self.sent += len(data)

def pin(level):
    pass

class Pin:
    def on(self):
        pass
    def off(self):
        pass

@micropython.viper
def pack(dst: ptr16, glyph: ptr8, ink: int, paper: int):
    i = 0
    while i < 16:
        byte = int(glyph[i])
        at = i * 8
        bit = 0x80
        while bit:
            dst[at] = ink if byte & bit else paper
            at += 1
            bit >>= 1
        i += 1

class Peer:
    def __init__(self, spi, font):
        self.spi = spi
        self.cs = Pin()
        self.dc = Pin()
        self.font = font
        self.width = 240
        self.height = 320
    def _write(self, command=None, data=None):
        self.cs.off()
        if command is not None:
            self.dc.off()
            self.spi.write(bytes([command]))
        if data is not None:
            self.dc.on()
            self.spi.write(data)
        self.cs.on()
    def _window(self, x0, y0, x1, y1):
        if x0 <= x1 <= self.width:
            self._write(0x2A, struct.pack(">HH", x0, x1))
        if y0 <= y1 <= self.height:
            self._write(0x2B, struct.pack(">HH", y0, y1))
        self._write(0x2C)
    def text(self, text, x, y, ink, paper):
        for c in text:
            code = ord(c)
            if 0x20 <= code < 0x7F and x + 8 <= self.width and y + 16 <= self.height:
                buffer = bytearray(256)
                pack(buffer, self.font[(code - 32) * 16 : (code - 31) * 16], ink, paper)
                self._window(x, y, x + 7, y + 15)
                self._write(None, buffer)
                x += 8

LINE = "Total 1234.50 / 2 items, paid."
assert len(LINE) == 30
font = Font()
glyphs = bytearray()
for code in range(32, 127):
    glyphs += font.bits(font.load(code))
glyphs = bytes(glyphs)
our_bus, peer_bus = Bus(), Bus()
panel = ST7789(our_bus, pin, pin)
canvas = Canvas(panel, font)
canvas.begin(100, 116)
driver = Peer(peer_bus, glyphs)
def ours():
    canvas.text(0, 100, LINE, 1, 2)
    canvas.flush()
def peer():
    driver.text(LINE, 0, 100, 0xFFFF, 0x001F)
ours()
peer()
def best(work, times):
    least = None
    for _ in range(9):
        start = time.ticks_us()
        for _ in range(times):
            work()
        took = time.ticks_diff(time.ticks_us(), start) / times
        least = took if least is None or took < least else least
    return least
def sent(bus, work):
    before = bus.sent
    work()
    return bus.sent - before
"""

_TIMED = "print(best(ours, 50), best(peer, 20), sent(our_bus, ours), sent(peer_bus, peer))"
_ROUNDS = 40


def _instructions(work: str) -> float | None:
    """Instructions of one line, the start of the port taken off; None without valgrind."""
    counts = [port_instructions(f"{_SOURCE}\nfor _ in range({n}):\n    {work}()\n") for n in (_ROUNDS, 3 * _ROUNDS)]
    return None if None in counts else (counts[1] - counts[0]) / (2 * _ROUNDS)


def measure() -> list[Figure]:
    ours_us, peer_us, ours_bytes, peer_bytes = map(float, port_run(_SOURCE + _TIMED).split())
    ideal = 16 * 240 * 2
    wire = f"{ours_bytes:.0f} bytes sent, {ours_bytes / ideal:.4f} of the ideal {ideal}; the peer {peer_bytes:.0f}"
    ours, peer, unit = _instructions("ours"), _instructions("peer"), "instructions a line"
    note = f"{wire}; {ours_us:.0f} against {peer_us:.0f} us"
    if ours is None or peer is None:
        ours, peer, unit, note = ours_us, peer_us, "us a line", wire
    return [Figure("display_line", ours, peer, "glyph by glyph, 16 bits", peer / ours, unit, note)]
