"""Provisioning with the real firmware at a serial port and a real acquirer: every way it ends, and begins again."""

import base64
import json
import threading
from pathlib import Path

import pytest
from microtill.acquirer import jose
from microtill.acquirer.process import DEMO_MID, AcquirerProcess, make_template
from microtill.device import provisioning
from microtill.device.console import TerminalRefuses, parse
from microtill.device.desk import Acquirer, Issued
from microtill.device.errors import (
    AcquirerRefused,
    AcquirerUnreachable,
    DeviceError,
    NoFirmware,
    NoSuchPort,
    PortBusy,
    Refused,
    Unplugged,
    UsageError,
    VerificationFailed,
)
from microtill.device.ports import Port, ask
from microtill.device.provisioning import Outcome, PortLink, Wishes, attempt, provision
from microtill.device.watch import Quiet
from microtill.device.wifi_file import Network
from microtill.release.image import build_files
from microtill.simulator.board import VirtualBoard, prepare_flash
from microtill.simulator.world import NETWORK, PASSWORD
from support.provisioning import WIFI, Person, bind, desk, new_board, new_tid
from support.serial_board import plug_when_it_is_out
from support.terminal import Terminal
from support.worlds import sell

OTHER_MID = "898210154110078"


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        process.add_merchant(OTHER_MID, "另一商户")
        yield process


@pytest.fixture
def office(acquirer):
    with desk(acquirer) as made:
        yield made


@pytest.fixture
def board(tmp_path, acquirer):
    with new_board(tmp_path, acquirer) as vb:
        yield vb


def state(vb: VirtualBoard) -> tuple[str, str]:
    unit = ask(Port(vb.port), 15)
    return unit.state, unit.tid


def last_outcome(acquirer: AcquirerProcess, tid: str) -> tuple[str, str]:
    told = acquirer.outcomes(tid)[-1]
    return told["result"], told["detail"]


class Steps(Quiet):
    """Does something when a step begins, once."""

    def __init__(self, at: str, act):
        self._at = at
        self._act = act

    def stage(self, text: str, **fields: object) -> None:
        if text == f"provision.{self._at}" and self._act:
            act, self._act = self._act, None
            act()

    ask = stage


class Meddling(Acquirer):
    """An acquirer whose tickets somebody changes on their way."""

    def __init__(self, true: Acquirer, change):
        self.__dict__.update(true.__dict__)
        self._change = change

    def issue(self, *arguments, **options) -> Issued:
        issued = super().issue(*arguments, **options)
        return Issued(self._change(issued.token), issued.version, issued.mid, issued.tid, issued.merchant)


def test_a_blank_unit_becomes_a_merchants_terminal_and_a_second_run_goes_on(board, acquirer, office):
    tid = new_tid(acquirer)
    offers = []
    with Person(board) as person:
        wishes = Wishes(tid, mid=DEMO_MID, networks=WIFI, confirm=lambda offer: not offers.append(offer))
        done = provision(PortLink(Port(board.port)), office, wishes)
    assert person.asked == ["trust", "ticket"]
    (offer,) = offers
    assert (offer.mid.acquirer, offer.mid.area, offer.mid.mcc, offer.mid.serial) == ("898", "2101", "5411", "0002")
    assert offer.mid.category and offer.merchant == "微店示范商户"
    assert any(offer.fingerprint.split()[0] in line for line in person.panels[0])
    assert (done.serial, done.tid, done.mid) == (offer.serial, tid, "898********0002")
    assert (done.state, done.version, done.already, done.recorded) == ("provisioned", 1, False, True)
    assert done.echo_ms is not None
    (told,) = acquirer.outcomes(tid)
    assert (told["operator"], told["serial"], told["version"], told["result"]) == ("demo", done.serial, 1, "done")
    again = bind(board, office, tid, networks=None)
    assert (again.already, again.version, again.recorded) == (True, 1, True)
    assert acquirer.terminal(tid)["version"] == 1, "no ticket is fetched for what is there"
    sell(board.world)
    renewed = bind(board, office, tid, networks=None, mode="renew")
    assert (renewed.already, renewed.version) == (False, 2)


