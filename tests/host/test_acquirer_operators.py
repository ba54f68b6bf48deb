"""Operators of the acquirer: accounts, second factor, sessions, lock-out."""

import threading
import time

import pytest
from cryptography.exceptions import InvalidTag
from microtill.acquirer import passwords, totp
from microtill.acquirer.admin import LOCAL
from microtill.acquirer.operators import SESSION_S, Operators
from microtill.acquirer.problems import Problem
from microtill.acquirer.process import AcquirerProcess
from microtill.acquirer.throttle import SIGN_IN_ADDRESS, SIGN_IN_NAME, Buckets
from support.acquirer import Desk, local_acquirer


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        yield process


@pytest.fixture(scope="module")
def local():
    with local_acquirer() as acquirer:
        yield acquirer


class Clock:
    def __init__(self):
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def operators(local, clock):
    return Operators(local.home, local.running.database, clock, passwords.CHEAP)


_names = (f"op{n}" for n in range(10**6))


def made(operators, role="technician"):
    return operators.add(LOCAL, next(_names), role)


def code(account, clock, steps=0) -> str:
    return totp.code(totp.secret_of(account.totp_uri), clock.now + 30 * steps)


def sign_in(operators, account, clock, steps=0, **values):
    said = {"name": account.name, "password": account.password, "code": code(account, clock, steps)}
    said |= {"address": "10.0.0.1", "client": "laptop"} | values
    return operators.sign_in(**said)


def refused(call) -> str:
    with pytest.raises(Problem) as e:
        call()
    return e.value.code


