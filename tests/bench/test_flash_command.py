"""The `microtill flash` command as a process: several boards at once, what it prints, and its exit statuses."""

import os
import resource
import subprocess
import sys

import pytest
from microtill.device.installed import MAIN
from microtill.device.ports import Port, ask
from microtill.simulator.board import VirtualBoard, read_files
from support.flash_board import installed, microtill, release, results


@pytest.fixture(scope="module")
def wanted():
    return release()


def changed(wanted) -> dict[str, bytes | None]:
    return {"/till/core/money.mpy": wanted.files["/till/core/money.mpy"] + b"\0"}


def test_two_boards_at_once_and_one_port_that_is_not_there(tmp_path, wanted):
    for name in ("a", "b"):
        installed(tmp_path / name, wanted, changed(wanted))
    with (
        VirtualBoard(tmp_path / "a", link=tmp_path / "port-a") as a,
        VirtualBoard(tmp_path / "b", link=tmp_path / "port-b") as b,
    ):
        missing = tmp_path / "port-c"
        ports = [word for link in (a.port, b.port, missing, a.port) for word in ("--port", str(link))]
        done = microtill("flash", *ports, "--jobs", "3", "--json")
        assert done.returncode == 3, done.stderr
        told = results(done)
        assert [(r["port"], r["ok"]) for r in told] == [(a.port, True), (b.port, True), (str(missing), False)]
        for result in told[:2]:
            assert result["written"] == ["/till/core/money.mpy", MAIN]
            assert (result["board"], result["selftest"], result["state"]) == ("TILL_ESP32S3", "ok", "blank")
        assert told[2]["error"] == "error.no_such_port"
        assert told[2]["exit"] == 3
        for vb in (a, b):
            assert read_files(vb.state)["till/core/money.mpy"] == wanted.files["/till/core/money.mpy"]
            assert vb.bench.violations() == []


def test_what_it_says_to_a_person(tmp_path, wanted):
    installed(tmp_path / "state", wanted, {"/notes.txt": b"mine"})
    with VirtualBoard(tmp_path / "state", link=tmp_path / "port") as vb:
        done = microtill("flash", MICROTILL_PORTS=vb.port)
        assert done.returncode == 0, done.stderr
        assert f"all {len(wanted.files)} files are up to date" in done.stdout
        assert "self-test ok" in done.stdout
        assert "/notes.txt" in done.stderr
        done = microtill("flash", "--port", "02005E100001", "--language", "zh", MICROTILL_PORTS=vb.port)
        assert done.returncode == 0, done.stderr
        assert "自检 ok" in done.stdout


def test_two_technicians_at_one_port(tmp_path, wanted):
    installed(tmp_path / "state", wanted, changed(wanted))
    with VirtualBoard(tmp_path / "state", link=tmp_path / "port") as vb:
        before = read_files(vb.state)
        with Port(vb.port).line() as line:
            assert line.console.wait_ready()["state"] == "blank"
            for command in (("flash",), ("wipe", "--words", "wipe 02005E100001")):
                done = microtill(*command, "--port", vb.port)
                assert done.returncode == 4, done.stderr
                assert str(os.getpid()) in done.stderr
        assert read_files(vb.state) == before


def test_wrong_options(tmp_path):
    for options in (
        ("--board", "NO_SUCH", "--port", "x"),
        ("--force-unsettled", "yes", "--port", "x"),
        ("--trust", str(tmp_path / "none.jws"), "--port", "x"),
        ("--all", "--port", "x"),
    ):
        done = microtill("flash", *options)
        assert done.returncode == 2, (options, done.stderr)
        assert "Next:" in done.stderr


def test_a_laptop_whose_disk_is_full_leaves_the_board_as_it_is(tmp_path, wanted):
    installed(tmp_path / "state", wanted, changed(wanted))
    with VirtualBoard(tmp_path / "state", link=tmp_path / "port") as vb:
        before = read_files(vb.state)
        done = subprocess.run(
            [sys.executable, "-B", "-m", "microtill.cli", "flash", "--port", vb.port, "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "MICROTILL_LANGUAGE": "en"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),  # no file can grow
        )
        assert done.returncode == 2, done.stderr
        (told,) = results(done)
        assert told["error"] in ("error.compile", "error.laptop_disk")
        assert "disk" in told["next"] or "space" in told["next"]
        assert ask(Port(vb.port), 15).state == "blank"
        assert read_files(vb.state) == before
