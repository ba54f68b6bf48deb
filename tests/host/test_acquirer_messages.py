"""Messages over TLS, from a terminal that shares no code with the acquirer."""

import json
import secrets
import time
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from microtill.acquirer import issuers
from microtill.acquirer.process import DEMO_MID, AcquirerProcess
from support.acquirer import new_card, new_terminal
from support.terminal import Card, HttpProblem, Terminal, b64, compact, es256, rs, unb64

VISA = {
    "pan": issuers.VISA_PAN,
    "aid": "A0000000031010",
    "scheme": "visa",
    "iad": bytes.fromhex("06010A03A00000"),
}


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        yield process


@pytest.fixture
def terminal(acquirer):
    unit = new_terminal(acquirer)
    yield unit
    unit.close()


def kept(acquirer, terminal) -> list[dict]:
    return acquirer.transactions(terminal.ticket["tid"])


def alarms(acquirer, terminal) -> list[str]:
    return [e["kind"] for e in acquirer.events(alarms=True) if e["tid"] == terminal.ticket["tid"]]


def refused(answer, action: str, rc: str | None = None) -> bool:
    assert answer["outcome"] == "refused"
    assert answer["action"] == action
    assert rc is None or answer["rc"] == rc
    return True


# -- the good way ------------------------------------------------------------------------------------------------------


def test_sign_on_brings_batch_time_and_versions(terminal):
    answer = terminal.send(terminal.sign_on())
    assert answer["outcome"] == "approved"
    assert answer["batch"] == "000001"
    assert answer["offset"] == 480
    assert answer["versions"] == [1]
    assert answer["parameters"] == {}
    assert abs(answer["time"] - time.time()) < 60
    assert len(answer["date"]) == 8


@pytest.mark.parametrize("kind", ["echo", "sign_off"])
def test_echo_and_sign_off(terminal, kind):
    assert terminal.send(terminal.plain(kind))["rc"] == "00"


@pytest.mark.parametrize("values", [{}, VISA], ids=["unionpay", "visa"])
def test_sale_is_approved_and_kept_without_the_card_number(acquirer, terminal, values):
    card = new_card(**values)
    answer = terminal.send(terminal.sale(990, card))
    assert (answer["outcome"], answer["rc"]) == ("approved", "00")
    assert len(answer["rrn"]) == 12 and answer["rrn"].isdigit()
    assert len(answer["auth"]) == 6
    assert len(answer["token"]) == 22
    row = kept(acquirer, terminal)[-1]
    assert (row["type"], row["amount"], row["outcome"], row["reversed"]) == ("sale", 990, "approved", False)
    assert row["pan"] == card.masked()
    assert row["mid"] == DEMO_MID
    assert row["token"] == answer["token"]


def test_token_is_the_merchants_own_name_for_a_card(acquirer, terminal):
    acquirer.add_merchant("898210154110077", "Other shop")
    acquirer.add_terminal("77000001", "898210154110077")
    other = Terminal(acquirer.port, acquirer.ca_der, acquirer.trust, serial="SIM-77")
    other.ask_ticket(acquirer.session, "77000001")
    tokens = [t.send(t.sale(100, new_card()))["token"] for t in (terminal, terminal, other)]
    assert tokens[0] == tokens[1] != tokens[2]
    other.close()


def test_sale_with_parts_and_items(acquirer, terminal):
    parts = {"goods": 1000, "tip": 100, "tax": 60, "discount": 10}
    items = [{"sku": "1", "name": "苹果", "quantity": 1500, "price": 667, "total": 1000}]
    answer = terminal.send(terminal.sale(1150, new_card(), lambda p: p.update(parts=parts, items=items)))
    assert answer["outcome"] == "approved"
    row = kept(acquirer, terminal)[-1]
    assert (row["parts"], row["items"]) == (parts, items)


def test_sale_with_cash_back(terminal):
    assert terminal.send(terminal.sale(5000, new_card(), cashback=2000))["outcome"] == "approved"


def test_card_without_track_2_sends_pan_and_expiry(terminal):
    card = new_card()
    message = terminal.sale(100, card, clear={"pan": card.pan, "exp": card.expiry})
    assert terminal.send(message)["outcome"] == "approved"


