"""Calibrating a touch panel: three crosses are touched, and where they were is kept in NVS."""

import struct
import time

import framebuf
from micropython import const

from till.drivers.touch_keypad import solve

_KEY = "calibration"
_FORMAT = "<6i"
_SIZE = const(24)

_PATIENCE_MS = const(30000)
_SAMPLE_MS = const(10)
_STEADY = const(20)  # samples in a row that are near each other
_NEAR = const(40)  # of 4096


def calibration(nvs, display, touch, usual: tuple) -> tuple:
    """The kept calibration of this unit, else `usual`. Whoever touches the glass at the start is shown the crosses."""
    if touch.sample() is not None:
        found = _ask(display, touch)
        if found is not None:
            nvs.set_blob(_KEY, struct.pack(_FORMAT, *found))
            nvs.commit()
    kept = bytearray(_SIZE)
    try:
        size = nvs.get_blob(_KEY, kept)
    except OSError:  # none was ever kept
        return usual
    return struct.unpack(_FORMAT, kept) if size == _SIZE else usual


def _ask(display, touch):
    """What three touched crosses make; None when nobody touches them in time, or they were not where they are shown."""
    width, height = display.width, display.height
    places = ((width // 8, height // 8), (width * 7 // 8, height // 2), (width // 2, height * 7 // 8))
    samples = []
    for place in places:
        _cross(display, *place)
        if not _lifted(touch):
            return None
        sample = _steady(touch)
        if sample is None:
            return None
        samples.append(sample)
    _clear(display)
    _lifted(touch)
    try:
        return solve(samples, places)
    except ValueError:
        return None


def _clear(display) -> None:
    display.buffer[:] = bytes(len(display.buffer))
    for y in range(0, display.height, display.rows):
        display.flush(y, min(y + display.rows, display.height))


def _cross(display, x: int, y: int) -> None:
    _clear(display)
    frame = framebuf.FrameBuffer(display.buffer, display.width, display.rows, framebuf.GS4_HMSB)
    frame.hline(x - 12, 12, 25, 15)
    frame.vline(x, 0, 25, 15)
    display.flush(y - 12, y + 13)
    frame.fill(0)


def _lifted(touch) -> bool:
    """Wait until nothing touches the glass; False after half a minute."""
    start = time.ticks_ms()
    free = 0
    while free < _STEADY:
        free = free + 1 if touch.sample() is None else 0
        if time.ticks_diff(time.ticks_ms(), start) > _PATIENCE_MS:
            return False
        time.sleep_ms(_SAMPLE_MS)
    return True


def _steady(touch):
    """The middle of a touch that stays where it is; None after half a minute without one."""
    start = time.ticks_ms()
    count = x = y = 0
    while count < _STEADY:
        sample = touch.sample()
        if sample is None:
            count = x = y = 0
        elif count and (abs(sample[0] - x // count) > _NEAR or abs(sample[1] - y // count) > _NEAR):
            count, x, y = 1, sample[0], sample[1]
        else:
            count, x, y = count + 1, x + sample[0], y + sample[1]
        if time.ticks_diff(time.ticks_ms(), start) > _PATIENCE_MS:
            return None
        time.sleep_ms(_SAMPLE_MS)
    return x // count, y // count
