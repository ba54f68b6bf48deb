"""`microtill doctor --hardware` at a virtual board's serial port: a pass, its label, faults, a pulled cable."""

import sys
from pathlib import Path

import pytest
from microtill.cli import hardware as cli_hardware
from microtill.device.hardware import PARTS
from microtill.simulator.board import VirtualBoard
from support.fitter import Fitter
from support.serial_board import typing
from support.technician import run


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A blank terminal, with the firmware in its files."""
    folder = tmp_path_factory.mktemp("fresh")
    with VirtualBoard(folder / "state", link=folder / "till") as board:
        board.world.console.wait_ready()
        yield board
        assert board.bench.violations() == []


class Hasty(Fitter):
    """Does something of its own when the terminal scans for Wi-Fi."""

    def __init__(self, bench, act):
        super().__init__(bench)
        self._act = act

    def told(self, text: str) -> None:
        super().told(text)
        if text.startswith("Scanning"):
            self._act()


@pytest.fixture
def doctor(board, tmp_path, monkeypatch):
    """`doctor(fitter, words…)` runs the command in an empty folder, with `fitter` as its person."""
    monkeypatch.chdir(tmp_path)

    def doctor(fitter: Fitter, *words: str, status: int = 0):
        monkeypatch.setattr(cli_hardware, "Keyboard", lambda out: fitter)
        done = run("doctor", "--hardware", "--port", board.port, *words, status=status)
        fitter.rest()
        board.bench.set_speed(1.0)
        return done

    return doctor


def test_a_good_board_passes_with_its_keys_only_and_gets_its_label(board, doctor, tmp_path):
    """Answers come from the terminal's own keys: nobody types."""
    done = doctor(Fitter(board.bench, by_keys=True), "--json").json
    assert done["ok"]
    assert done["port"] == board.port
    assert [f for f in done["findings"] if f["level"] != "ok"] == []
    assert {f["check"] for f in done["findings"]} == {f"hw_{part}" for part in PARTS}
    assert sorted(done["label"]) == sorted(path.name for path in tmp_path.iterdir())
    assert {Path(name).suffix for name in done["label"]} == {".svg", ".png"}
    assert board.world.console.wait_ready()["reset"] == "restart"


def test_a_cable_that_is_out_for_a_moment_is_borne(board, doctor, tmp_path):
    def pull():
        board.unplug()
        board.plug()

    done = doctor(Hasty(board.bench, pull), "--part", "module", "--part", "wifi")
    assert "Wi-Fi: ok" in done.out
    assert not list(tmp_path.iterdir())  # some parts are no pass


def test_a_unit_that_restarts_in_the_middle_is_told_so(board, doctor):
    done = doctor(Hasty(board.bench, board.bench.reset), "--part", "wifi", status=5)
    assert "Wi-Fi: FAULT  it restarted in the middle of this" in done.out
    assert "1. Wi-Fi: take another cable" in done.out


def test_a_cable_that_stays_out_ends_it_and_the_next_run_goes_on(board, doctor, monkeypatch):
    monkeypatch.setattr(cli_hardware, "_BACK_SECONDS", 0.5)
    assert doctor(Hasty(board.bench, board.unplug), "--part", "wifi", status=7).err
    board.plug()
    monkeypatch.setattr(cli_hardware, "_BACK_SECONDS", 15.0)
    assert "Wi-Fi: ok" in doctor(Fitter(board.bench), "--part", "wifi").out


def test_a_person_types_the_answers_in_chinese_and_a_fault_is_told_with_its_remedy(board):
    microtill = Path(sys.executable).with_name("microtill")
    command = (microtill, "doctor", "--hardware", "--port", board.port, "--part", "panel", "--language", "zh")
    with typing(*command) as terminal:
        terminal.expect("看屏幕".encode())
        terminal.send(b"12\n")
        terminal.expect("请回答其中之一".encode())
        terminal.send(b"2\n")
        terminal.expect("看屏幕".encode())
        terminal.send(b"1\n")
        terminal.expect("故障".encode())
        terminal.expect("画面左右镜像".encode())
        terminal.expect("1. 屏幕".encode())
        assert b"madctl=0x40" in terminal.expect(b"\n")
    board.world.console.wait_ready()


def test_what_is_no_part_is_refused(board, doctor):
    done = doctor(Fitter(board.bench), "--part", "engine", "--json", status=2)
    assert done.json["exit"] == 2


def test_whoever_stops_it_gives_the_terminal_back_at_once(board):
    starts = len(board.bench.state()["resets"])
    microtill = Path(sys.executable).with_name("microtill")
    command = (microtill, "doctor", "--hardware", "--port", board.port, "--part", "panel", "--language", "en")
    with typing(*command) as terminal:
        terminal.expect(b"Look at the panel")
        terminal.send(b"\x03")
        board.bench.wait(lambda: len(board.bench.state()["resets"]) > starts, "the restart")
    assert board.world.console.wait_ready()["reset"] == "restart"
