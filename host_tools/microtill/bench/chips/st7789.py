"""A strict virtual ST7789V: 240×320 frame memory behind 4-line SPI, and what a person sees of it through the glass.

Facts are from the ST7789V datasheet, version 1.3; sections are named where a rule comes from.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from microtill.bench.chips.base import SpiChip, SpiSettings

COLUMNS, ROWS = 240, 320  # the frame memory (§8.10)

_RESET_PULSE_US = 10  # shortest RESX low pulse
_SETTLE_US = 5_000  # after reset, SWRESET, SLPIN and SLPOUT, before the next command
_SLEEP_US = 120_000  # between SLPIN and SLPOUT either way, and from a reset to SLPOUT

_MY, _MX, _MV, _BGR = 0x80, 0x40, 0x20, 0x08

# Commands with a fixed number of parameter bytes (§9.1 and §9.2). RAMWR and RAMWRC take any number.
_PARAMETERS = {
    0x00: 0, 0x01: 0, 0x10: 0, 0x11: 0, 0x12: 0, 0x13: 0, 0x20: 0, 0x21: 0, 0x26: 1, 0x28: 0, 0x29: 0, 0x2A: 4,
    0x2B: 4, 0x34: 0, 0x35: 1, 0x36: 1, 0x38: 0, 0x39: 0, 0x3A: 1, 0x44: 2, 0x51: 1, 0x53: 1, 0x55: 1, 0x5E: 1,
    0xB0: 2, 0xB1: 3, 0xB2: 5, 0xB3: 3, 0xB5: 1, 0xB7: 1, 0xB8: 4, 0xBA: 1, 0xBB: 1, 0xBC: 1, 0xBD: 1, 0xC0: 1,
    0xC1: 3, 0xC2: 2, 0xC3: 1, 0xC4: 1, 0xC5: 1, 0xC6: 1, 0xC7: 1, 0xC8: 1, 0xCA: 1, 0xCC: 1, 0xD0: 2, 0xD2: 1,
    0xDF: 4, 0xE0: 14, 0xE1: 14, 0xE2: 64, 0xE3: 64, 0xE4: 3, 0xE7: 1, 0xE8: 1, 0xE9: 3,
}  # fmt: skip
_RAMWR, _RAMWRC = 0x2C, 0x3C

# Settings that would turn, mirror or recolour the picture, and are not modelled: which of their bits, and how those are
# after a reset.
_ASSUMED = {
    0xB0: (b"\x03\x08", b"\x00\x00"),  # RAMCTRL: the RAM is written by this interface, high byte first
    0xC0: (b"\x7f", b"\x2c"),  # LCMCTRL: what is exclusively ored to MADCTL
    0xE4: (b"\xff\xff\xff", b"\x27\x00\x10"),  # GATECTRL: 320 rows from the first, in order
}

# One pixel's bytes to its three channels, each widened to 8 bits by repeating its top bits (§8.8.42: the default LUT).
_NIBBLE = bytes.maketrans(b"0123456789abcdef", bytes(n * 17 for n in range(16)))
_SIX = bytes((n >> 2) << 2 | n >> 6 for n in range(256))
_RED = bytes(n & 0xF8 | n >> 5 for n in range(256))
_BLUE = bytes((n & 0x1F) << 3 | (n & 0x1F) >> 2 for n in range(256))
_GREEN_HIGH = bytes((n & 7) << 5 | (n & 6) >> 1 for n in range(256))
_GREEN_LOW = bytes((n & 0xE0) >> 3 for n in range(256))
_INVERT = bytes(255 - n for n in range(256))


@dataclass(frozen=True)
class Glass:
    """The panel on the controller: its part of the frame memory, and how the maker wired it.

    `inverted`: IPS glass, which shows true colours after INVON. `bgr`: its colour filters are in the order B G R.
    `mirrored`: mounted so that x, y or both ("xy") run the other way. `shift`: its lines are led out so many columns
    and rows further than the controller's, round the edge.
    """

    width: int = COLUMNS
    height: int = ROWS
    x0: int = 0
    y0: int = 0
    inverted: bool = True
    bgr: bool = False
    mirrored: str = ""
    shift: tuple[int, int] = (0, 0)


class ST7789(SpiChip):
    """`frame()` is the glass as a person sees it; `changes` counts how often that may have changed.

    Another controller of the MIPI DCS family is a subclass that says in what it differs.
    """

    pins = ("CS", "DC", "RST", "BLK")
    fastest_hz = 62_500_000  # 16 ns serial write cycle (§7.4.3)
    parameters = _PARAMETERS
    assumed: Mapping[int, tuple[bytes, bytes]] = _ASSUMED  # by command: bits of its parameters, and their values
    depths: Mapping[int, int] = {3: 12, 5: 16, 6: 18}  # bits a pixel, by COLMOD's lower three bits
    sections: Mapping[str, str] = {
        "pulse": "§7.4.5", "wire": "§8.4", "cycle": "§7.4.3", "memory": "§8.10", "SWRESET": "§9.1.2",
        "COLMOD": "§9.1.32", "sleep": "§9.1.11, §9.1.12", "window": "§9.1.20",
    }  # fmt: skip

    def __init__(self, name: str = "panel", glass: Glass | Mapping[str, Any] | None = None):
        super().__init__(name)
        self.glass = glass if isinstance(glass, Glass) else Glass(**glass or {})
        self.changes = 0
        self._planes = [bytearray(COLUMNS * ROWS) for _ in range(3)]
        self._dc = 1
        self._backlight = True  # until the firmware drives BLK
        self._powered = False
        self._in_reset_since: int | None = None
        self._frame: bytes | None = None
        self._lit = False
        self._defaults()

    # Supply and pins

    def power_on(self) -> None:
        noise = random.Random(self.name)
        self._planes = [bytearray(noise.randbytes(COLUMNS * ROWS)) for _ in range(3)]
        self._powered = True
        self._backlight = True
        self._in_reset_since = None
        self._reset_done(self._now())

    def power_off(self) -> None:
        self._powered = False
        self._show()

    def pin_changed(self, pin: str, level: int) -> None:
        if pin == "DC":
            self._dc = level
        elif pin == "BLK":
            self._light(bool(level))
        elif pin == "RST":
            if not level:
                self._in_reset_since = self._now()
                self._awake = self._on = False
                self._show()
            elif self._in_reset_since is not None:
                if self._now() - self._in_reset_since < _RESET_PULSE_US:
                    self._violation(f"RST low for less than {_RESET_PULSE_US} us ({self.sections['pulse']})")
                self._in_reset_since = None
                self._reset_done(self._now())

    def pwm(self, pin: str, frequency: int, duty_u16: int) -> None:
        if pin == "BLK":
            self._light(duty_u16 > 0)

    def seen(self) -> dict:
        return {"lit": self._shines(), "changes": self.changes}

    def frame(self) -> bytes:
        """RGB, 3 bytes a pixel, `glass.width` × `glass.height`, top left first; black when nothing is shown."""
        if self._frame is None:
            g = self.glass
            out = bytearray(g.width * g.height * 3)
            if self._shines():
                planes = self._planes
                if bool(self._madctl & _BGR) != g.bgr:
                    planes = planes[::-1]
                for channel, plane in enumerate(planes):
                    rows = [plane[y * COLUMNS + g.x0 :][: g.width] for y in range(g.y0, g.y0 + g.height)]
                    shown = b"".join(_mounted(rows, g))
                    out[channel::3] = shown if self._inverted == g.inverted else shown.translate(_INVERT)
            self._frame = bytes(out)
        return self._frame

    # The bus

    def transfer(self, mosi: memoryview, settings: SpiSettings, read: bool) -> bytes | None:
        if settings.polarity != settings.phase:
            self._violation(f"clocked in SPI mode 1 or 2: data is taken at the rising edge ({self.sections['wire']})")
        if settings.lsb_first:
            self._violation(f"bytes sent least significant bit first ({self.sections['wire']})")
        if settings.baudrate > self.fastest_hz:
            self._violation(f"written at {settings.baudrate} Hz, above {self.fastest_hz} ({self.sections['cycle']})")
        if read:
            self._violation("read, but this module brings out no data line to read")
        if self._in_reset_since is not None:
            self._violation("written while RST is low")
        elif self._dc:
            self._data(bytes(mosi))
        else:
            for byte in mosi:
                self._start(byte)
        return b"\xff" * len(mosi) if read else None

    def _start(self, command: int) -> None:
        self._end()
        now = self._now()
        if now < self._busy_until:
            self._violation(f"command {command:02X}h {self._busy_until - now} us early: 5 ms after {self._busy_with}")
        self._command = command
        self._got = b""
        if command in (_RAMWR, _RAMWRC):
            if command == _RAMWR:
                self._column, self._row = self._x[0], self._y[0]
            columns, rows = (ROWS, COLUMNS) if self._madctl & _MV else (COLUMNS, ROWS)
            self._astray = self._x[1] >= columns or self._y[1] >= rows
            if self._astray:
                self._violation("a write into a window that MADCTL has put out of the memory")
        elif command not in self.parameters:
            self._violation(f"command {command:02X}h is unknown to the datasheet or not modelled here")
        elif self.parameters[command] == 0:
            self._run(command, b"")

    def _data(self, data: bytes) -> None:
        command = self._command
        if command in (_RAMWR, _RAMWRC):
            if not self._astray:
                self._pixels(data)
        elif command is None:
            self._violation("data without a command that takes it")
        elif command in self.parameters:
            wanted = self.parameters[command]
            before = len(self._got)
            self._got += data
            if len(self._got) > wanted:
                self._violation(f"command {command:02X}h with more than its {wanted} parameters")
            if before < wanted <= len(self._got):
                self._run(command, self._got[:wanted])

    def _end(self) -> None:
        """A new command ends the one before: what that one did not get is lost."""
        command = self._command
        if command in (_RAMWR, _RAMWRC):
            if self._got:
                self._violation(f"a write to the frame memory ended inside a pixel ({self.sections['memory']})")
        elif command is not None and len(self._got) < self.parameters.get(command, 0):
            wanted = self.parameters[command]
            self._violation(f"command {command:02X}h with {len(self._got)} of its {wanted} parameters")

    def _run(self, command: int, data: bytes) -> None:
        now = self._now()
        bits, wanted = self.assumed.get(command, (b"", b""))
        if any((got ^ want) & mask for got, want, mask in zip(data, wanted, bits, strict=False)):
            self._violation(f"command {command:02X}h with {data.hex(' ')}: what that does is not modelled here")
        if command == 0x01:
            if self._awake and now < self._slept_or_woke + _SLEEP_US:
                self._violation(f"SWRESET during the sleep out sequence ({self.sections['SWRESET']})")
            self._reset_done(now)
            self._busy_with = "SWRESET"
        elif command == 0x10:
            self._sleep(now, awake=False)
        elif command == 0x11:
            self._sleep(now, awake=True)
        elif command in (0x20, 0x21):
            self._inverted = command == 0x21
            self._show()
        elif command in (0x28, 0x29):
            self._on = command == 0x29
            self._trace("display on" if self._on else "display off")
            self._show()
        elif command in (0x2A, 0x2B):
            self._window(command, int.from_bytes(data[:2]), int.from_bytes(data[2:]))
        elif command == 0x36:
            self._madctl = data[0]
            self._show()
        elif command == 0x3A:
            depth = self.depths.get(data[0] & 7)
            if depth is None:
                section = self.sections["COLMOD"]
                self._violation(f"COLMOD {data[0]:02X}h names no pixel format of this interface ({section})")
            else:
                self._depth = depth
        elif command in (0x12, 0x39):
            self._violation(f"command {command:02X}h (partial or idle mode) is not modelled here")

    def _sleep(self, now: int, awake: bool) -> None:
        name = "SLPOUT" if awake else "SLPIN"
        if now < self._slept_or_woke + _SLEEP_US:
            early = self._slept_or_woke + _SLEEP_US - now
            self._violation(f"{name} {early} us early: 120 ms after {self._slept_with} ({self.sections['sleep']})")
        self._awake = awake
        self._slept_or_woke, self._slept_with = now, name
        self._busy_until, self._busy_with = now + _SETTLE_US, name
        self._trace("awake" if awake else "asleep")
        self._show()

    def _window(self, command: int, start: int, end: int) -> None:
        swapped = bool(self._madctl & _MV)
        limit = COLUMNS if (command == 0x2A) != swapped else ROWS
        if start > end or end >= limit:
            section = self.sections["window"]
            self._violation(f"window {start} … {end} of {limit}: start after end, or out of the memory ({section})")
        elif command == 0x2A:
            self._x = (start, end)
        else:
            self._y = (start, end)

    # Frame memory

    def _pixels(self, data: bytes) -> None:
        """Write whole pixels from the address counter on; what is left of one waits for its next byte."""
        if self._depth == 12:
            # Kept as hex digits: a pixel is three of them and may end inside a byte.
            digits = self._got + data.hex().encode()
            count = len(digits) // 3
            red, green, blue = (digits[i : count * 3 : 3].translate(_NIBBLE) for i in range(3))
            self._got = digits[count * 3 :]
        elif self._depth == 16:
            data = self._got + data
            count = len(data) // 2
            high, low = data[0 : count * 2 : 2], data[1 : count * 2 : 2]
            red, blue = high.translate(_RED), low.translate(_BLUE)
            green = _either(high.translate(_GREEN_HIGH), low.translate(_GREEN_LOW))
            self._got = data[count * 2 :]
        else:
            data = self._got + data
            count = len(data) // 3
            red, green, blue = (data[i : count * 3 : 3].translate(_SIX) for i in range(3))
            self._got = data[count * 3 :]
        at = 0
        while at < count:
            run = min(count - at, self._x[1] - self._column + 1)
            if run <= 0:  # the window moved under the counter (RAMWRC): it goes on from its start
                self._column = self._x[0]
                continue
            place = self._place(self._column, self._row, run)
            for plane, channel in zip(self._planes, (red, green, blue), strict=True):
                plane[place] = channel[at : at + run]
            at += run
            self._column += run
            if self._column > self._x[1]:
                self._column = self._x[0]
                self._row = self._row + 1 if self._row < self._y[1] else self._y[0]
        if count:
            self._show()

    def _place(self, column: int, row: int, run: int) -> slice:
        """Where `run` pixels along the column counter lie in the memory, by MADCTL's MX, MY and MV (§8.12)."""
        x, y, dx, dy = (row, column, 0, 1) if self._madctl & _MV else (column, row, 1, 0)
        if self._madctl & _MX:
            x, dx = COLUMNS - 1 - x, -dx
        if self._madctl & _MY:
            y, dy = ROWS - 1 - y, -dy
        start, step = y * COLUMNS + x, dy * COLUMNS + dx
        stop = start + step * run
        return slice(start, stop if stop >= 0 else None, step)

    # State

    def _defaults(self) -> None:
        """Register defaults of a hardware or software reset (§9.1); the frame memory keeps what it holds."""
        self._awake = self._on = self._inverted = False
        self._madctl = 0
        self._depth = 18
        self._x, self._y = (0, COLUMNS - 1), (0, ROWS - 1)
        self._column = self._row = 0
        self._astray = False
        self._command: int | None = None
        self._got = b""
        self._busy_until, self._busy_with = 0, ""
        self._slept_or_woke, self._slept_with = -_SLEEP_US, ""

    def _reset_done(self, now: int) -> None:
        self._defaults()
        self._busy_until, self._busy_with = now + _SETTLE_US, "reset"
        self._slept_or_woke, self._slept_with = now, "reset"
        self._show()

    def _light(self, on: bool) -> None:
        if on != self._backlight:
            self._backlight = on
            self._show()

    def _shines(self) -> bool:
        return self._powered and self._backlight and self._awake and self._on

    def _show(self) -> None:
        lit = self._shines()
        self._frame = None
        if lit or self._lit:
            self.changes += 1
            if self.seam:
                self.seam.changed(self)
        self._lit = lit

    def _now(self) -> int:
        return self.seam.now_us() if self.seam else 0

    def _violation(self, text: str) -> None:
        if self.seam:
            self.seam.violation(self, text)

    def _trace(self, text: str) -> None:
        if self.seam:
            self.seam.trace(self, text)


def _mounted(rows: list[bytearray], glass: Glass) -> list[bytearray]:
    """Rows of the memory as they lie on that glass."""
    across, down = glass.shift
    if down:
        rows = rows[-down:] + rows[:-down]
    if across:
        rows = [row[-across:] + row[:-across] for row in rows]
    if "y" in glass.mirrored:
        rows = rows[::-1]
    return [row[::-1] for row in rows] if "x" in glass.mirrored else rows


def _either(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a) | int.from_bytes(b)).to_bytes(len(a))
