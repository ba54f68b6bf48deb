"""The bench's NVS is ESP-IDF's: its format beside Espressif's own tool, its recovery after a cut at every operation."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from microtill.bench.chips.flash import NorFlash
from microtill.bench.nvs import (
    INVALID_NAME,
    KEY_TOO_LONG,
    NOT_ENOUGH_SPACE,
    NOT_FOUND,
    VALUE_TOO_LONG,
    Nvs,
    NvsError,
    Value,
)
from support.bench import run
from support.fuzz import examples
from support.metal import Gone, Metal


def code(call, *arguments) -> int:
    with pytest.raises(NvsError) as e:
        call(*arguments)
    return e.value.code


def generated(folder: Path, rows: str, size: int) -> bytes:
    """A partition made by Espressif's tool."""
    (folder / "in.csv").write_text("key,type,encoding,value\n" + rows)
    command = [sys.executable, "-m", "esp_idf_nvs_partition_gen", "generate", "in.csv", "out.bin", hex(size)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "out.bin").read_bytes()


def test_what_is_set_is_in_the_flash(tmp_path):
    flash = NorFlash(0x8000, tmp_path / "flash.bin")
    nvs = Nvs(flash, 0x1000, 0x6000)
    nvs.set("till", "count", -5)
    nvs.set("till", "blob", b"\0secret")
    nvs.set("till", "gone", 1)
    nvs.erase("till", "gone")
    flash.close()
    again = Nvs(NorFlash(0x8000, tmp_path / "flash.bin"), 0x1000, 0x6000)
    assert again.values == {("till", "count"): -5, ("till", "blob"): b"\0secret"}
    assert code(again.get, "till", "blob", int) == NOT_FOUND
    assert code(again.get, "other", "blob", bytes) == NOT_FOUND
    assert code(again.erase, "till", "gone") == NOT_FOUND


def test_names_and_sizes_have_bounds():
    nvs = Nvs(NorFlash(0x3000), 0, 0x3000)
    nvs.set("n" * 15, "k" * 15, 1)
    assert code(nvs.set, "n", "k" * 16, 1) == KEY_TOO_LONG
    assert code(nvs.set, "n", "", 1) == INVALID_NAME
    assert code(nvs.open, "n" * 16) == INVALID_NAME
    assert code(nvs.set, "n", "big", bytes(8001)) == VALUE_TOO_LONG
    assert code(nvs.set, "n", "big", bytes(8000)) == NOT_ENOUGH_SPACE  # two pages of three, and one stays free
    nvs.set("n", "big", bytes(3000))
    assert code(nvs.set, "n", "other", bytes(5500)) == NOT_ENOUGH_SPACE
    assert nvs.values == {("n" * 15, "k" * 15): 1, ("n", "big"): bytes(3000)}
    assert Nvs(nvs._flash, 0, 0x3000).values == nvs.values


def test_what_it_already_holds_is_not_written_again():
    flash = NorFlash(0x3000)
    nvs = Nvs(flash, 0, 0x3000)
    for value in (7, b"seven"):
        nvs.set("n", type(value).__name__, value)
        before = flash.read(0, 0x3000)
        nvs.set("n", type(value).__name__, value)
        assert flash.read(0, 0x3000) == before


def test_a_value_that_changes_its_type_is_one_value():
    nvs = Nvs(NorFlash(0x3000), 0, 0x3000)
    for value in (7, b"seven", 8):
        nvs.set("n", "k", value)
        assert nvs.values == {("n", "k"): value}


