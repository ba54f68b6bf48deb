"""The money rules, seen from the acquirer: whatever the network does, nobody is charged after "not charged".

A lossy, duplicating, delaying network is played to a real acquirer (its objects, its database), and the ledger is
held against a model small enough to read.
"""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from microtill.acquirer import issuers
from support.acquirer import local_acquirer, new_card
from support.fuzz import examples
from support.terminal import HttpProblem, unb64

CARDS = {"good": issuers.UNIONPAY_PAN, "poor": issuers.NO_FUNDS_PAN}


class Model:
    """One terminal: what the acquirer must answer, by seq."""

    def __init__(self):
        self.last = 0
        self.answers: dict[int, str] = {}
        self.ledger: dict[int, str] = {}  # seq of a sale: approved, declined, reversed, tombstone

    def expect(self, message, kind: str, card: str, original: int | None) -> str:
        """What a message must get; a repeat gets what it got."""
        seq = message.payload["seq"]
        if seq in self.answers:
            return self.answers[seq]
        if self.ledger.get(seq) == "tombstone":
            return "refused"
        if seq < self.last:
            return "refused"
        self.last = seq
        if kind == "sale":
            self.ledger[seq] = "approved" if card == "good" else "declined"
            self.answers[seq] = self.ledger[seq]
        else:
            assert original is not None
            state = self.ledger.setdefault(original, "tombstone")
            if kind == "reversal":
                result = {"tombstone": "not_found", "declined": "not_approved"}.get(state, "reversed")
                if result == "reversed":
                    self.ledger[original] = "reversed"
            else:
                result = {"tombstone": "not_found"}.get(state, state)
            self.answers[seq] = result
        return self.answers[seq]


step = st.tuples(
    st.sampled_from(["sale", "sale", "reversal", "reversal", "status", "deliver", "deliver", "restart"]),
    st.integers(0, 30),
    st.sampled_from(["good", "good", "poor"]),
    st.booleans(),
)


@settings(max_examples=max(60, examples(60) // 5), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=4, max_size=25))
def test_fuzz_no_charge_after_not_charged(steps):
    with local_acquirer() as local:
        unit = local.terminal()
        model, made, raw = Model(), [], {}

        def deliver(at: int) -> None:
            message, kind, card, original = made[at]
            got = unit.send(message)
            told = got.get("result") if got["outcome"] == "approved" and kind != "sale" else got["outcome"]
            assert told == model.expect(message, kind, card, original), (kind, message.payload["seq"])
            # Once decided, the answer never changes, octet for octet.
            if message.payload["seq"] in model.answers:
                assert raw.setdefault(message.payload["seq"], got.raw) == got.raw

        for action, number, card, now in steps:
            if action == "restart":
                local.restart()
                unit.https._running = local.running
            elif action == "deliver":
                if made:
                    deliver(number % len(made))
            elif action == "sale":
                made.append((unit.sale(100, new_card(pan=CARDS[card])), "sale", card, None))
                if now:
                    deliver(len(made) - 1)
            else:
                sales = [m for m in made if m[1] == "sale"]
                if sales:
                    target = sales[number % len(sales)][0]
                    made.append((unit.reversal(target, kind=action), action, card, target.payload["seq"]))
                    if now:
                        deliver(len(made) - 1)
        ledger = {}
        for row in local.running.admin.transactions(unit.ticket["tid"]):
            if row["type"] == "sale":
                state = "tombstone" if row["state"] == "tombstone" else row["outcome"]
                ledger[row["seq"]] = "reversed" if row["reversed"] else state
        assert ledger == model.ledger
        standing = sum(state == "approved" for state in ledger.values())
        assert local.running.admin.sales()["amount"] == 100 * standing


# -- anything at all at the door ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared():
    with local_acquirer() as local:
        local.unit = local.terminal()
        yield local


_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_TOP = "v aud type tkt tid mid seq stan batch time ksn journal fw operator amount currency instrument original parts"
_CARD = "aid scheme psn cvm pan emv enc"
_ORIGINAL = "seq req type stan batch time amount currency"
_DEEP = [
    ("time", "utc"),
    ("time", "offset"),
    ("time", "date"),
    ("journal", "n"),
    ("journal", "head"),
    ("operator", "id"),
]
_paths = st.sampled_from(
    [
        *[(name,) for name in _TOP.split()],
        *[("instrument", "card", name) for name in _CARD.split()],
        *[("original", name) for name in _ORIGINAL.split()],
        *_DEEP,
        ("operator", "id"),
        ("instrument", "entry"),
        ("instrument", "card"),
        ("items",),
        ("new",),
    ]
)


@settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(_paths, _value), min_size=1, max_size=3), st.sampled_from(["sale", "reversal", "sign_on"]))
def test_fuzz_members(shared, changes, kind):
    """Any member replaced by anything, correctly signed: a signed answer or a plain 400, never a failure."""
    unit, running = shared.terminal(), shared.running
    base = {
        "sale": lambda c: unit.sale(100, new_card(), c),
        "reversal": lambda c: unit.reversal(unit.sale(100, new_card()), c),
        "sign_on": lambda c: unit.sign_on(c),
    }[kind]

    def change(payload):
        for path, value in changes:
            inner = payload
            for name in path[:-1]:
                inner = inner.get(name) if isinstance(inner, dict) else None
            if isinstance(inner, dict):
                inner[path[-1]] = value

    try:
        message = base(change)
    except UnicodeEncodeError:
        return  # a lone surrogate: no JSON text can hold it
    before = running.admin.sales()["approved"]
    try:
        token = unit.post(message.token)
        assert token[0] in (200, 400), token
        if token[0] == 200:
            answer = json.loads(unb64(token[2].decode().split(".")[1]))
            assert answer["outcome"] in ("approved", "declined", "refused")
            if answer["outcome"] != "approved":
                assert running.admin.sales()["approved"] == before
    except HttpProblem as e:
        assert e.status == 400


@settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_fuzz_tokens(shared, data):
    """A right token cut, spliced and flipped: no answer but 400 or 401, and nothing stored."""
    unit = shared.unit
    good = unit.plain("echo").token.encode()
    how = data.draw(st.sampled_from(["flip", "cut", "insert", "swap", "noise"]))
    at = data.draw(st.integers(0, 10_000)) % len(good)
    if how == "flip":
        bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    elif how == "cut":
        bad = good[:at]
    elif how == "insert":
        bad = good[:at] + data.draw(st.binary(min_size=1, max_size=5)) + good[at:]
    elif how == "swap":
        other = unit.plain("echo").token.encode().split(b".")
        parts = good.split(b".")
        which = data.draw(st.integers(1, 2))
        parts[which] = other[which]
        bad = b".".join(parts)
    else:
        bad = data.draw(st.binary(max_size=9000))
    before = len(shared.running.admin.transactions(unit.ticket["tid"]))
    status = unit.post(bad)[0]
    assert status in (400, 401, 413), (how, at)
    assert len(shared.running.admin.transactions(unit.ticket["tid"])) == before
