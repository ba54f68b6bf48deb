"""The technician's commands where there are no pseudo-terminals, no termios and no fcntl, at COM ports.

pyserial itself needs the system it runs on: it stands in at its edge, `Serial` and `comports`; all of ours is real.
"""

import json
import os
import subprocess
import sys
import textwrap

import pytest

EDGE = """
import json, os, sys, types

for name in ("pty", "tty", "termios", "fcntl", "grp", "pwd", "resource"):
    sys.modules[name] = None  # importing it is a ModuleNotFoundError

STATUS = {"serial": "34851810AB01", "tid": "10000001", "mid": "898********0002", "state": "provisioned",
          "board": "TILL_ESP32S3", "fw": "0.1.0", "wifi": "", "online": True, "reason": "", "merchant": "店"}


class Serial:
    def __init__(self, port=None, baudrate=9600, **options):
        assert options["exclusive"] is True
        if port == "COM9":
            raise SerialException("could not open port 'COM9': FileNotFoundError(2, 'not found', None, 2)")
        if port == "COM4":
            raise SerialException("could not open port 'COM4': PermissionError(13, 'denied', None, 5)")
        self.port, self.out, self.rts, self.dtr = port, b"", True, True

    def write(self, data):
        for line in data.splitlines():
            if line:
                asked = json.loads(line)
                unknown = {"ok": False, "error": "error.invalid_value"}
                said = {"ok": True, **STATUS} if asked["do"] == "status" else unknown
                self.out += b"\\x1e" + json.dumps({"id": asked["id"], **said}).encode() + b"\\r\\n"
        return len(data)

    def read(self, size=1):
        data, self.out = self.out[:size], self.out[size:]
        return data

    def close(self):
        assert self.rts is False and self.dtr is False


class SerialException(OSError):
    pass


class SerialTimeoutException(SerialException):
    pass


def comports():
    port = lambda name, vid: types.SimpleNamespace(device=name, vid=vid, pid=1, serial_number=None, description=name)
    return [port("COM4", 0x1A86), port("COM3", 0x303A), port("COM1", None)]


serial, tools, list_ports = (types.ModuleType(n) for n in ("serial", "serial.tools", "serial.tools.list_ports"))
serial.Serial, serial.SerialException, serial.SerialTimeoutException = Serial, SerialException, SerialTimeoutException
serial.serialutil, serial.tools, serial.__version__ = serial, tools, "3.5"
tools.list_ports, list_ports.comports = list_ports, comports
sys.modules |= {"serial": serial, "serial.serialutil": serial}
sys.modules |= {"serial.tools": tools, "serial.tools.list_ports": list_ports}
screen = sys.modules["mpremote.console"] = types.ModuleType("mpremote.console")  # takes Windows' own libraries
screen.VT_ENABLED = True

import microtill.device.line as line
line.os = types.SimpleNamespace(**{**vars(os), "name": "nt", "sep": "\\\\"})

from microtill.cli import main
sys.argv[0] = "microtill"
main()
"""


TOOLS = ("ports", "status", "doctor", "logs", "label", "flash", "wipe", "login", "work", "provision", "activate")


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    script = tmp_path_factory.mktemp("windows") / "edge.py"
    script.write_text(textwrap.dedent(EDGE), "utf-8")

    def run(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k != "MICROTILL_PORTS"}
        done = subprocess.run(
            [sys.executable, script, *words],
            capture_output=True,
            encoding="utf-8",
            env=environment | {"MICROTILL_LANGUAGE": "en", "PYTHONUTF8": "1"},
            timeout=60,
        )
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return done

    return run


def test_help_lists_the_technicians_commands(windows):
    said = windows("--help").stdout
    for name in TOOLS:
        assert f" {name} " in said, name


@pytest.mark.parametrize("name", TOOLS)
def test_each_command_is_there(windows, name):
    assert "--language" in windows(name, "--help").stdout


def test_ports(windows):
    done = windows("ports")
    assert done.stdout.splitlines()[1].split() == [
        "COM3", "34851810AB01", "provisioned", "10000001", "898********0002", "0.1.0"
    ]  # fmt: skip
    assert done.stdout.splitlines()[2].split() == ["COM4", "in", "use"]
    assert "COM1" not in done.stdout
    assert "COM4 is in use by another program" in done.stderr


def test_status_by_com_name_and_by_terminal_id(windows):
    for name in ("COM3", "10000001", "34851810AB01"):
        assert json.loads(windows("status", "--port", name, "--json").stdout)["port"] == "COM3"


def test_a_busy_and_a_missing_com_port(windows):
    assert "another program" in windows("status", "--port", "COM4", status=4).stderr
    assert "there is no COM9" in windows("status", "--port", "COM9", status=3).stderr


def test_doctor_and_older_firmware(windows):
    done = json.loads(windows("doctor", "--port", "COM3", "--json").stdout)
    levels = {f["check"]: f["level"] for f in done["findings"]}
    assert levels["port"] == levels["answer"] == levels["firmware"] == levels["wifi"] == "ok"
    assert levels["selftest"] == levels["clock"] == levels["acquirer"] == "note"  # it knows no such request


def test_label(windows, tmp_path):
    windows("label", "--port", "COM3", "--output", str(tmp_path))
    assert (tmp_path / "label-10000001.svg").is_file()
    assert (tmp_path / "label-10000001.png").is_file()
