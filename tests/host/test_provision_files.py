"""Merchant IDs, Wi-Fi files and lists of a batch: what is taken, what is refused; nothing secret is repeated."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from microtill.device import diary, merchants, texts, wifi_file
from microtill.device.batch import Result, Results
from microtill.device.errors import UsageError, VerificationFailed
from microtill.device.mid import CATEGORIES, mid, tid
from microtill.device.provisioning import Outcome
from microtill.device.session import Profile

MID = "898210154110002"


@pytest.fixture(autouse=True)
def _english():
    texts.set_language("en")
    yield
    texts.set_language(None)


def test_a_merchant_id_is_taken_apart():
    found = mid(MID)
    assert (found.acquirer, found.area, found.mcc, found.serial) == ("898", "2101", "5411", "0002")
    assert found.category == "grocery stores, supermarkets"
    texts.set_language("zh")
    assert found.category == "超市"
    assert mid("898210100000002").category == ""
    assert all(len(code) == 4 and code.isdigit() and all(names) for code, names in CATEGORIES.items())


@given(st.text(max_size=20).filter(lambda text: not (len(text) == 15 and text.isascii() and text.isdigit())))
def test_nothing_else_is_one(text):
    with pytest.raises(UsageError) as e:
        mid(text)
    assert str(len(text)) in str(e.value)


@pytest.mark.parametrize("text", ["", "1000001", "100000011", "1000000a", "1000000 ", "１０００００01"])
def test_what_is_no_terminal_id(text):
    with pytest.raises(UsageError):
        tid(text)


def kept(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "wifi.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


ONE = '[[network]]\nname = "店铺"\npassword = "swordfish-1"\n'


def test_a_wifi_file_has_one_or_two_networks(tmp_path):
    two = ONE + '[[network]]\nname = "open"\npassword = ""\n'
    first, second = wifi_file.read(kept(tmp_path, two))
    assert (first.name, first.password, second.name, second.password) == ("店铺", "swordfish-1", "open", "")
    assert "swordfish-1" not in repr(first)


@pytest.mark.parametrize("text, error", [
    ("", "wifi_file"),
    (ONE * 3, "wifi_file"),
    (ONE * 2, "wifi_twice"),
    (ONE + "more = 1\n", "wifi_file"),
    ('[[network]]\nname = "x"\npassword = 12345678\n', "wifi_file"),
    ('[[network]]\nname = "x"\npassword = "swordfish-1\n', "wifi_file"),
    ('[[network]]\nname = "x"\npassword = "short"\n', "wifi_password"),
    ('[[network]]\nname = "' + "店" * 11 + '"\npassword = ""\n', "wifi_name"),
    ('[network]\nname = "x"\npassword = ""\n', "wifi_file"),
    ("x" * 9000, "wifi_file"),
])  # fmt: skip
def test_other_files_are_refused_and_not_quoted(tmp_path, text, error):
    with pytest.raises(UsageError) as e:
        wifi_file.read(kept(tmp_path, text))
    assert e.value.key == f"error.{error}"
    assert "swordfish" not in str(e.value) + e.value.next + repr(e.value) + repr(e.value.__cause__)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path, mode):
    with pytest.raises(UsageError) as e:
        wifi_file.read(kept(tmp_path, ONE, mode))
    assert e.value.key == "error.wifi_file_open"


def listed(folder: Path, text: str | bytes) -> Path:
    path = folder / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_list_with_everything(tmp_path):
    kept(tmp_path, ONE)
    first_row = f"前台;10000001;{MID};02005e100001;wifi.toml;replace"
    text = f"\ufeffnote;TID;mid;serial;wifi;mode\r\n\r\n{first_row}\r\n;10000002;{MID};;;\r\n"
    rows, bad = merchants.read(listed(tmp_path, text))
    assert bad == []
    first, second = rows
    assert (first.line, first.tid, first.serial, first.mode) == (3, "10000001", "02005E100001", "replace")
    assert first.networks and first.networks[0].name == "店铺"
    assert (second.line, second.serial, second.networks, second.mode) == (4, "", None, None)


def test_bad_rows_are_told_by_their_lines_and_good_ones_kept(tmp_path):
    rows = (
        f"10000001,{MID},",
        f"1000000,{MID},",
        "10000002,89821015411000,",
        f"10000003,{MID},,extra",
        f"10000001,{MID},",
        f"10000004,{MID},A1",
        f"10000005,{MID},a1",
        f"10000006,{MID},\x07",
    )
    found, bad = merchants.read(listed(tmp_path, "tid,mid,serial\n" + "\n".join(rows)))
    assert [row.tid for row in found] == ["10000001", "10000004"]
    assert [(row.line, row.error.key) for row in bad] == [
        (3, "error.tid_form"),
        (4, "error.mid_form"),
        (5, "error.batch_cells"),
        (6, "error.batch_twice"),
        (8, "error.batch_twice"),
        (9, "error.batch_serial"),
    ]


def test_a_wifi_file_of_a_row_is_looked_at_before_anything_is_done(tmp_path):
    rows, bad = merchants.read(listed(tmp_path, f"tid,mid,wifi\n10000001,{MID},none.toml\n10000002,{MID},none.toml\n"))
    assert rows == []
    assert {row.error.key for row in bad} == {"error.wifi_file"}


@pytest.mark.parametrize("text", [
    b"", b"\n\n", b"tid,mid\n", b"tid\n1\n", b"tid,mid,tid\n1,2,3\n", b"tid,mid,password\n1,2,3\n",
    b"\xff\xfe\0", b"\0" * 100,
])  # fmt: skip
def test_what_is_no_list(tmp_path, text):
    with pytest.raises(UsageError) as e:
        merchants.read(listed(tmp_path, text))
    assert e.value.key in ("error.batch_file", "error.batch_head")


@given(st.binary(max_size=400))
def test_any_octets_give_rows_bad_rows_or_a_usage_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("list") / "list.csv"
    path.write_bytes(b"tid,mid\n" + data)
    try:
        rows, bad = merchants.read(path)
    except UsageError:
        return
    assert all(len(row.tid) == 8 for row in rows) and all(row.error.what for row in bad)


@contextmanager
def disk_full_at(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes; a write that would is cut short there, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


WHO = Profile("https://acquirer.test", "li")


def test_a_full_disk_leaves_the_diary_whole_and_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROTILL_HOME", str(tmp_path))
    done = Outcome("port", serial="A1", tid="10000001", mid="898********0002", version=1)
    diary.ready()
    diary.note(WHO, done, None)
    before = diary.path().read_bytes()
    for room in (0, 1, len(before) - 1):
        with disk_full_at(len(before) + room), pytest.raises(UsageError) as e:
            diary.note(WHO, done, None)
        assert e.value.key == "error.cannot_log"
        assert diary.path().read_bytes() == before
        with disk_full_at(len(before) + room), pytest.raises(UsageError):
            diary.ready()
    assert [path.name for path in tmp_path.iterdir()] == [diary.NAME]
    diary.path().write_bytes(before[:-9])  # a crash in the middle of the line
    diary.note(WHO, done, VerificationFailed("error.not_proved"))
    last = json.loads(diary.path().read_text("utf-8").splitlines()[-1])
    assert (last["operator"], last["result"], last["error"]) == ("li", "failed", "error.not_proved")


def test_a_full_disk_leaves_the_results_whole_and_is_told(tmp_path):
    rows, _ = merchants.read(listed(tmp_path, f"tid,mid\n10000001,{MID}\n10000002,{MID}\n"))
    first, second = (Result(row, Outcome("port", serial="A1", tid=row.tid, version=1), None) for row in rows)
    book = Results(tmp_path / "results.csv", "li")
    with disk_full_at(10), pytest.raises(UsageError) as e:
        book.begin()
    assert e.value.key == "error.cannot_keep"
    book.begin()
    book.add(first)
    before = book.path.read_bytes()
    for room in (0, 1, 40):
        with disk_full_at(len(before) + room), pytest.raises(UsageError) as e:
            book.add(second)
        assert (e.value.key, e.value.exit_code) == ("error.cannot_keep", 2)
        assert book.path.read_bytes() == before
    book.begin()
    book.add(second)
    assert set(book.done()) == {"10000001", "10000002"}
    assert book.path.stat().st_mode & 0o777 == 0o600
