"""Unmodified mpremote at a virtual board: files, prompt, resets, mounts, Ctrl-C."""

import hashlib
import os
import random
import signal
import time
from pathlib import Path

import pytest
from microtill.device.line import Line
from microtill.simulator.board import VirtualBoard, read_files
from support.serial_board import MPREMOTE, mpremote, opened, started, typing


@pytest.fixture(scope="module", params=["pty", "link"])
def blank(request, tmp_path_factory):
    """A bare board, reached by the pseudo-terminal or by a link to it."""
    folder = tmp_path_factory.mktemp("board")
    link = folder / "port" if request.param == "link" else None
    with VirtualBoard(folder / "state", blank=True, link=link) as vb:
        yield vb
        assert vb.bench.violations() == []


@pytest.fixture
def alone(tmp_path):
    """A bare board for one test."""
    with VirtualBoard(tmp_path / "state", blank=True) as vb:
        yield vb
        assert vb.bench.violations() == []


def put(vb: VirtualBoard, name: str, source: str, folder: Path) -> None:
    path = folder / f"put-{name}"
    path.write_text(source)
    mpremote(vb.port, "cp", path, f":{name}")


def test_exec_eval_and_run(blank, tmp_path):
    assert mpremote(blank.port, "exec", "print('收款')") == "收款\n"
    assert mpremote(blank.port, "eval", "2 + 2") == "4\n"
    (tmp_path / "a.py").write_text("print('ran')\n")
    assert mpremote(blank.port, "run", tmp_path / "a.py") == "ran\n"
    assert "ZeroDivisionError" in mpremote(blank.port, "exec", "1/0", status=1)


def test_long_sources_go_by_raw_paste_in_windows(blank, tmp_path):
    lines = [f"x{i} = {i}" for i in range(3000)] + ["print(x2999)"]
    (tmp_path / "long.py").write_text("\n".join(lines))
    assert mpremote(blank.port, "run", tmp_path / "long.py") == "2999\n"
    with opened(blank.port) as port:
        port.send(b"\r\x03\x03\r\x01")
        port.expect(b"raw REPL; CTRL-B to exit\r\n>")
        port.send(b"\x05A\x01")
        port.expect(b"R\x01\x80\x00\x01")  # taken, 128 octets a window
        port.send(b"print(7)\n\x04")
        assert port.expect(b">") == b"\x047\r\n\x04\x04>"
        port.send(b"\x02")
        port.expect(b">>> ")


def test_files_go_both_ways_and_lie_in_the_image(blank, tmp_path):
    blob = os.urandom(60_000)
    app = tmp_path / "app"
    (app / "deep" / "er").mkdir(parents=True)
    (app / "x.py").write_text("X = 1\n")
    (app / "deep" / "er" / "b.bin").write_bytes(blob)
    mpremote(blank.port, "cp", "-r", app, ":")
    mpremote(blank.port, "cp", "-r", ":app", tmp_path / "back")
    assert (tmp_path / "back" / "deep" / "er" / "b.bin").read_bytes() == blob
    files = read_files(blank.state)
    assert files["app/deep/er/b.bin"] == blob
    assert files["app/x.py"] == b"X = 1\n"
    assert "boot.py" in files
    digest = mpremote(blank.port, "sha256sum", ":app/deep/er/b.bin")
    assert hashlib.sha256(blob).hexdigest() in digest


def test_the_file_commands(blank):
    run = lambda *words: mpremote(blank.port, "fs", *words)  # noqa: E731
    run("mkdir", ":d")
    run("touch", ":d/empty")
    assert "d/" in run("ls", ":")
    assert "0 empty" in run("ls", ":d")
    assert run("cat", ":d/empty") == ""
    assert "OSError" in mpremote(blank.port, "exec", "import os; os.remove('nothing')", status=1)
    mpremote(blank.port, "exec", "f = open('d/text', 'w')\nf.write('one\\ntwo\\n')")  # closed by the soft reset
    assert run("cat", ":d/text") == "one\ntwo\n"
    run("cp", ":d/text", ":d/copy")
    assert run("cat", ":d/copy") == "one\ntwo\n"
    run("rm", "-r", ":d")
    assert "d/" not in run("ls", ":")
    assert "VfsLfs2" in mpremote(blank.port, "df")


def test_a_mounted_folder_of_the_computer_is_read_and_written_octet_by_octet(blank, tmp_path):
    every = bytes(range(256)) * 40
    (tmp_path / "m.py").write_text("print('mounted')\n")
    (tmp_path / "in.bin").write_bytes(every)
    script = (
        "import m, os\n"
        "d = open('in.bin', 'rb').read()\n"
        "with open('out.bin', 'wb') as f: f.write(d[::-1]) if False else f.write(bytes(reversed(d)))\n"
        "print(len(d), sorted(os.listdir()))\n"
        "for line in 'a\\nb\\n'.split(): print(line)\n"
    )
    said = mpremote(blank.port, "mount", tmp_path, "exec", script)
    assert "mounted\n10240 ['in.bin', 'm.py', 'out.bin']\na\nb\n" in said
    assert (tmp_path / "out.bin").read_bytes() == every[::-1]


