"""Flash: what NOR can do, what a power cut leaves, and both as the firmware sees them; NVS as it sees it."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from microtill.bench import partitions
from microtill.bench.chips.flash import SECTOR, NorFlash
from microtill.bench.client import Bench
from microtill.paths import BOARDS
from support.bench import bench, run

FLASH = """
import esp32
part = esp32.Partition.find(1, label="journal")[0]
def read(n=16, block=0, off=0):
    buf = bytearray(n)
    part.readblocks(block, buf, off)
    return bytes(buf)
"""


def test_a_program_only_clears_bits_and_says_what_it_could_not_set():
    flash = NorFlash(2 * SECTOR)
    assert flash.read(0, 4) == b"\xff" * 4
    assert flash.program(0, b"\xf0\x0f\xaa\xff") == []
    assert flash.program(0, b"\xff\x05\xa0\xff") == []
    assert flash.read(0, 4) == b"\xf0\x05\xa0\xff"
    assert flash.program(0, b"\x0f\x0f\xaf\xff") == [0, 1, 2]
    assert flash.read(0, 4) == b"\x00\x05\xa0\xff"
    flash.erase(0)
    assert flash.read(0, SECTOR) == b"\xff" * SECTOR
    assert (flash.erases, flash.wear) == (1, {0: 1})


def test_a_torn_program_never_writes_what_a_whole_one_would_not():
    rng = random.Random(7)
    for seed in range(200):
        flash = NorFlash(SECTOR, seed=seed)
        before, data = rng.randbytes(64), rng.randbytes(64)
        flash.program(0, before)
        written = flash.tear_program(0, data)
        got = flash.read(0, 65)
        whole = bytes(a & b for a, b in zip(before, data, strict=True))
        assert 0 <= written <= 64
        assert got[:written] == whole[:written]
        for i in range(written, 64):
            assert got[i] & whole[i] == whole[i]  # no bit is cleared that should not be
            assert got[i] | before[i] == before[i]  # and none is set
        assert got[written + 1 : 64] == before[written + 1 :]
        assert got[64] == 0xFF


def test_torn_programs_stop_at_every_kind_of_place():
    places = set()
    for seed in range(60):
        written = NorFlash(SECTOR, seed=seed).tear_program(0, bytes(64))
        places.add("none" if not written else "all" if written == 64 else "some")
    assert places == {"none", "some", "all"}


def test_a_torn_erase_only_sets_bits_within_its_sector():
    shapes = set()
    for seed in range(60):
        flash = NorFlash(3 * SECTOR, seed=seed)
        flash.program(0, bytes(3 * SECTOR))
        front = flash.tear_erase(1)
        got = flash.read(SECTOR, SECTOR)
        assert got[:front] == b"\xff" * front
        shapes.add("noise" if any(b not in (0, 255) for b in got) else front)
        assert flash.read(0, SECTOR) == bytes(SECTOR) == flash.read(2 * SECTOR, SECTOR)
    assert {"noise", 0, SECTOR} <= shapes


def test_flash_keeps_its_contents_in_its_file_and_refuses_a_file_of_another_size(tmp_path):
    flash = NorFlash(2 * SECTOR, tmp_path / "flash.bin")
    flash.program(5, b"kept")
    flash.close()
    again = NorFlash(2 * SECTOR, tmp_path / "flash.bin")
    assert again.read(4, 6) == b"\xffkept\xff"
    again.close()
    with pytest.raises(ValueError, match="8192"):
        NorFlash(4 * SECTOR, tmp_path / "flash.bin")


def test_flash_refuses_what_lies_outside_it():
    flash = NorFlash(SECTOR)
    for address, n in ((-1, 1), (SECTOR, 1), (SECTOR - 1, 2)):
        with pytest.raises(ValueError, match="outside"):
            flash.read(address, n)
    with pytest.raises(ValueError, match="outside"):
        flash.erase(1)


def test_the_partition_table_is_one_the_bootloader_takes():
    table = partitions.load(BOARDS / "TILL_ESP32S3" / "partitions.csv", 8 << 20)
    by_label = {p.label: p for p in table}
    assert by_label["journal"].type == 1
    assert by_label["journal"].size == 1 << 20
    assert not by_label["journal"].encrypted
    assert by_label["ota_0"].size == by_label["ota_1"].size >= 2 << 20
    assert table[-1].end == 8 << 20
    for one, other in pairwise(table):
        assert one.end <= other.offset


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("a, data, nvs, 0x9001, 0x1000,", "aligned"),
        ("a, app, ota_0, 0x11000, 0x1000,", "aligned"),
        ("a, data, nvs, 0x9000, 0x2000,\nb, data, nvs, 0xa000, 0x1000,", "overlaps"),
        ("a, data, nvs, 0x9000, 0x100000,", "beyond"),
        ("a, data, nvs, 0x9000, 0x1000,\na, data, nvs, 0xa000, 0x1000,", "twice"),
        ("a, data, what, 0x9000, 0x1000,", "no number"),
    ],
)
def test_a_partition_table_that_cannot_work_is_refused(tmp_path, line, wrong):
    (tmp_path / "p.csv").write_text(line)
    with pytest.raises(partitions.PartitionError, match=wrong):
        partitions.load(tmp_path / "p.csv", 0x100000)


def test_partitions_as_the_firmware_sees_them(tmp_path):
    lines = run(
        tmp_path,
        FLASH
        + """
