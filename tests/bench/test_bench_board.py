"""Each board file on the bench: every part answers through its driver."""

import pytest
from microtill.bench.client import Bench

SCRIPT = """
import asyncio, framebuf
from board import Board
board = Board()
print("open", board.serial_number, board.display.width, board.display.height)

async def main():
    board.keypad.start()
    await board.nfc.start()
    print("ready")
    if board.display.width == 240:
        fb = framebuf.FrameBuffer(board.display.buffer, 240, board.display.rows, framebuf.GS4_HMSB)
        fb.fill_rect(20, 0, 30, 10, 15)
    else:
        fb = framebuf.FrameBuffer(board.display.buffer, 128, 64, framebuf.MONO_VLSB)
        fb.fill_rect(20, 40, 30, 10, 1)
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


@pytest.mark.parametrize(
    ("board", "size"), [("TILL_ESP32S3", (240, 320)), ("TILL_ESP32", (128, 64))], ids=["esp32s3", "esp32"]
)
def test_every_part_of_the_board_answers(tmp_path, board, size):
    with board_script(tmp_path, power=False, board=board) as b:
        changes = b.subscribe(["changed"])
        b.power_on()
        assert b.wait_line("open") == f"open 02005E100001 {size[0]} {size[1]}"
        b.wait_line("ready")
        b.key("5", "MENU")
        b.wait_line("listening")
        picture = b.frame()
        assert picture.size == size
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


def test_a_pin_that_the_chip_has_not_or_that_can_only_be_read_is_refused(tmp_path):
    (tmp_path / "script.py").write_text("""
from machine import Pin
for id, mode in ((40, Pin.IN), (24, Pin.IN), (34, Pin.OUT), (39, Pin.OPEN_DRAIN)):
    try:
        Pin(id, mode)
    except ValueError as e:
        print(id, e)
Pin(34, Pin.IN)
Pin(33, Pin.OUT)
print("well")
""")
    (tmp_path / "wiring.toml").write_text("")
    with Bench(script=tmp_path / "script.py", wiring=tmp_path / "wiring.toml", board="TILL_ESP32") as b:
        b.wait_line("well")
        assert b.console_lines()[:4] == [
            "40 invalid pin",
            "24 invalid pin",
            "34 pin can only be input",
            "39 pin can only be input",
        ]
