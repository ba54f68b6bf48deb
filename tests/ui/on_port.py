# Runs on the MicroPython Unix port: draws screens with the real driver and writes what goes over the bus to stdout.
# Arguments: the screens file, the language, the panel. A record is (kind, us, length, data), little-endian.
import struct
import sys
import time

from till.ui.screen import Screen

WRITE, PIN, MARK = 1, 2, 3


def _record(kind, data):
    out = sys.stdout.buffer
    out.write(struct.pack("<BIH", kind, time.ticks_us() & 0x3FFFFFFF, len(data)))
    out.write(data)


class Bus:
    def write(self, data):
        _record(WRITE, data)

    def writeto(self, _address, data):
        _record(WRITE, data)

    def writevto(self, _address, vector):
        _record(WRITE, b"".join([bytes(part) for part in vector]))


def pin(name):
    return lambda level: _record(PIN, bytes((level,)) + name)


scope = {}
with open(sys.argv[1]) as source:
    exec(source.read(), scope)
if sys.argv[3] == "mono":
    from till.drivers.ssd1306 import SSD1306

    display = SSD1306(Bus())
elif sys.argv[3] == "touch":
    from till.drivers.ili9341 import ILI9341

    display = ILI9341(Bus(), pin(b"DC"), pin(b"CS"), None, pin(b"BLK"), rows=80, keys_height=168)
else:
    from till.drivers.st7789 import ST7789

    display = ST7789(Bus(), pin(b"DC"), pin(b"CS"), pin(b"RST"), pin(b"BLK"))
_record(MARK, b"")
screen = Screen(display, sys.argv[2])
for name, draw in scope["SCREENS"]:
    draw(screen)
    _record(MARK, name.encode())
    if sys.argv[3] == "mono":
        first = bytes(display.buffer)
        page = 2
        while page < 6:
            for _ in range(4):  # as long as a page stands
                screen.status(*screen._status)
            if display.buffer == first:
                break
            _record(MARK, b"%s-%d" % (name.encode(), page))
            page += 1
screen.close()
