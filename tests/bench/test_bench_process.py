"""The two processes: start, death, power, console, events, and that nothing is left behind."""

import os
import subprocess
import sys
import textwrap
import time

import pytest
from microtill.bench.client import Bench, BenchError, FirmwareDied, Timeout
from support.bench import LOOPBACK, bench, run

FOREVER = "import time\nprint('up')\nwhile True:\n    time.sleep(1)\n"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(")")[2].split()[0] != "Z"


def gone(*pids: int) -> bool:
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


linux_only = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks into /proc")


@linux_only
def test_stop_ends_both_processes_and_may_be_called_again(tmp_path):
    b = bench(tmp_path, FOREVER)
    b.wait_line("up")
    pids = b.state()["pid"], b._process.pid
    b.stop()
    b.stop()
    assert gone(*pids)
    with pytest.raises(BenchError, match="stopped"):
        b.press("1")


@linux_only
def test_nothing_outlives_an_owner_who_is_killed(tmp_path):
    (tmp_path / "script.py").write_text(FOREVER)
    (tmp_path / "wiring.toml").write_text("")
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(f"""
            from microtill.bench.client import Bench
            b = Bench(script="{tmp_path}/script.py", wiring="{tmp_path}/wiring.toml")
            b.wait_line("up")
            print(b.state()["pid"], b._process.pid, flush=True)
            import time
            time.sleep(100)
            """),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout
    pids = [int(word) for word in owner.stdout.readline().split()]
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert gone(*pids)


@linux_only
def test_the_firmware_ends_when_the_bench_is_killed(tmp_path):
    b = bench(tmp_path, FOREVER)
    b.wait_line("up")
    pid = b.state()["pid"]
    b._process.kill()
    assert gone(pid)
    with pytest.raises(BenchError):
        b.now_us()
    b.stop()


def test_a_firmware_that_died_is_reported_with_its_output(tmp_path):
    with bench(tmp_path, "print('so far')\nraise ValueError('broken here')") as b:
        assert b.wait_exit() == 1
        with pytest.raises(FirmwareDied) as e:
            b.press("1")
        assert "status 1" in str(e.value)
        assert "broken here" in str(e.value)
        with pytest.raises(FirmwareDied, match="so far"):
            b.wait_line("never printed")


def test_a_crash_by_signal_is_told_from_an_exit(tmp_path):
    with bench(tmp_path, FOREVER) as b:
        b.wait_line("up")
        os.kill(b.state()["pid"], 11)
        assert b.wait_exit() == -11


def test_what_does_not_come_is_a_timeout_that_shows_the_console(tmp_path):
    with bench(tmp_path, FOREVER) as b, pytest.raises(Timeout, match=r"(?s)'never'.*up"):
        b.wait_line("never", timeout=0.3)


def test_a_bench_that_cannot_start_says_why(tmp_path):
    (tmp_path / "script.py").write_text("")
    wiring = tmp_path / "wiring.toml"
    for text, why in (
        ("[chip.x]\nmodel = 'nothing:Nothing'", "no model"),
        ("[chip.x]\nmodel = 'leds:Leds'\npins = { DIN = 60 }", "no GPIO 60"),
        ("[chip.x]\nmodel = 'leds:Leds'\npins = { NOPE = 6 }", "no pin"),
        ("[bus.a]\nkind = 'spi'\nsck = 4\nmosi = 4", "already"),
        ("[bus.a]\nkind = 'can'", "kind"),
        ("[chip.x]\nmodel = 'leds:Leds'\nbus = 'b'", "no bus"),
        ("[chips.x]", "unknown table"),
    ):
        wiring.write_text(text)
        with pytest.raises(BenchError, match=why):
            Bench(script=tmp_path / "script.py", wiring=wiring)
    with pytest.raises(BenchError, match="speed"):
        Bench(script=tmp_path / "script.py", speed=0)


def test_commands_that_make_no_sense_are_refused_and_the_bench_goes_on(tmp_path):
    with bench(tmp_path, FOREVER) as b:
        b.wait_line("up")
        for call, why in (
            (lambda: b.press("1"), "no chip"),
            (lambda: b.frame(), "no chip"),
            (lambda: b.power_on(), "the power is on"),
            (lambda: b.set_speed(-1), "speed"),
            (lambda: b._ask("nonsense"), "no command"),
            (lambda: b._ask("wifi", wrong=1), "wrong"),
        ):
            with pytest.raises(BenchError, match=why):
                call()
        assert b.state()["running"]


def test_the_console_goes_both_ways(tmp_path):
    lines = [
        "import sys",
        "print('你好', end='')",
        "print('!')",
        "while True:",
        "    line = sys.stdin.readline().strip()",
        "    print('got', len(line), line[-5:])",
        "    if line == 'end': break",
        "print('no newline', end='')",
    ]
    with bench(tmp_path, "\n".join(lines)) as b:
        b.console_write("x" * 70_000 + "tail5\n")
        assert b.wait_line("got") == "got 70005 tail5"
        b.console_write("end\n")
        assert b.wait_exit() == 0
        assert b.console_lines() == ["你好!", "got 70005 tail5", "got 3 end", "no newline"]


