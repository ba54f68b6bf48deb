"""A strict virtual ILI9341: the frame memory and commands of the MIPI DCS family, as this controller has them.

Facts are from the ILI9341 data sheet, version 1.11; sections are named where a rule comes from.
"""

from collections.abc import Mapping
from typing import Any

from microtill.bench.chips.st7789 import ST7789, Glass

# Commands with a fixed number of parameter bytes (§8.1). RAMWR and RAMWRC take any number. Those that the maker has
# not published (CBh, CFh, E8h, EAh, EDh, F7h of many listings) are not here,
# nor are scrolling (33h, 37h) and the table of colours (2Dh).
_PARAMETERS = {
    0x00: 0, 0x01: 0, 0x10: 0, 0x11: 0, 0x12: 0, 0x13: 0, 0x20: 0, 0x21: 0, 0x26: 1, 0x28: 0, 0x29: 0, 0x2A: 4,
    0x2B: 4, 0x30: 4, 0x34: 0, 0x35: 1, 0x36: 1, 0x38: 0, 0x39: 0, 0x3A: 1, 0x44: 2,
    0x51: 1, 0x53: 1, 0x55: 1, 0x5E: 1, 0xB0: 1, 0xB1: 2, 0xB2: 2, 0xB3: 2, 0xB4: 1, 0xB5: 4, 0xB6: 4, 0xB7: 1,
    0xB8: 1, 0xB9: 1, 0xBA: 1, 0xBB: 1, 0xBC: 1, 0xBE: 1, 0xBF: 1, 0xC0: 1, 0xC1: 1, 0xC5: 2, 0xC7: 1, 0xD0: 2,
    0xD1: 3, 0xE0: 15, 0xE1: 15, 0xE2: 16, 0xE3: 64, 0xF6: 3,
}  # fmt: skip

# As _ASSUMED of the ST7789.
_ASSUMED = {
    0xB6: (b"\x00\xf0\x3f\x00", b"\x00\x80\x27\x00"),  # REV on; GS, SS and SM off; 320 rows
    0xF6: (b"\xe9\x00\x2f", b"\x01\x00\x00"),  # nothing ored to MADCTL, a full window is begun anew, high byte first
}

MODULE = Glass(inverted=False, bgr=True, mirrored="x")
"""The usual 240×320 module: no IPS glass, blue first, and its columns from right to left."""


class ILI9341(ST7789):
    """`glass`: `MODULE` unless told. `fastest_hz`: what the module is known to take, where that is beyond the data
    sheet's 10 MHz.
    """

    parameters = _PARAMETERS
    assumed: Mapping[int, tuple[bytes, bytes]] = _ASSUMED
    depths: Mapping[int, int] = {5: 16, 6: 18}
    sections: Mapping[str, str] = {
        "pulse": "§15.4", "wire": "§7.1.3", "cycle": "§18.3.4", "memory": "§8.2.22", "SWRESET": "§8.2.2",
        "COLMOD": "§8.2.33", "sleep": "§8.2.11, §8.2.12", "window": "§8.2.20",
    }  # fmt: skip

    def __init__(
        self, name: str = "panel", glass: Glass | Mapping[str, Any] | None = None, fastest_hz: int = 10_000_000
    ):
        super().__init__(name, glass or MODULE)
        self.fastest_hz = fastest_hz
