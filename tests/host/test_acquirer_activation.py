"""Activation codes: ten digits that make one unit one terminal, once, within a day."""

import itertools
import threading
import time

import pytest
from microtill.acquirer.activation import TRIES, VALID_S, Activation, well_formed, with_check_digits
from microtill.acquirer.problems import Problem
from microtill.acquirer.process import DEMO_MID, DEMO_NAME, AcquirerProcess
from microtill.acquirer.throttle import CODE_SERIAL
from microtill.acquirer.tickets import TicketOffice
from support.acquirer import TECHNICIAN, Desk, local_acquirer
from support.terminal import Terminal

GUESS = with_check_digits("00000000")

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        yield process


@pytest.fixture
def tid(acquirer):
    name = f"C{next(_numbers):07d}"
    acquirer.add_terminal(name)
    return name


@pytest.fixture
def keypad(acquirer):
    """Nobody signs in at a keypad."""
    return Desk(acquirer)


def unit(acquirer, serial="") -> Terminal:
    return Terminal(acquirer.port, acquirer.ca_der, acquirer.trust, serial=serial or f"K{next(_numbers)}")


def other(code: str) -> str:
    """Another code, well formed."""
    return with_check_digits(f"{(int(code[:-2]) + 1) % 10**8:08d}")


# ISO 7064 MOD 97-10: the standard's example 794 has the check characters 44; the number is then 1 modulo 97.
def test_check_digits_of_the_standard():
    assert with_check_digits("794") == "79444"
    for digits in ("00000000", "12345678", "99999999"):
        assert int(with_check_digits(digits)) % 97 == 1


def test_slips_of_the_finger_are_found():
    code = with_check_digits("73019428")
    assert well_formed(code)
    for at in range(10):
        for digit in "0123456789":
            if digit != code[at]:
                assert not well_formed(code[:at] + digit + code[at + 1 :]), "one digit wrong"
    for at in range(9):
        if code[at] != code[at + 1]:
            assert not well_formed(code[:at] + code[at + 1] + code[at] + code[at + 2 :]), "two digits swapped"
    for wrong in ("", code[:-1], code + "0", "七" + code[1:], "١" + code[1:], " " + code[1:], "-" + code[1:]):
        assert not well_formed(wrong)


def test_a_code_makes_a_terminal(acquirer, keypad, tid):
    terminal = unit(acquirer)
    technician = Desk(acquirer, acquirer.new_session("technician", "li"))
    made = technician.post("/v1/activation-codes", {"tid": tid, "serial": terminal.serial})
    assert set(made) == {"code", "expires"} and well_formed(made["code"])
    assert 0 < made["expires"] - time.time() <= 24 * 3600
    answer = keypad.post("/v1/tickets", {"keyreq": terminal.key_request(), "code": made["code"]})
    assert (answer["version"], answer["tid"], answer["mid"]) == (1, tid, DEMO_MID)
    assert answer["merchant"]["name"] == DEMO_NAME
    terminal.install(answer["ticket"])
    assert terminal.send(terminal.sign_on())["outcome"] == "approved"
    trail = [r for r in acquirer.events() if r["tid"] == tid]
    assert [(r["kind"], r["actor"]) for r in trail[1:]] == [("code_issued", "li"), ("ticket", "code of li")]
    assert all(r["serial"] == terminal.serial for r in trail[1:])


def test_a_code_works_once(acquirer, keypad, tid):
    terminal = unit(acquirer)
    code = acquirer.new_code(terminal.serial, tid)
    terminal.install(keypad.post("/v1/tickets", {"keyreq": terminal.key_request(), "code": code})["ticket"])
    again = unit(acquirer, terminal.serial)
    ask = {"keyreq": again.key_request(), "code": code}
    assert keypad.refused("POST", "/v1/tickets", ask) == (403, "code_invalid")


