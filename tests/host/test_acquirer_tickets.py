"""Tickets: who gets one, and what is in it."""

import secrets
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey
from microtill.acquirer import dukpt, jose
from microtill.acquirer.process import DEMO_MID, DEMO_NAME, AcquirerProcess
from support.acquirer import new_card
from support.terminal import HttpProblem, Terminal, b64, compact

_serial = iter(range(1, 10**6))


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        yield process


@pytest.fixture
def tid(acquirer):
    name = f"T{next(_serial):07d}"
    acquirer.add_terminal(name)
    return name


def unit(acquirer, serial="") -> Terminal:
    return Terminal(acquirer.port, acquirer.ca_der, acquirer.trust, serial=serial or f"S{next(_serial)}")


def again(old: Terminal, acquirer, new_key=True) -> Terminal:
    """The same unit, asking anew."""
    made = unit(acquirer, old.serial)
    if not new_key:
        made.key = old.key
    return made


def why(call) -> int:
    with pytest.raises(HttpProblem) as e:
        call()
    assert e.value.content_type == "application/problem+json"
    return e.value.status


def test_ticket_makes_a_terminal(acquirer, tid):
    terminal = unit(acquirer)
    ticket = terminal.ask_ticket(acquirer.session, tid)
    assert (ticket["v"], ticket["version"], ticket["mode"]) == (1, 1, "new")
    assert (ticket["mid"], ticket["tid"], ticket["serial"]) == (DEMO_MID, tid, terminal.serial)
    assert ticket["merchant"]["name"] == DEMO_NAME
    assert ticket["host"] == {"url": acquirer.url, "aud": "acquirer.microtill.test"}
    assert ticket["currency"] == {"code": "156", "exponent": 2, "symbol": "¥"}
    assert (ticket["batch"], ticket["stan_floor"]) == ("000001", 0)
    assert 0 < ticket["exp"] - ticket["iat"] <= 86400
    assert set(ticket["dukpt"]) == {"ikid", "key"}
    ikid = bytes.fromhex(ticket["dukpt"]["ikid"])
    assert terminal._initial == dukpt.initial_key(acquirer.home.secrets.bdk, ikid)
    assert ikid[:4] == acquirer.home.secrets.bdk_id
    assert terminal.send(terminal.sign_on())["outcome"] == "approved"
    held = acquirer.terminal(tid)
    assert (held["status"], held["serial"], held["jkt"]) == ("active", terminal.serial, terminal.kid)
    assert [e["kind"] for e in acquirer.events() if e["tid"] == tid] == ["terminal_added", "ticket"]


def test_trust_object(acquirer):
    trust = unit(acquirer).trust()
    assert set(trust) == {"v", "version", "name", "url", "ca", "keys"}
    assert trust["ca"] == [b64(acquirer.ca_der)]
    assert len(trust["keys"]) == 1
    jws = jose.parse_jws(acquirer.trust, "ES256", "mt-trust")
    key = jose.public_from_jwk(trust["keys"][0])
    assert jws.kid == jose.thumbprint(key)
    jose.verify_es256(jws, key)


def test_initial_keys_are_never_issued_twice(acquirer, tid):
    first = unit(acquirer)
    seen = [first.ask_ticket(acquirer.session, tid)["dukpt"]["ikid"]]
    assert first.send(first.plain("echo"))["outcome"] == "approved"
    for version in range(2, 5):
        terminal = again(first, acquirer)
        ticket = terminal.ask_ticket(acquirer.session, tid)
        assert (ticket["version"], ticket["mode"]) == (version, "renew")
        seen.append(ticket["dukpt"]["ikid"])
    assert len(set(seen)) == 4