print(part.info())
print(part.ioctl(4, 0), part.ioctl(5, 0))
print(len(esp32.Partition.find(0)), esp32.Partition.find(1, label="nothing"))
part.writeblocks(3, b"\\xf0\\xff\\x0f", 100)
part.writeblocks(3, b"\\x0f\\x77\\xff", 100)
print(read(5, 3, 99))
page = bytes(range(256)) * 32
part.writeblocks(4, page)
part.writeblocks(4, page)
print(read(8192, 4) == page)
part.ioctl(6, 4)
print(read(4, 4), read(4, 5))
for block, off, n in ((255, 4096, 1), (256, 0, 1), (-1, 0, 1)):
    try:
        part.readblocks(block, bytearray(n), off)
        print("read outside")
    except OSError as e:
        print(e.errno)
""",
    )
    assert (
        lines
        == [
            "(1, 64, 6291456, 1048576, 'journal', False)",
            "256 4096",
            "2 []",
            r"b'\xff\x00w\x0f\xff'",
            "True",
            r"b'\xff\xff\xff\xff' b'\x00\x01\x02\x03'",
        ]
        + ["-260"] * 3
    )


def test_wanting_bits_back_without_an_erase_is_a_violation(tmp_path):
    with bench(tmp_path, FLASH + "part.writeblocks(0, b'\\x00\\x00', 8)\npart.writeblocks(0, b'\\xff\\x10', 8)") as b:
        assert b.wait_exit() == 0
        assert b.violations() == ["flash: program 0x600008+0x1 wants bits that only an erase sets"]
        assert b.counters()["storage"]["programs"] == 2


def test_nvs_as_the_firmware_sees_it(tmp_path):
    lines = run(
        tmp_path,
        """
        import esp32
        nvs = esp32.NVS("till")
        def code(call, *args):
            try:
                return call(*args)
            except OSError as e:
                return e.args[0]
        print(code(nvs.get_i32, "a"), code(nvs.get_blob, "b", bytearray(4)), code(nvs.erase_key, "a"))
        nvs.set_i32("a", -7)
        nvs.set_blob("b", b"\\0\\xff12")
        nvs.commit()
        buf = bytearray(6)
        print(nvs.get_i32("a"), nvs.get_blob("b", buf), buf)
        print(code(nvs.get_blob, "b", bytearray(3)), code(nvs.set_i32, "sixteen letters!", 1))
        print(code(esp32.NVS("other").get_i32, "a"))
        nvs.erase_key("a")
        print(code(nvs.get_i32, "a"))
        """,
    )
    assert lines == [
        "-4354 -4354 -4354",
        r"-7 4 bytearray(b'\x00\xff12\x00\x00')",
        "-4364 -4361",
        "-4354",
        "-4354",
    ]


COUNTING = (
    FLASH
    + """
