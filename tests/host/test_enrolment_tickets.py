"""The terminal's side of provisioning against tickets made by independent code: every rule, every bound, every cut."""

import copy
import itertools
import json
import random
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey
from microtill.bench.chips.flash import NorFlash
from microtill.bench.nvs import Nvs
from support.fuzz import examples
from support.metal import Gone, Metal
from support.port import Port, PortRaised
from support.terminal import dukpt_key
from support.ticketing import NOW, Office, b64, compact, public, read_key_request, signed, thumbprint, unb64

FAKES = Path(__file__).parents[1] / "firmware"
SOURCE = """
import os
from fake_nvs import FakeNvs, PowerCut
from nor import Nor
from till.core.errors import TillError
from till.crypto.rng import Rng
from till.services import enrolment, identity, trust
from till.services.keys import TransactionKeys
from till.services.networks import Networks
from till.services.signer import device_signer
from till.storage import records as r
from till.storage.journal import Journal
from till.storage.settings import Settings
from till.storage.vault import Vault

class Unit:
    pass
u = Unit()
rng = Rng(os.urandom)

def blank(serial="SIM-1"):
    u.serial = serial
    u.nvs = FakeNvs()
    u.flash = Nor(16)
    restart()

def restart():
    u.vault = Vault(u.nvs, u.serial, rng)
    u.journal = Journal(u.flash)
    u.enrolment = enrolment.Enrolment(u.vault, u.serial, "SIM", "0.1.0", rng)
    u.offer = None

def lose_vault():
    u.nvs = FakeNvs()
    restart()

def request(new_key=False):
    return u.enrolment.key_request(new_key).decode()

def take_trust(token):
    before = u.vault.get("trust")
    t, _ = trust.examine_trust(u.vault, token)
    assert u.vault.get("trust") == before
    t = trust.accept_trust(u.vault, token)
    return [t.version, t.name, t.url, t.ca, sorted(t.keys)]

def trusted():
    t = trust.load_trust(u.vault)
    return None if t is None else t.version

def fingerprint(token):
    return trust.fingerprint(trust.kid_of(token))

def examine(token, floor=0):
    u.offer = u.enrolment.examine(token, u.journal, floor)
    return u.offer.ticket.merchant["name"]

def install(record=True):
    i = u.enrolment.install(u.offer, u.journal)
    if record:
        i.record(u.journal, 5)

def provision(token):
    examine(token)
    install()

def who():
    i = identity.load_identity(u.vault, u.serial)
    if i is None:
        return None
    return {"mid": i.mid, "tid": i.tid, "merchant": i.merchant, "serial": i.serial, "kid": i.kid, "version": i.version,
        "batch": i.batch, "stan_floor": i.stan_floor, "issued": i.issued, "url": i.url, "aud": i.aud,
        "currency": [i.currency.code, i.currency.exponent, i.currency.symbol], "limit": i.parameter("sale_limit"),
        "backup": list(i.backup_key) if i.backup_key else None, "owns": i.owns(u.journal)}

def names():
    return u.vault.names()

def burn():
    keys = TransactionKeys(u.vault)
    t = keys.burn()
    return [t.ksn, t.counter, t.mac_key(), t.data_key()]

def set_wifi(name):
    Networks(u.vault).set([[name, "password of " + name]])

def set_language(language):
    Settings(u.nvs).set("language", language)

def sign(digest, prepare=False):
    s = device_signer(u.vault, who()["kid"], rng)
    if prepare:
        s.prepare()
        assert s.prepared
    signature = s.sign(digest)
    assert not s.prepared
    return signature

def sell(result="approved"):
    n = u.journal.append(r.INTENT, r.intent(seq=1 << 32, req="ab" * 32, type="sale", stan="000001", batch="000001",
        time=1, amount=1, currency="156", operator="01"), 6)
    if result:
        u.journal.append(r.RESULT, r.result(n, result), 6)
        u.journal.append(r.SHOWN, r.shown(n), 6)

def settle():
    u.journal.append(r.SETTLE_BEGIN, b"{}", 7)
    u.journal.append(r.SETTLED, r.settled("000001"), 7)

def state():
    i = who()
    if i:
        del i["owns"]  # the journal is told afterwards
    return [i, [n for n in names()], u.vault.get("dukpt"), Networks(u.vault).all(), Settings(u.nvs).get("language")]

def cuts(what, *args):
    "Every power cut of one call: what the unit is afterwards, each different state once."
    before, flash = dict(u.nvs.durable), bytearray(u.flash.memory)
    seen, at, finished = [], 0, False
    while not finished:
        u.nvs = FakeNvs(before, at)
        u.flash = Nor(16, bytearray(flash))
        try:
            restart()
            globals()[what](*args)
            finished = True
        except PowerCut:
            pass
        for left in u.nvs.leftovers():
            u.nvs = FakeNvs(left)
            restart()
            now = state()
            if now not in seen:
                seen.append(now)
        at += 1
    u.nvs = FakeNvs(before)
    u.flash = Nor(16, flash)
    restart()
    return [at, seen]

def recorded(what, *args):
    "What NVS held before the call, each change that it made, and what the unit was before and is now."
    u.nvs = FakeNvs(u.nvs.durable)
    restart()
    old, before = state(), dict(u.nvs.durable)
    globals()[what](*args)
    return [before, u.nvs.trace, old, state()]

def started(values):
    "What the unit is, at a start with such an NVS."
    u.nvs = FakeNvs(values)
    restart()
    for name in names():
        u.vault.get(name)
    return state()
"""