def test_a_ticket_that_may_not_have_arrived(acquirer, tid):
    """A unit that was never heard of asks again, with the same key or another, and is still new; another is not."""
    first = unit(acquirer)
    first.ask_ticket(acquirer.session, tid)
    for version in (2, 3):
        terminal = again(first, acquirer, new_key=version == 3)
        ticket = terminal.ask_ticket(acquirer.session, tid)
        assert (ticket["version"], ticket["mode"]) == (version, "new")
    assert why(lambda: unit(acquirer).ask_ticket(acquirer.session, tid)) == 409
    assert terminal.send(terminal.plain("echo"))["outcome"] == "approved"
    assert why(lambda: again(first, acquirer).ask_ticket(acquirer.session, tid, mode="new")) == 409


def test_initial_keys_under_load(acquirer):
    """Eight technicians at once: eight units, eight different keys."""
    units = []
    for i in range(8):
        acquirer.add_terminal(f"L000000{i}")
        units.append(unit(acquirer))
    threads = [
        threading.Thread(target=u.ask_ticket, args=(acquirer.session, f"L000000{i}")) for i, u in enumerate(units)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len({u.ticket["dukpt"]["ikid"] for u in units}) == 8


def test_renewal_keeps_stan_and_journal(acquirer, tid):
    terminal = unit(acquirer)
    terminal.ask_ticket(acquirer.session, tid)
    for _ in range(3):
        terminal.send(terminal.sale(100, new_card()))
    renewed = again(terminal, acquirer, new_key=False)
    assert renewed.ask_ticket(acquirer.session, tid)["stan_floor"] == 3
    refused = renewed.send(renewed.plain("echo"))
    assert (refused["outcome"], refused["reason"]) == ("refused", "journal is shorter than it was")
    renewed.n, renewed.head = terminal.n, terminal.head
    acquirer.clear_terminal(tid)
    assert renewed.send(renewed.plain("echo"))["outcome"] == "approved"


def test_another_unit_needs_replace(acquirer, tid):
    unit(acquirer).ask_ticket(acquirer.session, tid)
    spare = unit(acquirer)
    assert why(lambda: spare.ask_ticket(acquirer.session, tid)) == 409
    assert why(lambda: spare.ask_ticket(acquirer.session, tid, mode="recover")) == 409
    assert why(lambda: spare.ask_ticket(acquirer.session, tid, mode="new")) == 409
    assert spare.ask_ticket(acquirer.session, tid, mode="replace")["version"] == 2


def test_modes_that_do_not_fit(acquirer, tid):
    terminal = unit(acquirer)
    for mode in ("renew", "recover", "replace"):
        assert why(lambda m=mode: terminal.ask_ticket(acquirer.session, tid, mode=m)) == 409
    assert why(lambda: terminal.ask_ticket(acquirer.session, tid, mode="steal")) in (400, 409)
    assert terminal.ask_ticket(acquirer.session, tid, mode="new")


def test_recover_by_the_same_unit(acquirer, tid):
    terminal = unit(acquirer)
    terminal.ask_ticket(acquirer.session, tid)
    sale = terminal.sale(100, new_card())
    terminal.send(sale)
    back = again(terminal, acquirer)
    assert back.ask_ticket(acquirer.session, tid, mode="recover")["mode"] == "recover"
    back.n, back.head = terminal.n, terminal.head
    assert back.send(back.reversal(sale))["result"] == "reversed"


def test_sessions_that_are_none(acquirer, tid):
    terminal = unit(acquirer)
    assert why(lambda: terminal.ask_ticket("wrong", tid)) == 401
    named = f"tech-{next(_serial)}"
    token = acquirer.new_session(name=named)
    assert acquirer.revoke_sessions(named) == 1
    assert why(lambda: terminal.ask_ticket(token, tid)) == 401
    body = compact({"keyreq": terminal.key_request(), "tid": tid})
    for headers in (
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json", "Authorization": "Bearer"},
        {"Content-Type": "application/json", "Authorization": f"Basic {acquirer.session}"},
    ):
        assert terminal.https.request("POST", "/v1/tickets", body, headers)[0] == 401
    headers = {"Content-Type": "text/plain", "Authorization": f"Bearer {acquirer.session}"}
    assert terminal.https.request("POST", "/v1/tickets", body, headers)[0] == 415


def test_terminals_that_get_none(acquirer, tid):
    assert why(lambda: unit(acquirer).ask_ticket(acquirer.session, "ZZZZZZZZ")) == 404
    acquirer.revoke(tid)
    assert why(lambda: unit(acquirer).ask_ticket(acquirer.session, tid)) == 409


def test_key_requests_are_used_once(acquirer, tid):
    terminal = unit(acquirer)
    keyreq = terminal.key_request()
    terminal.ask_ticket(acquirer.session, tid, keyreq)
    assert why(lambda: terminal.ask_ticket(acquirer.session, tid, keyreq)) == 409


def test_one_key_for_one_terminal(acquirer, tid):
    terminal = unit(acquirer)
    terminal.ask_ticket(acquirer.session, tid)
    acquirer.add_terminal("ONEKEY01")
    twin = unit(acquirer)
    twin.key = terminal.key
    assert why(lambda: twin.ask_ticket(acquirer.session, "ONEKEY01")) == 409


def _off_curve(payload) -> None:
    payload["key"] = payload["key"] | {"y": payload["key"]["x"]}


BAD = {
    "serial": lambda p: p.update(serial=""),
    "serial with a leading space": lambda p: p.update(serial=" ab"),
    "serial number": lambda p: p.update(serial=7),
    "board": lambda p: p.update(board="x" * 41),
    "nonce short": lambda p: p.update(nonce=b64(secrets.token_bytes(15))),
    "nonce padded": lambda p: p.update(nonce=b64(secrets.token_bytes(16)) + "=="),
    "version": lambda p: p.update(v=2),
    "version true": lambda p: p.update(v=True),
    "versions": lambda p: p.update(versions=[2]),
    "unknown": lambda p: p.update(extra=1),
    "missing": lambda p: p.pop("ecdh"),
    "off the curve": _off_curve,
    "ecdh off the curve": lambda p: p.update(ecdh=p["ecdh"] | {"y": p["ecdh"]["x"]}),
    "private key": lambda p: p.update(key=p["key"] | {"d": "AA"}),
    "same key": lambda p: p.update(ecdh=p["key"]),
}


@pytest.mark.parametrize("name", BAD)
def test_key_requests_that_are_wrong(acquirer, tid, name):
    terminal = unit(acquirer)
    keyreq = terminal.key_request(BAD[name])
    assert why(lambda: terminal.ask_ticket(acquirer.session, tid, keyreq)) == 400


def test_key_requests_that_prove_nothing(acquirer, tid):
    terminal, stranger = unit(acquirer), ECKey.generate_key("P-256")
    for keyreq in (
        terminal.key_request(signer=stranger),
        terminal.key_request(kid=stranger.thumbprint()),
        terminal.key_request(typ="mt-req"),
        terminal.key_request()[:-4],
        "x.y.z",
        "",
    ):
        assert why(lambda k=keyreq: terminal.ask_ticket(acquirer.session, tid, k or "-")) == 400
    assert why(lambda: terminal.ask_ticket(acquirer.session, tid, "A" * 5000)) == 413


def test_bodies_that_are_wrong(acquirer, tid):
    terminal = unit(acquirer)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {acquirer.session}"}
    for body in (b"", b"[]", b"{}", b'{"tid":"x"}', b'{"tid":1,"keyreq":"x"}', b'{"tid":"x","keyreq":"y","z":"1"}'):
        assert terminal.https.request("POST", "/v1/tickets", body, headers)[0] == 400


def test_ephemeral_keys_differ():
    """Two tickets to one key never share a wrapping key."""
    key = ec.generate_private_key(ec.SECP256R1())
    tokens = {jose.encrypt_ecdh_es(bytes(32), "mt-ticket", "K", key.public_key()).split(".")[0] for _ in range(4)}
    assert len(tokens) == 4
