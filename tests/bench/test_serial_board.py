"""Unmodified mpremote at a virtual board: files, prompt, resets, mounts, Ctrl-C."""

import os

import pytest
from microtill.simulator.board import VirtualBoard, read_files
from support.serial_board import mpremote


@pytest.fixture(scope="module", params=["pty", "link"])
def blank(request, tmp_path_factory):
    """A bare board, and the port it is reached at."""
    folder = tmp_path_factory.mktemp("board")
    link = folder / "port" if request.param == "link" else None
    with VirtualBoard(folder / "state", blank=True, link=link) as vb:
        yield vb
        assert vb.bench.violations() == []


def test_exec_eval_and_run(blank, tmp_path):
    assert mpremote(blank.port, "exec", "print('收款')") == "收款\n"
    assert mpremote(blank.port, "eval", "2 + 2") == "4\n"
    (tmp_path / "a.py").write_text("print('ran')\n")
    assert mpremote(blank.port, "run", tmp_path / "a.py") == "ran\n"
    assert "ZeroDivisionError" in mpremote(blank.port, "exec", "1/0", status=1)


def test_files_go_both_ways_and_lie_in_the_image(blank, tmp_path):
    blob = os.urandom(60_000)
    (tmp_path / "b.bin").write_bytes(blob)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "x.py").write_text("X = 1\n")
    mpremote(blank.port, "cp", tmp_path / "b.bin", ":b.bin", "+", "cp", "-r", tmp_path / "app", ":")
    mpremote(blank.port, "cp", ":b.bin", tmp_path / "c.bin")
    assert (tmp_path / "c.bin").read_bytes() == blob
    files = read_files(blank.state)
    assert files["b.bin"] == blob
    assert files["app/x.py"] == b"X = 1\n"
    assert "boot.py" in files