def test_a_soft_reset_runs_no_main_and_a_reset_does(blank, tmp_path):
    put(blank, "main.py", "import machine\nwith open('n', 'a') as f: f.write(str(machine.reset_cause()))\n", tmp_path)
    mpremote(blank.port, "fs", "touch", ":n", "soft-reset")
    assert mpremote(blank.port, "fs", "cat", ":n") == ""
    before = len(blank.bench.state()["resets"])
    mpremote(blank.port, "reset")
    blank.bench.wait(lambda: len(blank.bench.state()["resets"]) > before, "the reset")
    blank.bench.wait(lambda: read_files(blank.state).get("n") == b"2", "main.py")
    assert mpremote(blank.port, "resume", "fs", "cat", ":n") == "2"
    mpremote(blank.port, "fs", "rm", ":main.py", ":n")


def test_a_reset_keeps_the_chips_supply_and_a_soft_reset_the_pins(blank):
    levels = lambda: mpremote(blank.port, "resume", "exec", "from machine import Pin; print(Pin(13).value())")  # noqa: E731
    mpremote(blank.port, "exec", "from machine import Pin; Pin(13, Pin.OUT, value=1)")
    mpremote(blank.port, "soft-reset")
    assert levels() == "1\n"
    powered = [line for line in blank.bench.trace() if "power cut" in line[2]]
    mpremote(blank.port, "exec", "--no-follow", "import machine; machine.reset()")
    blank.bench.wait(lambda: blank.bench.state()["resets"][-1] == 2, "the reset")
    blank.bench.wait(lambda: blank.bench.console_lines()[-1:] != [], "its prompt")
    assert [line for line in blank.bench.trace() if "power cut" in line[2]] == powered


def test_a_soft_reset_ends_timers_and_pin_interrupts_but_not_the_watchdog(alone):
    alone.bench.set_speed(20)
    script = (
        "from machine import Pin, Timer, WDT\nimport time\n"
        "Timer(0, period=10, callback=lambda t: print('struck'))\n"
        "Pin(15, Pin.IN, Pin.PULL_UP).irq(lambda p: print('pin'))\n"
        "WDT(timeout=30000)\ntime.sleep_ms(50)\n"
    )
    assert "struck" in mpremote(alone.port, "exec", script)
    said = mpremote(alone.port, "soft-reset", "exec", "import time; time.sleep_ms(200)")
    assert "struck" not in said
    alone.bench.wait(lambda: alone.bench.state()["resets"][-1] == 3, "the watchdog's bite")


def test_ctrl_c_reaches_an_app_that_left_it_on(blank, tmp_path):
    app = "import asyncio\nasync def m():\n while True: await asyncio.sleep_ms(5)\nasyncio.run(m())\n"
    put(blank, "main.py", app, tmp_path)
    mpremote(blank.port, "reset")
    for i in range(5):
        assert mpremote(blank.port, "resume", "exec", f"print({i})") == f"{i}\n"
    mpremote(blank.port, "fs", "rm", ":main.py")
    with started(blank.port, "exec", "print('on')\nwhile True: pass") as process:
        assert process.stdout
        assert process.stdout.readline() == b"on\r\n"
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert mpremote(blank.port, "exec", "print(2)") == "2\n"


def test_an_app_that_took_ctrl_c_off_reads_it(alone, tmp_path):
    app = (
        "import micropython, sys\nmicropython.kbd_intr(-1)\nprint('ready')\n"
        "while True:\n c = sys.stdin.buffer.read(1)\n print('got', c[0])\n if c == b'q': break\n"
    )
    put(alone, "main.py", app, tmp_path)
    with opened(alone.port) as port:
        port.send(b"\x04")  # at the friendly prompt: main.py runs
        port.expect(b"ready\r\n")
        port.send(b"a\x03\x03q")
        port.expect(b"got 97\r\ngot 3\r\ngot 3\r\ngot 113\r\n")
        port.expect(b">>> ")  # and with its end Ctrl-C is on again
        port.send(b"while True: pass\r\n\r\n")
        port.expect(b"... \r\n")
        port.send(b"\x03")
        port.expect(b"KeyboardInterrupt")


def test_ctrl_c_while_boot_py_runs_ends_in_the_prompt(alone, tmp_path):
    put(alone, "main.py", "print('main ran')\n", tmp_path)
    put(alone, "boot.py", "print('boots')\nwhile True: pass\n", tmp_path)
    with opened(alone.port) as port:
        port.send(b"\x04")
        port.expect(b"boots\r\n")
        port.send(b"\x03")
        came = port.expect(b">>> ")
        assert b"KeyboardInterrupt" in came
        assert b"main ran" not in came
    with opened(alone.port) as port:
        port.send(b"\x01")
        port.expect(b"raw REPL; CTRL-B to exit\r\n>")
        port.send(b"\x04")
        port.expect(b"boots\r\n")
        port.send(b"\x03")  # a raw soft reset that boot.py holds up
        port.expect(b"raw REPL; CTRL-B to exit\r\n>")
        port.send(b"import os; os.remove('boot.py')\x04\x02")
        port.expect(b">>> ")


