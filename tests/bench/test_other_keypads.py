"""The keypads that are no matrix on our own pins, on their virtual chips: the same keys, once each."""

import textwrap

import pytest
from microtill.bench.chips.matrix import LEGEND
from microtill.bench.client import Bench
from support.bench import keys, rest

TOUCH = """
[bus.keypad]
kind = "spi"
sck = 25
mosi = 32
miso = 39
[chip.keypad]
model = "xpt2046:XPT2046"
bus = "keypad"
pins = { CS = 33, IRQ = 36 }
options = { x = [0, 3770, 240, 260], y = [0, 230, 320, 3740], skew = 0.2 }
[pull]
up = [36]
"""

TOUCH_SCRIPT = """
from machine import SPI, Pin
from till.drivers.touch_keypad import TouchKeypad
from till.drivers.xpt2046 import XPT2046

class Glass:
    width, height, keys_height, rows = 240, 320, 168, 320
    def __init__(self):
        self.buffer = bytearray(240 * 320 // 2)
    def flush(self, y0, y1):
        print("cross", y0 + 12)

glass = Glass()
touch = XPT2046(SPI(2, baudrate=2_000_000, sck=Pin(25), mosi=Pin(32), miso=Pin(39)), Pin(33, Pin.OUT, value=1))
keypad = TouchKeypad(touch, Pin(36, Pin.IN), glass, (-4419, 0, 16792200, 0, 5991, -1198200))
"""

EXPANDER = """
[bus.keypad]
kind = "i2c"
scl = 22
sda = 21
[chip.keypad]
model = "tca8418:TCA8418"
bus = "keypad"
pins = { INT = 19 }
"""

EXPANDER_SCRIPT = """
from machine import I2C, Pin
from till.drivers.tca8418 import TCA8418
keypad = TCA8418(I2C(0, scl=Pin(22), sda=Pin(21), freq=400_000), irq=Pin(19, Pin.IN, Pin.PULL_UP))
"""

KEYS = """
import asyncio

async def main():
    keypad.start()
    await asyncio.sleep_ms(20)
    print("ready")
    while True:
        key, down = await keypad.read()
        print("key", key, "down" if down else "up", keypad.held(key))

asyncio.run(main())
"""

BOARDS = {"touch": (TOUCH, TOUCH_SCRIPT), "expander": (EXPANDER, EXPANDER_SCRIPT)}


@pytest.fixture
def run(tmp_path, benches):
    def start(kind: str, more: str = KEYS) -> Bench:
        wiring, script = BOARDS[kind]
        (tmp_path / "wiring.toml").write_text(wiring)
        (tmp_path / "main.py").write_text(script + textwrap.dedent(more))
        bench = Bench("TILL_CYD", script=tmp_path / "main.py", wiring=tmp_path / "wiring.toml", speed=2)
        benches.append(bench)
        return bench

    return start


@pytest.mark.parametrize("kind", BOARDS)
def test_each_key_comes_once_and_goes_once(run, kind):
    bench = run(kind)
    bench.wait_line("ready")
    names = [key for row in LEGEND for key in row]
    expected = []
    for name in names:
        bench.press(name)
        expected.append((name, "down"))
        bench.wait(lambda: len(keys(bench)) >= len(expected), f"{name} down")
        bench.release(name)
        expected.append((name, "up"))
        bench.wait(lambda: len(keys(bench)) >= len(expected), f"{name} up")
    bench.wait(lambda: bench.seen()["keypad"]["rests"], "the keypad's rest")
    assert keys(bench) == expected


def test_what_brushes_the_glass_or_presses_above_the_keys_is_no_key(run):
    bench = run("touch")
    bench.wait_line("ready")
    for x, y, ohms in ((30, 170, 12_000), (120, 60, 250), (30, 148, 250)):
        bench.hand("keypad", "touch", x=x, y=y, ohms=ohms)
        rest(bench, 200)
        bench.hand("keypad", "lift")
        bench.wait(lambda: bench.seen()["keypad"]["rests"], "the keypad's rest")
    bench.key("5", hold_ms=300)
    bench.wait(lambda: len(keys(bench)) >= 2, "a key")
    assert keys(bench) == [("5", "down"), ("5", "up")]


def test_an_expander_that_no_longer_interrupts_is_looked_at(run):
    bench = run("expander")
    bench.wait_line("ready")
    bench.hand("keypad", "fault", kind="quiet")
    bench.key("5", hold_ms=300)
    bench.wait(lambda: len(keys(bench)) >= 2, "a key")
    assert keys(bench) == [("5", "down"), ("5", "up")]


def test_three_keys_at_once_do_not_type_a_fourth(run):
    bench = run("expander")
    bench.wait_line("ready")
    for n, key in enumerate(("2", "4", "5")):
        bench.press(key)
        if n < 2:
            bench.wait(lambda n=n: len(keys(bench)) > n, key)
    rest(bench, 600)
    assert keys(bench) == [("2", "down"), ("4", "down")]
    for key in ("2", "4", "5"):
        bench.release(key)
    bench.wait(lambda: bench.seen()["keypad"]["rests"], "the keypad's rest")
    assert ("1", "down") not in keys(bench)
    assert sorted(key for key, how in keys(bench) if how == "down") == sorted(
        key for key, how in keys(bench) if how == "up"
    )


def test_an_expander_that_was_pulled_off_works_again(run):
    bench = run("expander")
    bench.wait_line("ready")
    bench.press("1")
    bench.wait(lambda: keys(bench) == [("1", "down")], "a key")
    bench.hand("keypad", "fault", kind="dead")
    bench.wait(lambda: keys(bench) == [("1", "down"), ("1", "up")], "the key let go")
    bench.release("1")
    bench.hand("keypad", "fault", kind=None)
    rest(bench, 600)  # it is looked for four times a second
    bench.key("2", hold_ms=300)
    bench.wait(lambda: len(keys(bench)) >= 4, "a key")
    assert keys(bench)[2:] == [("2", "down"), ("2", "up")]


def test_crosses_are_touched_and_the_calibration_is_kept(run):
    bench = run(
        "touch",
        """
        import esp32
        from till.drivers.touch_setup import calibration
        nvs = esp32.NVS("touch")
        usual = keypad.calibration
        print("usual", calibration(nvs, glass, touch, usual) == usual)
        while touch.sample() is None:
            pass
        print("asked")
        found = calibration(nvs, glass, touch, usual)
        print("kept", found != usual, calibration(nvs, glass, touch, usual) == found)
        keypad.calibration = found
        import time
        while True:
            place = keypad.place()
            if place:
                print("place", *place)
            time.sleep_ms(20)
        """,
    )
    bench.wait_line("usual True")
    bench.hand("keypad", "touch", x=120, y=160)
    bench.wait_line("asked")
    bench.wait_line("cross 40")
    bench.hand("keypad", "lift")
    for x, y in ((30, 40), (210, 160), (120, 280)):
        if y != 40:
            bench.wait_line(f"cross {y}")
        bench.hand("keypad", "lift")
        rest(bench, 600)
        bench.hand("keypad", "touch", x=x, y=y)
    rest(bench, 600)
    bench.hand("keypad", "lift")
    bench.wait_line("kept True True")
    bench.hand("keypad", "touch", x=200, y=20)

    def near() -> bool:
        places = [line.split()[1:] for line in bench.console_lines() if line.startswith("place ")]
        return any(abs(int(x) - 200) <= 3 and abs(int(y) - 20) <= 3 for x, y in places)

    bench.wait(near, "the place that is touched")
