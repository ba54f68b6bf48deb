"""A strict virtual SSD1306 on I2C: 128×64 bits of display memory, and what a person sees of it on the OLED.

Facts are from the SSD1306 data sheet, revision 1.1, and its charge pump application note; sections are named where a
rule comes from.
"""

import random
from dataclasses import dataclass

from microtill.bench.chips.base import I2cChip

COLUMNS, PAGES = 128, 8
LIT = (232, 244, 255)

_RESET_PULSE_US = 3  # §8.9

_DATA_BIT, _CONTINUATION = 0x40, 0x80

# Commands that take arguments, and how many (Table 9-1, and 8Dh of the application note). The others take none.
_ARGUMENTS = {
    0x20: 1, 0x21: 2, 0x22: 2, 0x26: 6, 0x27: 6, 0x29: 5, 0x2A: 5, 0x81: 1, 0x8D: 1, 0xA3: 2, 0xA8: 1, 0xD3: 1, 0xD5: 1,
    0xD9: 1, 0xDA: 1, 0xDB: 1,
}  # fmt: skip
_PLAIN = {0x2E, 0x2F, 0xA0, 0xA1, 0xA4, 0xA5, 0xA6, 0xA7, 0xAE, 0xAF, 0xC0, 0xC8, 0xE3}
_KNOWN = {*_ARGUMENTS, *_PLAIN, *range(0x20), *range(0x40, 0x80), *range(0xB0, 0xB8)}

_HORIZONTAL, _VERTICAL, _PAGE = 0, 1, 2


@dataclass(frozen=True)
class Glass:
    """The OLED on the controller, as modules are made: its top left pixel is SEG127 and COM63 (or COM31)."""

    width: int = COLUMNS
    height: int = 64