# -- what the issuer declines ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "rc"),
    [
        ({"pan": issuers.NO_FUNDS_PAN}, "51"),
        ({"expiry": "2001"}, "54"),
        ({"pan": "6211111111111111"}, "15"),
    ],
    ids=["funds", "expired", "no issuer"],
)
def test_declined(acquirer, terminal, values, rc):
    card = new_card(**values)
    if rc == "15":
        digits = next(f"62111111111111{i:02d}" for i in range(100) if _luhn(f"62111111111111{i:02d}"))
        card.pan = digits
    answer = terminal.send(terminal.sale(100, card))
    assert (answer["outcome"], answer["rc"]) == ("declined", rc)
    assert answer.get("auth") is None
    assert kept(acquirer, terminal)[-1]["outcome"] == "declined"


def _luhn(pan: str) -> bool:
    digits = [int(d) for d in reversed(pan)]
    return (sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])) % 10 == 0


def test_wrong_cryptogram_is_declined(terminal):
    def change(payload):
        emv = payload["instrument"]["card"]["emv"]
        at = emv.index("9F2608") + 6
        payload["instrument"]["card"]["emv"] = emv[:at] + f"{int(emv[at], 16) ^ 1:X}" + emv[at + 1 :]

    answer = terminal.send(terminal.sale(100, new_card(), change))
    assert (answer["outcome"], answer["rc"]) == ("declined", "05")


def test_account_with_limited_funds(acquirer, terminal):
    pan = "6200000000000005"
    acquirer.set_account(pan, balance=1000)
    try:
        sales = [terminal.sale(600, new_card(pan=pan)) for _ in range(2)]
        assert [terminal.send(s)["rc"] for s in sales] == ["00", "51"]
        assert acquirer.balance(pan) == 400
        assert terminal.send(terminal.reversal(sales[0]))["result"] == "reversed"
        assert acquirer.balance(pan) == 1000
        assert terminal.send(terminal.reversal(sales[0]))["result"] == "reversed"
        assert acquirer.balance(pan) == 1000, "a second reversal gives nothing back"
        acquirer.set_account(pan, rc="61")
        assert terminal.send(terminal.sale(1, new_card(pan=pan)))["rc"] == "61"
    finally:
        acquirer.set_account(pan)


def test_replayed_cryptogram_is_declined_at_any_terminal(acquirer, terminal):
    other = new_terminal(acquirer)
    card = new_card()
    again = Card(atc=card.atc)
    assert terminal.send(terminal.sale(100, card))["outcome"] == "approved"
    answer = other.send(other.sale(100, again))
    assert (answer["outcome"], answer["rc"]) == ("declined", "94")
    assert alarms(acquirer, other) == ["replay"]
    other.close()


# -- once, and in order ------------------------------------------------------------------------------------------------


def test_repeat_gets_the_very_same_answer(acquirer, terminal):
    sale = terminal.sale(100, new_card())
    assert len({terminal.send(sale).raw for _ in range(3)}) == 1
    assert [r["type"] for r in kept(acquirer, terminal)] == ["sale"]


def test_repeat_after_later_messages_still_gets_its_answer(terminal):
    sale = terminal.sale(100, new_card())
    first = terminal.send(sale).raw
    terminal.send(terminal.plain("echo"))
    assert terminal.send(sale).raw == first


def test_same_seq_other_message_is_refused_with_an_alarm(acquirer, terminal):
    sale = terminal.sale(100, new_card())
    terminal.send(sale)
    other = terminal.sign(sale.payload | {"fw": "0.1.1"})
    assert refused(terminal.send(other), "call", "94")
    assert alarms(acquirer, terminal) == ["seq_reused", "flagged"]
    assert terminal.send(sale)["outcome"] == "approved", "the stored answer stands"


def test_unseen_lower_seq_is_dead(acquirer, terminal):
    late = terminal.sale(100, new_card())
    terminal.send(terminal.plain("echo"))
    assert refused(terminal.send(late), "call", "94")
    assert [r["type"] for r in kept(acquirer, terminal)] == ["echo"]
    assert terminal.send(terminal.reversal(late))["result"] == "not_found"


