"""`microtill flash` on virtual boards, by the real mpremote: what is copied, what is kept, and what a cut leaves."""

import json
import random
import threading
from pathlib import Path

import pytest
from microtill.acquirer.process import AcquirerProcess
from microtill.device.errors import DeviceError, NoAnswer, Refused, Unplugged, UsageError, VerificationFailed
from microtill.device.installed import MAIN, MANIFEST, NEW, free_blocks
from microtill.device.ports import Port, ask
from microtill.device.trust import read as read_trust
from microtill.release import boards
from microtill.simulator.board import VirtualBoard, read_files
from microtill.simulator.texts import texts
from support.flash_board import BOARD, besides_files, installed, put, release
from support.serial_board import mpremote, plug_when_it_is_out
from support.worlds import sell

OTHERS = "/notes.txt"


@pytest.fixture(scope="module")
def wanted():
    return release()


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        yield process


def holds(vb: VirtualBoard, wanted) -> None:
    """The board has every file of the release, whole, and no other of ours."""
    found = {f"/{name}": data for name, data in read_files(vb.state).items()}
    assert {path: found.get(path) for path in wanted.files} == dict(wanted.files)
    assert set(found) - set(wanted.files) <= {MANIFEST, OTHERS}
    told = json.loads(found[MANIFEST])
    assert told["files"] == wanted.sums
    assert (told["board"], told["hash"]) == (BOARD, wanted.hash)


def erases(vb: VirtualBoard) -> int:
    return vb.bench.counters()["storage"]["erases"]


def test_a_bare_board_becomes_a_terminal_and_a_second_run_writes_nothing(tmp_path, wanted):
    with VirtualBoard(tmp_path / "state", blank=True) as vb:
        done = put(vb)
        assert set(done.written) == set(wanted.files)
        assert (done.board, done.state, done.selftest) == (BOARD, "blank", "ok")
        assert done.version == ask(Port(vb.port)).fw
        assert done.hash == wanted.hash
        holds(vb, wanted)
        before, rest = erases(vb), besides_files(vb)
        again = put(vb)
        assert (again.written, again.removed, again.bytes) == ([], [], 0)
        assert again.unchanged == len(wanted.files)
        assert erases(vb) == before
        assert besides_files(vb) == rest
        assert vb.bench.violations() == []


def test_only_what_differs_is_copied_and_what_is_not_ours_is_left_alone(tmp_path, wanted):
    changed = {
        "/till/core/money.mpy": b"of another version",
        "/till/core/outcome.mpy": bytes(len(wanted.files["/till/core/outcome.mpy"])),  # the same length
        "/till/flows/gone.mpy": b"a file of ours that this release has not",
        "/till/app.py": b"raise ImportError  # would be imported instead of app.mpy\n",
        OTHERS: b"somebody else's",
    }
    installed(tmp_path / "state", wanted, changed)
    with VirtualBoard(tmp_path / "state") as vb:
        done = put(vb)
        assert set(done.written) == {"/till/core/money.mpy", "/till/core/outcome.mpy", MAIN}
        assert set(done.removed) == {"/till/flows/gone.mpy", "/till/app.py"}
        assert done.foreign == [OTHERS]
        holds(vb, wanted)
        assert read_files(vb.state)["notes.txt"] == b"somebody else's"


LATER = "/till/flows/sale.mpy"  # a blank terminal starts without it


def old_version(wanted, n: int = 8) -> dict[str, bytes | None]:
    """`n` files as another version would have them, one of ours that is gone, one that is new."""
    names = [path for path in wanted.files if path.endswith(".mpy") and path != LATER][-n:]
    return {path: wanted.files[path] + b"\0" for path in names} | {"/till/services/old.mpy": b"old", LATER: None}


@pytest.fixture(scope="module")
def effort(tmp_path_factory, wanted) -> tuple[int, int]:
    """What the change from that version takes: octets sent to the board, flash operations on it."""
    state = tmp_path_factory.mktemp("effort") / "state"
    installed(state, wanted, old_version(wanted))
    with VirtualBoard(state) as vb:
        ask(Port(vb.port))
        sent, operations = taken(vb), vb.bench.counters()["storage"]["operations"]
        put(vb)
        return taken(vb) - sent, vb.bench.counters()["storage"]["operations"] - operations