def test_an_image_is_octet_for_octet_what_espressifs_tool_makes(tmp_path):
    dice = random.Random(3)
    blobs = {f"blob{n}": dice.randbytes(n) for n in (1, 31, 32, 33, 1984, 3000, 4000, 4001)}
    rows = ["till,namespace,,", "count,data,i32,-7"]
    for name, blob in blobs.items():
        (tmp_path / f"{name}.bin").write_bytes(blob)
        rows.append(f"{name},file,binary,{tmp_path / name}.bin")
    rows += ["other,namespace,,", "count,data,i32,2147483647", "last,data,hex2bin,00ff7f"]
    theirs = generated(tmp_path, "\n".join(rows) + "\n", 0x9000)
    flash = NorFlash(0x9000)
    nvs = Nvs(flash, 0, 0x9000)
    nvs.open("till")
    nvs.set("till", "count", -7)
    for name, blob in blobs.items():
        nvs.set("till", name, blob)
    nvs.open("other")
    nvs.set("other", "count", 2147483647)
    nvs.set("other", "last", b"\x00\xff\x7f")
    ours = flash.read(0, 0x9000)
    differs = [at for at in range(0, 0x9000, 32) if ours[at : at + 32] != theirs[at : at + 32]]
    assert differs == []


def test_an_image_of_espressifs_tool_is_read_and_gone_on_with(tmp_path):
    blob = random.Random(2).randbytes(5000)
    (tmp_path / "blob.bin").write_bytes(blob)
    rows = (
        "till,namespace,,\ncount,data,i32,-7\n"
        f"blob,file,binary,{tmp_path / 'blob.bin'}\ntext,data,string,kept\nother,namespace,,\ncount,data,i32,9\n"
    )
    flash = NorFlash(0x6000)
    flash.burn(0, generated(tmp_path, rows, 0x6000))
    nvs = Nvs(flash, 0, 0x6000)
    assert nvs.values == {("till", "count"): -7, ("till", "blob"): blob, ("other", "count"): 9}
    nvs.set("till", "blob", b"shorter")
    nvs.set("other", "count", 10)
    again = Nvs(flash, 0, 0x6000)
    assert again.values == {("till", "count"): -7, ("till", "blob"): b"shorter", ("other", "count"): 10}
    assert again.holds("till", "text")  # a type that MicroPython does not offer is not in the way


def test_what_was_replaced_or_erased_stays_until_its_page_is_erased():
    flash = NorFlash(0x3000)
    nvs = Nvs(flash, 0, 0x3000)
    nvs.set("till", "a", b"the first secret")
    nvs.set("till", "a", b"the second secret")
    nvs.erase("till", "a")
    assert not nvs.holds("till", "a")
    raw = flash.read(0, 0x3000)
    assert b"the first secret" in raw
    assert b"the second secret" in raw
    for n in range(300):
        nvs.set("till", "b", n)
    assert b"secret" not in flash.read(0, 0x3000)  # moved together by then
    assert nvs.values == {("till", "b"): 299}


def test_a_thousand_changes_against_a_dictionary():
    dice = random.Random(5)
    flash = NorFlash(0x6000)
    nvs = Nvs(flash, 0x1000, 0x4000)
    held: dict[tuple[str, str], Value] = {}
    for _ in range(1000):
        key = "till", f"k{dice.randrange(8)}"
        if key in held and dice.random() < 0.2:
            nvs.erase(*key)
            del held[key]
        else:
            held[key] = dice.randrange(-5, 5) if key[1] < "k2" else dice.randbytes(dice.choice((0, 1, 33, 900)))
            nvs.set(*key, held[key])
        if dice.random() < 0.1:
            nvs = Nvs(flash, 0x1000, 0x4000)
        assert nvs.values == held
    assert flash.read(0, 0x1000) == b"\xff" * 0x1000 == flash.read(0x5000, 0x1000)


def test_a_blob_of_more_than_a_page():
    flash = NorFlash(0x8000)
    big = random.Random(1).randbytes(8200)
    nvs = Nvs(flash, 0, 0x8000)
    for n in range(4):
        nvs.set("till", "big", big[n:])
        assert Nvs(flash, 0, 0x8000).get("till", "big", bytes) == big[n:]