def test_journal_may_not_shrink_nor_change(acquirer, terminal):
    terminal.send(terminal.plain("echo"))
    terminal.send(terminal.plain("echo"))
    n, head = terminal.n, terminal.head
    terminal.n = 0
    assert refused(terminal.send(terminal.plain("echo")), "call", "96")
    terminal.n, terminal.head = n - 1, "0" * 64
    assert refused(terminal.send(terminal.plain("echo")), "call", "96")
    assert alarms(acquirer, terminal) == ["journal", "flagged", "journal"]
    terminal.n, terminal.head = n, head
    assert refused(terminal.send(terminal.plain("echo")), "call", "97"), "until an administrator has looked"
    acquirer.clear_terminal(terminal.ticket["tid"])
    assert terminal.send(terminal.plain("echo"))["outcome"] == "approved"


def test_equal_journal_needs_equal_head(terminal):
    """Two messages may leave between two records, as an echo makes none."""
    terminal.send(terminal.plain("echo"))
    n, head = terminal.n, terminal.head
    for _ in range(2):
        terminal.n, terminal.head = n, head
        assert terminal.send(terminal.plain("echo"))["outcome"] == "approved"


def test_refusals_are_stored_too(acquirer, terminal):
    sale = terminal.sale(100, new_card(), lambda p: p.update(batch="000009"))
    first = terminal.send(sale)
    assert refused(first, "sign_on", "77")
    assert terminal.send(sale).raw == first.raw
    assert kept(acquirer, terminal)[-1]["action"] == "sign_on"


def test_stan_is_not_used_twice_in_a_batch(acquirer, terminal):
    first = terminal.sale(100, new_card())
    assert terminal.send(first)["outcome"] == "approved"
    terminal.stan -= 1
    assert refused(terminal.send(terminal.sale(100, new_card())), "call", "94")
    assert alarms(acquirer, terminal) == ["stan_reused"]
    terminal.send(terminal.reversal(first))
    terminal.stan = int(first.payload["stan"]) - 1
    assert terminal.send(terminal.sale(100, new_card()))["outcome"] == "approved", "what was undone frees its number"


# -- reversal and status -----------------------------------------------------------------------------------------------


def test_reversal_takes_a_sale_back_once(acquirer, terminal):
    before = acquirer.sales()
    sale = terminal.sale(700, new_card())
    terminal.send(sale)
    reversal = terminal.reversal(sale)
    first = terminal.send(reversal)
    assert (first["outcome"], first["result"]) == ("approved", "reversed")
    assert terminal.send(reversal).raw == first.raw
    assert terminal.send(terminal.reversal(sale))["result"] == "reversed"
    after = acquirer.sales()
    assert after["reversed"] == before["reversed"] + 1
    assert after["amount"] == before["amount"]
    assert terminal.send(sale)["outcome"] == "approved", "the stored answer is history, the ledger says reversed"


def test_reversal_of_a_declined_sale(terminal):
    sale = terminal.sale(100, new_card(pan=issuers.NO_FUNDS_PAN))
    terminal.send(sale)
    assert terminal.send(terminal.reversal(sale))["result"] == "not_approved"


def test_reversal_of_a_refused_sale(terminal):
    sale = terminal.sale(100, new_card(), lambda p: p.update(batch="000009"))
    terminal.send(sale)
    assert terminal.send(terminal.reversal(sale))["result"] == "not_approved"


@pytest.mark.parametrize("kind", ["reversal", "status"])
def test_tombstone_refuses_the_late_original(acquirer, terminal, kind):
    sale = terminal.sale(100, new_card())
    assert terminal.send(terminal.reversal(sale, kind=kind))["result"] == "not_found"
    late = terminal.send(sale)
    assert late["outcome"] == "refused"
    assert terminal.send(sale).raw == late.raw
    again = terminal.send(terminal.reversal(sale))
    assert again["result"] == "not_found"
    row = kept(acquirer, terminal)[-2]
    assert (row["type"], row["state"], row["outcome"]) == ("sale", "tombstone", "refused")


