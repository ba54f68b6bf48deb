"""The firmware's own services, on the Unix port, against the acquirer: the two ends of the wire agree."""

import json
import time
from pathlib import Path

import pytest
from microtill.acquirer.problems import Problem
from microtill.acquirer.process import DEMO_MID, DEMO_NAME
from support.acquirer import TECHNICIAN, local_acquirer, new_card
from support.port import Port, PortRaised
from support.terminal import b64, tlv, unb64

FAKES = Path(__file__).parents[1] / "firmware"
TID = "F1000001"
SOURCE = """
import os
from binascii import unhexlify
from fake_nvs import FakeNvs
from nor import Nor
from till.crypto import jose
from till.crypto.rng import Rng
from till.emv.reading import CardReading
from till.services import acquirer, enrolment, trust
from till.services.instruments import Instruments
from till.services.keys import TransactionKeys
from till.services.operators import Operator
from till.services.signer import device_signer
from till.storage.journal import Journal
from till.storage.vault import Vault

class Clock:
    offset = 480
    utc = 0
    def now(self):
        return self.utc
    def local(self, utc=None):
        import time
        # The Unix port counts from 1970.
        return time.gmtime((self.utc if utc is None else utc) + self.offset * 60)[:6]
    def raise_floor(self, utc):
        self.utc = max(self.utc, utc)

class Unit:
    pass
u = Unit()
rng = Rng(os.urandom)
clock = Clock()
messages = {}

def begin(trust_token):
    u.vault = Vault(FakeNvs(), "SIM-1", rng)
    u.journal = Journal(Nor(16))
    u.enrolment = enrolment.Enrolment(u.vault, "SIM-1", "TILL_ESP32S3", "0.1.0", rng)
    return trust.accept_trust(u.vault, trust_token).name

def key_request():
    return u.enrolment.key_request().decode()

def install(token, now):
    clock.utc = now
    offer = u.enrolment.examine(token, u.journal, now)
    identity = u.enrolment.install(offer, u.journal)
    identity.record(u.journal, now)
    u.identity = identity
    signer = device_signer(u.vault, identity.kid, rng)
    u.acquirer = acquirer.Acquirer(
        identity, TransactionKeys(u.vault), signer, u.journal, clock, None, Operator(), "0.1.0"
    )
    u.signer = signer
    return [identity.mid, identity.merchant["name"], identity.batch]

def _close(message, members):
    u.acquirer.close(message, u.identity.batch, members)
    message.token = jose.sign_es256(message.payload, "mt-req", u.identity.kid, u.signer.sign)
    messages[message.seq] = message
    return [message.seq, bytes(message.token).decode()]

def plain(kind, members):
    return _close(u.acquirer.open(kind, "000001"), members)

def sale(amount, stan, card):
    message = u.acquirer.open("sale", stan)
    reading = CardReading(
        unhexlify(card["aid"]), card["scheme"], "", card["psn"], card["pan"],
        unhexlify(card["track2"]) if card["track2"] else None, card["expiry"], card["cvm"], "ARQC",
        unhexlify(card["emv"]), card["atc"], b"",
    )
    instrument = Instruments(clock, rng).card(message, reading)
    return _close(message, {"amount": amount, "currency": "156", "instrument": instrument})

def reversal(seq, stan, amount):
    was = messages[seq]
    original = {
        "seq": was.seq, "req": was.req, "type": was.type, "stan": was.stan, "batch": u.identity.batch,
        "time": was.time, "amount": amount, "currency": "156",
    }
    return _close(u.acquirer.open("reversal", stan), {"original": original})

def answer(seq, token):
    a = acquirer.verify_answer(token.encode(), messages[seq], u.identity.tid)
    return [a.outcome, a.rc, a.text("rrn", 12), a.text("auth", 6), a.text("token", 64), a.get("result"), a.get("batch")]
"""


@pytest.fixture(scope="module")
def local():
    with local_acquirer() as acquirer:
        acquirer.running.admin.add_terminal(DEMO_MID, TID)
        yield acquirer


@pytest.fixture(scope="module")
def unit(local):
    with Port(SOURCE, heap="1M", extra_path=str(FAKES)) as port:
        assert port.call("begin", local.home.trust) == local.home.config.name
        ticket = local.running.office.issue(TECHNICIAN, TID, port.call("key_request")).ticket
        assert port.call("install", ticket, int(time.time())) == [DEMO_MID, DEMO_NAME, "000001"]
        yield port


def send(local, unit, message):
    seq, token = message
    return unit.call("answer", seq, local.running.acquirer.message(token.encode()))


def card(amount: int, **values) -> dict:
    made = new_card(**values)
    day = time.strftime("%y%m%d", time.gmtime(time.time() + 480 * 60))
    atc = made.atc
    return {
        "aid": made.aid,
        "scheme": made.scheme,
        "psn": made.psn,
        "pan": made.pan,
        "track2": made.track2(),
        "expiry": made.expiry,
        "cvm": "none",
        "emv": tlv(made.read(amount, day)),
        "atc": atc,
    }


def test_sign_on_and_echo(local, unit):
    outcome, rc, rrn, *_, batch = send(local, unit, unit.call("plain", "sign_on", {"versions": [1]}))
    assert (outcome, rc, batch) == ("approved", "00", "000001")
    assert len(rrn) == 12
    assert send(local, unit, unit.call("plain", "echo", {}))[0] == "approved"


def test_sale_and_its_reversal(local, unit):
    sale = unit.call("sale", 1250, "000002", card(1250))
    outcome, rc, _, auth, token, *_ = send(local, unit, sale)
    assert (outcome, rc, len(auth), len(token)) == ("approved", "00", 6, 22)
    assert send(local, unit, unit.call("reversal", sale[0], "000002", 1250))[5] == "reversed"


def test_card_without_track_2(local, unit):
    sale = unit.call("sale", 700, "000003", card(700) | {"track2": ""})
    assert send(local, unit, sale)[0] == "approved"


def test_lost_sale(local, unit):
    sale = unit.call("sale", 100, "000004", card(100))
    assert send(local, unit, unit.call("reversal", sale[0], "000004", 100))[5] == "not_found"
    assert send(local, unit, sale)[0] == "refused"


def test_an_answer_answers_its_own_message_only(local, unit):
    first, second = unit.call("plain", "echo", {}), unit.call("plain", "echo", {})
    answer = local.running.acquirer.message(first[1].encode())
    with pytest.raises(PortRaised, match="AnswerError"):
        unit.call("answer", second[0], answer)
    head, payload, tag = answer.split(".")
    bent = json.loads(unb64(payload)) | {"outcome": "declined"}
    with pytest.raises(PortRaised, match="AnswerError"):
        unit.call("answer", first[0], f"{head}.{b64(json.dumps(bent).encode())}.{tag}")
    assert unit.call("answer", first[0], answer)[0] == "approved"


def test_a_bent_message_is_no_message(local, unit):
    token = unit.call("plain", "echo", {})[1]
    with pytest.raises(Problem):
        local.running.acquirer.message((token[:-8] + "AAAAAAAA").encode())