def test_waiting_for_a_line_goes_on_from_the_last_one(tmp_path):
    with bench(tmp_path, "for i in range(3): print('tick', i)\n" + FOREVER) as b:
        assert [b.wait_line("tick") for _ in range(3)] == ["tick 0", "tick 1", "tick 2"]


def test_resets_tell_their_cause_and_the_power_takes_everything(tmp_path):
    script = """
        import machine, sys
        from machine import Pin
        print("cause", machine.reset_cause(), machine.unique_id().hex())
        line = sys.stdin.readline().strip()
        if line == "reset":
            machine.reset()
        if line == "soft":
            machine.soft_reset()
        print("bye")
        """
    with bench(tmp_path, script) as b:
        b.wait_line("cause 1 02005e100001")
        b.console_write("reset\n")
        b.wait_line("cause 2")
        b.console_write("soft\n")
        b.wait_line("cause 5")
        b.reset()
        b.wait_line("cause 2")
        b.power_cut()
        assert b.state()["powered"] is False
        assert b.state()["running"] is False
        b.power_on()
        b.wait_line("cause 1")
        assert b.state()["resets"] == [1, 2, 5, 2, 1]


def test_chips_keep_their_supply_over_a_reset_and_lose_it_in_a_cut(tmp_path):
    script = """
        import machine, sys
        from neopixel import NeoPixel
        if machine.reset_cause() == machine.PWRON_RESET:
            lights = NeoPixel(machine.Pin(48), 2)
            lights[0] = (1, 2, 3)
            lights.write()
        print("ready")
        sys.stdin.readline()
        """
    wiring = "[chip.leds]\nmodel = 'leds:Leds'\npins = { DIN = 48 }\noptions = { count = 2 }"
    with bench(tmp_path, script, wiring, power=False) as b:
        assert b.seen() == {"leds": {"lights": [[0, 0, 0], [0, 0, 0]]}}
        b.power_on()
        b.wait_line("ready")
        assert b.seen()["leds"]["lights"][0] == [1, 2, 3]
        b.reset()
        b.wait_line("ready")
        assert b.seen()["leds"]["lights"][0] == [1, 2, 3]
        b.power_cut()
        assert b.seen()["leds"]["lights"][0] == [0, 0, 0]


def test_whoever_subscribes_hears_of_chips_console_power_and_end(tmp_path):
    script = """
        from machine import Pin, SPI
        print("hello")
        spi = SPI(1, 1000000, sck=Pin(12), mosi=Pin(11), miso=Pin(13))
        cs, other = Pin(10, Pin.OUT, value=0), Pin(8, Pin.OUT, value=1)
        spi.write(b"\\x01")
        """
    heard = []
    with bench(tmp_path, script, LOOPBACK, power=False) as b:
        b.subscribe(call=heard.append)
        quiet = b.subscribe(["exit"])
        b.power_on()
        assert b.wait_exit() == 0
        assert quiet.get(5) == {"event": "exit", "status": 0}
        b.wait(lambda: any(e["event"] == "exit" for e in heard), "the end")
        quiet.close()
        b.power_cut()
        b.wait(lambda: heard[-1]["event"] in ("power", "trace", "wlan") and not b.state()["powered"], "the cut")
    kinds = [e["event"] for e in heard]
    assert kinds.index("power") < kinds.index("console") < kinds.index("exit")
    assert {"event": "console", "line": "hello"} in heard
    assert any(e["event"] == "trace" and e["chip"] == "echo" for e in heard)
    assert {"event": "power", "on": False} in heard


def test_a_chip_that_raises_is_a_violation_and_the_firmware_goes_on(tmp_path):
    wiring = LOOPBACK.replace('"support.bench:Echo"', '"support.bench:Broken"')
    script = """
        from machine import Pin, SPI
        spi = SPI(1, 1000000, sck=Pin(12), mosi=Pin(11), miso=Pin(13))
        cs, other = Pin(10, Pin.OUT, value=0), Pin(8, Pin.OUT, value=1)
        try:
            spi.read(1)
        except OSError as e:
            print(e)
        """
    with bench(tmp_path, script, wiring) as b:
        assert b.wait_exit() == 0
        assert b.console_lines() == ["-5"]
        assert "a fault of the model" in b.violations()[0]


def test_a_script_sees_the_firmware_and_the_board_and_nothing_of_the_desk(tmp_path):
    lines = run(
        tmp_path,
        """
        import sys
        print([p.rsplit("/", 1)[-1] for p in sys.path], sys.argv)
        import till.core.money
        import machine, time, network, esp32, socket
        print(time.time() < 100, hasattr(machine, "Pin"))
        """,
    )
    assert lines == ["['firmware', 'TILL_ESP32S3', 'boards', '.frozen'] []", "True True"]