@pytest.fixture(scope="module")
def shared():
    with Port(SOURCE, heap="2M", extra_path=str(FAKES)) as port:
        yield port


@pytest.fixture(scope="module")
def office():
    return Office()


@pytest.fixture
def port(shared, office):
    shared.call("blank")
    shared.call("take_trust", office.trust())
    return shared


def refused(port, why, name, *args):
    with pytest.raises(PortRaised) as e:
        port.call(name, *args)
    assert e.value.names[0] == "TicketError", e.value
    assert why in e.value.text, e.value.text


def key_request(port, **args):
    return read_key_request(port.call("request", *args.values()))


def provision(port, office, **changes):
    keyreq = key_request(port)
    port.call("provision", office.ticket(keyreq, **changes))
    return keyreq


def test_a_ticket_makes_a_terminal(port, office):
    assert port.call("who") is None
    keyreq = key_request(port)
    assert set(keyreq) == {"v", "serial", "board", "fw", "key", "ecdh", "nonce", "versions"}
    assert (keyreq["serial"], keyreq["board"], keyreq["fw"]) == ("SIM-1", "SIM", "0.1.0")
    assert keyreq["key"] != keyreq["ecdh"] and len(unb64(keyreq["nonce"])) == 16
    backup = Office()
    ticket = office.ticket(keyreq, backup_key=public(backup.key), unknown={"later": [1]})
    assert port.call("examine", ticket, NOW) == "校园超市"
    assert port.call("who") is None, "examining changes nothing"
    port.call("install")
    expected = {
        "mid": "898210154110002", "tid": "T0000001", "serial": "SIM-1", "kid": thumbprint(keyreq["key"]),
        "merchant": {"name": "校园超市", "address": "1 Campus Road", "phone": "010-1234"},
        "version": 1, "batch": "000001", "stan_floor": 0, "issued": NOW, "url": "https://acquirer.test:8443",
        "aud": "acquirer.test", "currency": ["156", 2, "¥"], "limit": 100000, "owns": True,
    }  # fmt: skip
    found = port.call("who")
    assert found.pop("backup") is not None and found == expected
    port.call("restart")
    found = port.call("who")
    found.pop("backup")
    assert found == expected
    assert port.call("names") == ["device", "dukpt", "ticket", "trust"], "the one-shot key is gone"


