"""A virtual board in trouble: the cable out, the power gone during a copy, a broken file system; and kept state."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial
from littlefs import LittleFS, UserContext
from microtill.bench.client import Bench, BenchError
from microtill.simulator.board import VirtualBoard, file_partition, littlefs_image, prepare_flash, read_files
from microtill.simulator.world import NETWORK, PASSWORD
from support.serial_board import mpremote, opened, started

MICROTILL = Path(sys.executable).with_name("microtill")


def test_a_cable_that_is_out_is_an_error_and_back_in_all_is_as_before(tmp_path):
    with VirtualBoard(tmp_path / "state", blank=True, link=tmp_path / "port") as vb:
        mpremote(vb.port, "exec", "open('kept', 'w').close()")
        with serial.Serial(vb.port, 115200, timeout=5) as line:
            vb.unplug()
            with pytest.raises((serial.SerialException, OSError)):
                while True:
                    line.write(b"x" * 100)
                    line.read(100)
        assert not os.path.lexists(vb.port)
        assert "failed to access" in mpremote(vb.port, "exec", "1", status=1)
        with pytest.raises(BenchError, match="no cable"):
            vb.unplug()
        vb.bench.reset()  # the board does not need the cable
        vb.plug()
        assert "kept" in mpremote(vb.port, "fs", "ls")


@pytest.mark.parametrize("after", [1, 100, 3_000, 30_000])
def test_a_cable_pulled_after_exactly_so_many_octets(tmp_path, after):
    with VirtualBoard(tmp_path / "state", blank=True, link=tmp_path / "port") as vb:
        (tmp_path / "b.bin").write_bytes(os.urandom(60_000))
        vb.unplug(after_bytes=after)
        said = mpremote(vb.port, "cp", tmp_path / "b.bin", ":b.bin", status=None)
        vb.bench.wait(lambda: vb.bench.port() is None, "the end of the cable")
        assert said
        assert vb.bench.received() == after
        vb.plug()
        assert mpremote(vb.port, "exec", "print(1)") == "1\n"
        mpremote(vb.port, "cp", tmp_path / "b.bin", ":b.bin")
        assert read_files(vb.state)["b.bin"] == (tmp_path / "b.bin").read_bytes()


def test_the_power_cut_in_the_middle_of_a_copy_leaves_the_old_file_or_the_new_one(tmp_path):
    old, new = os.urandom(9_000), os.urandom(9_000)
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    found = set()
    with VirtualBoard(tmp_path / "state", blank=True, link=tmp_path / "port") as vb:
        mpremote(vb.port, "cp", tmp_path / "old", ":f")
        at = 1
        while True:
            vb.bench.power_cut(after=at)
            said = mpremote(vb.port, "cp", tmp_path / "new", ":f", status=None)
            cut = not vb.bench.state()["powered"]
            if cut:
                assert said, "mpremote was not told"
                vb.bench.power_on()
            elif "f" in read_files(vb.state) and read_files(vb.state)["f"] == new:
                break
            vb.bench.wait(lambda: vb.bench.port(), "the port")
            assert mpremote(vb.port, "eval", "sum(open('f', 'rb').read())") in (f"{sum(old)}\n", f"{sum(new)}\n")
            content = read_files(vb.state)["f"]
            assert content in (old, new)
            found.add(content == new)
            if content == new:
                mpremote(vb.port, "cp", tmp_path / "old", ":f")
            at += 1 if at < 6 else 7
        assert "Performing initial setup" not in "".join(vb.bench.console_lines()[20:])
    assert False in found


PROMPT = 'Type "help()" for more information.'
BROKEN = "The file system is broken: erase the vfs partition, or repair it."


def last_line(bench: Bench) -> str:
    return (bench.console_lines() or [""])[-1]


def test_the_first_format_cut_anywhere_is_made_good_or_reported(tmp_path):
    said = set()
    for at in range(1, 12):
        with Bench(state=tmp_path / str(at), serial=True, power=False, seed=at) as bench:
            bench.power_cut(after=at)
            bench.power_on()
            bench.wait(lambda b=bench: not b.state()["powered"] or last_line(b) == PROMPT, "the cut")
            if not bench.state()["powered"]:
                bench.power_on()
            bench.wait(lambda b=bench: last_line(b) in (PROMPT, BROKEN), "the start")
            said.add(last_line(bench))
    assert PROMPT in said


def test_a_broken_file_system_is_told_and_not_formatted_over(tmp_path):
    state = tmp_path / "state"
    prepare_flash(state, "TILL_ESP32S3", {"a": b"x"})
    part = file_partition("TILL_ESP32S3")
    with (state / "flash.bin").open("r+b") as flash:
        flash.seek(part.offset)
        flash.write(b"\x55" * 8192)
    with VirtualBoard(state, blank=True) as vb:
        vb.bench.wait_line("The file system is broken")
        with opened(vb.port) as port:
            port.send(b"\x03")
            port.expect(b"KeyboardInterrupt")
            port.expect(b">>> ")
            port.send(b"import esp32; p = esp32.Partition.find(1, label='vfs')[0]\r")
            port.send(b"[p.ioctl(6, n) for n in range(2)] and 7 * 6\r")
            port.expect(b"42\r\n")
        vb.bench.reset()
        vb.bench.wait_line("Performing initial setup")
        assert mpremote(vb.port, "fs", "ls").split()[3:] == ["boot.py"]


def test_what_is_kept_is_there_in_the_next_run_and_the_computer_can_read_and_make_it(tmp_path):
    state = tmp_path / "state"
    files = {"main.py": b"print('made on the computer')\n", "lib/deep/x.bin": bytes(range(256)) * 30}
    assert prepare_flash(state, "TILL_ESP32S3", files)
    assert not prepare_flash(state, "TILL_ESP32S3", {})
    with VirtualBoard(state, blank=True) as vb:
        vb.bench.wait_line("made on the computer")
        whole = "print(open('lib/deep/x.bin', 'rb').read() == bytes(range(256)) * 30)"
        assert mpremote(vb.port, "exec", whole) == "True\n"
        mpremote(vb.port, "exec", "import esp32; n = esp32.NVS('t'); n.set_i32('x', 5); n.commit()")
        with pytest.raises(BenchError, match="in use"):
            VirtualBoard(state, blank=True)
    with VirtualBoard(state, blank=True) as vb:
        assert mpremote(vb.port, "exec", "import esp32; print(esp32.NVS('t').get_i32('x'))") == "5\n"
        assert read_files(state)["lib/deep/x.bin"] == files["lib/deep/x.bin"]


def test_the_image_of_the_computer_is_the_one_that_the_board_formats(tmp_path):
    with VirtualBoard(tmp_path / "state", blank=True) as vb:
        mpremote(vb.port, "exec", "1")
        part = file_partition(vb.board)
        raw = (tmp_path / "state" / "flash.bin").read_bytes()[part.offset : part.end]
    image = littlefs_image(part.size, {})
    for each in (raw, image):
        fs = LittleFS(
            block_size=4096, block_count=part.size // 4096, mount=False, context=UserContext(buffer=bytearray(each))
        )
        fs.mount()
        shape = (
            fs.fs_stat().block_size,
            fs.fs_stat().block_count,
            fs.fs_stat().name_max,
            fs.fs_stat().disk_version >> 16,
        )
        assert shape == (4096, part.size // 4096, 255, 2)


def test_a_symbolic_link_is_replaced_and_a_file_is_not(tmp_path):
    link = tmp_path / "port"
    link.symlink_to("/nowhere")
    with VirtualBoard(blank=True, link=link) as vb:
        assert mpremote(vb.port, "exec", "print(1)") == "1\n"
    assert not os.path.lexists(link)
    link.write_text("mine")
    with pytest.raises(BenchError, match="no symbolic link"):
        VirtualBoard(blank=True, link=link)
    assert link.read_text() == "mine"


def wait_for(condition, seconds: float = 30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_the_command_keeps_a_board_until_it_is_told_to_end(tmp_path, end):
    for run in range(2):
        command = [MICROTILL, "sim", "--headless", "--state", "s", "--serial", "port", "--blank", "--no-acquirer"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert process.stdout
            said = process.stdout.readline()
            assert said.startswith("TILL_ESP32S3 at port: mpremote connect /dev/pts/"), said
            port = said.split()[5]
            assert port == os.readlink(tmp_path / "port")
            assert mpremote(
                port, "exec", f"import os; print('n{run - 1}' in os.listdir()); open('n{run}', 'w').close()"
            ) == (f"{bool(run)}\n")
            process.send_signal(end)
            assert process.stdout.read() == "ended\n"
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
        assert not os.path.lexists(tmp_path / "port")


def test_what_is_typed_at_the_command_is_played_and_the_panel_is_told(tmp_path):
    command = [
        MICROTILL,
        "sim",
        "--headless",
        "--serial",
        "port",
        "--connect",
        "127.0.0.1:8443",
        "--unit",
        "02005EABCDEF",
    ]
    typed = subprocess.PIPE
    process = subprocess.Popen(command, cwd=tmp_path, stdin=typed, stdout=subprocess.PIPE, text=True, bufsize=1)
    try:
        assert process.stdin and process.stdout
        head = [process.stdout.readline() for _ in range(3)]
        assert "acquirer.microtill.test:8443 is 127.0.0.1:8443" in head[1]
        assert NETWORK in head[2] and PASSWORD in head[2]

        def says(line: str) -> str:
            process.stdin.write(f"{line}\n")
            return process.stdout.readline()

        wait_for(lambda: "02005EABCDEF" in says(""))  # a blank terminal shows its serial
        blank = says("")
        process.stdin.write("key ENTER\nkey MENU\n")  # the first is understood by nobody, and does no harm
        assert "typed:1" in process.stdout.readline()
        assert process.stdout.readline() == blank
        assert process.stdout.readline() not in ("", blank)
        process.stdin.close()  # nobody types any more; the board stays
        assert mpremote(os.readlink(tmp_path / "port"), "exec", "print('here')") == "here\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "ended\n"
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("option", "values", "wanted"),
    [
        ("--connect", ("8443", "127.0.0.1", "127.0.0.1:99999", "a b:1"), "HOST:PORT"),
        ("--unit", ("1", "02005E10000G", "02005E1000011"), "12 hex digits"),
    ],
)
def test_the_command_refuses_what_is_no_address_and_no_serial(tmp_path, option, values, wanted):
    for value in values:
        words = ["--headless", "--serial", "port", option, value]
        done = subprocess.run([MICROTILL, "sim", *words], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "")
        assert wanted in done.stderr


def test_the_command_says_what_to_use_when_nothing_is_asked_for(tmp_path):
    for words in (
        [],
        ["--serial", "p"],
        ["--headless"],
        ["--headless", "--no-acquirer"],
        ["--connect", "h:1"],
        ["--unit", "02005E100002"],
    ):
        done = subprocess.run([MICROTILL, "sim", *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2
        assert "--script FILE" in done.stderr
        assert "--headless --serial PATH" in done.stderr
        assert "microtill run" in done.stderr


def test_two_tools_may_not_have_one_port_and_a_dead_one_frees_it(tmp_path):
    with VirtualBoard(blank=True) as vb:
        with started(vb.port, "exec", "import time; print('up'); time.sleep(60)") as process:
            assert process.stdout
            process.stdout.readline()
            with pytest.raises(serial.SerialException, match=os.strerror(errno.EAGAIN)):
                serial.Serial(vb.port, exclusive=True)
            process.kill()
            process.wait()
        assert mpremote(vb.port, "exec", "print(1)") == "1\n"