class SSD1306(I2cChip):
    """`frame()` is the panel as a person sees it; `changes` counts how often that may have changed.

    `address` by its SA0 resistor: 0x3C or 0x3D. `height`: 64, or 32 for the smaller glass. The module has no supply of
    its own for the panel: without the charge pump it stays dark.
    """

    pins = ("RES",)

    def __init__(self, name: str = "panel", address: int = 0x3C, height: int = 64):
        super().__init__(name)
        if address not in (0x3C, 0x3D) or height not in (32, 64):
            raise ValueError("an SSD1306 is at 3Ch or 3Dh, and its glass has 32 or 64 rows")
        self.address = address
        self.glass = Glass(height=height)
        self.changes = 0
        self._memory = bytearray(COLUMNS * PAGES)
        self._powered = False
        self._in_reset_since: int | None = None
        self._frame: bytes | None = None
        self._lit = False
        self._defaults()

    # Supply and pins

    def power_on(self) -> None:
        self._memory = bytearray(random.Random(self.name).randbytes(COLUMNS * PAGES))
        self._powered = True
        self._in_reset_since = None
        self._defaults()
        self._show()

    def power_off(self) -> None:
        self._powered = False
        self._show()

    def pin_changed(self, pin: str, level: int) -> None:
        if pin != "RES":
            return
        if not level:
            self._in_reset_since = self._now()
            self._defaults()
            self._show()
        elif self._in_reset_since is not None:
            if self._now() - self._in_reset_since < _RESET_PULSE_US:
                self._violation(f"RES# low for less than {_RESET_PULSE_US} us (§8.9)")
            self._in_reset_since = None

    def seen(self) -> dict:
        return {"lit": self._shines(), "changes": self.changes, "contrast": self._contrast}

    def frame(self) -> bytes:
        """RGB, 3 bytes a pixel, top left first; black where no light is."""
        if self._frame is None:
            out = bytearray(self.glass.width * self.glass.height * 3)
            if self._shines():
                for y in range(self.glass.height):
                    row = self._row(y)
                    at = y * self.glass.width
                    for x in range(self.glass.width):
                        if row[x]:
                            out[(at + x) * 3 : (at + x) * 3 + 3] = bytes(LIT)
            self._frame = bytes(out)
        return self._frame

    def _row(self, y: int) -> list[bool]:
        """The lights of one row of the glass, left to right."""
        height = self.glass.height
        com = height - 1 - y
        if self._com_pins != (0x12 if height == 64 else 0x02):
            # The other arrangement: every second line is in the other half (§10.1.18).
            com = com // 2 + com % 2 * (height // 2)
        scanned = self._multiplex - 1 - com if self._com_reversed else com
        if not 0 <= scanned < self._multiplex:
            return [False] * COLUMNS
        ram = (scanned + self._offset + self._start_line) % 64
        bits = [bool(byte >> (ram & 7) & 1) for byte in self._memory[(ram >> 3) * COLUMNS :][:COLUMNS]]
        if self._all_on:
            bits = [True] * COLUMNS
        if self._inverse:
            bits = [not bit for bit in bits]
        return bits if self._segments_reversed else bits[::-1]

    # The bus

    def write(self, data: bytes) -> int:
        """One transfer after its address: control bytes, and what each announces (§8.1.5.2)."""
        if not self._powered or self._in_reset_since is not None:
            self._violation("addressed while it has no supply or is in reset")
            return len(data)
        self._command, self._got = None, b""
        at = 0
        while at < len(data):
            control = data[at]
            at += 1
            if control & ~(_DATA_BIT | _CONTINUATION):
                self._violation(f"control byte {control:02X}h: its lower six bits are zeros (§8.1.5.2)")
            end = at + 1 if control & _CONTINUATION else len(data)
            part = data[at:end]
            at = end
            if control & _CONTINUATION and not part:
                self._violation("a transfer ended behind a control byte")
            if control & _DATA_BIT:
                self._end()
                self._store(part)
            else:
                for byte in part:
                    self._take(byte)
        self._end()
        return len(data)

    def read(self, length: int) -> bytes:
        """The status register: bit 6 is 1 while the display is off (Table 9-2)."""
        return bytes([0x00 if self._on else 0x40]) * length

    def _take(self, byte: int) -> None:
        """One byte of a stream of commands: a command, or an argument of the one before."""
        if self._command is None:
            if byte not in _KNOWN:
                self._violation(f"command {byte:02X}h is unknown to the data sheet")
            elif byte in _ARGUMENTS:
                self._command, self._got = byte, b""
            else:
                self._run(byte, b"")
            return
        self._got += bytes([byte])
        if len(self._got) == _ARGUMENTS[self._command]:
            command, self._command = self._command, None
            self._run(command, self._got)

    def _end(self) -> None:
        if self._command is not None:
            self._violation(
                f"command {self._command:02X}h with {len(self._got)} of its {_ARGUMENTS[self._command]} arguments"
            )
            self._command = None

    def _run(self, command: int, a: bytes) -> None:
        if command == 0x20:
            if self._allowed(command, a[0], a[0] in (0, 1, 2)):
                self._mode = a[0]
        elif command == 0x21:
            if self._window(command, a, COLUMNS):
                self._x = (a[0], a[1])
                self._column = a[0]
        elif command == 0x22:
            if self._window(command, a, PAGES):
                self._y = (a[0], a[1])
                self._page = a[0]
        elif command < 0x20 or 0xB0 <= command < 0xB8:
            if self._mode != _PAGE:
                self._violation(f"command {command:02X}h is for page addressing mode only (§10.1.1)")
            elif command >= 0xB0:
                self._page = command & 7
            elif command < 0x10:
                self._column = self._column & 0x70 | command
            else:
                self._column = (command & 7) << 4 | self._column & 0x0F
        elif 0x40 <= command < 0x80:
            self._start_line = command & 0x3F
        elif command == 0x81:
            self._contrast = a[0]
        elif command == 0x8D:
            if self._allowed(command, a[0], a[0] in (0x10, 0x14)):
                if self._on:
                    self._violation("the charge pump was switched while the display is on (application note §2)")
                self._pump = a[0] == 0x14
        elif command in (0xA0, 0xA1):
            self._segments_reversed = command == 0xA1
        elif command in (0xA4, 0xA5):
            self._all_on = command == 0xA5
        elif command in (0xA6, 0xA7):
            self._inverse = command == 0xA7
        elif command == 0xA8:
            if self._allowed(command, a[0], 15 <= a[0] <= 63):
                self._multiplex = a[0] + 1
                if self._multiplex != self.glass.height:
                    self._violation(f"{self._multiplex} rows are driven, this glass has {self.glass.height}")
        elif command in (0xAE, 0xAF):
            self._switch(command == 0xAF)
        elif command in (0xC0, 0xC8):
            self._com_reversed = command == 0xC8
        elif command == 0xD3:
            if self._allowed(command, a[0], a[0] < 64):
                self._offset = a[0]
        elif command == 0xD9:
            self._allowed(command, a[0], bool(a[0] & 0x0F and a[0] & 0xF0))
        elif command == 0xDA:
            if self._allowed(command, a[0], a[0] & ~0x30 == 0x02):
                self._com_pins = a[0]
                if a[0] != (0x12 if self.glass.height == 64 else 0x02):
                    self._violation(f"COM pins {a[0]:02X}h: not how this glass is wired (§10.1.18)")
        elif command == 0xDB:
            self._allowed(command, a[0], a[0] in (0x00, 0x20, 0x30))
        elif command in (0x26, 0x27, 0x29, 0x2A, 0x2F, 0xA3):
            self._violation(f"command {command:02X}h (scrolling) is not modelled here")
        self._show()

    def _switch(self, on: bool) -> None:
        if on and not self._pump:
            self._violation("display on without the charge pump: 8Dh 14h comes first (application note §2)")
        if on != self._on:
            self._on = on
            self._trace("display on" if on else "display off")

    def _allowed(self, command: int, value: int, allowed: bool) -> bool:
        if not allowed:
            self._violation(f"command {command:02X}h with {value:02X}h, which the data sheet does not list")
        return allowed

    def _window(self, command: int, a: bytes, limit: int) -> bool:
        if self._mode == _PAGE:
            self._violation(f"command {command:02X}h is for horizontal and vertical addressing only (§10.1.4)")
            return False
        if a[0] > a[1] or a[1] >= limit:
            self._violation(f"window {a[0]} … {a[1]} of {limit}: start after end, or out of the memory (§10.1.4)")
            return False
        return True

    # Memory

    def _store(self, data: bytes) -> None:
        if self._mode == _HORIZONTAL and len(data) > (self._x[1] - self._x[0] + 1) * (self._y[1] - self._y[0] + 1):
            self._violation(f"{len(data)} bytes into a window that has no room for them")
        for byte in data:
            self._memory[self._page * COLUMNS + self._column] = byte
            if self._mode == _PAGE:
                self._column = (self._column + 1) % COLUMNS
            elif self._mode == _HORIZONTAL:
                if self._column < self._x[1]:
                    self._column += 1
                else:
                    self._column = self._x[0]
                    self._page = self._page + 1 if self._page < self._y[1] else self._y[0]
            elif self._page < self._y[1]:
                self._page += 1
            else:
                self._page = self._y[0]
                self._column = self._column + 1 if self._column < self._x[1] else self._x[0]
        if data:
            self._show()

    # State

    def _defaults(self) -> None:
        """Register defaults of a reset (§8.9, Table 9-1); the display memory keeps what it holds."""
        self._command: int | None = None
        self._got = b""
        self._on = self._pump = self._all_on = self._inverse = False
        self._segments_reversed = self._com_reversed = False
        self._mode = _PAGE
        self._x, self._y = (0, COLUMNS - 1), (0, PAGES - 1)
        self._column = self._page = 0
        self._start_line = self._offset = 0
        self._multiplex = 64
        self._com_pins = 0x12
        self._contrast = 0x7F

    def _shines(self) -> bool:
        return self._powered and self._in_reset_since is None and self._on and self._pump

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