def test_the_same_request_gets_its_ticket_again_until_the_unit_spoke(acquirer, keypad, tid):
    terminal = unit(acquirer)
    ask = {"keyreq": terminal.key_request(), "code": acquirer.new_code(terminal.serial, tid)}
    acquirer.drop_response(times=1, close=True)
    with pytest.raises(OSError):
        keypad.ask("POST", "/v1/tickets", ask)
    terminal.install(keypad.post("/v1/tickets", ask)["ticket"])
    assert terminal.ticket["version"] == 1
    assert terminal.send(terminal.sign_on())["outcome"] == "approved"
    assert keypad.refused("POST", "/v1/tickets", ask) == (403, "code_invalid")


def test_a_ticket_is_not_given_again_to_a_revoked_terminal(acquirer, keypad, tid):
    terminal = unit(acquirer)
    ask = {"keyreq": terminal.key_request(), "code": acquirer.new_code(terminal.serial, tid)}
    keypad.post("/v1/tickets", ask)
    acquirer.revoke(tid)
    assert keypad.refused("POST", "/v1/tickets", ask) == (409, "terminal_revoked")


def test_a_technician_whose_cable_failed_issues_a_code(acquirer, keypad, tid):
    """The ticket that was fetched over USB is in the same person's hand."""
    technician = Desk(acquirer, acquirer.new_session("technician", "li"))
    terminal = unit(acquirer)
    technician.post("/v1/tickets", {"keyreq": terminal.key_request(), "tid": tid})
    code = technician.post("/v1/activation-codes", {"tid": tid, "serial": terminal.serial})["code"]
    again = unit(acquirer, terminal.serial)
    assert keypad.post("/v1/tickets", {"keyreq": again.key_request(), "code": code})["version"] == 2
    assert technician.post("/v1/tickets", {"keyreq": unit(acquirer, terminal.serial).key_request(), "tid": tid})


def test_one_answer_for_every_wrong_code(acquirer, keypad, tid):
    terminal, stranger = unit(acquirer), unit(acquirer)
    code = acquirer.new_code(terminal.serial, tid)
    said = set()
    for asking, tried in ((terminal, other(code)), (stranger, code), (stranger, other(code))):
        status, answer = keypad.ask("POST", "/v1/tickets", {"keyreq": asking.key_request(), "code": tried})
        said.add((status, answer["code"], answer["title"]))
    assert len(said) == 1 and "ask for a new one" in said.pop()[2]


def test_a_mistyped_code_costs_no_try(acquirer, keypad, tid):
    terminal = unit(acquirer)
    code = acquirer.new_code(terminal.serial, tid)
    slipped = code[:-1] + str((int(code[-1]) + 1) % 10)
    for _ in range(2 * TRIES):
        ask = {"keyreq": terminal.key_request(), "code": slipped}
        assert keypad.refused("POST", "/v1/tickets", ask) == (400, "code_mistyped")
    assert keypad.post("/v1/tickets", {"keyreq": terminal.key_request(), "code": code})["version"] == 1


def test_a_new_code_withdraws_the_old_one(acquirer, keypad, tid):
    terminal = unit(acquirer)
    old, new = (acquirer.new_code(terminal.serial, tid) for _ in range(2))
    ask = {"keyreq": terminal.key_request(), "code": old}
    assert keypad.refused("POST", "/v1/tickets", ask) == (403, "code_invalid")
    assert keypad.post("/v1/tickets", ask | {"code": new})["tid"] == tid


def test_codes_that_are_not_issued(acquirer, tid):
    technician = Desk(acquirer, acquirer.new_session())
    path = "/v1/activation-codes"
    assert technician.refused("POST", path, {"tid": "NOSUCH00", "serial": "X"}) == (404, "tid_unknown")
    assert technician.refused("POST", path, {"tid": tid, "serial": ""}) == (400, "malformed")
    acquirer.revoke(tid)
    assert technician.refused("POST", path, {"tid": tid, "serial": "X"}) == (409, "terminal_revoked")


def test_a_right_code_for_a_terminal_that_gets_no_ticket_is_not_used(acquirer, keypad, tid):
    terminal = unit(acquirer)
    ask = {"keyreq": terminal.key_request(), "code": acquirer.new_code(terminal.serial, tid)}
    acquirer.suspend_merchant()
    for _ in range(TRIES + 2):
        assert keypad.refused("POST", "/v1/tickets", ask) == (409, "merchant_suspended"), "and no try is counted"
    acquirer.resume_merchant()
    assert keypad.post("/v1/tickets", ask)["version"] == 1