def test_the_repl_with_a_mount_and_ctrl_d(blank, tmp_path):
    (tmp_path / "q.py").write_text("Q = 42\n")
    with typing(MPREMOTE, "connect", blank.port, "mount", tmp_path, "repl") as person:
        person.expect(b"Connected")
        person.send(b"\r\n")
        person.expect(b">>> ")
        person.send(b"import q; print(q.Q)\r")
        person.expect(b"42\r\n>>> ")
        person.send(b"\x04")
        person.expect(b"soft reboot")
        person.expect(b"Remount")
        person.expect(b">>> ")
        person.send(b"import q; print(q.Q + 1)\r")
        person.expect(b"43\r\n>>> ")
        person.send(b"while True: pass\r\n\r\n")
        person.expect(b"... ")
        person.send(b"\x03")
        person.expect(b"KeyboardInterrupt")
        person.expect(b">>> ")
        person.send(b"\x1d")
        with pytest.raises(OSError, match="5"):  # mpremote has ended
            person.expect(b"never")
    assert mpremote(blank.port, "exec", "print(7)") == "7\n"


def test_a_second_tool_is_told_that_the_port_is_taken(blank):
    with opened(blank.port):
        assert "in use" in mpremote(blank.port, "exec", "1", status=1)


STORM = """
import esp32, os, time
from machine import Pin
part = esp32.Partition.find(1, label='journal')[0]
buf, pin, n = bytearray(600), Pin(13, Pin.OUT), 0
print('on')
while True:
    n += 1
    part.writeblocks(n % 8, buf, 64)
    part.readblocks(n % 8, buf)
    part.ioctl(6, n % 8)
    pin.value(n & 1)
    with open('f%d' % (n % 3), 'wb') as f:
        f.write(b'%08d' % n * (n % 900))
    os.rename('f%d' % (n % 3), 'whole%d' % (n % 3))
"""


def test_ctrl_c_in_the_middle_of_anything_harms_neither_bus_nor_files(alone):
    dice = random.Random(5)
    with opened(alone.port) as port:
        port.send(b"\r\x03\x01")
        port.expect(b"raw REPL; CTRL-B to exit\r\n>")
        for _ in range(60):
            port.send(STORM.encode() + b"\x04")
            port.expect(b"OKon\r\n")
            pause = time.monotonic() + dice.random() / 50
            while time.monotonic() < pause:
                pass
            port.send(b"\x03")
            assert b"KeyboardInterrupt" in port.expect(b"\x04>"), "another error"
            port.send(b"print(part.info()[4], Pin(13).value() in (0, 1), os.listdir() != [])\x04")
            assert port.expect(b"\x04>") == b"OKjournal True True\r\n\x04\x04>"
        port.send(b"\x02")
    for name, content in read_files(alone.state).items():
        if name.startswith("whole"):
            assert content == content[:8] * (len(content) // 8)
    assert alone.bench.state()["resets"] == [1]  # no Ctrl-C ended the process
    assert mpremote(alone.port, "exec", "print(1)") == "1\n"


def test_output_that_nobody_reads_stops_nothing_and_what_is_read_is_whole(alone):
    with opened(alone.port) as port:
        port.send(b"\r\x01")
        port.expect(b"raw REPL; CTRL-B to exit\r\n>")
        port.send(b"for i in range(40000): print(i)\n\x04")
        came = port.expect(b"\x04\x04>")
        assert came == b"OK" + b"".join(b"%d\r\n" % i for i in range(40000)) + b"\x04\x04>"
        port.send(b"import machine\nfor i in range(200000): print(i)\nmachine.reset()\x04")
    alone.bench.wait(lambda: alone.bench.state()["resets"] == [1, 2], "the reset after it", 60)
    assert mpremote(alone.port, "exec", "print(1)") == "1\n"


def test_a_terminal_that_is_frozen_in_answers_its_console_and_gives_no_prompt(tmp_path):
    """As the TILL_ESP32 is built: whatever ends it, Ctrl-C on a blank unit too, it starts again."""
    with VirtualBoard(tmp_path / "state", board="TILL_ESP32") as vb:
        with Line(vb.port) as line:
            assert line.console.wait_ready(60)["board"] == "TILL_ESP32"
            for n, end in enumerate((lambda: line.write("\r\x03"), lambda: line.console.send("repl")), 2):
                end()
                vb.bench.wait(lambda n=n: len(vb.bench.state()["resets"]) == n, "a restart", 60)
                line.write("\r\x01\x04\r\n")
                assert line.console.wait_ready(60)["state"] == "blank"
        assert not [line for line in vb.bench.console_lines() if "REPL" in line or ">>>" in line]
        assert vb.bench.violations() == []
