"""Every folder under boards/: pins, partitions, manifests and build files, as far as that goes without a chip."""

import ast
import hashlib
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from microtill.bench import partitions
from microtill.bench.partitions import Partition
from microtill.paths import BOARDS, FIRMWARE, micropython
from microtill.release import boards_checks as checks
from microtill.release import frozen
from microtill.release.boards import names
from microtill.release.boards_checks import Manifest, ManifestError, Wire, Wiring
from microtill.release.esp_image import table_bytes
from microtill.release.image import build_files
from mp_image_tool_esp32.partition_table import PartitionTable
from support.sdkconfig_names import PORT, SOURCES

# Tables and manifests by board: (partitions, where the table lies), manifest.
BUILDS = {name: ("partitions.csv", 0x8000, "manifest.py", name) for name in names()}
BUILDS["TILL_ESP32S3 hardened"] = ("partitions_hardened.csv", 0x10000, "manifest_hardened.py", "TILL_ESP32S3")


def about(board: str) -> dict:
    return json.loads((BOARDS / board / "board.json").read_text("utf-8"))


def built(name: str) -> tuple[Path, list[Partition], int, int]:
    csv, table_at, _, board = BUILDS[name]
    flash = about(board)["flash_bytes"]
    return BOARDS / board, partitions.load(BOARDS / board / csv, flash), flash, table_at


# Pins


@pytest.mark.parametrize("board", names())
def test_no_pin_is_used_twice_or_against_the_chip(board):
    assert list(checks.pin_faults(checks.wiring(BOARDS / board), about(board)["mcu"])) == []


@pytest.mark.parametrize("board", names())
def test_the_board_file_and_the_wiring_name_the_same_pins(board):
    wired = {wire.gpio for wire in checks.wiring(BOARDS / board).wires}
    assert checks.pins_of_the_code(BOARDS / board) == wired


@pytest.mark.parametrize(
    ("wires", "notes", "says"),
    [
        ([Wire("a", "DC", 4, False), Wire("b", "CS", 4, False)], {}, "a.DC is there already"),
        ([Wire("a", "DC", 24, False)], {}, "has no such pin"),
        ([Wire("a", "DC", 7, False)], {}, "it is for flash"),
        ([Wire("a", "CS", 35, False)], {}, "can only be an input"),
        ([Wire("a", "C0", 36, False)], {}, "no pull-up of its own"),
        ([Wire("a", "DC", 12, False)], {}, "a strap (high at reset"),
        ([Wire("a", "DC", 12, False)], {12: ""}, "a strap (high at reset"),
        ([Wire("a", "DC", 4, False)], {12: "x"}, "nothing is wired to it"),
    ],
)
def test_wrong_pins_are_told(wires, notes, says):
    faults = list(checks.pin_faults(Wiring(wires, notes), "esp32"))
    assert len(faults) == 1
    assert says in faults[0]


def test_a_strap_with_its_reason_and_an_input_on_an_input_are_well():
    wires = [Wire("a", "DC", 12, False), Wire("b", "miso", 39, True)]
    assert list(checks.pin_faults(Wiring(wires, {12: "the panel does not drive it"}), "esp32")) == []


# Partitions


@pytest.mark.parametrize("name", BUILDS)
def test_the_partitions_fit_the_flash_and_each_other(name):
    _, table, flash, table_at = built(name)
    assert list(checks.partition_faults(table, flash, table_at)) == []


@pytest.mark.parametrize("name", BUILDS)
def test_a_partition_tool_reads_the_same_table(name):
    """mp-image-tool-esp32 reads the bytes as a chip holds them, and checks them by its own rules."""
    _, table, flash, _ = built(name)
    theirs = PartitionTable.from_bytes(table_bytes(table).ljust(0x1000, b"\xff"), flash)
    theirs.check()
    read = [(p.name, p.type, p.subtype, p.offset, p.size) for p in theirs]
    assert read == [(p.label, p.type, p.subtype, p.offset, p.size) for p in sorted(table, key=lambda p: p.offset)]


def test_wrong_partitions_are_told():
    _, table, flash, at = built("TILL_ESP32S3")

    def faults(name: str, **changes) -> str:
        changed = [replace(p, **changes) if p.label == name else p for p in table]
        return " / ".join(checks.partition_faults(changed, flash, at))

    assert faults("nvs") == ""
    assert "nvs: begins at 0x8000, before 0x9000" in faults("nvs", offset=0x8000)
    assert "no multiple of 0x10000" in faults("ota_0", offset=0x21000)
    assert "journal: begins at" in faults("romfs", size=0x110000)
    assert "vfs: ends at 0x810000, the flash at 0x800000" in faults("vfs", size=0x110000)
    assert "no multiple of 0x1000" in faults("journal", size=0x100)
    assert "journal: 0 of it" in faults("journal", label="diary")
    assert "not alike" in faults("ota_1", size=0x260000)
    assert "without otadata" in faults("otadata", label="other")