def test_the_keys_are_those_of_the_ticket(port, office):
    keyreq = provision(port, office)
    ikid = bytes.fromhex("0102030400000001")
    for counter in (1, 2, 3):
        ksn, n, mac, data = port.call("burn")
        port.call("restart")
        assert (ksn, n) == (ikid + counter.to_bytes(4, "big"), counter), "a burned key never comes again"
        assert mac == dukpt_key(office.initial, ikid, counter, 0x2001, 5)
        assert data == dukpt_key(office.initial, ikid, counter, 0x3000, 4)
    verifier = ECKey.import_key(keyreq["key"]).get_op_key("verify")
    for prepare in (False, True):
        digest = random.randbytes(32)
        raw = port.call("sign", digest, prepare)
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        verifier.verify(der, digest, ec.ECDSA(Prehashed(SHA256())))
        with pytest.raises(InvalidSignature):
            verifier.verify(der, bytes(32), ec.ECDSA(Prehashed(SHA256())))


def test_only_the_last_key_request_counts(port, office):
    first = key_request(port)
    second = key_request(port)
    assert first["key"] == second["key"], "a blank unit keeps the key it made"
    assert first["ecdh"] != second["ecdh"] and first["nonce"] != second["nonce"]
    refused(port, "another key request", "examine", office.ticket(first))
    port.call("examine", office.ticket(second))
    key_request(port)
    refused(port, "made anew", "install")
    assert port.call("who") is None


def test_a_key_request_survives_a_restart_and_a_ticket_installs_once(port, office):
    keyreq = key_request(port)
    port.call("restart")
    ticket = office.ticket(keyreq)
    port.call("provision", ticket)
    refused(port, "no key request", "examine", ticket)


def test_who_may_sign(port, office):
    keyreq = key_request(port)
    other = Office()
    payload = office.payload(keyreq)
    refused(port, "not signed by a trusted key", "examine", other.sign(payload))
    refused(port, "signature", "examine", other.sign(payload, kid=office.kid))
    refused(port, "signature", "examine", office.sign(payload, high_s=True))
    for changes in ({"typ": "mt-trust"}, {"typ": None}, {"kid": None}, {"alg": "none"}, {"jwk": public(other.key)}):
        if changes.get("alg"):
            head = b64(compact(office.header("mt-ticket", **changes)))
            token = head + "." + office.sign(payload).split(".", 1)[1]
        else:
            token = office.sign(payload, **changes)
        refused(port, "", "examine", token)
    good = office.sign(payload)
    head, body, signature = good.split(".")
    refused(port, "signature", "examine", f"{head}.{b64(unb64(body) + b' ')}.{signature}")
    for bad in ("", ".", "..", good + "=", good + ".x", " " + good, "x" * 9000, good[:-1]):
        refused(port, "", "examine", bad)
    assert port.call("examine", good) == "校园超市"


def test_no_ticket_before_trust(shared, office):
    shared.call("blank")
    keyreq = key_request(shared)
    refused(shared, "nothing is trusted", "examine", office.ticket(keyreq))


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("another unit", {"serial": "SIM-2"}),
        ("another key", {"jkt": b64(bytes(32))}),
        ("another key request", {"nonce": b64(bytes(16))}),
        ("mode", {"mode": "old"}),
        ("renew", {"mode": "renew"}),
        ("expired", {"iat": NOW - 86400, "exp": NOW}),
        ("v", {"v": 2}),
    ],
)
def test_the_ticket_must_be_for_this_unit_and_this_time(port, office, why, changes):
    keyreq = key_request(port)
    refused(port, why, "examine", office.ticket(keyreq, **changes), NOW)
    assert port.call("examine", office.ticket(keyreq), NOW) == "校园超市"