@pytest.mark.parametrize("wishes, error", [
    ({"tid": "1000001"}, "error.tid_form"),
    ({"tid": "1000000a"}, "error.tid_form"),
    ({"mid": "89821015411000"}, "error.mid_form"),
    ({"mid": "89821015411000A"}, "error.mid_form"),
    ({"mid": "８98210154110002"}, "error.mid_form"),
    ({"mode": "new2"}, "error.mode"),
    ({"trust": "x.y.z"}, "error.not_trust"),
])  # fmt: skip
def test_what_could_never_be_is_refused_before_anybody_is_asked(office, wishes, error):
    with pytest.raises(UsageError) as e:
        provision(PortLink(Port("/nowhere")), office, Wishes(**{"tid": "10000001"} | wishes))
    assert (e.value.key, e.value.exit_code) == (error, 2)


def test_what_the_acquirer_does_not_know_or_allow_leaves_the_unit_alone(board, acquirer, office):
    mine, theirs, revoked = new_tid(acquirer), new_tid(acquirer, OTHER_MID), new_tid(acquirer)
    acquirer.revoke(revoked)
    for tid, mid, mode, code in (
        ("99999999", None, None, "tid_unknown"),
        (mine, "898210154119999", None, "mid_unknown"),
        (mine, OTHER_MID, None, "mid_wrong"),
        (theirs, DEMO_MID, None, "mid_wrong"),
    ):
        with pytest.raises(AcquirerRefused) as e:
            bind(board, office, tid, mid=mid, mode=mode)
        assert (e.value.key, e.value.exit_code) == (f"error.acquirer.{code}", 6)
        assert state(board) == ("blank", "")
    with pytest.raises(Refused) as refused:
        bind(board, office, mine, confirm=lambda offer: False)
    assert refused.value.key == "error.not_confirmed"
    with pytest.raises(Refused) as refused:
        bind(board, office, mine, serial="02005E109999")
    assert refused.value.key == "error.serial_other"
    assert state(board) == ("blank", "")
    for tid, mode, code in ((revoked, None, "terminal_revoked"), (mine, "renew", "tid_empty")):
        with pytest.raises(AcquirerRefused) as e:
            bind(board, office, tid, mode=mode)
        assert e.value.key == f"error.acquirer.{code}"
        assert state(board) == ("trusted", ""), "the trust object stays, and a ticket was never there"
    assert bind(board, office, mine).state == "provisioned"


def test_a_terminal_id_that_another_unit_has(board, acquirer, office, tmp_path):
    tid = new_tid(acquirer)
    bind(board, office, tid)
    with new_board(tmp_path / "b", acquirer) as other:
        with pytest.raises(AcquirerRefused) as e:
            bind(other, office, tid)
        assert e.value.key == "error.acquirer.tid_taken"
        assert state(other) == ("trusted", "")
        done = bind(other, office, tid, mode="replace")
        assert (done.serial, done.version) == (ask(Port(other.port)).serial, 2)
    # The replaced one is no longer that terminal, whatever it believes.
    with pytest.raises(AcquirerRefused) as e:
        bind(board, office, tid, networks=None)
    assert e.value.key == "error.acquirer.tid_taken"


def test_a_unit_moves_when_it_is_asked_to_and_owes_nothing(board, acquirer, office):
    first, second = new_tid(acquirer), new_tid(acquirer, OTHER_MID)
    bind(board, office, first)
    with pytest.raises(AcquirerRefused) as e:
        bind(board, office, second, networks=None)
    assert e.value.key == "error.acquirer.serial_bound"
    sell(board.world)
    with pytest.raises(TerminalRefuses) as refused:
        bind(board, office, second, networks=None, mode="move")
    assert refused.value.error == "error.unsettled"
    assert state(board) == ("provisioned", first)
    assert acquirer.terminal(second)["version"] == 0, "no ticket was fetched"


def flipped(token: str) -> str:
    head, payload, signature = token.split(".")
    at = len(payload) // 2
    return f"{head}.{payload[:at]}{'A' if payload[at] != 'A' else 'B'}{payload[at + 1 :]}.{signature}"


