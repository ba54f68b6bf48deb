"""What `microtill flash` decides before it touches a board: kinds of code, what differs, room, words, trust objects."""

import base64
import json
import string
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey
from microtill.device import trust
from microtill.device.errors import Refused, UsageError
from microtill.device.flashing import Wishes, _Flashing, unsettled
from microtill.device.installed import (
    MAIN,
    MANIFEST,
    NEW,
    Installed,
    Release,
    firmware_version,
    free_blocks,
    listing_hash,
    manifest,
    plan,
    read_manifest,
    release_for,
    room_beside,
    room_short,
)
from microtill.device.ports import Port
from microtill.device.probe import unit_of
from microtill.device.repl import Facts
from microtill.device.watch import Quiet
from microtill.paths import FIRMWARE
from microtill.release import boards
from microtill.release.architecture import Target, UnknownArchitecture, fits, target
from microtill.release.image import build_files

BLOCK = 4096
NATIVE = "till/core/fast_viper.mpy"

# The bytes as an ESP32-S3, an ESP32-C3 and this computer's port give them: version 6, sub-version 3, architecture.
NUMBERS = {"xtensawin": 6 | 3 << 8 | 10 << 10, "rv32imc": 6 | 3 << 8 | 11 << 10, "x64": 6 | 3 << 8 | 2 << 10}


@pytest.mark.parametrize("architecture", NUMBERS)
def test_native_code_is_compiled_for_the_boards_processor_and_no_other(architecture):
    wanted = target(NUMBERS[architecture])
    assert wanted == Target(6, 3, architecture)
    files = build_files("TILL_ESP32S3", architecture)
    assert all(fits(data, wanted) for name, data in files.items() if name.endswith(".mpy"))
    others = [target(number) for name, number in NUMBERS.items() if name != architecture]
    assert not any(fits(files[NATIVE], other) for other in others)


def test_a_port_without_native_code_gets_its_source():
    files = build_files("TILL_ESP32S3", target(6 | 3 << 8).architecture)
    assert NATIVE not in files
    assert files["till/core/fast_viper.py"] == (FIRMWARE / "till/core/fast_viper.py").read_bytes()
    assert files["main.py"] == (FIRMWARE / "main.py").read_bytes()  # the port looks for just this name


@pytest.mark.parametrize("number", [5 | 3 << 8, 7, 6 | 13 << 10, 6 | 15 << 10])
def test_code_of_a_kind_that_is_not_made_here_is_refused(number):
    with pytest.raises(UnknownArchitecture):
        target(number)


def test_the_extensions_a_processor_has_do_not_hide_its_kind():
    assert target(NUMBERS["rv32imc"] | 1 << 16).architecture == "rv32imc"


RELEASE = Release(
    "TILL_ESP32S3", "1.0", None, {MAIN: b"m", "/boot.py": b"b", "/till/a.mpy": b"a", "/till/b.bin": b"bb"}
)


def sizes(files: dict[str, bytes]) -> dict[str, int]:
    return {path: len(data) for path, data in files.items()}


def test_nothing_is_done_to_what_is_the_same():
    steps = plan(RELEASE, sizes(dict(RELEASE.files)), RELEASE.sums, Installed(files=RELEASE.sums))
    assert (steps.write, steps.remove, steps.changes) == ((), (), False)
    assert set(steps.same) == set(RELEASE.files)


def test_main_comes_last_and_with_any_change():
    there = sizes(dict(RELEASE.files))
    steps = plan(RELEASE, there, {**RELEASE.sums, "/till/a.mpy": "other"}, Installed())
    assert steps.write == ("/till/a.mpy", MAIN)


def test_ours_goes_and_other_peoples_files_stay():
    there = sizes(dict(RELEASE.files)) | {
        "/till/old.mpy": 9,  # of our folder
        "/lib/ours.mpy": 9,  # of our manifest
        "/till/a.py": 9,  # would be imported instead of a.mpy
        "/till/a.mpy" + NEW: 9,
        "/notes.txt": 9,
        "/main.py.bak": 9,
        MANIFEST: 9,
    }
    steps = plan(RELEASE, there, RELEASE.sums, Installed(files={"/lib/ours.mpy": "x", "/gone.mpy": "y"}))
    assert set(steps.remove) == {"/till/old.mpy", "/lib/ours.mpy", "/till/a.py", "/till/a.mpy" + NEW}
    assert steps.foreign == ("/main.py.bak", "/notes.txt")


