"""`microtill sim` and `microtill image` as a person types them: exit codes, messages, the picture of a failure."""

import re
import subprocess
import sys
from pathlib import Path

from microtill.paths import ROOT
from microtill.release.image import build_image, image_hash
from PIL import Image


def microtill(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "microtill.cli", *arguments], cwd=cwd, capture_output=True, text=True, timeout=180
    )


def script(tmp_path: Path, text: str, name: str = "scene") -> str:
    path = tmp_path / f"{name}.till"
    path.write_text(text, "utf-8")
    return str(path)


def test_a_script_that_holds_exits_0_and_leaves_its_picture(tmp_path):
    path = script(tmp_path, 'key 1 2 3 4\nexpect "¥12.34"\nscreenshot amount.png\nkey CANCEL\n')
    done = microtill("sim", "--headless", "--language", "en", "--script", path, "-o", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert Image.open(tmp_path / "amount.png").size == (240, 320)


def test_a_line_that_does_not_hold_exits_1_names_it_and_saves_the_panel(tmp_path):
    path = script(tmp_path, 'key 1 2\nexpect "¥99.99"\n')
    done = microtill("sim", "--headless", "--script", path, "-o", str(tmp_path))
    assert done.returncode == 1
    assert "line 2" in done.stderr and "¥0.12" in done.stderr
    assert Image.open(tmp_path / "scene-failed.png").size == (240, 320)


def test_what_cannot_be_understood_exits_2_before_anything_starts(tmp_path):
    for arguments in (
        ("sim", "--script", script(tmp_path, "key ENTER\n", "wrong")),
        ("sim", "--script", str(tmp_path / "missing.till")),
        ("sim", "--script", script(tmp_path, "key 1\n"), "--language", "fr"),
        ("sim",),
        ("nonsense",),
    ):
        done = microtill(*arguments)
        assert done.returncode == 2, arguments
        assert done.stderr and "Traceback" not in done.stderr


def test_the_image_has_one_hash_wherever_it_is_built(tmp_path):
    done = microtill("image")
    assert done.returncode == 0
    printed = re.search(r"SHA-256 ([0-9a-f]{64})", done.stdout)
    assert printed
    # The bench runs this very file when it is given none; a release is built elsewhere.
    assert image_hash(build_image("TILL_ESP32S3")) == printed[1]
    assert image_hash(build_image("TILL_ESP32S3", tmp_path)) == printed[1]


def test_an_unknown_board_is_a_usage_error_that_names_those_there_are():
    for arguments in (("image",), ("run",), ("sim", "--headless", "--serial", "till")):
        done = microtill(*arguments, "--board", "NOWHERE")
        assert done.returncode == 2
        assert all(name in done.stderr for name in ("NOWHERE", "TILL_CYD", "TILL_ESP32", "TILL_ESP32S3"))
