"""The panel on its way to a page: the rows that differ from what that page shows already, as RGB."""

import struct
from dataclasses import dataclass

_HEAD = struct.Struct(">HHHH")


@dataclass(frozen=True)
class Frame:
    """A picture of the glass, RGB, 3 bytes a pixel. Compared by identity: each is fetched once."""

    width: int
    height: int
    pixels: bytes


def update(shown: Frame | None, frame: Frame) -> bytes | None:
    """The message that makes a page that shows `shown` (None: nothing) show `frame`; None when there is nothing to do.

    Big-endian u16 width, height, first row, rows; then the rows. The WebSocket deflates it: a screen of text is
    230 KB before that and some 3 KB after.
    """
    row = frame.width * 3
    first, end = 0, frame.height
    if shown and (shown.width, shown.height) == (frame.width, frame.height):
        old, new = memoryview(shown.pixels), memoryview(frame.pixels)
        while first < end and old[first * row : (first + 1) * row] == new[first * row : (first + 1) * row]:
            first += 1
        while end > first and old[(end - 1) * row : end * row] == new[(end - 1) * row : end * row]:
            end -= 1
        if first == end:
            return None
    return _HEAD.pack(frame.width, frame.height, first, end - first) + frame.pixels[first * row : end * row]