# RFC 6238 appendix B, SHA-1, cut to six digits.
@pytest.mark.parametrize(
    ("now", "shown"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_totp_of_the_standard(now, shown):
    secret = b"12345678901234567890"
    assert totp.code(secret, now) == shown
    assert totp.matching_step(secret, shown, now, 0) == now // 30
    assert totp.matching_step(secret, shown, now + 30, 0) == now // 30, "a step late"
    assert totp.matching_step(secret, shown, now + 60, 0) is None
    assert totp.matching_step(secret, shown, now, now // 30) is None, "never again"


def test_totp_address_is_what_an_app_reads():
    secret = totp.new_secret()
    address = totp.uri(secret, "li", "the acquirer")
    assert address.startswith("otpauth://totp/the%20acquirer:li?")
    assert totp.secret_of(address) == secret


def test_passwords_are_salted_and_carry_their_cost():
    first, second = (passwords.kept("correct horse battery", passwords.CHEAP) for _ in range(2))
    assert first != second and first.startswith("scrypt$10$8$1$")
    assert passwords.matches("correct horse battery", first)
    assert not passwords.matches("correct horse batterz", first)
    assert passwords.matches("ﬁsh and chips 12", passwords.kept("fish and chips 12", passwords.CHEAP)), "NFKC"
    assert not passwords.matches("", passwords.NOBODY)
    assert passwords.kept("x" * 12).startswith("scrypt$15$8$3$"), "what people's passwords cost"
    assert len({passwords.generate() for _ in range(20)}) == 20


def test_signing_in(operators, clock):
    account = made(operators)
    session = sign_in(operators, account, clock)
    assert (session.name, session.role) == (account.name, "technician")
    assert session.expires == clock.now + SESSION_S <= clock.now + 12 * 3600
    actor, expires = operators.identify(session.token)
    assert (actor.name, actor.role, actor.client, expires) == (account.name, "technician", "laptop", session.expires)


def test_a_step_is_never_accepted_twice(operators, clock):
    account = made(operators)
    sign_in(operators, account, clock)
    assert refused(lambda: sign_in(operators, account, clock)) == "sign_in_failed"
    assert refused(lambda: sign_in(operators, account, clock, -1)) == "sign_in_failed", "nor an earlier one"
    assert sign_in(operators, account, clock, 1)
    clock.now += 60
    assert sign_in(operators, account, clock)


def test_one_code_at_once_lets_one_in(operators, clock):
    account = made(operators)
    outcomes: list[str] = []

    def work():
        try:
            outcomes.append(sign_in(operators, account, clock).token)
        except Problem as e:
            outcomes.append(e.code)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(o == "sign_in_failed" for o in outcomes) == [False, True, True, True], outcomes


def test_all_causes_have_one_answer(operators, clock):
    account, gone = made(operators), made(operators)
    operators.disable(LOCAL, gone.name)
    said = set()
    for values in (
        {"password": "wrong password"},
        {"code": "000000" if code(account, clock) != "000000" else "111111"},
        {"name": "nobody"},
        {"name": "'; DROP TABLE operators; --"},
        {"name": gone.name, "password": gone.password, "code": code(gone, clock)},
    ):
        with pytest.raises(Problem) as e:
            sign_in(operators, account, clock, **values)
        said.add((e.value.status, e.value.code, e.value.title))
    assert len(said) == 1 and said.pop()[0] == 401


def test_lock_out_grows_and_ends(operators, clock):
    account = made(operators)

    def wrong() -> Problem:
        with pytest.raises(Problem) as e:
            sign_in(operators, account, clock, password="wrong password", address=f"10.1.{clock.now % 250}.1")
        return e.value

    for _ in range(SIGN_IN_NAME.free):
        assert wrong().code == "sign_in_failed"
    waits = []
    for _ in range(4):
        problem = wrong()
        assert (problem.status, problem.code) == (429, "too_many_attempts")
        assert refused(lambda: sign_in(operators, account, clock)) == "too_many_attempts", "the right one waits too"
        waits.append(problem.retry_after)
        clock.now += problem.retry_after
        assert wrong().code == "sign_in_failed"
    assert waits == [15, 30, 60, 120]
    clock.now += 240
    assert sign_in(operators, account, clock)
    assert wrong().code == "sign_in_failed", "and the count begins again"


def test_an_unknown_name_is_locked_out_alike(operators, clock):
    account = made(operators)
    codes = []
    for _ in range(SIGN_IN_NAME.free + 1):
        codes.append(refused(lambda: sign_in(operators, account, clock, name="nobody2", address="10.2.0.1")))
    assert codes == ["sign_in_failed"] * SIGN_IN_NAME.free + ["too_many_attempts"]


def test_an_address_is_locked_out_whatever_the_name(operators, clock):
    account = made(operators)
    for n in range(SIGN_IN_ADDRESS.free):
        refused(lambda n=n: sign_in(operators, account, clock, name=f"x{n}", address="10.3.0.1"))
    assert refused(lambda: sign_in(operators, account, clock, address="10.3.0.1")) == "too_many_attempts"
    assert sign_in(operators, account, clock, address="10.3.0.2"), "others are let in"


def test_a_success_does_not_clear_what_others_guessed(operators, clock):
    account = made(operators)
    for n in range(SIGN_IN_ADDRESS.free - 2):
        refused(lambda n=n: sign_in(operators, account, clock, name=f"y{n}", address="10.4.0.1"))
    assert sign_in(operators, account, clock, address="10.4.0.1")
    for n in range(2):
        assert refused(lambda n=n: sign_in(operators, account, clock, name=f"z{n}", address="10.4.0.1"))
    assert refused(lambda: sign_in(operators, account, clock, 1, address="10.4.0.1")) == "too_many_attempts"


def test_guesses_at_once_are_counted(operators, clock):
    account = made(operators)
    codes: list[str] = []

    def guess(n):
        wrong = {"password": f"wrong password {n}", "address": f"10.5.0.{n}"}
        codes.append(refused(lambda: sign_in(operators, account, clock, **wrong)))

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert codes.count("sign_in_failed") == SIGN_IN_NAME.free


def test_sessions_end(operators, clock):
    account = made(operators)
    first = sign_in(operators, account, clock)
    second = sign_in(operators, account, clock, 1)
    actor, _ = operators.identify(first.token)
    operators.sign_out(actor, first.token)
    assert refused(lambda: operators.identify(first.token)) == "session_revoked"
    assert operators.identify(second.token)
    assert operators.revoke_sessions(LOCAL, account.name) == 1
    assert refused(lambda: operators.identify(second.token)) == "session_revoked"
    clock.now += 60
    third = sign_in(operators, account, clock)
    assert [s["name"] for s in operators.sessions()].count(account.name) == 1
    clock.now = third.expires - 1
    assert operators.identify(third.token)
    clock.now = third.expires
    assert refused(lambda: operators.identify(third.token)) == "session_expired"
    assert refused(lambda: operators.identify("no such token")) == "session_unknown"


def test_disable_and_reset(operators, clock):
    account = made(operators)
    session = sign_in(operators, account, clock)
    operators.disable(LOCAL, account.name)
    assert refused(lambda: operators.identify(session.token)) == "session_revoked"
    clock.now += 60
    assert refused(lambda: sign_in(operators, account, clock)) == "sign_in_failed"
    fresh = operators.reset(LOCAL, account.name)
    assert fresh.totp_uri != account.totp_uri
    assert refused(lambda: sign_in(operators, account, clock)) == "sign_in_failed"
    assert sign_in(operators, fresh, clock)


def test_reset_ends_a_lock_out(operators, clock):
    account = made(operators)
    for _ in range(SIGN_IN_NAME.free):
        refused(lambda: sign_in(operators, account, clock, password="wrong password", address="10.6.0.1"))
    assert refused(lambda: sign_in(operators, account, clock)) == "too_many_attempts"
    assert sign_in(operators, operators.reset(LOCAL, account.name), clock)


def test_what_is_no_account(operators):
    for name in ("", "Li", "1li", "li li", "x" * 33, "李"):
        assert refused(lambda n=name: operators.add(LOCAL, n, "technician")) == "malformed"
    assert refused(lambda: operators.add(LOCAL, "wang", "boss")) == "malformed"
    for password in ("short", "x" * 129, "wang-wang-wang-1"):
        assert refused(lambda p=password: operators.add(LOCAL, "wang", "auditor", p)) == "malformed"
    account = made(operators)
    assert refused(lambda: operators.add(LOCAL, account.name, "auditor")) == "operator_exists"
    assert refused(lambda: operators.disable(LOCAL, "nobody")) == "operator_unknown"


def test_the_last_administrator_stays(acquirer):
    boss = Desk(acquirer, acquirer.new_session("administrator", "boss"))
    assert boss.refused("POST", "/v1/operators/boss/disable") == (409, "last_administrator")
    acquirer.new_operator("administrator", "deputy")
    assert boss.ask("POST", "/v1/operators/boss/disable") == (204, {})
    assert boss.refused("GET", "/v1/operators") == (401, "session_revoked")


def test_a_sealed_secret_opens_for_its_own_account_only(local):
    secrets = local.home.secrets
    sealed = secrets.seal_totp("li", bytes(20))
    assert secrets.open_totp("li", sealed) == bytes(20)
    for name, octets in (("wang", sealed), ("li", sealed[:-1] + bytes([sealed[-1] ^ 1]))):
        with pytest.raises(InvalidTag):
            secrets.open_totp(name, octets)


def test_over_http(acquirer):
    account = acquirer.new_operator("technician")
    desk = Desk(acquirer)
    said = {"name": account.name, "password": account.password, "totp": acquirer.totp(account)}
    status, answer = desk.ask("POST", "/v1/sessions", said | {"client": "microtill 0.1 on a laptop"})
    assert status == 201
    assert set(answer) == {"token", "expires", "name", "role"}
    assert 0 < answer["expires"] - time.time() <= 12 * 3600
    desk.token = answer["token"]
    assert desk.get("/v1/sessions/current") == {
        "name": account.name,
        "role": "technician",
        "expires": answer["expires"],
    }
    assert desk.ask("DELETE", "/v1/sessions/current") == (204, {})
    assert desk.refused("GET", "/v1/sessions/current") == (401, "session_revoked")
    desk.token = ""
    assert desk.refused("POST", "/v1/sessions", said) == (401, "sign_in_failed"), "the step was used"
    said["totp"] = acquirer.totp(account, ahead=1)
    assert desk.ask("POST", "/v1/sessions", said)[0] == 201
    for _ in range(5):
        desk.refused("POST", "/v1/sessions", said)
    status, answer = desk.ask("POST", "/v1/sessions", said)
    assert (status, answer["code"]) == (429, "too_many_attempts")


def test_a_password_of_ones_own(acquirer):
    account = acquirer.new_operator("auditor")
    desk, other = (Desk(acquirer, acquirer.new_session("auditor", account.name)) for _ in range(2))
    path = "/v1/sessions/current/password"
    said = {"password": account.password, "totp": acquirer.totp(account), "new": "a password of my own"}
    assert desk.refused("POST", path, said | {"password": "wrong password"}) == (401, "sign_in_failed")
    assert desk.refused("POST", path, said | {"new": "short"}) == (400, "malformed")
    assert desk.refused("POST", path, said | {"new": f"the password of {account.name}"}) == (400, "malformed")
    assert desk.ask("POST", path, said) == (204, {})
    assert desk.get("/v1/sessions/current")["name"] == account.name
    assert other.refused("GET", "/v1/sessions/current") == (401, "session_revoked"), "whoever knew the old one is out"
    again = {"name": account.name, "totp": acquirer.totp(account, ahead=1)}
    desk.token = ""
    assert desk.refused("POST", "/v1/sessions", again | {"password": account.password}) == (401, "sign_in_failed")
    assert desk.ask("POST", "/v1/sessions", again | {"password": said["new"]})[0] == 201
    assert [r["kind"] for r in acquirer.events() if r["actor"] == account.name].count("password_changed") == 1


def test_retry_after_is_a_header_too(acquirer):
    desk = Desk(acquirer)
    said = {"name": "nobody3", "password": "x", "totp": "000000"}
    for _ in range(5):
        desk.ask("POST", "/v1/sessions", said)
    connection = desk._https._connect()
    connection.request("POST", "/v1/sessions", b'{"name":"nobody3","password":"x","totp":"000000"}', _JSON)
    answer = connection.getresponse()
    assert answer.status == 429 and 0 < int(answer.headers["retry-after"]) <= 15
    connection.close()


_JSON = {"Content-Type": "application/json"}


def test_sessions_outlive_a_restart(acquirer):
    token = acquirer.new_session()
    acquirer.restart()
    assert Desk(acquirer, token).get("/v1/sessions/current")["role"] == "technician"


def test_buckets():
    clock = Clock()
    buckets = Buckets(rate=2, burst=4, clock=clock)
    for _ in range(4):
        buckets.take("a")
    assert refused(lambda: buckets.take("a")) == "too_many_attempts"
    buckets.take("b")
    clock.now += 0.5
    buckets.take("a")
    assert refused(lambda: buckets.take("a")) == "too_many_attempts"


def test_a_list_of_accounts_tells_no_secret(operators):
    account = made(operators)
    (row,) = [a for a in operators.accounts() if a["name"] == account.name]
    assert set(row) == {"name", "role", "created", "disabled", "sessions"}


def test_a_generated_password_may_hold_a_short_name(operators, monkeypatch):
    monkeypatch.setattr(passwords, "generate", lambda: "abcd-lily-efgh-ijkl")
    assert operators.add(LOCAL, "li", "technician").password == "abcd-lily-efgh-ijkl"
