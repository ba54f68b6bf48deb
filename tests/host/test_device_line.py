"""A port that answers garbage, halves, late, never, or goes away: a typed error each, and the port given back."""

import contextlib
import errno
import json
import os
import subprocess
import sys
import time

import pytest
import serial
from microtill.device import line as line_module
from microtill.device import owner, ports
from microtill.device.console import Console, TerminalRefuses, TerminalSilent, parse
from microtill.device.errors import NoAnswer, NoFirmware, NoPermission, NoSuchPort, PortBusy, Unplugged, UsageError
from microtill.device.line import Line
from microtill.device.ports import Port
from microtill.device.probe import clean, masked, probe, unit_of
from support.far_end import FarEnd, answer, refusal, requests, terminal

STATUS = {"serial": "34851810AB01", "state": "blank", "board": "TILL_ESP32S3", "fw": "0.1.0"}


def is_free(path: str) -> bool:
    """Whether nobody holds the port."""
    with Line(path):
        return True


def test_a_terminal_is_found_and_the_port_given_back():
    with FarEnd(terminal(**STATUS)) as far:
        unit = ports.ask(Port(far.port))
        assert (unit.serial, unit.state, unit.name) == ("34851810AB01", "blank", "34851810AB01")
        assert is_free(far.port)


def test_garbage_before_between_and_around_does_not_matter():
    def handle(request: dict) -> bytes:
        noise = b'\xff\xfe\x00 boot: 0x1e\r\n\x1e{"id": 1, "ok"\n\x1e[1,2]\n\x1e"x"\n\x1e12\n' + b"\x1e" * 50 + b"\r\n"
        whole = answer(request, **STATUS)
        return noise + b"half a log li" + whole + noise

    with FarEnd(requests(handle)) as far:
        assert ports.ask(Port(far.port)).serial == "34851810AB01"


def test_an_answer_that_comes_octet_by_octet_is_put_together():
    pending = bytearray()

    def reply(data: bytes) -> bytes:
        pending.extend(requests(lambda request: answer(request, **STATUS))(data))
        return b""

    with FarEnd(reply) as far, Line(far.port) as line:
        number = line.console.send("status")
        deadline = time.monotonic() + 10
        while not pending:
            assert time.monotonic() < deadline
        for octet in bytes(pending):
            assert line.console.poll(number) is None
            far.send(bytes([octet]))
        assert line.console.answer(number, 10)["serial"] == "34851810AB01"


def test_nothing_but_garbage_is_not_understood():
    with FarEnd(lambda data: b"\x80\x81\n") as far:
        with pytest.raises(NoAnswer) as e:
            ports.ask(Port(far.port), 0.3)
        assert e.value.key == "error.not_understood"
        assert is_free(far.port)


def test_silence_is_no_answer():
    with FarEnd() as far:
        with pytest.raises(NoAnswer) as e:
            ports.ask(Port(far.port), 0.3)
        assert e.value.key == "error.no_answer"
        assert ports.identify(Port(far.port)) is None
        assert is_free(far.port)


def test_one_that_refuses_even_its_status_is_not_understood():
    with FarEnd(requests(lambda r: refusal(r, "error.internal"))) as far, pytest.raises(NoAnswer) as e:
        ports.ask(Port(far.port), 5)
    assert e.value.key == "error.not_understood"


def test_an_answer_to_the_program_before_is_not_taken_for_ours():
    """After a reset, or in the computer's buffer: `{"id": 1}` as every program's first request had."""
    stale = b"".join(answer({"id": n}, serial="OLD", state="blank") for n in range(1, 60))
    with FarEnd(requests(lambda r: stale + answer(r, **STATUS))) as far:
        far.send(stale)
        assert ports.ask(Port(far.port)).serial == "34851810AB01"


def test_numbers_differ_from_program_to_program_and_stay_small_ints_on_the_terminal():
    firsts = {Console(lambda text: None, list).send("status") for _ in range(50)}
    assert len(firsts) > 40
    assert all(0 < number < 1 << 30 for number in firsts)