BAD_MEMBERS = [
    ("mid", "89821015411000"), ("mid", "89821015411000２"), ("mid", 898210154110002), ("mid", None),
    ("tid", "t0000001"), ("tid", "T000001"), ("tid", ["T0000001"]),
    ("merchant", {}), ("merchant", {"name": ""}), ("merchant", {"name": "x" * 41}), ("merchant", {"name": "a\u202eb"}),
    ("merchant", {"name": "a\nb"}), ("merchant", {"name": "a", "phone": 5}), ("merchant", "name"),
    ("version", 0), ("version", 1 << 21), ("version", "1"), ("version", True), ("version", -1),
    ("batch", "1"), ("batch", 1), ("stan_floor", 1000000), ("stan_floor", -1), ("stan_floor", "0"),
    ("iat", -1), ("iat", "0"), ("exp", NOW), ("exp", NOW + 91 * 86400), ("exp", None),
    ("host", {}), ("host", {"url": "http://acquirer.test", "aud": "a"}), ("host", {"url": "https://", "aud": "a"}),
    ("host", {"url": "https://a.test/path", "aud": "a"}), ("host", {"url": "https://a.test:99999", "aud": "a"}),
    ("host", {"url": "https://a.test:", "aud": "a"}), ("host", {"url": "https://u@a.test", "aud": "a"}),
    ("host", {"url": "https://a.test", "aud": ""}), ("host", {"url": "https://" + "a" * 200, "aud": "a"}),
    ("currency", {"code": "15", "exponent": 2, "symbol": "¥"}), ("currency", {"code": "CNY", "exponent": 2}),
    ("currency", {"code": "156", "exponent": 5}), ("currency", {"code": "156", "exponent": 2}),
    ("currency", {"code": "156", "exponent": True, "symbol": "¥"}), ("currency", None),
    ("parameters", None), ("parameters", []), ("parameters", {"sale_limit": 0}), ("parameters", {"sale_limit": "9"}),
    ("parameters", {"sale_limit": 10**12}), ("parameters", {f"p{i}": 1 for i in range(49)}),
    ("parameters", {"x" * 33: 1}), ("jkt", "x" * 43 + "y"), ("nonce", "short"), ("nonce", "=" * 22), ("serial", ""),
    ("dukpt", {}), ("dukpt", {"ikid": "0102030400000001"}), ("backup_key", {"kty": "EC"}),
    ("backup_key", {"kty": "EC", "crv": "P-256", "x": b64(bytes(32)), "y": b64(bytes(32))}),
]  # fmt: skip


def test_every_member_is_bounded(port, office):
    keyreq = key_request(port)
    good = office.payload(keyreq)
    for name, value in BAD_MEMBERS:
        refused(port, "", "examine", office.sign(good | {name: value}))
    for name in set(good):
        refused(port, "", "examine", office.sign({k: v for k, v in good.items() if k != name}))
    for octets in (b"[]", b"{}", b"null", b"", b"{", compact(good)[:-1] + b',"v":1}', b"\xff", b'{"v":1.0}'):
        refused(port, "", "examine", office.sign(octets))
    assert port.call("examine", office.sign(good)) == "校园超市"


def test_the_initial_key_must_come_sealed_to_this_unit(port, office):
    keyreq = key_request(port)
    good = office.payload(keyreq)
    ikid, key = good["dukpt"]["ikid"], good["dukpt"]["key"]
    stranger = public(Office().key)
    head, rest = key.split(".", 1)
    bad = [
        office.sealed(office.initial, ikid, stranger),
        office.sealed(office.initial[:31], ikid, keyreq["ecdh"]),
        office.sealed(office.initial + b"\0", ikid, keyreq["ecdh"]),
        office.sealed(office.initial, "0102030400000002", keyreq["ecdh"]),
        office.sealed(office.initial, ikid, keyreq["ecdh"], typ="mt-req"),
        key[:-4] + "AAAA",
        head + ".AA" + rest[1:],
        "x",
        b64(unb64(head)[:-1] + b',"apu":"AA"}') + "." + rest,
    ]
    for value in bad:
        refused(port, "", "examine", office.sign(good | {"dukpt": {"ikid": ikid, "key": value}}))
    lower = "010203040000000a"
    key = office.sealed(office.initial, lower, keyreq["ecdh"])
    refused(port, "ikid", "examine", office.sign(good | {"dukpt": {"ikid": lower, "key": key}}))
    assert port.call("who") is None


