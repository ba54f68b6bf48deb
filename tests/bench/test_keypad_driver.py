"""Keypad, buzzer and lights drivers on their virtual chips, through the bench."""

import itertools
import textwrap

import pytest
from microtill.bench.chips.matrix import LEGEND
from microtill.bench.client import Bench
from support.bench import keys, rest

WIRING = """
[chip.keypad]
model = "matrix:Matrix"
pins = { R0 = 4, R1 = 5, R2 = 6, R3 = 7, C0 = 15, C1 = 16, C2 = 17, C3 = 18 }
[chip.buzzer]
model = "buzzer:Buzzer"
pins = { SIGNAL = 14 }
[chip.leds]
model = "leds:Leds"
pins = { DIN = 21 }
"""

SCRIPT = """
import asyncio
from machine import PWM, Pin
from neopixel import NeoPixel
from till.drivers.buzzer import Buzzer
from till.drivers.keypad import Keypad
from till.drivers.leds import Leds

rows = [Pin(n, Pin.OPEN_DRAIN, value=1) for n in (4, 5, 6, 7)]
columns = [Pin(n, Pin.IN, Pin.PULL_UP) for n in (15, 16, 17, 18)]
keypad = Keypad(rows, columns)

async def main():
BODY

asyncio.run(main())
"""

KEYS = """
keypad.start()
await asyncio.sleep_ms(20)
print("ready")
while True:
    key, down = await keypad.read()
    print("key", key, "down" if down else "up", keypad.held(key))
"""


@pytest.fixture
def run(tmp_path, benches):
    def start(body: str, speed: float = 1.0) -> Bench:
        (tmp_path / "wiring.toml").write_text(WIRING)
        (tmp_path / "main.py").write_text(SCRIPT.replace("BODY", textwrap.indent(textwrap.dedent(body), "    ")))
        bench = Bench(script=tmp_path / "main.py", wiring=tmp_path / "wiring.toml", speed=speed)
        benches.append(bench)
        return bench

    return start


def test_every_key_through_its_bounce_is_one_press_and_one_release(run):
    bench = run(KEYS)
    bench.wait_line("ready")
    expected = []
    for key in [key for row in LEGEND for key in row]:
        bench.press(key)
        bench.wait_line(f"key {key} down")
        bench.release(key)
        bench.wait_line(f"key {key} up")
        expected += [(key, "down"), (key, "up")]
    rest(bench)
    assert keys(bench) == expected


def test_worn_contacts(run):
    bench = run(KEYS)
    bench.wait_line("ready")
    for _ in range(5):
        bench.hand("keypad", "press", key="5", bounce_us=15_000)
        bench.wait_line("key 5 down")
        bench.hand("keypad", "release", key="5", bounce_us=15_000)
        bench.wait_line("key 5 up")
    rest(bench)
    assert keys(bench) == [("5", "down"), ("5", "up")] * 5


def test_a_knock_is_no_key(run):
    bench = run(KEYS)
    bench.wait_line("ready")
    bench.hand("keypad", "glitch", key="5", us=3_000)
    rest(bench)
    assert keys(bench) == []


def test_three_corners_never_type_the_fourth(run):
    bench = run(KEYS)
    bench.wait_line("ready")
    for key in ("1", "2"):
        bench.press(key)
        bench.wait_line(f"key {key} down")
    bench.press("4")
    rest(bench)
    assert keys(bench) == [("1", "down"), ("2", "down")]
    bench.release("1")  # 2 and 4 share no line: now it is plain which they are
    bench.wait_line("key 4 down")
    bench.release("2")
    bench.release("4")
    bench.wait_line("key 4 up")
    rest(bench)
    assert "5" not in {key for key, _ in keys(bench)}


def test_fast_typing_rolls_over(run):
    bench = run(KEYS)
    bench.wait_line("ready")
    order = ["1", "5", "9", "0", "OK"]
    bench.press(order[0])
    bench.wait_line("key 1 down")
    for before, key in itertools.pairwise(order):
        bench.press(key)
        bench.wait_line(f"key {key} down")
        bench.release(before)
        bench.wait_line(f"key {before} up")
    bench.release("OK")
    bench.wait_line("key OK up")
    assert [key for key, way in keys(bench) if way == "down"] == order


def test_held_keys_are_timed(run):
    bench = run(
        """
        keypad.start()
        await asyncio.sleep_ms(20)
        print("ready")
        await keypad.read()
        await asyncio.sleep_ms(1000)
        print("held", keypad.held("CLEAR"))
        """,
        speed=5,
    )
    bench.wait_line("ready")
    bench.press("CLEAR")
    assert int(bench.wait_line("held").split()[1]) >= 1000


def test_tones_are_heard(run):
    bench = run(
        """
        buzzer = Buzzer(PWM(Pin(14), freq=2000, duty_u16=0))
        buzzer.key()
        await asyncio.sleep_ms(100)
        buzzer.success()
        await asyncio.sleep_ms(700)
        buzzer.alert()
        await asyncio.sleep_ms(700)
        print("done")
        """
    )
    bench.wait_line("done")
    tones = [text for _, chip, text in bench.trace() if chip == "buzzer"]
    assert [tone.split(" Hz")[0] for tone in tones] == ["2000", "1500", "750", "750"]
    lasted = [int(tone.split()[3]) for tone in tones]
    for ms, least in zip(lasted, (14, 499, 199, 199), strict=True):
        assert ms >= least
    assert bench.seen()["buzzer"]["frequency"] == 0


def test_lights_show(run):
    bench = run(
        """
        leds = Leds(NeoPixel(Pin(21, Pin.OUT), 4))
        for n in (1, 3, 0):
            leds.show(n)
            await asyncio.sleep_ms(5)
        leds.error()
        print("done")
        await asyncio.sleep_ms(20)
        """
    )
    bench.wait_line("done")
    shown = [text for _, chip, text in bench.trace() if chip == "leds"]
    green, red, off = "002800", "280000", "000000"
    assert shown == [
        f"{green} {off} {off} {off}",
        f"{green} {green} {green} {off}",
        f"{off} {off} {off} {off}",
        f"{red} {red} {red} {red}",
    ]