def test_bodies(acquirer, keypad):
    good = {"keyreq": unit(acquirer).key_request(), "code": "1234567890"}
    for bad in ({"code": 1234567890}, {"code": "123"}, {"code": "12345678９0"}, {"tid": "10000001"}, {"mode": "new"}):
        assert keypad.refused("POST", "/v1/tickets", good | bad) == (400, "malformed"), bad
    assert keypad.refused("POST", "/v1/tickets", {"code": "1234567890"}) == (400, "malformed")
    assert keypad.refused("POST", "/v1/tickets", {"keyreq": "x"}) == (401, "session_unknown")
    assert keypad.refused("POST", "/v1/tickets", b"") == (401, "session_unknown")
    assert keypad.refused("POST", "/v1/tickets", good | {"keyreq": "a.b.c"}) == (400, "keyreq_invalid")


# -- with a clock of our own -------------------------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def office():
    with local_acquirer() as local:
        yield Office(local)


class Office:
    """Codes and tickets without HTTP, and a clock that can be moved."""

    def __init__(self, local):
        self.local, self.clock = local, Clock()
        running = local.running
        self.codes = Activation(running.database, local.home.secrets, self.clock)
        self.tickets = TicketOffice(local.home, running.database, running.log, self.clock)
        running.admin.add_terminal(DEMO_MID, "C1000001")

    def issue(self, serial="UNIT") -> str:
        return self.codes.issue(TECHNICIAN, "C1000001", serial).code

    def unit(self, serial="UNIT") -> Terminal:
        return Terminal(0, self.local.home.ca.der, self.local.home.trust, serial=serial)

    def take(self, code, unit=None, address="10.0.0.1") -> str:
        """The code of the problem, or empty."""
        try:
            self.tickets.activate(code, (unit or self.unit()).key_request(), address)
        except Problem as e:
            return e.code
        return ""

    def events(self) -> list[str]:
        return [r["kind"] for r in self.local.running.admin.audit_rows(alarms=True)]


def test_codes_expire(office):
    code = office.issue()
    office.clock.now += VALID_S - 1
    assert office.take(other(code)) == "code_invalid"
    office.clock.now += 1
    assert office.take(code) == "code_invalid"


def test_five_wrong_codes_burn_it(office):
    code = office.issue()
    for n in range(TRIES):
        assert office.take(other(code), address=f"10.0.0.{n}") == "code_invalid"
    assert office.events() == ["code_burned"]
    office.clock.now += CODE_SERIAL.first_s
    assert office.take(code) == "code_invalid", "the right one is of no use now"
    office.clock.now += 2 * CODE_SERIAL.first_s
    assert office.take(office.issue()) == "", "a new one is"


def test_guessing_waits_longer_and_longer(office):
    office.issue()
    for n in range(CODE_SERIAL.free):
        assert office.take(GUESS, address=f"10.0.1.{n}") == "code_invalid"
    waits = []
    for n in range(3):
        with pytest.raises(Problem) as e:
            office.tickets.activate(GUESS, office.unit().key_request(), f"10.0.2.{n}")
        assert e.value.status == 429
        waits.append(e.value.retry_after)
        office.clock.now += e.value.retry_after
        assert office.take(GUESS, address=f"10.0.3.{n}") == "code_invalid"
    assert waits == [60, 120, 240]


def test_an_address_may_not_try_all_serials(office):
    codes = [office.take(GUESS, office.unit(f"S{n}")) for n in range(25)]
    assert codes[:20] == ["code_invalid"] * 20
    assert set(codes[20:]) == {"too_many_attempts"}


def test_one_code_at_many_keypads_at_once(office):
    """The same code, by one serial and eight different keys: one ticket."""
    code, outcomes = office.issue(), []

    def work(n):
        outcomes.append(office.take(code, address=f"10.0.4.{n}"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(outcomes) == ["", "code_invalid", "code_invalid", "code_invalid"]
