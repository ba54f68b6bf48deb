"""A bare chip: what is taken from a MicroPython image, our partition table, and where esptool is told to put it all.

esptool and mp-image-tool-esp32 run here as far as they go without a chip: they read and merge images.
"""

import hashlib
import os
import pty
import random
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from microtill.bench.chips.flash import SECTOR, NorFlash
from microtill.bench.partitions import Partition
from microtill.device import chip
from microtill.device.errors import NoAnswer, Refused, UsageError
from microtill.release import boards
from microtill.release.esp_image import ImageFormatError, read_app, read_micropython, read_table, table_bytes
from support.flash_board import microtill, results
from support.rom_loader import DownloadMode

BOARD = "TILL_ESP32S3"
STOCK = [
    Partition("nvs", 1, 2, 0x9000, 0x6000, False),
    Partition("phy_init", 1, 1, 0xF000, 0x1000, False),
    Partition("factory", 0, 0, 0x10000, 0x1F0000, False),
    Partition("vfs", 1, 0x81, 0x200000, 0x200000, False),
]
"""How micropython.org divides 4 MB."""


def program(chip_id: int, body: bytes, described: bool = False, load: int = 0x3C000020) -> bytes:
    """An image as ESP-IDF builds one, with one segment."""
    about = struct.pack("<II8s32s32s16s16s32s", 0xABCD5432, 0, b"", b"v1.29.0", b"micropython", b"", b"", b"v5.5.1")
    data = (about.ljust(256, b"\0") if described else b"") + body
    data += bytes(-len(data) % 4)
    out = struct.pack("<BBBBIB3sHBHH4sB", 0xE9, 1, 2, 0x2F, 0x40374000, 0xEE, b"", chip_id, 0, 0, 99, b"", 1)
    out += struct.pack("<II", load, len(data)) + data
    check = 0xEF
    for octet in data:
        check ^= octet
    out += bytes(15 - len(out) % 16) + bytes([check])
    return out + hashlib.sha256(out).digest()


def image(chip_id: int = 9, start: int = 0, app_size: int = 200_000) -> bytes:
    """A whole image for a chip, as it is downloaded; `start`: where its first byte goes."""
    noise = random.Random(7).randbytes
    whole = bytearray(b"\xff" * (0x10000 - start))
    boot, table = program(chip_id, noise(5000), load=0x3FCE2810), table_bytes(STOCK)
    whole[: len(boot)] = boot
    whole[0x8000 - start : 0x8000 - start + len(table)] = table
    return bytes(whole) + program(chip_id, noise(app_size), described=True)


@pytest.fixture
def firmware(tmp_path) -> Path:
    path = tmp_path / "ESP32_GENERIC_S3.bin"
    path.write_bytes(image() + b"\xff" * 100)
    return path


def esptool(*arguments: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "esptool", *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=cwd
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_both_programs_are_found_and_esptool_reads_them_so(tmp_path, firmware):
    found = read_micropython(firmware.read_bytes(), "esp32s3")
    assert found.version == "micropython v1.29.0"
    assert found.bootloader_offset == 0
    for name, data in (("bootloader", found.bootloader), ("app", found.app)):
        (tmp_path / name).write_bytes(data)
        said = esptool("image-info", tmp_path / name, cwd=tmp_path)
        assert f"Image size: {len(data)} bytes" in said
        assert said.count("(valid)") == 2
        assert "ESP32-S3" in said
    assert "Project name: micropython" in said


def test_a_plain_esp32_starts_behind_its_first_sector():
    found = read_micropython(image(0, 0x1000), "esp32")
    assert found.bootloader_offset == 0x1000
    assert found.app == read_app(image(0, 0x1000)[0xF000:]).data


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda d: b"", "no program image"),
        (lambda d: d[:3000], "cut off"),
        (lambda d: d[:100] + b"\0" + d[101:], "checksum"),
        (lambda d: d[: 0x10000 + 500] + bytes([d[0x10000 + 500] ^ 1]) + d[0x10000 + 501 :], "checksum"),
        (lambda d: d[:0x8005] + bytes([d[0x8005] ^ 1]) + d[0x8006:], "MD5"),
        (lambda d: d[:0x8000] + b"\xff" * 0x8000 + d[0x10000:], "no partition table"),
        (lambda d: d[0x10000:], "no boot loader"),
        (lambda d: image(5), "for esp32c3"),
    ],
)
def test_an_image_that_is_damaged_or_another_is_refused(damage, says):
    with pytest.raises(ImageFormatError, match=says):
        read_micropython(damage(image()), "esp32s3")


