"""`microtill batch` with real firmware on many virtual boards, a real acquirer, and what goes wrong at a desk.

MICROTILL_BATCH_BOARDS: how many boards (5).
"""

import contextlib
import csv
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from microtill.acquirer.process import DEMO_MID, AcquirerProcess
from microtill.device import merchants, provisioning
from microtill.device.batch import Batch, Plan, Result, Results
from microtill.device.errors import DeviceError
from microtill.device.ports import Port, ask
from microtill.device.watch import Quiet
from microtill.simulator.board import VirtualBoard
from support.provisioning import Laptop, Person, desk, new_board, new_tid, wifi_file

BOARDS = int(os.environ.get("MICROTILL_BATCH_BOARDS", "5"))
OTHER_MID = "898210154110078"


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        process.add_merchant(OTHER_MID, "另一商户")
        yield process


@contextlib.contextmanager
def boards(folder: Path, acquirer: AcquirerProcess, count: int) -> Iterator[list[VirtualBoard]]:
    """That many blank terminals; MICROTILL_PORTS of this process names their ports."""
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:

        def start(number: int) -> VirtualBoard:
            own = folder / f"{number:02}"
            own.mkdir()
            return stack.enter_context(new_board(own, acquirer))

        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(start, range(count)))
        patch.setenv("MICROTILL_PORTS", os.pathsep.join(vb.port for vb in made))
        yield made


@pytest.fixture
def desk_of_boards(tmp_path, acquirer):
    with boards(tmp_path, acquirer, BOARDS) as made:
        yield made


@pytest.fixture
def two_boards(tmp_path, acquirer):
    with boards(tmp_path, acquirer, 2) as made:
        yield made


def write(path: Path, *rows: str, head: str = "tid,mid,serial") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_many_boards_at_once_while_things_go_wrong(tmp_path, acquirer, desk_of_boards):
    """One cable is pulled and put back, one person refuses, the acquirer is away for a while, one row is wrong."""
    boards = desk_of_boards
    serials = [ask(Port(vb.port), 30).serial for vb in boards]
    tids = [new_tid(acquirer) for _ in boards]
    wrong = new_tid(acquirer, OTHER_MID)
    # The first two boards are named by their serials; the others go to whichever row is next.
    rows = [f"{tid},{DEMO_MID},{serials[n] if n < 2 else ''}" for n, tid in enumerate(tids)]
    listed = write(tmp_path / "merchants.csv", *rows, f"{wrong},{DEMO_MID},")
    laptop = Laptop(tmp_path, acquirer)
    wifi = wifi_file(tmp_path)
    ports = os.environ["MICROTILL_PORTS"]
    refused = laptop.run("batch", listed, "--yes", "--wifi-file", wifi, MICROTILL_PORTS=ports)
    assert refused.returncode == 2, refused.stderr
    assert f"line {len(rows) + 2}, {wrong}" in refused.stderr
    assert all(ask(Port(vb.port)).state == "blank" for vb in boards), "nothing was touched"
    pulled, refuser = boards[0], boards[1]
    faults: set[str] = set()

    def pull(asked: str) -> bool:
        if asked == "ticket" and "cable" not in faults:
            faults.add("cable")
            pulled.unplug()
            pulled.plug()
        return True

    def refuse(asked: str) -> bool:
        if asked == "ticket":
            faults.add("refused")
            refuser.world.key("CANCEL")
            return False
        return True

    def go_away(asked: str) -> bool:
        if asked == "ticket" and "acquirer" not in faults:
            faults.add("acquirer")
            acquirer.down()
            back.start()  # what happens to a desk: it is away for so long
        return True

    back = threading.Timer(2, acquirer.up)
    acts = {boards[0]: pull, boards[1]: refuse, boards[2]: go_away}
    with contextlib.ExitStack() as stack:
        for vb in boards:
            stack.enter_context(Person(vb, when=acts.get(vb)))
        done = laptop.run(
            "batch", listed, "--yes", "--skip-bad", "--jobs", str(min(BOARDS, 8)), "--wifi-file", wifi,
            timeout=120 + 60 * BOARDS, MICROTILL_PORTS=ports,
        )  # fmt: skip
        back.join()
    assert faults == {"cable", "refused", "acquirer"}
    book = rows_of(tmp_path / "merchants.results.csv")
    how = {row["tid"]: row["result"] for row in book}
    assert how == {tid: "failed" if n == 1 else "done" for n, tid in enumerate(tids)}, done.stdout + done.stderr
    assert done.returncode == 6, done.stdout + done.stderr
    assert {row["tid"]: row["serial"] for row in book}[tids[0]] == serials[0]
    assert sorted(row["serial"] for row in book) == sorted(serials), "each board once"
    # Again: only what failed is done, and nothing is asked of the others.
    before = [acquirer.terminal(tid)["version"] for tid in tids]
    with Person(refuser):
        again = laptop.run("batch", listed, "--yes", "--skip-bad", "--wifi-file", wifi, MICROTILL_PORTS=ports)
    assert f"{BOARDS - 1} skipped" in again.stdout, again.stdout + again.stderr
    after = [acquirer.terminal(tid)["version"] for tid in tids]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1 if n == 1 else 0 for n in range(BOARDS)]
    for tid, serial in zip([row["tid"] for row in book], [row["serial"] for row in book], strict=True):
        assert acquirer.terminal(tid)["serial"] == serial
        assert acquirer.outcomes(tid)[-1]["result"] == "done"
    assert all(ask(Port(vb.port), 15).state == "provisioned" for vb in boards)
    noted = laptop.diary()
    assert sum(entry["result"] == "done" for entry in noted) == BOARDS


