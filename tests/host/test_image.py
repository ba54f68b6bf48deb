"""Release images: the same bytes twice, everything in them that runs, and nothing that does not belong."""

import os
import shutil
import subprocess
import sys

import pytest
from microtill import paths
from microtill.bench.client import Bench
from microtill.release import image
from microtill.release.image import AS_SOURCE, ImageError, build_image, build_sim, compile_mpy, image_hash
from microtill.release.lint import compile_problems, firmware_files

LIST = """
import os, sys
def walk(folder):
    for name, kind, *_ in os.ilistdir(folder):
        path = folder + "/" + name
        if kind & 0x4000:
            walk(path)
        else:
            print(path)
walk("/rom")
"""


def contents(tmp_path, which) -> list[str]:
    script = tmp_path / "list.py"
    script.write_text(LIST)
    with Bench(image=which, script=script) as b:
        assert b.wait_exit() == 0
        return [line.removeprefix("/rom/") for line in b.console_lines()]


def test_an_image_is_the_same_wherever_and_whenever_it_is_built(tmp_path):
    one = build_image("TILL_ESP32S3", tmp_path / "one")
    code = "import sys; from pathlib import Path; from microtill.release.image import *; "
    code += "print(build_image('TILL_ESP32S3', Path(sys.argv[1])))"
    other = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path / "other")],
        capture_output=True,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONHASHSEED": "99", "TZ": "Asia/Shanghai"},
        check=True,
    ).stdout.strip()
    assert one.name == os.path.basename(other)
    assert image_hash(one) == image_hash(paths.Path(other))


def test_an_image_is_built_once_for_each_content(tmp_path, monkeypatch):
    firmware = tmp_path / "firmware"
    shutil.copytree(paths.FIRMWARE, firmware, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(image, "FIRMWARE", firmware)
    first = build_image("TILL_ESP32S3", tmp_path / "out")
    made = first.stat().st_mtime_ns
    assert build_image("TILL_ESP32S3", tmp_path / "out") == first
    assert first.stat().st_mtime_ns == made
    (firmware / "till" / "extra.py").write_text("X = 1\n")
    second = build_image("TILL_ESP32S3", tmp_path / "out")
    assert second != first
    assert image_hash(second) != image_hash(first)
    (firmware / "till" / "extra.py").unlink()
    assert build_image("TILL_ESP32S3", tmp_path / "out") == first


def test_an_image_holds_every_module_compiled_its_data_and_nothing_else(tmp_path):
    names = set(contents(tmp_path, build_image("TILL_ESP32S3")))
    sources = {p.relative_to(paths.FIRMWARE).as_posix() for p in paths.FIRMWARE.rglob("*.py")} - {"manifest.py"}
    expected = {name if name in AS_SOURCE else name[:-3] + ".mpy" for name in sources} | {
        "board.mpy",
        "soc.mpy",
        "bringup.mpy",
    }
    data = names - expected
    assert expected <= names
    assert {name for name in names if name.endswith(".py")} == AS_SOURCE
    assert all(name.endswith((".bin", ".der", ".json")) for name in data), data
    assert "till/ui/unifont.bin" in data
    assert not any("pyright" in name or "LICENSE" in name for name in names)


def test_the_image_fits_its_partition():
    from microtill.bench import partitions

    table = partitions.load(paths.BOARDS / "TILL_ESP32S3" / "partitions.csv", 8 << 20)
    room = next(p.size for p in table if p.label == "romfs")
    assert build_image("TILL_ESP32S3").stat().st_size <= room


def test_every_module_of_an_image_runs_in_place(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nsys.path[:] = ['/rom', '.frozen']\nimport till.core.money as m\nprint(m.__file__)\n")
    with Bench(image=build_image("TILL_ESP32S3"), script=script) as b:
        assert b.wait_exit() == 0, b.console_lines()
        assert b.console_lines() == ["/rom/till/core/money.mpy"]


def test_what_does_not_compile_is_named(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f(:\n")
    with pytest.raises(ImageError, match=r"wrong\.py.*SyntaxError"):
        compile_mpy(wrong, "wrong.py")
    with pytest.raises(ImageError, match="boards/NOWHERE"):
        build_image("NOWHERE")


def test_the_simulated_modules_are_an_image_too(tmp_path):
    path = build_sim(tmp_path)
    assert path.read_bytes()[:3] == b"\xd2\xcd\x31"
    assert build_sim(tmp_path) == path


def test_old_images_are_forgotten_but_not_young_ones(tmp_path):
    for i in range(8):
        old = tmp_path / f"X-{i:016x}.romfs"
        old.write_bytes(b"")
        os.utime(old, (1000 + i, 1000 + i))
    young = tmp_path / "X-ffff.romfs"
    young.write_bytes(b"")
    image._prune(tmp_path, "X")
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == [f"X-{i:016x}.romfs" for i in (5, 6, 7)] + ["X-ffff.romfs"]


def test_board_files_compile_for_every_chip_we_ship_to():
    boards = [p for p in firmware_files() if p.name == "board.py"]
    assert boards
    assert compile_problems(boards) == []