def test_status_only_tells(acquirer, terminal):
    for card, result in ((new_card(pan=issuers.NO_FUNDS_PAN), "declined"), (new_card(), "approved")):
        sale = terminal.sale(100, card)
        answer = terminal.send(sale)
        told = terminal.send(terminal.status(sale))
        assert (told["outcome"], told["result"]) == ("approved", result)
        assert told["original"]["rrn"] == answer["rrn"]
    terminal.send(terminal.reversal(sale))
    assert terminal.send(terminal.status(sale))["result"] == "reversed"


def test_reversal_that_names_another_message(acquirer, terminal):
    sale = terminal.sale(100, new_card())
    terminal.send(sale)
    wrong = terminal.reversal(sale, lambda p: p["original"].update(req="0" * 64))
    assert refused(terminal.send(wrong), "call", "64")
    assert alarms(acquirer, terminal) == ["original"]


def test_reversal_of_the_future(terminal):
    sale = terminal.sale(100, new_card())
    for ahead in (0, 1):
        wrong = terminal.reversal(sale, lambda p, ahead=ahead: p["original"].update(seq=p["seq"] + ahead))
        assert refused(terminal.send(wrong), "call", "30")


@pytest.mark.parametrize("kind", ["refund", "balance", "settle", "echo"])
def test_types_that_are_never_reversed(terminal, kind):
    sale = terminal.sale(100, new_card())
    assert refused(terminal.send(terminal.reversal(sale, lambda p: p["original"].update(type=kind))), "call", "40")


def test_reversal_across_tickets(acquirer, terminal):
    """A renewed terminal takes back what it sold under the ticket before."""
    sale = terminal.sale(100, new_card())
    terminal.send(sale)
    renew(acquirer, terminal)
    assert terminal.send(terminal.reversal(sale))["result"] == "reversed"


def renew(acquirer, terminal, mode=None) -> None:
    from joserfc.jwk import ECKey

    terminal.key, terminal.ecdh = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    terminal.nonce = b64(secrets.token_bytes(16))
    terminal.ask_ticket(acquirer.session, terminal.ticket["tid"], mode=mode)


# -- standing ----------------------------------------------------------------------------------------------------------


def test_suspended_terminal_may_only_close(acquirer, terminal):
    tid = terminal.ticket["tid"]
    sale, lost = terminal.sale(100, new_card()), terminal.sale(100, new_card())
    terminal.send(sale)
    acquirer.suspend(tid)
    assert refused(terminal.send(terminal.sale(100, new_card())), "suspended")
    assert refused(terminal.send(terminal.sign_on()), "suspended")
    assert terminal.send(terminal.reversal(sale))["result"] == "reversed"
    assert terminal.send(terminal.reversal(lost))["result"] == "not_found"
    assert terminal.send(terminal.status(sale))["result"] == "reversed"
    acquirer.resume(tid)
    assert terminal.send(terminal.sale(100, new_card()))["outcome"] == "approved"


def test_suspended_merchant_sells_nothing(acquirer):
    mid, tid = "898210154110088", "88000001"
    acquirer.add_merchant(mid, "Shop")
    acquirer.add_terminal(tid, mid)
    unit = Terminal(acquirer.port, acquirer.ca_der, acquirer.trust, serial="SIM-88")
    unit.ask_ticket(acquirer.session, tid)
    sale = unit.sale(100, new_card())
    unit.send(sale)
    acquirer._do("admin", "set_merchant", mid, "suspend")
    assert refused(unit.send(unit.sale(100, new_card())), "suspended", "03")
    assert unit.send(unit.reversal(sale))["result"] == "reversed"
    with pytest.raises(HttpProblem, match="merchant is suspended"):
        renew(acquirer, unit)
    acquirer._do("admin", "set_merchant", mid, "resume")
    renew(acquirer, unit)
    assert unit.send(unit.sale(100, new_card()))["outcome"] == "approved"
    unit.close()


def test_revoked_terminal_may_nothing(acquirer, terminal):
    sale = terminal.sale(100, new_card())
    terminal.send(sale)
    acquirer.revoke(terminal.ticket["tid"])
    assert refused(terminal.send(terminal.sale(100, new_card())), "revoked")
    assert refused(terminal.send(terminal.reversal(sale)), "revoked")
    assert alarms(acquirer, terminal) == ["revoked", "revoked"]