def test_tickets_that_are_not_right_leave_the_unit_as_it_was(board, acquirer, office):
    tid = new_tid(acquirer)
    kept: list[str] = []

    def keep(token: str) -> str:
        kept.append(token)
        return flipped(token)

    for change in (
        keep,
        lambda token: kept[0],
        lambda token: "",
    ):  # bit-flipped; replayed: for an older key request; none
        with pytest.raises(TerminalRefuses) as e:
            bind(board, Meddling(office, change), tid)
        assert e.value.exit_code == 6
        assert state(board) == ("trusted", "")
        assert last_outcome(acquirer, tid) == ("failed", e.value.error)
    other, serial = new_tid(acquirer), ask(Port(board.port)).serial
    with pytest.raises(TerminalRefuses) as e:
        bind(board, Meddling(office, lambda token: for_another_key(acquirer, serial, other)), tid)
    assert (e.value.error, state(board)) == ("error.ticket", ("trusted", ""))
    assert bind(board, office, tid).state == "provisioned"


def for_another_key(acquirer: AcquirerProcess, serial: str, tid: str) -> str:
    terminal = Terminal(acquirer.port, acquirer.ca_der, acquirer.trust, serial=serial)
    with desk(acquirer) as office:  # the same serial, and another key
        return office.issue(terminal.key_request(), tid, "move").token


def test_an_expired_ticket_is_refused(board, acquirer, office):
    """The terminal knows no time before it has heard a signed one; its own firmware is not older than that."""

    tid = new_tid(acquirer)

    def older(token: str) -> str:
        payload = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        payload |= {"iat": 1_000_000_000, "exp": 1_000_086_400}
        home = acquirer.home
        return jose.sign_es256(jose.compact(payload), "mt-ticket", home.provisioning_kid, home.provisioning)

    with pytest.raises(TerminalRefuses) as e:
        bind(board, Meddling(office, older), tid)
    assert e.value.error == "error.ticket_expired"
    assert state(board) == ("trusted", "")


def test_a_person_who_takes_long_is_waited_for(board, acquirer, office, monkeypatch):
    """Time that passes on the terminal is no restart: nothing is asked twice, and one ticket is fetched."""
    monkeypatch.setattr(provisioning, "_LOOK_AGAIN_SECONDS", 0.05)
    tid = new_tid(acquirer)
    begun: list[str] = []

    def slowly(asked: str) -> bool:
        def uptimes() -> set[int]:
            told = (parse(line) for line in board.bench.console_lines())
            return {status["uptime"] for status in told if status and "uptime" in status}

        before = len(uptimes())
        board.bench.set_speed(10)
        board.bench.wait(lambda: len(uptimes()) > before + 4, "time to pass")
        board.bench.set_speed(1)
        return True

    watch = Steps("", None)
    monkeypatch.setattr(watch, "stage", lambda text, **fields: begun.append(text))
    with Person(board, when=slowly) as person:
        done = provision(PortLink(Port(board.port)), office, Wishes(tid, networks=WIFI), watch)
    assert (person.asked, begun.count("provision.looking")) == (["trust", "ticket"], 1)
    assert (done.version, acquirer.terminal(tid)["version"]) == (1, 1)


def test_refused_at_the_keypad(board, acquirer, office):
    tid = new_tid(acquirer)
    for what, after in (("trust", "blank"), ("ticket", "trusted")):
        answers = {"trust": "OK", "ticket": "OK"} | {what: "CANCEL"}

        def press(asked: str, answers=answers) -> bool:
            board.world.key(answers[asked])
            return False

        with Person(board, when=press), pytest.raises(TerminalRefuses) as e:
            provision(PortLink(Port(board.port)), office, Wishes(tid, networks=WIFI))
        assert e.value.error == "error.cancelled"
        assert state(board) == (after, "")
    assert last_outcome(acquirer, tid) == ("failed", "error.cancelled")
    assert bind(board, office, tid).state == "provisioned"