def taken(vb: VirtualBoard) -> int:
    """Octets that the board has had from the computer."""
    return vb.bench._ask("port")["taken"]


@pytest.mark.parametrize("part", [0.1, 0.3, 0.6, 0.8, 0.95])
def test_unplugged_in_the_middle_it_goes_on_when_it_is_plugged_in_again(tmp_path, wanted, effort, part):
    installed(tmp_path / "state", wanted, old_version(wanted))
    with VirtualBoard(tmp_path / "state", link=tmp_path / "port") as vb:
        ask(Port(vb.port))
        vb.unplug(after_bytes=int(effort[0] * part))
        hand = threading.Thread(target=lambda: plug_when_it_is_out(vb))
        hand.start()
        try:
            done = put(vb)
        finally:
            hand.join()
        assert done.resumed == 1
        assert done.selftest == "ok"
        holds(vb, wanted)


def test_left_unplugged_it_says_so_and_the_next_run_writes_only_the_rest(tmp_path, wanted, effort):
    installed(tmp_path / "state", wanted, old_version(wanted, 20))
    with VirtualBoard(tmp_path / "state", link=tmp_path / "port") as vb:
        ask(Port(vb.port))
        vb.unplug(after_bytes=effort[0] * 4 // 5)
        with pytest.raises(Unplugged):
            put(vb, back=0.2)
        vb.plug()
        done = put(vb)
        holds(vb, wanted)
        assert 0 < done.copied < done.bytes


@pytest.mark.parametrize("part", [0.01, 0.1, 0.4, 0.7, 0.8, 0.9, 0.98])
def test_a_power_cut_leaves_a_unit_that_runs_or_that_flash_finishes(tmp_path, wanted, effort, part):
    installed(tmp_path / "state", wanted, old_version(wanted))
    with VirtualBoard(tmp_path / "state", link=tmp_path / "port") as vb:
        ask(Port(vb.port))
        vb.bench.power_cut(after=max(1, int(effort[1] * part)))
        with pytest.raises(NoAnswer):
            put(vb, back=0)
        assert not vb.bench.state()["powered"]
        vb.bench.power_on()
        done = put(vb)
        assert done.selftest == "ok"
        holds(vb, wanted)


def test_before_everything_new_is_whole_the_old_firmware_stays(tmp_path, wanted):
    changed = {"/till/core/money.mpy": wanted.files["/till/core/money.mpy"] + b"\0"}
    installed(tmp_path / "state", wanted, changed)
    with VirtualBoard(tmp_path / "state", link=tmp_path / "port") as vb:
        ask(Port(vb.port))
        vb.bench.power_cut(after=2)
        with pytest.raises(NoAnswer):
            put(vb, back=0)
        vb.bench.power_on()
        assert ask(Port(vb.port), 15).state == "blank"  # it runs
        assert read_files(vb.state)["till/core/money.mpy"] == changed["/till/core/money.mpy"]


def test_a_full_file_system_is_told_before_anything_is_written(tmp_path, wanted):
    little = b"a little"
    sizes = {path: len(data) for path, data in wanted.files.items()} | {"/till/ui/unifont.bin": len(little)}
    room = free_blocks(sizes, 0, 256, 4096) - 20  # the font takes more than these twenty
    others = {"/till/ui/unifont.bin": little, OTHERS: bytes(room * 4096)}
    installed(tmp_path / "state", wanted, others)
    with VirtualBoard(tmp_path / "state") as vb:
        before = read_files(vb.state)
        with pytest.raises(Refused) as e:
            put(vb)
        assert (e.value.key, e.value.exit_code) == ("error.no_room", 6)
        assert OTHERS in e.value.next
        assert read_files(vb.state) == before


def test_without_room_for_both_the_old_firmware_gives_way(tmp_path, wanted):
    font = wanted.files["/till/ui/unifont.bin"]
    sizes = {path: len(data) for path, data in wanted.files.items()}
    room = free_blocks(sizes, 0, 256, 4096) - 20  # with this much taken, twenty blocks are left
    old = {"/till/ui/unifont.bin": font[:-1], "/till/app.mpy": b"old", OTHERS: bytes(room * 4096)}
    installed(tmp_path / "state", wanted, old)
    with VirtualBoard(tmp_path / "state") as vb:
        done = put(vb)
        assert "/till/ui/unifont.bin" in done.written
        holds(vb, wanted)


def test_a_unit_whose_program_fails_is_put_right(tmp_path, wanted):
    installed(tmp_path / "state", wanted, {MAIN: b"import nothing_of_that_name\n", MANIFEST: b"{ damaged"})
    with VirtualBoard(tmp_path / "state") as vb:
        assert put(vb).selftest == "ok"
        holds(vb, wanted)


def test_a_firmware_that_does_not_start_is_no_success(tmp_path, wanted, monkeypatch):
    files = {**wanted.files, "/till/app.mpy": wanted.files["/till/core/money.mpy"]}
    monkeypatch.setattr("microtill.device.installed.build_files", lambda *a: {p[1:]: d for p, d in files.items()})
    monkeypatch.setattr("microtill.device.flashing.release_for", fresh_release)
    filled = noise_beside_files(tmp_path / "state")
    with VirtualBoard(tmp_path / "state", blank=True) as vb:
        with pytest.raises(VerificationFailed) as e:
            put(vb)
        after = (vb.state / "flash.bin").read_bytes()
        for part in boards.kind(BOARD).partitions:
            if part.label not in ("nvs", "vfs"):
                assert after[part.offset : part.end] == filled[part.offset : part.end], part.label
        assert e.value.key == "error.does_not_start"
        assert "ImportError" in e.value.what


def noise_beside_files(state: Path) -> bytes:
    """A flash that is full of noise where no files are; returns that."""
    size = boards.kind(BOARD).flash_bytes
    noise = bytearray(random.Random(1).randbytes(size))
    for part in boards.kind(BOARD).partitions:
        if part.label in ("nvs", "vfs"):  # the system itself puts both in order when it starts
            noise[part.offset : part.end] = b"\xff" * part.size
    state.mkdir()
    (state / "flash.bin").write_bytes(noise)
    return bytes(noise)


def fresh_release(board, target):
    from microtill.device import installed as module

    return module._release.__wrapped__(board, target)


def test_the_board_must_be_of_the_kind_that_was_asked_for(tmp_path, wanted, monkeypatch):
    with VirtualBoard(tmp_path / "state", blank=True) as vb:
        with pytest.raises(UsageError) as e:
            put(vb, board="NO_SUCH")
        assert e.value.exit_code == 2
        mpremote(vb.port, "exec", "")  # it has started, and made its file system
        before = read_files(vb.state)
        # The same folder, but its flash is divided otherwise: a board of another kind is connected.
        kind = boards.kind(BOARD)
        moved = [p if p.label != "journal" else type(p)(**{**vars(p), "size": p.size // 2}) for p in kind.partitions]
        other = type(kind)(**{**vars(kind), "partitions": tuple(moved)})
        monkeypatch.setattr(boards, "kind", lambda name: other)
        with pytest.raises(Refused) as refusal:
            put(vb, board=BOARD)
        assert refusal.value.key == "error.other_table"
        assert "journal" in refusal.value.what
        assert read_files(vb.state) == before


def test_a_port_where_nobody_answers(tmp_path):
    import os
    import pty

    master, slave = pty.openpty()
    try:
        with pytest.raises(NoAnswer) as e:
            from microtill.device.flashing import Wishes, flash

            flash(Port(os.ttyname(slave)), Wishes())
        assert e.value.exit_code == 7
    finally:
        os.close(master)
        os.close(slave)


def test_a_dry_run_changes_nothing(tmp_path, wanted):
    installed(tmp_path / "state", wanted, old_version(wanted))
    with VirtualBoard(tmp_path / "state") as vb:
        before = read_files(vb.state)
        done = put(vb, dry_run=True)
        assert done.dry_run
        assert len(done.written) == 10  # with the new one and main.py
        assert read_files(vb.state) == before
        assert ask(Port(vb.port), 15).state == "blank"  # and the terminal runs again


def test_trust_for_a_blank_unit(tmp_path, wanted, acquirer):
    installed(tmp_path / "state", wanted, {})
    with VirtualBoard(tmp_path / "state") as vb:
        with pytest.raises(UsageError) as e:
            put(vb, trust="not.a.trust")
        assert e.value.key == "error.not_trust"
        fingerprint = read_trust(acquirer.trust).fingerprint
        done = with_person(vb, "screen.trust", "OK", fingerprint[:14], trust=acquirer.trust)
        assert done.state == "trusted"
        assert done.fingerprint == fingerprint
        assert ask(Port(vb.port)).state == "trusted"


def with_person(vb: VirtualBoard, screen: str, key: str, shown: str = "", **wishes):
    """Flash, with somebody at the keypad who answers `screen` by `key`, once it shows `shown`."""
    result: list = []

    def run() -> None:
        try:
            result.append(put(vb, **wishes))
        except DeviceError as e:
            result.append(e)

    worker = threading.Thread(target=run)
    worker.start()
    try:
        vb.bench.wait(lambda: bool(result) or vb.world.shows(*texts(screen)), screen, 60)
        if not result:
            vb.bench.wait(lambda: not shown or vb.world.shows(shown), shown, 10)
            vb.world.key(key)
    except BaseException:
        vb.world.key("CANCEL")  # or the flashing would wait for its answer
        raise
    finally:
        worker.join()
    if isinstance(result[0], DeviceError):
        raise result[0]
    return result[0]


@pytest.fixture(scope="module")
def merchant(tmp_path_factory, acquirer, wanted):
    """A merchant's terminal with the release, at rest."""
    state: Path = tmp_path_factory.mktemp("merchant") / "state"
    installed(state, wanted, {})
    with VirtualBoard(state, acquirer=acquirer) as vb:
        vb.world.provision()
        vb.world.wait_at_rest()
        yield vb
        assert vb.bench.violations() == []


def test_a_dry_run_leaves_a_merchants_terminal_alone(merchant):
    done = put(merchant, dry_run=True)
    assert (done.dry_run, done.state) == (True, "provisioned")
    assert merchant.world.shows(*texts("screen.idle"))


def test_nobody_is_interrupted(merchant):
    merchant.world.key("1")
    with pytest.raises(Refused) as e:
        put(merchant)
    assert e.value.exit_code == 6
    assert getattr(e.value, "error", "") == "error.busy"
    assert merchant.world.shows("¥0.01")
    merchant.world.key("CANCEL")
    merchant.world.wait_at_rest()


def test_a_merchants_terminal_asks_the_person_and_keeps_all_it_has(merchant, wanted):
    tid = ask(Port(merchant.port)).tid
    with pytest.raises(Refused) as e:
        with_person(merchant, "screen.service", "CANCEL")
    assert e.value.exit_code == 6
    assert ask(Port(merchant.port)).tid == tid
    done = with_person(merchant, "screen.service", "OK")
    assert (done.tid, done.state, done.written) == (tid, "provisioned", [])
    merchant.world.wait_at_rest()
    holds(merchant, wanted)
    sell(merchant.world)  # vault, keys and journal are as they were


def test_its_trust_cannot_be_changed(merchant, acquirer):
    with pytest.raises(Refused) as e:
        put(merchant, trust=acquirer.trust)
    assert e.value.key == "error.trust_provisioned"


def test_unsettled_sales_want_the_words(merchant, wanted):
    assert ask(Port(merchant.port)).status["open_batch"] is True
    with pytest.raises(Refused) as e:
        put(merchant)
    assert e.value.key == "error.unsettled"
    assert merchant.world.shows(*texts("screen.idle"))
    with pytest.raises(UsageError):
        put(merchant, words="yes")
    done = with_person(merchant, "screen.service", "OK", words="I accept unsettled sales")
    assert done.state == "provisioned"
    merchant.world.wait_at_rest()
    assert ask(Port(merchant.port)).status["open_batch"] is True
    sell(merchant.world)


def test_files_that_a_cut_left_under_their_new_names_are_used_or_removed(tmp_path, wanted):
    path = "/till/core/money.mpy"
    changed = {
        path: b"old",
        path + NEW: wanted.files[path],  # whole: only its name is missing
        "/till/core/outcome.mpy" + NEW: b"of a run for another release",
    }
    installed(tmp_path / "state", wanted, changed)
    with VirtualBoard(tmp_path / "state") as vb:
        put(vb)
        holds(vb, wanted)