def test_the_table_is_what_another_tool_writes(tmp_path, firmware):
    """For the kinds of partition that mp-image-tool-esp32 can name; the others differ in numbers only."""
    known = [
        Partition("nvs", 1, 2, 0x9000, 0x4000, False),
        Partition("otadata", 1, 0, 0xD000, 0x2000, False),
        Partition("phy_init", 1, 1, 0xF000, 0x1000, False),
        Partition("ota_0", 0, 0x10, 0x10000, 0x270000, False),  # this tool leaves the program where it was
        Partition("ota_1", 0, 0x11, 0x280000, 0x270000, False),
        Partition("vfs", 1, 0x81, 0x4F0000, 0x310000, False),
    ]
    names = {(1, 2): "nvs", (1, 0): "ota", (1, 1): "phy", (0, 0x10): "ota_0", (0, 0x11): "ota_1", (1, 0x81): "fat"}
    rows = [f"{p.label},x,{names[p.type, p.subtype]},{p.offset:#x},{p.size:#x},0\n" for p in known]
    (tmp_path / "table.csv").write_text("".join(rows))
    tool = Path(sys.executable).with_name("mp-image-tool-esp32")
    command = [tool, firmware, "-f", "8M", "--from-csv", tmp_path / "table.csv", "-o", tmp_path / "theirs.bin"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    theirs = (tmp_path / "theirs.bin").read_bytes()
    assert theirs[0x8000:0x8C00] == table_bytes(known)


def test_our_tables_read_back():
    for name in boards.names():
        kind = boards.kind(name)
        assert set(read_table(table_bytes(kind.partitions))) == kind.table


def test_what_esptool_is_told_to_write_where(tmp_path, firmware):
    """The write command's own arguments, merged by esptool, and applied to a flash that holds a vault and a journal."""
    kind = boards.kind(BOARD)
    found = chip.plan(firmware, kind)
    names = []
    for piece in found.pieces:
        (tmp_path / piece.name).write_bytes(piece.data)
        names.append(piece.name)
    command = chip.write_command(found, names, "/dev/ttyACM0", erase=False)
    assert "--erase-all" not in command
    assert "--erase-all" in chip.write_command(found, names, "/dev/ttyACM0", erase=True)
    pairs = command[command.index("--flash-size") + 2 :]
    places = {pairs[i + 1]: int(pairs[i], 0) for i in range(0, len(pairs), 2)}
    assert places == {"bootloader": 0, "partition-table": 0x8000, "otadata": 0x1D000, "micropython": 0x20000}

    settings = command[command.index("write-flash") + 1 : -len(pairs)]
    esptool("--chip", kind.mcu, "merge-bin", "-o", "merged.bin", *settings, *pairs, cwd=tmp_path)
    merged = (tmp_path / "merged.bin").read_bytes()
    image_of = read_micropython(firmware.read_bytes(), "esp32s3")
    assert merged[0x8000:0x8C00] == found.table
    assert merged[0x20000:] == image_of.app
    assert merged[0x1D000:0x1F000] == b"\xff" * 0x2000
    assert read_app(merged).data[3] >> 4 == 3  # 8 MB, by esptool; and its hash holds again
    assert merged[24 : len(image_of.bootloader) - 32] == image_of.bootloader[24:-32]

    flash = NorFlash(kind.flash_bytes)
    kept = {}
    for part in kind.partitions:
        content = random.Random(part.offset).randbytes(part.size)
        flash.program(part.offset, content)
        if part.label in ("nvs", "journal"):
            kept[part] = content
    for piece in found.pieces:
        for sector in range(piece.offset // SECTOR, -(-(piece.offset + len(piece.data)) // SECTOR)):
            flash.erase(sector)
        assert flash.program(piece.offset, piece.data) == []
    for offset, size in found.blank:
        for sector in range(offset // SECTOR, (offset + size) // SECTOR):
            flash.erase(sector)
    assert len(kept) == 2
    for part, content in kept.items():
        assert flash.read(part.offset, part.size) == content
    vfs = next(p for p in kind.partitions if p.label == "vfs")
    assert flash.read(vfs.offset, vfs.size) == b"\xff" * vfs.size


def test_a_program_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "large.bin"
    path.write_bytes(image(app_size=0x280000))
    with pytest.raises(UsageError) as e:
        chip.plan(path, boards.kind(BOARD))
    assert e.value.key == "error.chip_room"


def test_the_board_is_the_one_with_that_chip(tmp_path, firmware):
    assert chip.kind_for(firmware, None).mcu == "esp32s3"
    other = tmp_path / "c3.bin"
    other.write_bytes(image(5))
    with pytest.raises(UsageError) as e:
        chip.plan(other, chip.kind_for(firmware, BOARD))
    assert "esp32c3" in e.value.what


def test_a_dry_run_tells_the_commands_and_touches_nothing(tmp_path, firmware):
    arguments = ("flash", "--chip", firmware, "--board", BOARD, "--port", "/dev/ttyACM7", "--dry-run", "--json")
    done = microtill(*arguments)
    assert done.returncode == 0, done.stderr
    (told,) = results(done)
    commands = [shlex.split(line) for line in told["commands"].values()]
    assert [next(w for w in words if w.endswith(("-flash", "-region"))) for words in commands] == [
        "read-flash",
        "write-flash",
        "erase-region",
        "write-flash",
    ]
    assert all(words[:3] == ["esptool", "--chip", "esp32s3"] for words in commands)
    assert {piece["offset"] for piece in told["pieces"]} == {0, 0x8000, 0x1D000, 0x20000}
    assert microtill("flash", "--erase", "--port", "x").returncode == 2
    assert microtill("flash", "--chip", tmp_path / "none.bin").returncode == 2


def test_a_chip_that_does_not_answer(tmp_path, firmware):
    """The real esptool, at a port where nobody is."""
    master, slave = pty.openpty()
    try:
        with pytest.raises(NoAnswer) as e:
            chip.write(chip.plan(firmware, boards.kind(BOARD)), os.ttyname(slave))
        assert e.value.exit_code == 7
        assert e.value.key == "error.chip_silent"
    finally:
        os.close(master)
        os.close(slave)


def divided_as_ours(content: int) -> tuple[NorFlash, dict[str, bytes]]:
    """A chip with our table, full of noise elsewhere; and what its partitions hold."""
    kind = boards.kind(BOARD)
    flash = NorFlash(kind.flash_bytes)
    flash.program(0x8000, table_bytes(kind.partitions))
    held = {p.label: random.Random(p.offset + content).randbytes(p.size) for p in kind.partitions}
    for part in kind.partitions:
        flash.program(part.offset, held[part.label])
    return flash, held


def written(flash: NorFlash, firmware: Path) -> None:
    """The chip holds MicroPython and our table, where its ROM and boot loader look for them."""
    kind = boards.kind(BOARD)
    wanted = read_micropython(firmware.read_bytes(), kind.mcu)
    assert flash.read(0x20000, len(wanted.app)) == wanted.app
    assert flash.read(0x8000, 0xC00) == table_bytes(kind.partitions)
    assert flash.read(0x1D000, 0x2000) == b"\xff" * 0x2000
    bootloader = read_app(flash.read(0, 0x8000)).data  # its hash holds, with the size of this flash in its header
    assert bootloader[3] >> 4 == 3
    assert bootloader[24:-32] == wanted.bootloader[24:-32]


def test_esptool_writes_a_bare_chip(firmware):
    flash = NorFlash(8 << 20)
    flash.program(0x600000, b"of a product before")
    stages = []
    with DownloadMode(flash) as mode:
        plan = chip.plan(firmware, boards.kind(BOARD))
        steps: list[int] = []
        assert chip.write(plan, mode.port, stage=lambda text, **f: stages.append(text), step=steps.append) is False
        written(flash, firmware)
        assert flash.read(0x600000, 0x100000) == b"\xff" * 0x100000
        assert stages == ["chip.asking", "chip.writing"]
        assert 0 < sum(steps) <= sum(len(piece.data) for piece in plan.pieces)


def test_esptool_keeps_vault_and_journal_of_a_chip_that_is_divided_as_ours(firmware):
    flash, held = divided_as_ours(1)
    kind = boards.kind(BOARD)
    parts = {p.label: p for p in kind.partitions}
    with DownloadMode(flash) as mode:
        plan = chip.plan(firmware, kind)
        assert chip.write(plan, mode.port, must_keep=True) is True
        written(flash, firmware)
        for label in ("nvs", "journal", "romfs"):
            assert flash.read(parts[label].offset, parts[label].size) == held[label], label
        assert flash.read(parts["vfs"].offset, parts["vfs"].size) == b"\xff" * parts["vfs"].size
        assert chip.write(plan, mode.port, erase=True) is False
        written(flash, firmware)
        assert flash.read(parts["nvs"].offset, parts["nvs"].size) == b"\xff" * parts["nvs"].size


@pytest.mark.parametrize(
    ("mode", "must_keep", "key"),
    [
        ({"flash_id": 0x1640C8}, False, "error.chip_flash"),  # 4 MB
        ({"chip_id": 5}, False, "error.chip_other"),  # a C3
        ({}, True, "error.other_table"),  # a merchant's terminal that is divided otherwise
    ],
)
def test_a_chip_that_does_not_fit_is_left_as_it_is(firmware, mode, must_keep, key):
    flash = NorFlash(8 << 20)
    flash.program(0, b"whatever it was")
    with DownloadMode(flash, **mode) as loader:
        with pytest.raises(Refused) as e:
            chip.write(chip.plan(firmware, boards.kind(BOARD)), loader.port, must_keep=must_keep)
        assert (e.value.key, e.value.exit_code) == (key, 6)
        assert flash.erases == 0
        assert flash.programs == 1