nvs = esp32.NVS("till")
boot = 0
try:
    boot = nvs.get_i32("boot")
except OSError:
    print("first boot")
print("boot", boot, read(8).hex(), read(8, 1).hex())
nvs.set_i32("boot", boot + 1)
nvs.commit()
part.ioctl(6, 0)
for i in range(8):
    part.writeblocks(0, bytes((i,)), i)
part.ioctl(6, 1)
print("done")
"""
)


def test_the_power_is_cut_inside_the_very_operation_that_was_named(tmp_path):
    # A new namespace: page header, entry, its state. The set: entry and state. Then erase, 8 programs, erase.
    told_of = {1: "open, program 0x9000", 3: "open, program 0x9020", 4: "set, program 0x9060", 6: "erase 0x600000"}
    told_of |= {7: "program 0x600000", 12: "program 0x600005", 15: "erase 0x601000"}
    for after, expected in told_of.items():
        folder = tmp_path / str(after)
        folder.mkdir()
        with bench(folder, COUNTING, state=folder / "state", power=False, seed=after) as b:
            b.power_cut(after=after)
            b.power_on()
            b.wait(lambda b=b: not b.state()["powered"], "the cut")
            told = [text for _, who, text in b.trace() if text.startswith("cut in")]
            assert len(told) == 1
            assert told[0].startswith(f"cut in {expected}"), told
            assert "done" not in b.console_lines()
            assert b.counters()["storage"]["operations"] == after
            b.power_on()
            assert b.wait_exit() == 0
            lines = b.console_lines()
            assert lines[-1] == "done"
            boots = [line for line in lines if line.startswith("boot")]
            if after > 5:
                assert boots[1].startswith("boot 1 "), lines
            if after > 7:  # what was programmed before the torn one is whole
                assert boots[1].split()[2].startswith("".join(f"{i:02x}" for i in range(min(after - 7, 8))))


def test_state_outlives_the_bench(tmp_path):
    script = (
        "import esp32\nn = esp32.NVS('t')\nn.set_i32('x', 41)\nn.commit()\n" + FLASH + "part.writeblocks(9, b'hi', 0)"
    )
    with bench(tmp_path, script, state=tmp_path / "state") as b:
        assert b.wait_exit() == 0
    again = "import esp32\nprint(esp32.NVS('t').get_i32('x'))\n" + FLASH + "print(read(3, 9))"
    assert run(tmp_path, again, state=tmp_path / "state") == ["41", r"b'hi\xff'"]
    assert sorted(p.name for p in (tmp_path / "state").iterdir()) == ["flash.bin"]
    assert run(tmp_path, FLASH + "print(read(3, 9))") == [r"b'\xff\xff\xff'"]


def test_the_same_seed_tears_alike(tmp_path):
    def torn(seed: int) -> bytes:
        script = FLASH + "part.writeblocks(0, bytes(200), 0)"
        state = tmp_path / f"state{seed}-{len(list(tmp_path.iterdir()))}"
        with bench(tmp_path, script, state=state, power=False, seed=seed) as b:
            b.power_cut(after=1)
            b.power_on()
            b.wait(lambda: not b.state()["powered"], "the cut")
        return read_flash(state)

    def read_flash(state: Path) -> bytes:
        data = (state / "flash.bin").read_bytes()
        return data[0x600000:0x600100]

    assert torn(3) == torn(3)
    assert len({torn(seed) for seed in range(1, 7)}) > 2


def test_a_reset_loses_no_flash_and_a_cut_needs_the_power_on(tmp_path):
    script = (
        FLASH
        + "import machine\nif read(1) == b'\\xff':\n part.writeblocks(0, b'x', 0)\n machine.reset()\nprint(read(2))"
    )
    with bench(tmp_path, FLASH + script) as b:
        assert b.wait_exit() == 0
        assert b.console_lines() == [r"b'x\xff'"]
        b.power_cut()
        with pytest.raises(Exception, match="the power is off"):
            b.power_cut()
        with pytest.raises(Exception, match="1 or more"):
            Bench.power_cut(b, after=0)