FILES = st.dictionaries(
    st.sampled_from(
        [*RELEASE.files, *(p + NEW for p in RELEASE.files), "/till/x.mpy", "/y", "/lib/z.mpy", "/till/a.py", MANIFEST]
    ),
    st.integers(0, 50_000),
)


@given(FILES, st.sets(st.sampled_from(sorted(RELEASE.files))), st.sets(st.sampled_from(["/lib/z.mpy", "/till/x.mpy"])))
def test_after_any_plan_the_board_has_the_release_and_only_foreign_files_beside_it(there, same, listed):
    sums = {path: RELEASE.sums[path] for path in same if path in there}
    steps = plan(RELEASE, there, sums, Installed(files=dict.fromkeys(listed, "x")))
    written = set(steps.write)
    left = (set(there) - set(steps.remove) - {path + NEW for path in written}) | written
    assert set(RELEASE.files) <= left
    assert not {path + NEW for path in written} & set(steps.remove)  # it may be whole, and is used then
    assert left - set(RELEASE.files) - {MANIFEST} == set(steps.foreign)
    assert not any(path.startswith("/till/") or path in listed for path in steps.foreign)
    assert set(steps.write) >= set(RELEASE.files) - set(sums)
    assert not steps.write or steps.write[-1] == MAIN


def test_room_is_counted_in_blocks():
    big = Release("X", "1", None, {MAIN: b"m", "/till/a.mpy": bytes(10 * BLOCK)})
    empty = plan(big, {}, {}, Installed())
    assert room_short(big, empty, {}, 30, BLOCK) == 0
    assert room_short(big, empty, {}, 10, BLOCK) > 0
    # What it replaces goes, but not before it is whole, unless there is no other way.
    there = {MAIN: 1, "/till/a.mpy": 10 * BLOCK}
    change = plan(big, there, {}, Installed())
    assert room_short(big, change, there, 10, BLOCK) == 0
    assert not room_beside(big, change, there, 10, BLOCK)
    assert room_beside(big, change, there, 30, BLOCK)


def test_a_file_system_that_counts_folders_twice_is_not_believed():
    there = {"/till/a": 5000, "/till/core/b": 100}
    assert free_blocks(there, -3, 64, BLOCK) == 64 - 2 - 2 * 3
    assert free_blocks(there, 60, 64, BLOCK) == 60


def test_the_manifest_survives_what_a_board_may_answer():
    text = manifest(RELEASE, RELEASE.sums).decode()
    found = read_manifest(text)
    assert found == Installed("TILL_ESP32S3", "1.0", RELEASE.hash, RELEASE.sums)
    assert text.index(RELEASE.hash) < 256 - 64  # the firmware reads only its beginning
    for damaged in ("", "{", "[]", "null", '{"files": 3}', text[:-9]):
        assert read_manifest(damaged) == Installed()
    odd = {"files": {"/../etc": "x", "/a/../b": "x", MANIFEST: "x", "x y": "x", "/ok.mpy": "x", "/n": 4}, "hash": 7}
    assert read_manifest(json.dumps(odd)) == Installed(files={"/ok.mpy": "x"})


@given(st.text(string.printable, max_size=60))
def test_no_manifest_makes_it_fail(text):
    assert isinstance(read_manifest(text), Installed)


def test_a_release_is_named_by_its_listing():
    assert RELEASE.hash == listing_hash(RELEASE.sums)
    assert RELEASE.hash != Release("TILL_ESP32S3", "1.0", None, {**RELEASE.files, "/till/a.mpy": b"A"}).hash
    built = release_for("TILL_ESP32S3", target(NUMBERS["x64"]))
    assert built is release_for("TILL_ESP32S3", target(NUMBERS["x64"]))
    assert built.version == firmware_version()