@pytest.mark.parametrize("value", [8, b"new", random.Random(1).randbytes(900), random.Random(2).randbytes(5000)])
def test_a_cut_at_every_operation_of_a_change_leaves_the_old_value_or_the_new_one(value):
    old = 7 if isinstance(value, int) else value[::-1]
    others = {("till", "one"): 1, ("till", "blob"): bytes(range(256)) * 3}
    found = set()
    for fill in (0, 70, 110, 240):  # in a fresh page, near its end, and where pages are moved together
        at = 1
        while True:
            flash = NorFlash(0x5000, seed=at)
            nvs = Nvs(flash, 0, 0x5000)
            for where, other in others.items():
                nvs.set(*where, other)
            nvs.set("till", "it", old)
            for n in range(fill):
                nvs.set("till", "fill", n)
            metal = Metal(flash, at)
            nvs = Nvs(metal, 0, 0x5000)
            try:
                nvs.set("till", "it", value)
                break
            except Gone:
                after = Nvs(flash, 0, 0x5000).values
                now = after.pop(("till", "it"))
                assert now in (old, value)
                found.add(now == value)
                after.pop(("till", "fill"), None)
                assert after == others
            at += 1
        assert at > 3
    assert found == {False, True}


def test_cuts_anywhere_and_in_the_recovery_from_them_fuzz():
    for seed in range(examples(60)):
        dice = random.Random(seed)
        size = dice.choice((3, 4, 5)) * 4096
        flash = NorFlash(size, seed=seed)
        held: dict[tuple[str, str], Value] = {}
        for _ in range(60):
            nvs = Nvs(Metal(flash, 0), 0, size)
            metal = Metal(flash, dice.choice((0, dice.randrange(1, 14))))
            key = "till", f"k{dice.randrange(6)}"
            new: Value | None = (
                dice.randrange(-9, 9) if key[1] < "k2" else dice.randbytes(dice.choice((0, 31, 32, 900)))
            )
            if key in held and dice.random() < 0.2:
                new = None
            old = held.get(key)
            try:
                nvs = Nvs(metal, 0, size)
                if new is None:
                    nvs.erase(*key)
                else:
                    nvs.set(*key, new)
            except NvsError as e:
                assert e.code == NOT_ENOUGH_SPACE
                new = old
            except Gone:
                while True:
                    try:
                        nvs = Nvs(Metal(flash, dice.choice((0, 1, 2, 3, 5, 9))), 0, size)
                        break
                    except Gone:
                        continue  # cut in the recovery, too
                assert nvs.values.get(key) in (old, new)
                new = nvs.values.get(key)
            if new is None:
                held.pop(key, None)
            else:
                held[key] = new
            assert nvs.values == held, f"seed {seed}"
            assert Nvs(flash, 0, size).values == held, f"seed {seed}, read again"


def test_a_partition_without_a_free_page_is_erased_as_micropython_does(tmp_path):
    state = tmp_path / "state"
    script = (
        "import esp32\nn = esp32.NVS('t')\ntry:\n    print(n.get_i32('x'))\nexcept OSError as e:\n    print(e.args)\n"
    )
    assert run(tmp_path, script + "n.set_i32('x', 5)\n", state=state) == ["(-4354,)"]
    assert run(tmp_path, script, state=state) == ["5"]
    flash = bytearray((state / "flash.bin").read_bytes())
    page = flash[0x9000:0xA000]
    for sequence in range(20):  # no page is left over, and none is being moved
        other = NorFlash(0x3000)
        filled = Nvs(other, 0, 0x3000)
        filled._pages[0].sequence = sequence
        filled.set("t", "y", sequence)
        flash[0x9000 + sequence * 0x1000 : 0xA000 + sequence * 0x1000] = other.read(0, 0x1000)
    assert page != flash[0x9000:0xA000]
    (state / "flash.bin").write_bytes(flash)
    assert run(tmp_path, script, state=state) == ["(-4354,)"]