def test_a_revoked_session_ends_the_batch_and_says_so(tmp_path, acquirer, two_boards):
    token = acquirer.new_session("technician", "lost-laptop")
    with desk(acquirer, token) as office:
        listed = write(tmp_path / "list.csv", *(f"{new_tid(acquirer)},{DEMO_MID}," for _ in two_boards))
        rows, _ = merchants.read(listed)
        rows, bad = merchants.look_up(rows, lambda tid, mid: provisioning.look_up(office, tid, mid))
        assert not bad
        acquirer.revoke_sessions("lost-laptop")
        ended: list[Result] = []
        results = Batch(rows, office, Plan(jobs=1), lambda row, port: Quiet(), ended.append).run()
    assert [r.row.line for r in results] == [row.line for row in rows]
    assert {r.error.key for r in results if r.error} == {"error.acquirer.session_revoked"}
    assert all(ask(Port(vb.port)).state == "blank" for vb in two_boards)


def test_results_that_cannot_be_kept_begin_nothing_more(tmp_path, acquirer, two_boards):
    """As when the disk fills up in the middle: the row in hand is done and told, and the next run finds it so."""
    tids = [new_tid(acquirer) for _ in two_boards]
    listed = write(tmp_path / "list.csv", *(f"{tid},{DEMO_MID}," for tid in tids))
    book = tmp_path / "list.results.csv"
    laptop = Laptop(tmp_path, acquirer)
    command = ("batch", listed, "--yes", "--jobs", "1", "--json", "--wifi-file", wifi_file(tmp_path))
    ports = os.environ["MICROTILL_PORTS"]

    taken: list[bytes] = []

    def take_away(asked: str) -> bool:
        if asked == "ticket" and not taken:
            taken.append(book.read_bytes())
            book.unlink()
            book.mkdir()
        return True

    with contextlib.ExitStack() as stack:
        for vb in two_boards:
            stack.enter_context(Person(vb, when=take_away))
        done = laptop.run(*command, MICROTILL_PORTS=ports)
        assert done.returncode == 2, done.stderr
        assert f"cannot write the results {book}" in done.stderr and "--results" in done.stderr
        told = json.loads(done.stdout)
        assert [row.get("error") for row in told] == [None, "error.batch_stopped"]
        assert sorted(ask(Port(vb.port)).state for vb in two_boards) == ["blank", "provisioned"]
        book.rmdir()
        again = laptop.run(*command, MICROTILL_PORTS=ports)
    assert again.returncode == 0, again.stderr
    assert [row["already"] for row in json.loads(again.stdout)] == [True, False]
    assert [acquirer.terminal(tid)["version"] for tid in tids] == [1, 1]
    assert [row["result"] for row in rows_of(book)] == ["done", "done"]


def test_without_boards_rows_are_told_and_left(tmp_path, acquirer, monkeypatch):
    monkeypatch.setenv("MICROTILL_PORTS", "")
    with desk(acquirer) as office:
        rows, _ = merchants.read(write(tmp_path / "list.csv", f"{new_tid(acquirer)},{DEMO_MID},02005E10FFFF"))
        results = Batch(rows, office, Plan(), lambda row, port: Quiet(), lambda result: None).run()
    assert [(r.error.key, r.error.exit_code) for r in results if r.error] == [("error.no_board", 7)]
    assert "02005E10FFFF" in str(results[0].error)


def test_a_crash_in_the_middle_of_a_line_loses_no_row_before_it(tmp_path):
    book = Results(tmp_path / "results.csv", "li")
    book.begin()
    rows, _ = merchants.read(write(tmp_path / "list.csv", f"10000001,{DEMO_MID},", f"10000002,{DEMO_MID},"))
    for row in rows:
        book.add(Result(row, provisioning.Outcome("port", serial="A", tid=row.tid, version=1), None))
    whole = book.path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for cut in range(last + 1, len(whole)):
        book.path.write_bytes(whole[:cut])
        assert set(book.done()) == {"10000001"}
        book.begin()
        book.add(Result(rows[1], provisioning.Outcome("port", serial="A", tid=rows[1].tid, version=1), None))
        assert set(book.done()) == {"10000001", "10000002"}
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DeviceError) as e:
        Results(tmp_path / "other.csv", "li").done()
    assert e.value.key == "error.results_file"