def test_what_a_terminal_owes():
    unit = partial(dict, state="provisioned", unsent=0, open_batch=False)
    assert unsettled(unit_of(unit())) == ""
    assert unsettled(unit_of(unit(unsent=2))) == "unsent 2"
    assert unsettled(unit_of(unit(open_batch=True))) == "open_batch"
    assert unsettled(unit_of({"state": "provisioned"})) == "?"  # a firmware that cannot tell
    assert unsettled(unit_of({"state": "blank", "unsent": 3})) == "unsent 3"  # only its vault is gone
    assert unsettled(unit_of({"state": "blank", "unsent": 0, "open_batch": False})) == ""


def test_wishes_that_could_never_be():
    Wishes("TILL_ESP32S3", "I accept unsettled sales").check()
    for wishes in (Wishes(board="X"), Wishes(words="i accept"), Wishes(trust="x")):
        with pytest.raises(UsageError) as e:
            wishes.check()
        assert e.value.exit_code == 2


@pytest.fixture(scope="module")
def key():
    return ECKey.generate_key("P-256")


def signed(key, body: dict, **header) -> str:
    head = {"alg": "ES256", "kid": key.thumbprint(), "typ": "mt-trust", **header}
    return jws.serialize_compact(head, json.dumps(body).encode(), key, algorithms=["ES256"])


def body(key) -> dict:
    public = key.as_dict(private=False)
    return {"v": 1, "version": 3, "name": "Haihe Pay", "url": "https://a.test", "ca": ["x"], "keys": [public]}


def test_a_trust_object_tells_its_fingerprint(key):
    found = trust.read(signed(key, body(key)))
    kid = key.thumbprint()
    digits = base64.urlsafe_b64decode(kid + "=")[:8].hex().upper()
    assert found.fingerprint.replace(" ", "") == digits
    assert (found.name, found.version) == ("Haihe Pay", 3)


def test_anything_else_is_no_trust_object(key):
    token = signed(key, body(key))
    head, payload, signature = token.split(".")
    other = signed(ECKey.generate_key("P-256"), body(key))
    for wrong in (
        "",
        "a.b.c",
        "x" * 20_000,
        f"{head}.{payload}.{signature[:-8]}AAAAAAAA",
        signed(key, body(key), typ="mt-ticket"),
        signed(key, {"keys": 5}),
        signed(key, {**body(key), "keys": []}),
        other,
    ):
        with pytest.raises(UsageError) as e:
            trust.read(wrong)
        assert e.value.key == "error.not_trust"


TABLE = tuple(sorted(boards.kind("TILL_ESP32S3").table))
STOCK_TABLE = (
    (1, 2, 0x9000, 0x6000, "nvs"),
    (0, 0, 0x10000, 0x1F0000, "factory"),
    (1, 0x83, 0x200000, 0x600000, "vfs"),
)
S3 = "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3"


def facts(machine: str = S3, table: tuple | None = TABLE, heap: int = 8 << 20) -> Facts:
    return Facts(NUMBERS["xtensawin"], machine, "3.4.0", "AgBeEAAB", table, BLOCK, 256, 200, heap, True, "")


def which(found: Facts, board: str | None = None, before: Installed = Installed()) -> str:  # noqa: B008 - frozen
    return _Flashing(Port("x"), Wishes(board=board), Quiet())._board_of(found, None, before).name


def test_a_board_is_known_by_its_table_its_build_or_its_manifest():
    assert which(facts()) == "TILL_ESP32S3"
    assert which(facts("TILL_ESP32S3 with ESP32S3")) == "TILL_ESP32S3"
    assert which(facts("anything", None), before=Installed(board="TILL_ESP32S3")) == "TILL_ESP32S3"
    for unknown in (facts("anything", None), facts(table=STOCK_TABLE), facts("Generic ESP32C3 module with ESP32C3")):
        with pytest.raises(UsageError) as e:
            which(unknown)
        assert e.value.key == "error.which_board"


@pytest.mark.parametrize(
    ("found", "key"),
    [
        (facts("Generic ESP32C3 module with ESP32C3"), "error.other_board"),
        (facts("Generic ESP32 module with ESP32"), "error.other_board"),
        (facts(table=STOCK_TABLE), "error.other_table"),
        (facts(heap=200_000), "error.no_psram"),
    ],
)
def test_a_board_of_another_kind_is_refused(found, key):
    with pytest.raises(Refused) as e:
        which(found, "TILL_ESP32S3")
    assert (e.value.key, e.value.exit_code) == (key, 6)