def test_a_terminal_that_starts_is_waited_for():
    """Opening its port may have restarted it: the boot loader is heard first."""
    since = time.monotonic()

    def reply(data: bytes) -> bytes:
        if time.monotonic() - since < 0.6:
            return b""
        return requests(lambda r: answer(r, **STATUS))(data.rpartition(b"\n\n")[2])

    with FarEnd(reply) as far, Line(far.port) as line:
        far.send(b"ESP-ROM:esp32s3-20210327\r\nrst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n")
        assert probe(line, 0.2).serial == "34851810AB01"


def test_a_slow_terminal_that_answers_the_first_question_late_is_understood():
    asked: list[dict] = []

    def handle(request: dict) -> bytes:
        asked.append(request)
        return answer(asked[0], **STATUS) if len(asked) > 3 else b""

    with FarEnd(requests(handle)) as far, Line(far.port) as line:
        assert line.console.wait_ready(20)["serial"] == "34851810AB01"


def prompt(data: bytes) -> bytes:
    """MicroPython's own prompt: it repeats what it gets."""
    if b"\x02" in data:
        return b"\r\nMicroPython v1.29.0 on 2026-07-05; Generic ESP32S3 module with ESP32S3\r\n>>> "
    return data.replace(b"\n", b"\r\n")


def test_a_prompt_is_no_firmware_and_says_what_it_is():
    with FarEnd(prompt) as far:
        with pytest.raises(NoFirmware) as e:
            ports.ask(Port(far.port))
        assert e.value.exit_code == 7
        assert e.value.fields["found"] == "MicroPython v1.29.0, Generic ESP32S3 module with ESP32S3"
        assert "microtill flash" in e.value.next


def test_a_raw_prompt_that_somebody_left_is_found_too():
    with FarEnd(lambda data: prompt(data) if b"\x02" in data else b"") as far, pytest.raises(NoFirmware):
        ports.ask(Port(far.port), 0.2)


@pytest.mark.parametrize("said", [b"invalid header: 0xffffffff\r\n", b"waiting for download\r\n"])
def test_a_bare_chip_is_named(said):
    with FarEnd(lambda data: b"ESP-ROM:esp32s3-20210327\r\n" + said) as far:
        with pytest.raises(NoFirmware) as e:
            ports.ask(Port(far.port))
        assert e.value.key == "error.bare_chip"


def test_a_port_that_vanishes_in_the_middle_is_unplugged():
    with FarEnd() as far, Line(far.port) as line:
        line.write("x")
        far.vanish()
        with pytest.raises(Unplugged) as e:
            line.console.request("status", 10)
        assert e.value.exit_code == 7
        with pytest.raises(Unplugged):
            line.write("x")
    with pytest.raises(Unplugged):
        line.lines()  # closed, whatever happened


def test_a_port_that_takes_nothing_is_no_answer(monkeypatch):
    monkeypatch.setattr(line_module, "WRITE_SECONDS", 0.2)
    near, far = os.openpty()  # nobody reads there
    try:
        import tty

        tty.setraw(far)
        with Line(os.ttyname(far)) as line, pytest.raises(NoAnswer):
            line.send(bytes(1 << 20))
    finally:
        os.close(far)
        os.close(near)


def test_a_port_that_is_not_there():
    with pytest.raises(NoSuchPort) as e:
        Line("/dev/ttyACM99").open()
    assert e.value.exit_code == 3


@pytest.mark.parametrize("path", ["/dev/null", __file__])
def test_what_is_no_port(path):
    with pytest.raises(UsageError) as e:
        Line(path).open()
    assert e.value.key == "error.not_a_port"


