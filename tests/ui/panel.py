"""Runs the real screens and driver on the Unix port, and the bytes they send into the virtual panel."""

import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

from microtill.bench.chips.base import SpiSettings
from microtill.bench.chips.ili9341 import ILI9341
from microtill.bench.chips.ssd1306 import SSD1306
from microtill.bench.chips.st7789 import ST7789
from microtill.paths import FIRMWARE, micropython

from tests.support.seam import ManualSeam

HERE = Path(__file__).parent
WIDTH, HEIGHT = 240, 320
SIZES = {"colour": (WIDTH, HEIGHT), "mono": (128, 64), "touch": (WIDTH, HEIGHT)}
_CHIPS = {"colour": ST7789, "mono": SSD1306, "touch": lambda: ILI9341(fastest_hz=40_000_000)}
_WRITE, _PIN, _MARK = 1, 2, 3
_BUS = SpiSettings(40_000_000, 0, 0, False)


def frames(
    language: str, screens: Path = HERE / "screens.py", panel: str = "colour"
) -> Iterator[tuple[str, bytes, int]]:
    """`(name, RGB frame, bytes sent for it)` of each screen, in order; a broken datasheet rule is an AssertionError.

    A screen of several pages is `name`, `name-2` …
    """
    done = subprocess.run(
        [micropython(), "-X", "heapsize=256K", str(HERE / "on_port.py"), str(screens), language, panel],
        capture_output=True,
        timeout=60,
        env=dict(os.environ, MICROPYPATH=f"{FIRMWARE}:.frozen"),
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode("utf-8", "replace") + done.stdout[-2000:].decode("utf-8", "replace"))
    seam = ManualSeam()
    chip = _CHIPS[panel]()
    chip.attach(seam)
    chip.power_on()
    seam.advance(100_000)  # a microcontroller takes longer to start
    stream, at, last, sent = done.stdout, 0, None, 0
    while at < len(stream):
        kind, us, length = struct.unpack_from("<BIH", stream, at)
        data = stream[at + 7 : at + 7 + length]
        at += 7 + length
        seam.advance((us - (us if last is None else last)) & 0x3FFFFFFF)
        last = us
        if kind == _WRITE:
            sent += length
            if isinstance(chip, SSD1306):
                chip.write(data)
            else:
                chip.transfer(memoryview(data), _BUS, False)
        elif kind == _PIN:
            chip.pin_changed(data[1:].decode(), data[0])
        elif kind == _MARK:
            assert seam.violations == [], seam.violations
            if data:
                yield data.decode(), chip.frame(), sent
            sent = 0