def test_replaced_unit_may_only_close(acquirer, terminal):
    tid = terminal.ticket["tid"]
    sale = terminal.sale(100, new_card())
    terminal.send(sale)
    other = Terminal(acquirer.port, acquirer.ca_der, acquirer.trust, serial="SPARE")
    other.ask_ticket(acquirer.session, tid, mode="replace")
    assert refused(terminal.send(terminal.sale(100, new_card())), "revoked")
    assert terminal.send(terminal.reversal(sale))["result"] == "reversed"
    assert other.ticket["stan_floor"] == 1
    assert other.send(other.sale(100, new_card()))["outcome"] == "approved", "with a journal that begins again"
    other.close()


def test_messages_under_the_old_ticket_are_dead_once_the_new_one_spoke(acquirer, terminal):
    old = terminal.sale(100, new_card())
    renew(acquirer, terminal)
    assert terminal.send(terminal.sale(100, new_card()))["outcome"] == "approved"
    assert refused(terminal.send(old), "call", "94")


def test_clock_that_is_off(terminal):
    for skew in (-3600, 3600, 60 - int(time.time())):
        refusal = terminal.send(terminal.sale(100, new_card(), skew=skew))
        assert refused(refusal, "clock")
    assert abs(refusal["time"] - time.time()) < 60
    sale = terminal.sale(100, new_card())
    assert terminal.send(terminal.sign_on(lambda p: p["time"].update(utc=p["time"]["utc"] - 3600)))["rc"] == "00"
    assert (
        terminal.send(terminal.reversal(sale, lambda p: p["time"].update(utc=p["time"]["utc"] - 3600)))["result"]
        == "not_found"
    )


@pytest.mark.parametrize(
    ("change", "action", "rc"),
    [
        (lambda p: p.update(aud="other.example"), "call", "96"),
        (lambda p: p.update(mid="898210154110001"), "call", "03"),
        (lambda p: p.update(v=2), "update", "96"),
        (lambda p: p.update(type="void"), "call", "40"),
        (lambda p: p.update(type="dance"), "call", "40"),
        (lambda p: p.update(currency="840"), "call", "13"),
        (lambda p: p["instrument"].update(entry="051"), "call", "30"),
        (lambda p: (p["instrument"].pop("card"), p["instrument"].update(code={"x": 1})), "call", "40"),
    ],
)
def test_signed_refusals(terminal, change, action, rc):
    assert refused(terminal.send(terminal.sale(100, new_card(), change)), action, rc)


@pytest.mark.parametrize("kind", ["void", "settle", "dance"])
def test_other_types_may_hold_anything(acquirer, terminal, kind):
    """Nothing of them is read, nor kept: not even the members that every message has."""
    envelope = {n: v for n, v in terminal.base("echo").items() if n in ("v", "tid", "seq", "tkt", "ksn")}
    message = terminal.sign(envelope | {"type": kind, "amount": 6200000000000005})
    assert refused(terminal.send(message), "call", "40")
    row = kept(acquirer, terminal)[-1]
    assert (row["type"], row["amount"], row["stan"]) == (kind, None, None)


def test_malformed_messages_are_not_quoted(acquirer, terminal):
    before = len(acquirer.log_lines())
    for change in (
        lambda p: p.update(amount=6200000000000005),
        lambda p: p.update(stan="6200000000000005"),
        lambda p: p.update({"6200000000000005": 1}),
        lambda p: p.update(type="6200000000000005"),
    ):
        assert refused(terminal.send(terminal.sale(100, new_card(), change)), "call", "30")
    assert "6200000000000005" not in json.dumps(acquirer.log_lines(before))
    assert "6200000000000005" not in json.dumps([kept(acquirer, terminal), acquirer.events()])


def test_identity_in_the_payload_is_the_keys(acquirer, terminal):
    assert refused(terminal.send(terminal.plain("echo", lambda p: p.update(tid="99999999"))), "call", "97")
    assert refused(terminal.send(terminal.plain("echo", lambda p: p.update(seq=p["seq"] + 1))), "call", "97")
    assert refused(terminal.send(terminal.plain("echo", lambda p: p.update(tkt=p["tkt"] + 1))), "call", "97")
    assert alarms(acquirer, terminal) == ["identity"] * 3
    assert kept(acquirer, terminal) == []