@pytest.mark.parametrize("at, after", [
    ("looking", "blank"), ("networks", "trusted"), ("fetching", "trusted"), ("recording", "provisioned"),
])  # fmt: skip
def test_the_acquirer_goes_down_in_the_middle(tmp_path, monkeypatch, at, after):
    monkeypatch.setattr(provisioning, "TELL_SECONDS", 1.0)
    with AcquirerProcess() as acquirer, new_board(tmp_path, acquirer) as vb, desk(acquirer) as office:
        tid = acquirer.tid
        acquirer.session  # signed in while it was there  # noqa: B018
        with pytest.raises(DeviceError) as e:
            bind(vb, office, tid, Steps(at, acquirer.down))
        assert e.value.exit_code == 7
        assert isinstance(e.value, AcquirerUnreachable) or e.value.key == "error.not_recorded"
        assert state(vb)[0] == after
        acquirer.up()
        done = bind(vb, office, tid, networks=None if after == "provisioned" else WIFI)
        assert (done.state, done.recorded) == ("provisioned", True)
        assert last_outcome(acquirer, tid) == ("done", "")


def test_an_answer_with_the_ticket_is_lost(board, acquirer, office):
    tid = new_tid(acquirer)
    with pytest.raises(AcquirerUnreachable):
        bind(board, office, tid, Steps("fetching", lambda: acquirer.drop_response(times=1, close=True)))
    assert state(board) == ("trusted", "")
    assert acquirer.terminal(tid)["version"] == 1
    assert bind(board, office, tid).version == 2


@pytest.mark.parametrize("at", [
    "trusting", "networks", "keys", "fetching", "consent", "restarting", "proving", "recording",
])  # fmt: skip
def test_the_cable_is_pulled_at_any_step_and_put_in_again(board, acquirer, office, at):
    tid = new_tid(acquirer)
    plugging = threading.Thread(target=lambda: plug_when_it_is_out(board))

    def pull() -> None:
        board.unplug()
        plugging.start()

    done = bind(board, office, tid, Steps(at, pull))
    plugging.join()
    # A restart takes some ports away by itself: there it counts as none. And to record nobody needs the unit.
    assert done.resumed == (0 if at in ("restarting", "recording") else 1)
    assert (done.state, done.recorded) == ("provisioned", True)
    assert state(board) == ("provisioned", tid)


class PulledTwice(Quiet):
    """The cable comes out before the key request and again before the second look, and goes in when it is missed."""

    def __init__(self, vb: VirtualBoard):
        self._vb = vb
        self.looks = 0

    def stage(self, text: str, **fields: object) -> None:
        self.looks += text == "provision.looking"
        if (text, self.looks) in (("provision.keys", 1), ("provision.looking", 2)):
            self._vb.unplug()

    def ask(self, text: str, **fields: object) -> None:
        if text == "provision.waiting":
            self._vb.plug()


def test_pulled_again_while_it_is_looked_at(board, acquirer, office):
    """At the first look nothing is known that could be waited for; later the unit is."""
    tid = new_tid(acquirer)
    with pytest.raises(NoSuchPort) as e:
        bind(board, office, tid, Steps("looking", board.unplug))
    assert e.value.exit_code == 3
    board.plug()
    watch = PulledTwice(board)
    done = bind(board, office, tid, watch)
    assert (done.state, done.resumed, watch.looks) == ("provisioned", 2, 3)


@pytest.mark.parametrize("at", ["trusting", "consent"])
def test_left_unplugged_while_it_asks_the_next_run_goes_on(board, acquirer, office, at):
    tid = new_tid(acquirer)
    with pytest.raises(Unplugged) as e:
        bind(board, office, tid, Steps(at, board.unplug), back=0.2)
    assert e.value.exit_code == 7
    board.plug()
    assert bind(board, office, tid).state == "provisioned"


def test_two_technicians_at_one_terminal_id(board, acquirer, office, tmp_path):
    tid = new_tid(acquirer)
    with (
        desk(acquirer, acquirer.new_session("technician", "wang")) as theirs,
        new_board(tmp_path / "b", acquirer) as other,
    ):
        found: list[str] = []

        def meanwhile(asked: str) -> bool:
            if asked == "ticket" and not found:
                outcome, error = attempt_with(other, theirs, tid)
                found.append(error.key if error else outcome.state)
                assert error is not None and "demo" in error.what
            return True

        with Person(board, when=meanwhile):
            done = provision(PortLink(Port(board.port)), office, Wishes(tid, networks=WIFI))
        assert done.state == "provisioned"
        assert found == ["error.acquirer.in_hand"]
        assert state(other) == ("trusted", "")