def test_renewal(port, office):
    first = provision(port, office)
    port.call("burn")
    port.call("sell")
    keyreq = key_request(port)
    assert keyreq["key"] == first["key"], "renewal keeps the device key"
    new = {"mode": "renew", "version": 2, "ikid": "0102030400000002"}
    refused(port, "not newer", "examine", office.ticket(keyreq, **new | {"version": 1}))
    refused(port, "initial key is not new", "examine", office.ticket(keyreq, **new | {"ikid": "0102030400000001"}))
    refused(port, "another terminal", "examine", office.ticket(keyreq, **new, tid="T0000002"))
    refused(port, "another terminal", "examine", office.ticket(keyreq, **new, mid="898210154110003"))
    port.call("provision", office.ticket(keyreq, **new, batch="000009"))
    assert (port.call("who")["version"], port.call("who")["batch"], port.call("burn")[1]) == (2, "000009", 1)


def test_a_terminal_changes_hands_only_when_settled(port, office):
    first = provision(port, office)
    port.call("sell")
    keyreq = read_key_request(port.call("request", True))
    assert keyreq["key"] != first["key"]
    move = {"tid": "T0000002", "ikid": "0102030400000002"}
    refused(port, "not settled", "examine", office.ticket(keyreq, **move))
    refused(port, "not settled", "examine", office.ticket(keyreq, **move, mode="replace"))
    assert port.call("sign", bytes(32)), "the old key serves meanwhile"
    port.call("settle")
    ticket = office.ticket(keyreq, **move)
    port.call("examine", ticket)
    port.call("sell", None)
    refused(port, "not settled", "install")  # something was begun between the question and the answer
    port.call("restart")
    assert port.call("who")["tid"] == "T0000001" and port.call("who")["kid"] == thumbprint(first["key"])


def test_moving_a_settled_terminal(port, office):
    provision(port, office)
    port.call("sell")
    port.call("settle")
    keyreq = read_key_request(port.call("request", True))
    port.call("provision", office.ticket(keyreq, tid="T0000002", mid="898210154110003", ikid="0102030400000002"))
    found = port.call("who")
    assert (found["tid"], found["kid"], found["owns"]) == ("T0000002", thumbprint(keyreq["key"]), True)


def test_recovery_after_the_vault_was_lost(port, office):
    provision(port, office, version=3)
    port.call("sell")
    port.call("lose_vault")
    assert port.call("who") is None
    port.call("take_trust", office.trust())
    keyreq = key_request(port)
    again = {"version": 4, "ikid": "0102030400000002"}
    refused(port, "recover", "examine", office.ticket(keyreq, **again))
    refused(port, "recover", "examine", office.ticket(keyreq, **again, mode="replace"))
    refused(port, "not settled", "examine", office.ticket(keyreq, **again, mode="recover", tid="T0000002"))
    refused(port, "not newer", "examine", office.ticket(keyreq, **again | {"version": 3}, mode="recover"))
    port.call("provision", office.ticket(keyreq, **again, mode="recover"))
    assert port.call("who")["version"] == 4


def test_the_journal_learns_the_owner_after_a_cut(port, office):
    port.call("examine", office.ticket(key_request(port)))
    port.call("install", False)
    assert not port.call("who")["owns"]


def test_trust_is_taken_once_and_then_only_from_a_trusted_key(shared, office):
    shared.call("blank")
    other = Office()
    assert shared.call("trusted") is None
    refused(shared, "not signed", "take_trust", office.trust(signer=other))
    token = office.trust(ca=[b64(office.ca), b64(other.ca)])
    digits = unb64(office.kid).hex().upper()[:16]
    assert shared.call("fingerprint", token) == " ".join(digits[i : i + 4] for i in range(0, 16, 4))
    taken = shared.call("take_trust", token)
    assert taken == [1, "Campus Acquirer", "https://acquirer.test:8443", [office.ca, other.ca], [office.kid]]
    shared.call("restart")
    assert shared.call("take_trust", token) == taken, "the same again is no change"
    refused(shared, "not newer", "take_trust", office.trust(name="Another name"))
    refused(shared, "not signed", "take_trust", other.trust(version=9))
    refused(shared, "signature", "take_trust", signed(compact({}), office.header("mt-trust"), other.key))
    both = office.trust(version=2, holders=[office, other])
    assert shared.call("take_trust", both)[4] == sorted([office.kid, other.kid])
    assert shared.call("take_trust", other.trust(version=3))[4] == [other.kid]
    refused(shared, "not signed", "take_trust", office.trust(version=4))
    keyreq = key_request(shared)
    refused(shared, "not signed", "examine", office.ticket(keyreq))
    assert shared.call("examine", other.ticket(keyreq))