def test_sign_on_without_a_common_version(terminal):
    assert refused(terminal.send(terminal.sign_on(lambda p: p.update(versions=[2]))), "update")


# -- malformed, but signed ---------------------------------------------------------------------------------------------


def _card(**values):
    return lambda p: p["instrument"]["card"].update(values)


MALFORMED = {
    "unknown member": lambda p: p.update(extra=1),
    "unknown in time": lambda p: p["time"].update(extra=1),
    "unknown in card": _card(extra=1),
    "missing": lambda p: p.pop("stan"),
    "missing deep": lambda p: p["operator"].pop("role"),
    "amount zero": lambda p: p.update(amount=0),
    "amount negative": lambda p: p.update(amount=-1),
    "amount huge": lambda p: p.update(amount=10**12),
    "amount text": lambda p: p.update(amount="100"),
    "amount true": lambda p: p.update(amount=True),
    "stan short": lambda p: p.update(stan="1"),
    "stan not ASCII": lambda p: p.update(stan="٠٠٠٠٠١"),
    "batch": lambda p: p.update(batch="00001"),
    "mid": lambda p: p.update(mid="89821015411000"),
    "fw": lambda p: p.update(fw=""),
    "no such day": lambda p: p["time"].update(date="20250230"),
    "day of another time": lambda p: p["time"].update(date="20200101"),
    "time far away": lambda p: p["time"].update(utc=2**33 + 1),
    "time beyond all years": lambda p: p["time"].update(utc=2**40),
    "offset": lambda p: p["time"].update(offset=900),
    "head": lambda p: p["journal"].update(head="0" * 63),
    "head upper": lambda p: p["journal"].update(head="A" * 64),
    "n": lambda p: p["journal"].update(n=2**32),
    "operator": lambda p: p.update(operator=[]),
    "parts": lambda p: p.update(parts={"goods": 99}),
    "parts unknown": lambda p: p.update(parts={"goods": 100, "love": 0}),
    "items": lambda p: p.update(items=[{"sku": "", "name": "", "quantity": 1000, "price": 5, "total": 6}]),
    "items many": lambda p: p.update(items=[{"sku": "", "name": "", "quantity": 1000, "price": 5, "total": 5}] * 33),
    "no instrument": lambda p: p["instrument"].pop("card"),
    "both instruments": lambda p: p["instrument"].update(code={}),
    "mask": _card(pan="620000******000"),
    "emv odd": _card(emv="9"),
    "emv lower": _card(emv="9f"),
    "psn": _card(psn="1"),
    "aid": _card(aid="A0"),
    "original": lambda p: p.update(original={}),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_members_are_refused_signed(terminal, name):
    assert refused(terminal.send(terminal.sale(100, new_card(), MALFORMED[name])), "call", "30")


# -- card data ---------------------------------------------------------------------------------------------------------


CARD_DATA = {
    "9F02 is not amount": ({"9F02": bytes(6)}, "13"),
    "9F02 not numeric": ({"9F02": b"\xab" * 6}, "30"),
    "5F2A is not currency": ({"5F2A": b"\x08\x40"}, "13"),
    "9F03 without cash-back": ({"9F03": b"\0\0\0\0\0\x01"}, "13"),
    "9C of a refund": ({"9C": b"\x20"}, "30"),
    "9A long ago": ({"9A": b"\x20\x01\x01"}, "30"),
    "9A no date": ({"9A": b"\x26\x13\x01"}, "30"),
    "another PSN": ({"5F34": b"\x02"}, "30"),
    "another AID": ({"84": bytes.fromhex("A0000000031010")}, "30"),
    "offline approval": ({"9F27": b"\x40"}, "30"),
    "short 9F1A": ({"9F1A": b"\x01"}, "30"),
    "PAN in field 55": ({"5A": bytes.fromhex("6200000000000005")}, "30"),
    "track 2 in field 55": ({"57": bytes.fromhex("6200000000000005D4912201")}, "30"),
    "name in field 55": ({"5F20": b"A/B"}, "30"),
}


@pytest.mark.parametrize("name", CARD_DATA)
def test_contradictions_are_refused(acquirer, terminal, name):
    bend, rc = CARD_DATA[name]
    message = terminal.sale(100, new_card(), **bend)
    assert refused(terminal.send(message), "call", rc)
    assert alarms(acquirer, terminal) == ["card_data"]


@pytest.mark.parametrize("tag", ["9F26", "9F10", "9F37", "95", "82", "9F36"])
def test_missing_elements_are_refused(terminal, tag):
    def change(payload):
        tags = issuers.parse_field55(bytes.fromhex(payload["instrument"]["card"]["emv"]))
        del tags[tag]
        payload["instrument"]["card"]["emv"] = "".join(f"{t}{len(v):02X}{v.hex().upper()}" for t, v in tags.items())

    assert refused(terminal.send(terminal.sale(100, new_card(), change)), "call", "30")


def test_field_55_that_is_no_tlv(terminal):
    assert refused(terminal.send(terminal.sale(100, new_card(), _card(emv="9F26"))), "call", "30")
    double = terminal.sale(100, new_card())
    emv = double.payload["instrument"]["card"]["emv"]
    assert refused(terminal.send(terminal.sale(100, new_card(), _card(emv=emv + emv[:24]))), "call", "30")


@pytest.mark.parametrize(("days", "outcome"), [(-1, "approved"), (1, "approved"), (-2, "refused"), (2, "refused")])
def test_date_may_be_one_day_off(terminal, days, outcome):
    """Around midnight the card's day and the clock's may differ by one."""
    day = datetime.now(UTC) + timedelta(minutes=480) + timedelta(days=days)
    message = terminal.sale(100, new_card(), **{"9A": bytes.fromhex(day.strftime("%y%m%d"))})
    assert terminal.send(message)["outcome"] == outcome


@pytest.mark.parametrize(
    ("clear", "rc"),
    [
        ({"t2": "6200000000000005D4912201", "pan": "6200000000000005"}, "30"),
        ({"t2": "6200000000000005=4912201"}, "30"),
        ({"t2": "6200000000000005D4913201F"}, "30"),
        ({"t2": "6200000000000004D4912201F"}, "30"),
        ({"t2": "6200000000000004D49122010F"}, "14"),
        ({"t2": 7}, "30"),
        ({"pan": "6200000000000005"}, "30"),
        ({"pan": "6200000000000005", "exp": "4913"}, "30"),
        ({"pan": "6200000000000047", "exp": "4912"}, "30"),
        (b"not json", "30"),
        (b"[]", "30"),
    ],
)
def test_card_data_that_are_no_card(terminal, clear, rc):
    assert refused(terminal.send(terminal.sale(100, new_card(), clear=clear)), "call", rc)


def test_tampered_or_misdirected_card_data(terminal):
    def flip(payload):
        card = payload["instrument"]["card"]
        parts = card["enc"].split(".")
        body = bytearray(unb64(parts[3]))
        body[0] ^= 1
        card["enc"] = ".".join([*parts[:3], b64(bytes(body)), parts[4]])

    def other_kid(payload):
        card = new_card()
        payload["instrument"]["card"]["enc"] = terminal.encrypt({"t2": card.track2()}, payload["ksn"], kid="0" * 24)

    def other_key(payload):
        card = new_card()
        payload["instrument"]["card"]["enc"] = terminal.encrypt({"t2": card.track2()}, payload["ksn"], bytes(32))

    def zipped(payload):
        card = payload["instrument"]["card"]
        parts = card["enc"].split(".")
        head = json.loads(unb64(parts[0])) | {"zip": "DEF"}
        card["enc"] = ".".join([b64(compact(head)), *parts[1:]])

    for change in (flip, other_kid, other_key, zipped):
        assert refused(terminal.send(terminal.sale(100, new_card(), change)), "call", "A0")


# -- no correctly signed message ---------------------------------------------------------------------------------------


def plain(terminal, token, status, content_type="application/jose"):
    got, kind, body = terminal.post(token, content_type)
    assert (got, kind) == (status, "application/problem+json"), body
    assert json.loads(body)["status"] == status


def test_unknown_key(terminal):
    from joserfc.jwk import ECKey

    stranger = ECKey.generate_key("P-256")
    payload = compact(terminal.base("echo"))
    plain(terminal, es256(payload, {"alg": "ES256", "kid": stranger.thumbprint(), "typ": "mt-req"}, stranger), 401)
    plain(terminal, es256(payload, {"alg": "ES256", "kid": terminal.kid, "typ": "mt-req"}, stranger), 401)


def test_signature_must_be_low_s(terminal):
    message = terminal.sign(terminal.base("echo"), high_s=True)
    assert rs(message.token)[1] > 2**255
    plain(terminal, message.token, 401)


def test_forms_that_are_no_message(terminal):
    good = terminal.plain("echo").token
    head, body, signature = good.split(".")
    for bad in (
        "",
        "x",
        good + ".x",
        good + "=",
        good + "\n",
        " " + good,
        f"{head}.{body}.{signature}=",
        f"{head}.{body}.{signature[:-2]}",
        f"{head}..{signature}",
        b"\xff" * 100,
    ):
        got = terminal.post(bad)[0]
        assert got in (400, 401), bad
    plain(terminal, terminal.sign(terminal.base("echo"), header={"typ": "JOSE"}).token, 400)
    plain(terminal, terminal.sign(terminal.base("echo"), header={"cty": "x"}).token, 400)


def test_payloads_that_are_no_json(terminal):
    for octets in (
        b"",
        b"[]",
        b"not json",
        compact(terminal.base("echo"))[:-1] + b',"amount":1.5}',
        compact(terminal.base("echo"))[:-1] + b',"v":1}',
        compact(terminal.base("echo"))[:-1] + b',"x":NaN}',
        compact(terminal.base("echo"))[:-1] + b',"x":[[[[[[1]]]]]]}',
        compact(terminal.base("echo"))[:-1] + b',"x":"\xff"}',
    ):
        plain(terminal, terminal.sign(terminal.base("echo"), octets=octets).token, 400)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.pop("ksn"),
        lambda p: p.update(ksn="0" * 24),
        lambda p: p.update(ksn=p["ksn"].lower() + "x"),
        lambda p: p.update(ksn=p["ksn"][:16] + "0001FFFF"),
        lambda p: p.update(tid=1),
        lambda p: p.update(seq="1"),
    ],
)
def test_without_a_key_of_its_own_there_is_no_signed_answer(terminal, change):
    plain(terminal, terminal.plain("echo", change).token, 400)