@pytest.mark.parametrize("name", BUILDS)
def test_the_app_slots_hold_a_build(name):
    """MicroPython gives its own app 0x1f0000 on 4 MB chips, Bluetooth included; what we freeze comes on top."""
    folder, table, _, _ = built(name)
    whole = any(f.target == "till_data.py" for f in Manifest(folder / BUILDS[name][2]).files)
    ours = sum(len(data) for data in build_files(folder.name, "xtensawin").values()) if whole else 0
    slots = [part for part in table if part.type == 0]
    assert slots
    for part in slots:
        assert 0x1F0000 + ours <= part.size, part.label


# Manifests. Modules of the ESP32 port that are C; the rest of what is imported has to be frozen or in the image.

_BUILT_IN = """array binascii collections cryptolib errno esp esp32 framebuf gc hashlib io json machine micropython
    network os select socket struct sys time tls vfs"""
BUILT_IN = frozenset(_BUILT_IN.split())
IMAGE = frozenset({"board", "bringup", "soc", "till"})  # what a release image brings


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("name", BUILDS)
def test_the_manifest_freezes_what_is_there_and_all_that_is_needed(name):
    folder = BOARDS / BUILDS[name][3]
    manifest = Manifest(folder / BUILDS[name][2])
    assert [f.target for f in manifest.files if not f.path.is_file() and f.target != "till_data.py"] == []
    targets = {f.target for f in manifest.files}
    assert {"_boot.py", "boot.py", "main.py"} <= targets
    whole = "till/app.py" in targets
    sources = [f.path for f in manifest.files if f.path.is_file()]
    if not whole:  # the rest is in the image
        sources += [*(FIRMWARE / "till").rglob("*.py"), folder / "board.py"]
        sources += [BOARDS / "soc.py", BOARDS / "bringup.py"]
    needed = set().union(*(imported(path) for path in sources)) - BUILT_IN
    there = {f.target.split("/")[0].removesuffix(".py") for f in manifest.files} | manifest.outside
    assert needed - there == (set() if whole else IMAGE)
    assert manifest.outside == {"asyncio", "neopixel"}
    assert all(f.opt == 2 for f in manifest.files)


def test_a_frozen_terminal_is_the_whole_one():
    """The same files that a release image holds, but for the image's own way of packing them."""
    targets = {f.target for f in Manifest(BOARDS / "TILL_ESP32" / "manifest.py").files}
    modules = {p.relative_to(FIRMWARE).as_posix() for p in (FIRMWARE / "till").rglob("*.py")}
    assert modules <= targets
    starts = {"_boot.py", "frozen_boot.py", "boot.py", "main.py"}
    assert targets - modules == starts | {"board.py", "soc.py", "bringup.py", "till_data.py"}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('module("x.mpy")', "one .py file"),
        ('module("x.py")\nmodule("x.py")', "frozen twice"),
        ('package("nothing")', "no such package"),
        ('module("x.py", base_path="$(MPY_DIR)/lib")', "not here"),
    ],
)
def test_a_manifest_with_a_fault_is_refused(tmp_path, source, says):
    (tmp_path / "manifest.py").write_text(source)
    (tmp_path / "x.py").write_text("")
    with pytest.raises(ManifestError, match=says):
        Manifest(tmp_path / "manifest.py")


def test_a_manifest_is_read_from_its_own_folder_and_once(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "y.py").write_text("")
    (tmp_path / "deep" / "manifest.py").write_text('module("y.py")')
    (tmp_path / "manifest.py").write_text('include("deep")\ninclude("deep/manifest.py")\nrequire("neopixel")')
    manifest = Manifest(tmp_path / "manifest.py")
    assert [(f.path, f.target) for f in manifest.files] == [(tmp_path / "deep" / "y.py", "y.py")]
    assert manifest.outside == {"neopixel"}


def test_the_frozen_data_are_a_read_only_root_that_the_font_is_found_in(tmp_path, run_port):
    frozen.write(tmp_path)
    font = (FIRMWARE / "till" / "ui" / "unifont.bin").read_bytes()
    script = f"""
import sys, vfs, hashlib, os
sys.path[:] = [{str(tmp_path)!r}, ".frozen"]
from till_data import IMAGE
vfs.umount("/")
vfs.mount(vfs.VfsRom(memoryview(IMAGE)), "/")
with open("till/ui/unifont.bin", "rb") as f:
    print(hashlib.sha256(f.read()).digest().hex(), os.listdir("/"))
try:
    open("/new", "w")
except OSError as e:
    print(e.errno)
"""
    lines = run_port(script).splitlines()
    assert lines == [f"{hashlib.sha256(font).hexdigest()} ['till']", "30"]