def test_every_member_of_trust_is_bounded(shared, office):
    shared.call("blank")
    der = office.ca
    bad = [
        {"v": 2}, {"version": 0}, {"version": 1 << 31}, {"version": "1"}, {"name": ""}, {"name": "x" * 41}, {"name": 1},
        {"url": "http://a.test"}, {"url": "https://a.test/x"}, {"ca": []}, {"ca": [b64(der)] * 4}, {"ca": b64(der)},
        {"ca": [b64(der[:-1])]}, {"ca": [b64(der + b"x")]}, {"ca": [b64(der) + "="]}, {"ca": [der.hex()]}, {"ca": [5]},
        {"ca": [b64(b"\x30\x82" + (2100).to_bytes(2, "big") + bytes(2100))]}, {"keys": []}, {"keys": {}},
        {"keys": [public(office.key)] * 3}, {"keys": [public(office.key) | {"use": "sig"}]}, {"keys": [1]},
    ]  # fmt: skip
    for changes in bad:
        refused(shared, "", "take_trust", office.trust(**changes))
    for token in ("", "a.b.c", "x" * 20000, office.trust() + "x"):
        refused(shared, "", "take_trust", token)
    head, body, signature = office.trust().encode().split(b".")
    refused(shared, "", "take_trust", b".".join((head, body[:-1] + b"\xff", signature)))
    assert shared.call("trusted") is None and shared.call("names") == []


def test_power_cut_at_every_operation_of_trust_request_and_installation(shared, office):
    shared.call("blank")
    tried, seen = shared.call("cuts", "take_trust", office.trust())
    assert tried > 4 and sorted(s[1] for s in seen) == [[], ["trust"]]
    shared.call("take_trust", office.trust())
    tried, seen = shared.call("cuts", "request")
    assert tried > 4 and sorted(s[1] for s in seen) == [["pending", "trust"], ["trust"]]
    keyreq = key_request(shared)
    tried, seen = shared.call("cuts", "provision", office.ticket(keyreq))
    assert tried > 8 and len(seen) == 2
    (old,), (new,) = ([s for s in seen if s[0] is None], [s for s in seen if s[0] is not None])
    assert old[1] == ["pending", "trust"] and new[1] == ["device", "dukpt", "ticket", "trust"]
    shared.call("provision", office.ticket(keyreq))
    shared.call("burn")
    keyreq = key_request(shared)
    renewal = office.ticket(keyreq, mode="renew", version=2, ikid="0102030400000002")
    tried, seen = shared.call("cuts", "provision", renewal)
    assert tried > 8 and sorted(s[0]["version"] for s in seen) == [1, 2]
    tried, seen = shared.call("cuts", "burn")
    assert tried > 4 and len(seen) == 2


SIZE = 0x5000  # of NVS: a quarter of the boards', so that pages are moved sooner


@pytest.mark.parametrize("full", [False, True], ids=["room", "full"])
def test_a_cut_in_any_write_to_the_flash_leaves_the_old_or_the_new(port, office, full):
    """Where ESP-IDF's storage writes: each program and erase of its pages is torn; when it is full, also those by which
    a page is moved to make room."""
    ticket = office.ticket(key_request(port))
    all_old_or_new(port, full, "provision", ticket)
    all_old_or_new(port, full, "burn")
    all_old_or_new(port, full, "set_wifi", "one")
    all_old_or_new(port, full, "set_wifi", "another")
    all_old_or_new(port, full, "set_language", "en")
    all_old_or_new(port, full, "request")
    keyreq = key_request(port)
    renewal = office.ticket(keyreq, mode="renew", version=2, ikid="0102030400000002")
    all_old_or_new(port, full, "provision", renewal)


