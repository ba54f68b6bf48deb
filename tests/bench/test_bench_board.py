"""The TILL_ESP32S3 board file on the bench: every part answers through its driver, and the wiring fits the pins."""

import re
import tomllib

from microtill.bench.client import Bench
from microtill.paths import BOARDS

BOARD = BOARDS / "TILL_ESP32S3"
FORBIDDEN = {0, 3, 19, 20, *range(22, 38), 43, 44, 45, 46}

SCRIPT = """
import asyncio, framebuf
from board import Board
board = Board()
print("open", board.serial_number, board.display.width, board.display.height)

async def main():
    board.keypad.start()
    await board.nfc.start()
    print("ready")
    fb = framebuf.FrameBuffer(board.display.buffer, 240, board.display.rows, framebuf.GS4_HMSB)
    fb.fill_rect(20, 0, 30, 10, 15)
    board.display.flush(40, 50)
    board.leds.show(3)
    board.buzzer.success()
    for _ in range(4):
        print(await board.keypad.read())
    board.nfc.listen()
    print("listening")
    while not (target := board.nfc.poll()):
        await asyncio.sleep_ms(10)
    print("card", target.uid.hex())
    answer = await board.nfc.transceive(bytes.fromhex("00A404000E325041592E5359532E444446303100"))
    print("answer", bytes(answer[-2:]).hex())
    await board.nfc.release()
    board.wifi.active(True)
    board.wifi.connect("counter", "till-on-the-bench")
    while not board.wifi.isconnected():
        await asyncio.sleep_ms(100)
    board.nvs.set_i32("n", 7)
    board.nvs.commit()
    board.journal_flash.writeblocks(0, b"abc", 0)
    print(len(board.rng.bytes(32)), board.nvs.get_i32("n"), board.wifi.status())
    board.watchdog.feed()
    print("sleeping")
    await asyncio.sleep(100)

asyncio.run(main())
"""


def board_script(tmp_path, **options):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    return Bench(script=script, **options)


def test_every_part_of_the_board_answers(tmp_path):
    with board_script(tmp_path, power=False) as b:
        changes = b.subscribe(["changed"])
        b.power_on()
        assert b.wait_line("open") == "open 02005E100001 240 320"
        b.wait_line("ready")
        b.key("5", "MENU")
        b.wait_line("listening")
        picture = b.frame()
        assert picture.size == (240, 320)
        assert picture.getpixel((20, 40)) == picture.getpixel((49, 49)) != (0, 0, 0)
        assert picture.getpixel((50, 50)) == picture.getpixel((19, 40)) == (0, 0, 0)
        lights = b.seen()["leds"]["lights"]
        assert [light[1] > 0 for light in lights] == [True, True, True, False]
        b.tap("visa")
        b.wait_line("card")
        b.wait_line("answer 9000")
        b.remove()
        b.wait_line("32 7 1010")
        keys = [line for line in b.console_lines() if line.startswith("(")]
        assert keys == ["('5', True)", "('5', False)", "('MENU', True)", "('MENU', False)"]
        b.wait(lambda: any(who == "buzzer" for _, who, _ in b.trace()), "the tone's end")
        assert any("1500 Hz" in text for _, who, text in b.trace() if who == "buzzer")
        b.set_speed(20)
        b.wait(lambda: len(b.state()["resets"]) == 2, "the watchdog, after 20 s without food")
        assert b.state()["resets"] == [1, 3]
        assert b.violations() == []
        changes.close()
        # Each part was heard of; a flush of many rows is not many events.
        chips = [event["chip"] for event in changes]
        assert set(chips) == {"panel", "leds", "buzzer", "keypad", "nfc"}
        assert chips.count("panel") < 60


def test_the_board_file_and_the_wiring_name_the_same_pins_and_no_forbidden_one():
    source = (BOARD / "board.py").read_text("utf-8")
    wiring = tomllib.loads((BOARD / "wiring.toml").read_text("utf-8"))
    wired = {gpio for bus in wiring["bus"].values() for gpio in bus.values() if isinstance(gpio, int)}
    wired |= {gpio for chip in wiring["chip"].values() for gpio in chip["pins"].values()}
    named = {int(n) for n in re.findall(r"Pin\((\d+)", source)}
    for group in re.findall(r"for n in \(([\d, ]+)\)", source):
        named |= {int(n) for n in group.split(",")}
    assert named == wired
    assert not wired & FORBIDDEN


def test_the_readme_shows_the_wiring_as_it_is():
    readme = (BOARDS / "README.md").read_text("utf-8")
    wiring = tomllib.loads((BOARD / "wiring.toml").read_text("utf-8"))
    rows = re.findall(r"^\| `([A-Za-z0-9_]+)` \| `([A-Za-z0-9_]+)` \| (\d+) \|", readme, re.M)
    shown = {(part, pin): int(gpio) for part, pin, gpio in rows}
    expected = {
        (name, pin): gpio
        for kind in ("bus", "chip")
        for name, entry in wiring[kind].items()
        for pin, gpio in (entry["pins"] if kind == "chip" else entry).items()
        if isinstance(gpio, int)
    }
    # A bus and its chip have one name: their pins stand in one table.
    assert shown == expected