def attempt_with(vb: VirtualBoard, office: Acquirer, tid: str) -> tuple[Outcome, DeviceError | None]:
    with Person(vb):
        return attempt(PortLink(Port(vb.port)), office, Wishes(tid, networks=WIFI))


def test_two_technicians_at_one_port(board, acquirer, office):
    with Port(board.port).line():
        with pytest.raises(PortBusy) as e:
            provision(PortLink(Port(board.port)), office, Wishes(new_tid(acquirer)))
        assert e.value.exit_code == 4


def test_a_board_without_firmware(tmp_path, acquirer, office):
    with VirtualBoard(tmp_path / "state", blank=True, link=tmp_path / "port") as vb:
        with pytest.raises(NoFirmware) as e:
            provision(PortLink(Port(vb.port)), office, Wishes(new_tid(acquirer)))
        assert e.value.exit_code == 7
        assert "microtill flash" in e.value.next


def test_a_board_of_another_kind(tmp_path, acquirer, office):
    """A terminal that somebody else's microtill was built for."""
    files = dict(build_files("TILL_ESP32S3"))
    name = next(name for name in files if name.startswith("board."))
    assert b"TILL_ESP32S3" in files[name]
    files[name] = files[name].replace(b"TILL_ESP32S3", b"TOLL_ESP32S3")
    prepare_flash(tmp_path / "state", "TILL_ESP32S3", files)
    with VirtualBoard(tmp_path / "state", acquirer=acquirer, link=tmp_path / "port") as vb:
        with pytest.raises(Refused) as e:
            bind(vb, office, new_tid(acquirer))
        assert e.value.key == "error.unit_board"
        assert state(vb) == ("blank", "")


def test_another_acquirers_terminal(board, acquirer, office, tmp_path):
    bind(board, office, new_tid(acquirer))
    keys = make_template(tmp_path / "stranger").path
    with AcquirerProcess(template=keys) as stranger, desk(stranger) as theirs:
        with pytest.raises(Refused) as e:
            bind(board, theirs, stranger.tid)
        assert e.value.key == "error.other_trust"


def test_a_wrong_wifi_password_is_told_and_the_next_run_mends_it(board, acquirer, office, monkeypatch):
    tid = new_tid(acquirer)
    with monkeypatch.context() as patch, pytest.raises(VerificationFailed) as e:
        patch.setattr(provisioning, "_HOPELESS_SECONDS", 1.0)
        bind(board, office, tid, networks=(Network(NETWORK, "not-the-password"),))
    assert e.value.key == "error.not_proved"
    assert "not-the-password" not in str(e.value) + e.value.next
    assert last_outcome(acquirer, tid) == ("failed", "error.not_proved")
    done = bind(board, office, tid)
    assert (done.already, done.recorded) == (True, True)


def test_networks_are_asked_for_only_where_there_are_none(board, acquirer, office):
    tid = new_tid(acquirer)
    asked: list[int] = []

    def ask_networks() -> tuple[Network, ...]:
        asked.append(1)
        return (Network("elsewhere", ""), Network(NETWORK, PASSWORD))

    assert bind(board, office, tid, networks=None, ask_networks=ask_networks).state == "provisioned"
    assert bind(board, office, tid, networks=None, ask_networks=ask_networks).already
    assert len(asked) == 1


def test_a_dry_run_changes_nothing(board, acquirer, office):
    tid = new_tid(acquirer)
    done = bind(board, office, tid, dry_run=True)
    assert (done.state, done.tid, done.dry_run) == ("blank", tid, True)
    assert (state(board), acquirer.terminal(tid)["version"], acquirer.outcomes(tid)) == (("blank", ""), 0, [])


def test_a_certificate_that_is_not_the_acquirers(tmp_path):
    with AcquirerProcess() as acquirer, desk(acquirer) as office:
        for kind in ("other_ca", "other_name", "expired"):
            acquirer.set_certificate(kind)
            with pytest.raises(VerificationFailed) as e:
                office.work()
            assert (e.value.key, e.value.exit_code) == ("error.acquirer_certificate", 5)


def test_nothing_else_is_asked_of_a_port_that_is_not_there(office, tmp_path: Path):
    with pytest.raises(DeviceError) as e:
        provision(PortLink(Port(str(tmp_path / "none"))), office, Wishes("10000001"))
    assert e.value.exit_code == 3