def all_old_or_new(port, full, what, *args) -> None:
    before, changes, old, new = port.call("recorded", what, *args)
    assert old != new
    image = nvs_image(before, changes, full)
    after = dict(before)
    for key, value in changes:
        after[key] = value
    after = {key: value for key, value in after.items() if value is not None}
    starts: dict[str, list] = {}
    both, done = set(), None
    for at in itertools.count(1):
        for seed in range(4):  # a torn write or erase leaves this or that
            flash = NorFlash(SIZE, seed=4 * at + seed)
            flash.burn(0, image)
            try:
                done = changed(Metal(flash, at), changes)
                break
            except Gone:
                left = held(Nvs(flash, 0, SIZE))
                name = repr(sorted(left.items()))
                if name not in starts:
                    starts[name] = port.call("started", left)
                assert starts[name] in (old, new), (what, at, seed)
                both.add(starts[name] == new)
                assert held(changed(Metal(flash), changes)) == after, "what was interrupted is done again"
        if done:
            break
    assert at > 6 and both == {False, True}, (what, at, both)
    assert held(done) == after and port.call("started", after) == new


def changed(metal: Metal, changes) -> Nvs:
    nvs = Nvs(metal, 0, SIZE)
    for key, value in changes:
        if value is not None:
            nvs.set("till", key, value)
        elif nvs.holds("till", key):
            nvs.erase("till", key)
    return nvs


def held(nvs: Nvs) -> dict:
    return {key: value for (_, key), value in nvs.values.items() if key != "fill"}


def nvs_image(values: dict, changes, full: bool) -> bytes:
    """NVS with these values; `full`: the `changes` will have a page of it moved and erased."""
    flash = NorFlash(SIZE)
    nvs = Nvs(flash, 0, SIZE)
    for key, value in values.items():
        nvs.set("till", key, value)
    for n in range(1000):
        image = flash.read(0, SIZE)
        trial = NorFlash(SIZE)
        trial.burn(0, image)
        metal = Metal(trial)
        changed(metal, changes)
        if bool(metal.erased) == full:
            return image
        for k in range(8):
            nvs.set("till", "fill", 8 * n + k)
    raise AssertionError("no page is moved")


def bend(value, rng):
    """`value` with one random change somewhere inside."""
    value = copy.deepcopy(value)
    place, path = value, []
    while True:
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
        path.append(key)
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.2:
            break
        place = place[key]
    old = place[key]
    choices = [
        None,
        True,
        -1,
        0,
        2**53 - 1,
        2**63,
        "",
        "x" * 5000,
        [],
        {},
        [[[[[[[[1]]]]]]]],
        "\u0000",
        "é" * 30,
        [old],
    ]
    if isinstance(old, str) and old:
        at = rng.randrange(len(old))
        choices += [old[:at] + rng.choice("\n\x7fA0=") + old[at + 1 :], old + old, old[:at]] * 3
    if isinstance(old, int):
        choices += [old + 1, old - 1, str(old), old * 2**20] * 3
    choice = rng.choice(choices)
    if rng.random() < 0.1 and isinstance(place, dict):
        del place[key]
    else:
        place[key] = choice
    return value


def test_fuzz_tickets_and_trust(port, office):
    """Whatever a trusted key signs, the terminal takes it or says TicketError; what it takes, it can read again."""
    rng = random.Random(20)
    keyreq = key_request(port)
    good = office.payload(keyreq)
    taken = 0
    for _ in range(examples(150)):
        payload = good
        for _ in range(rng.choice((1, 1, 2))):
            payload = bend(payload, rng)
        try:
            port.call("examine", office.sign(payload))
            taken += 1
        except PortRaised as e:
            assert e.names[0] == "TicketError", (e, payload)
        octets = bytearray(json.dumps(good).encode())
        for _ in range(rng.choice((1, 2, 8))):
            octets[rng.randrange(len(octets))] = rng.randrange(256)
        try:
            port.call("examine", office.sign(bytes(octets)))
        except PortRaised as e:
            assert e.names[0] == "TicketError", (e, bytes(octets))
    assert taken