def test_sizes_and_types(terminal):
    plain(terminal, "A" * 8193, 413)
    assert terminal.post("A" * 8192)[0] == 400
    plain(terminal, terminal.plain("echo").token, 415, "application/json")
    assert terminal.https.request("GET", "/v1/messages")[0] == 405
    assert terminal.https.request("POST", "/v1/other", b"")[0] == 404
    assert terminal.https.request("GET", "/v1/ping")[0] == 204
    headers = {"Content-Type": "application/jose", "Content-Encoding": "gzip"}
    assert terminal.https.request("POST", "/v1/messages", b"x", headers)[0] == 415


def test_a_body_without_end():
    """No more is read than a request may have."""
    from microtill.acquirer import app
    from starlette.requests import Request

    read = 0

    async def receive():
        nonlocal read
        read += 1
        assert read < 100
        return {"type": "http.request", "body": b"A" * 1024, "more_body": True}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/jose")]}
    with pytest.raises(app.Problem) as e:
        anyio.run(app._body, Request(scope, receive), "application/jose")
    assert (e.value.status, read) == (413, 9)


def test_a_body_that_does_not_come(monkeypatch):
    """Headers, then nothing: the request is given up, and no worker waits for it."""
    from microtill.acquirer import app
    from starlette.requests import Request

    monkeypatch.setattr(app, "BODY_S", 0.05)

    async def receive():
        await anyio.sleep_forever()

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/jose")]}
    with pytest.raises(app.Problem) as e:
        anyio.run(app._body, Request(scope, receive), "application/jose")
    assert e.value.status == 408


def test_a_plain_error_decides_nothing(acquirer, terminal):
    sale = terminal.sale(100, new_card())
    plain(terminal, sale.token[:-4] + "AAAA", 401)
    with pytest.raises(HttpProblem):
        terminal.send(terminal.sign(sale.payload, octets=b"{}"))
    assert kept(acquirer, terminal) == []
    assert terminal.send(sale)["outcome"] == "approved"