@pytest.fixture
def run_port(tmp_path):
    def run(script: str) -> str:
        (tmp_path / "run.py").write_text(script)
        done = subprocess.run(
            [micropython(), "-X", "heapsize=4M", tmp_path / "run.py"], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


# What the build reads


@pytest.mark.parametrize("board", names())
def test_every_file_that_the_build_asks_for_is_there(board):
    folder = BOARDS / board
    cmakes = sorted(folder.glob("*.cmake"))
    assert folder / "mpconfigboard.cmake" in cmakes
    assert (folder / "mpconfigboard.h").is_file()
    for cmake in cmakes:
        text = cmake.read_text("utf-8")
        for path in re.findall(r"\$\{MICROPY_BOARD_DIR\}/([\w.]+)", text):
            assert (folder / path).is_file(), f"{cmake.name}: {path}"
        assert set(re.findall(r"(?<![/\w])boards/[\w./]+", re.sub("#.*", "", text))) <= PORT, cmake.name
    text = (folder / "mpconfigboard.cmake").read_text("utf-8")
    assert f"include(boards/mpconfigboard_{about(board)['mcu']}_common.cmake)" in text


@pytest.mark.parametrize("board", names())
def test_what_the_downloads_page_of_a_build_shows_is_there(board):
    """As MicroPython's tools read board.json: its instructions, with the address at which the image goes."""
    deploy = about(board)["deploy"]
    assert deploy
    text = "".join((BOARDS / board / name).read_text("utf-8") for name in deploy)
    wanted = set(re.findall(r"\{deploy_options\[(\w+)]}", text))
    assert wanted == set(about(board)["deploy_options"])
    assert about(board)["deploy_options"]["flash_offset"] == {"esp32": "0x1000", "esp32s3": "0"}[about(board)["mcu"]]


@pytest.mark.parametrize("fragment", sorted(BOARDS.glob("*/sdkconfig.*")), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_every_option_is_one_that_exists(fragment):
    assert set(checks.sdkconfig(fragment)) <= set(SOURCES)


def test_no_option_is_remembered_that_nobody_sets():
    used = set().union(*(checks.sdkconfig(path) for path in BOARDS.glob("*/sdkconfig.*")))
    assert set(SOURCES) == used


def test_a_misspelt_line_of_an_sdkconfig_is_told(tmp_path):
    for line in ("CONFIG_X = y", "CONFIG_x=y", "X=y", "CONFIG_X=yes", "CONFIG_X=y\nCONFIG_X=n"):
        (tmp_path / "sdkconfig").write_text(line + "\n")
        with pytest.raises(ValueError, match="sdkconfig:"):
            checks.sdkconfig(tmp_path / "sdkconfig")


@pytest.mark.parametrize("board", names())
def test_the_flash_size_of_the_build_is_the_boards(board):
    options = checks.sdkconfig(BOARDS / board / "sdkconfig.board")
    megabytes = about(board)["flash_bytes"] >> 20
    assert options[f"CONFIG_ESPTOOLPY_FLASHSIZE_{megabytes}MB"] == "y"


def test_the_hardened_build_is_hardened():
    options = checks.sdkconfig(BOARDS / "TILL_ESP32S3" / "sdkconfig.hardened")
    for name in ("SECURE_BOOT", "SECURE_BOOT_V2_ENABLED", "SECURE_ENABLE_SECURE_ROM_DL_MODE", "NVS_ENCRYPTION",
                 "NVS_SEC_KEY_PROTECT_USING_HMAC", "BOOTLOADER_APP_ANTI_ROLLBACK"):  # fmt: skip
        assert options["CONFIG_" + name] == "y", name
    assert int(options["CONFIG_PARTITION_TABLE_OFFSET"], 0) == BUILDS["TILL_ESP32S3 hardened"][1]
    assert 0 <= int(options["CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID"]) <= 5  # -1 would be no key
    _, table, _, _ = built("TILL_ESP32S3 hardened")
    # Anti-rollback wants two slots and no factory app; signed slots are whole flash pages of 64 KiB.
    assert {p.subtype for p in table if p.type == 0} == {0x10, 0x11}
    assert [p.label for p in table if p.type == 0 and p.size % 0x10000] == []
    assert "romfs" not in {p.label for p in table}


def test_where_everything_is_frozen_nothing_else_is_imported_and_the_prompt_is_never_reached():
    tree = ast.parse((BOARDS / "frozen_boot.py").read_text("utf-8"))
    # The docstring, `import sys`, the closed path, `import machine`, and then everything that can fail.
    assert [ast.unparse(node) for node in tree.body[1:-1]] == [
        "import sys",
        "sys.path[:] = ['.frozen']",
        "import machine",
    ]
    last = tree.body[-1]
    assert isinstance(last, ast.Try)
    assert not last.handlers
    assert ast.unparse(last.finalbody[-1]) == "machine.reset()"