HOLD = "import serial, sys; p = serial.Serial(sys.argv[1], exclusive=True); print('held', flush=True); sys.stdin.read()"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_busy_port_names_the_program_that_has_it():
    with FarEnd() as far:
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, far.port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(PortBusy) as e:
                Line(far.port).open()
            assert f"({holder.pid})" in e.value.what
            assert e.value.exit_code == 4
            holder.communicate()
        assert is_free(far.port)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_who_only_has_it_open_is_named_when_nobody_locked_it():
    code = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('held', flush=True); sys.stdin.read()"
    with (
        FarEnd() as far,
        subprocess.Popen(
            [sys.executable, "-c", code, far.port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other,
    ):
        assert other.stdout
        other.stdout.readline()
        assert [pid for pid, _ in owner.holders(far.port)] == [other.pid]
        other.communicate()


def test_a_second_of_ours_is_busy_too():
    with FarEnd() as far, Line(far.port), pytest.raises(PortBusy):
        Line(far.port).open()


@contextlib.contextmanager
def nobody():
    """The superuser may open everything: be somebody else for a moment."""
    if os.geteuid():
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_no_permission_names_the_group_to_join():
    import grp

    with FarEnd() as far:
        group = grp.getgrgid(os.stat(far.port).st_gid).gr_name
        for mode, key in ((0o060, "error.no_permission"), (0o000, "error.no_permission_at_all")):
            os.chmod(far.port, mode)
            with nobody(), pytest.raises(NoPermission) as e:
                Line(far.port).open()
            assert (e.value.key, e.value.exit_code) == (key, 4)
            assert (group in e.value.next) == (mode == 0o060)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (serial.SerialException("could not open port 'COM3': FileNotFoundError(2, 'x', None, 2)"), NoSuchPort),
        (serial.SerialException("could not open port 'COM3': PermissionError(13, 'x', None, 5)"), PortBusy),
    ],
)
def test_what_windows_says_in_words(monkeypatch, raised, expected):
    monkeypatch.setattr(line_module.os, "name", "nt")
    found = line_module._opening_error("COM3", raised)
    assert type(found) is expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOENT, NoSuchPort), (errno.ENXIO, NoSuchPort), (errno.EACCES, NoPermission), (errno.EBUSY, PortBusy)],
)
def test_what_posix_says_by_number(number, expected):
    assert type(line_module._opening_error("/dev/x", serial.SerialException(number, "said"))) is expected


def test_long_requests_to_a_bridge_are_paced_and_whole():
    with FarEnd() as far, Line(far.port, vid=0x10C4) as line:
        line.write("x" * 1000 + "\n")
        deadline = time.monotonic() + 10
        while not far.heard.endswith(b"\n"):
            assert time.monotonic() < deadline
        assert far.heard == b"x" * 1000 + b"\n"


def test_many_lines_are_kept_within_bounds_and_numbered_on():
    with FarEnd() as far, Line(far.port) as line:
        at = 0
        for start in range(0, 6000, 500):
            far.send(b"".join(b"%d\n" % n for n in range(start, start + 500)))
            deadline = time.monotonic() + 10
            while at < start + 500:
                assert time.monotonic() < deadline
                came, next_at = line.follow(at)
                assert came == [str(n) for n in range(at, next_at)]
                at = next_at
        assert len(line.lines()) <= 4096
        assert line.lines()[-1] == "5999"


def test_a_refusal_is_told_in_words_with_what_to_do():
    error = TerminalRefuses("error.busy", "somebody is at the terminal")
    assert error.exit_code == 6
    assert "somebody is at the terminal" in error.what
    assert error.next


def test_silence_is_told_with_its_time():
    assert "30" in TerminalSilent(30.0).what


@pytest.mark.parametrize(
    "line", ["", "\x1e", "\x1e{", '{"id": 1}', "\x1e[1]", '\x1e"x"', "\x1enull", "\x1e" + "[" * 5000]
)
def test_what_is_no_record(line):
    assert parse(line) is None


def test_a_record_behind_a_broken_off_line():
    assert parse('12 wifi: jo\x1e{"id": 3}') == {"id": 3}
    assert parse('\x1e{"id": 2, "o\x1e{"id": 3}') == {"id": 3}


def test_a_status_of_the_wrong_types_makes_no_trouble():
    unit = unit_of({"serial": 5, "mid": ["x"], "tid": None, "state": {"a": 1}, "fw": "0.1\x1b[31m"})
    assert (unit.serial, unit.mid, unit.tid, unit.state) == ("", "", "", "")
    assert "\x1b" not in unit.fw
    assert json.dumps(dict(unit.status))


def test_an_unmasked_merchant_id_is_masked_here():
    assert masked("898210154110002") == "898********0002"
    assert masked("898********0002") == "898********0002"
    assert unit_of({"mid": "898210154110002"}).mid == "898********0002"


def test_what_could_steer_a_screen_is_replaced():
    assert clean("a\x1b[2Jb\x07\u202e") == "a\ufffd[2Jb\ufffd\ufffd"
