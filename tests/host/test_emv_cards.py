"""The firmware's EMV code, on the port, against every virtual card and every recorded one."""

from pathlib import Path

import pytest
from microtill.acquirer import issuers
from microtill.bench.cards import Account, Counters, EmvCard, make
from microtill.bench.cards.emv import MastercardCard, UnionPayCard, VisaCard
from support.emv_port import EmvPort, PulledAway
from support.port import PortRaised

TRACES = Path(__file__).parents[1] / "scenarios" / "traces"
FORBIDDEN = {"57", "5A", "5F20", "9F1F", "56", "9F6B"}
F55_ORDER = "9F26 9F27 9F10 9F37 9F36 95 9A 9C 9F02 5F2A 82 9F1A 9F03 9F33 9F34 9F35 9F1E 84 9F09 9F41"


@pytest.fixture(scope="module")
def port():
    with EmvPort() as port:
        yield port


def refusal(port: EmvPort, spec: str, **kwargs) -> PortRaised:
    with pytest.raises(PortRaised) as caught:
        port.read(make(spec, Counters()), **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("spec", "pan", "scheme", "label"),
    [
        ("visa", issuers.VISA_PAN, "visa", "VISA CREDIT"),
        ("mastercard", issuers.MASTERCARD_PAN, "mastercard", "Mastercard"),
        ("unionpay", issuers.UNIONPAY_PAN, "unionpay", "PBOC DEBIT"),
        ("phone", issuers.PHONE_PAN, "visa", "VISA"),
        ("nofunds", issuers.NO_FUNDS_PAN, "unionpay", "PBOC DEBIT"),
    ],
)
def test_a_card_is_read_and_its_cryptogram_verifies(port, spec, pan, scheme, label):
    card = make(spec, Counters())
    assert isinstance(card, EmvCard)
    for atc in (1, 2):  # the same card again: a new counter, a new cryptogram
        reading = port.read(card, amount=1234, un=bytes((atc, 2, 3, 4)))
        assert (reading["pan"], reading["scheme"], reading["label"]) == (pan, scheme, label)
        assert reading["pan_masked"] == pan[:6] + "*" * (len(pan) - 10) + pan[-4:]
        assert (reading["psn"], reading["expiry"], reading["cryptogram"]) == ("01", "4912", "ARQC")
        assert reading["track2"] == card.account.track2
        assert reading["atc"] == atc == card.atc
        assert reading["un"] == bytes((atc, 2, 3, 4))
        assert reading["aid"] == card.aid
        assert reading["cvm"] == ("device" if spec == "phone" else "none")
        assert reading["lights"] == [2, 3, 4]
        tags = issuers.parse_field55(reading["field55"])
        assert issuers.verify_arqc(pan, reading["psn"], tags)
        assert tags["9F02"].hex() == "000000001234"
        assert tags["9A"].hex() == "260701"
        for tag, at in (("9F02", 5), ("9F37", 0), ("9F36", 1), ("95", 0), ("9A", 2), ("82", 0), ("9F10", 5)):
            value = bytearray(tags[tag])  # each is in the cryptogram (of 9F10 the CVR at least)
            value[at] ^= 1
            changed = {**tags, tag: bytes(value)}
            assert not issuers.verify_arqc(pan, reading["psn"], changed), tag


@pytest.mark.parametrize("spec", ["visa", "mastercard", "unionpay", "phone"])
def test_field_55_has_its_order_and_neither_pan_nor_track(port, spec):
    card = make(spec, Counters())
    reading = port.read(card)
    tags = list(issuers.parse_field55(reading["field55"]))
    assert tags[:20] == F55_ORDER.split()
    assert set(tags[20:]) <= {"9F6E", "9F7C", "5F34"}
    assert not FORBIDDEN & set(tags)
    digits = reading["field55"].hex()
    assert card.account.pan not in digits and card.account.pan[6:] not in digits
    assert len(reading["field55"]) <= 255


def test_the_buffer_is_wiped_after_every_ending(port):
    port.read(make("mastercard", Counters()))
    assert port.call("kept") == b""
    refusal(port, "declined")
    assert port.call("kept") == b""
    with pytest.raises(PulledAway):
        port.read(make("mastercard@4", Counters()))
    assert port.call("kept") == b""


@pytest.mark.parametrize(
    ("spec", "error", "text"),
    [
        ("expired", "CardExpired", "expired"),
        ("declined", "CardDeclined", "declined by the card"),
        ("blocked", "CardBlocked", "SELECT 6A81"),
        ("blocked:6283", "CardBlocked", "SELECT 6283"),
        ("blocked:6985", "CardOther", "conditions not satisfied"),
        ("phone:locked", "CardSeePhone", "6986"),
    ],
)
def test_a_card_that_cannot_pay_says_why(port, spec, error, text):
    caught = refusal(port, spec)
    assert caught.names[0] == error
    assert "CardError" in caught.names
    assert text in caught.text


@pytest.mark.parametrize(("scheme", "total"), [("visa", 3), ("mastercard", 6), ("unionpay", 3)])
def test_a_card_pulled_away_at_any_command(port, scheme, total):
    for served in range(total):
        with pytest.raises(PulledAway):
            port.read(make(f"{scheme}@{served}", Counters()))
    assert port.read(make(f"{scheme}@{total}", Counters()))["commands"] == total


def test_above_the_limit_only_the_phone_pays(port):
    assert port.read(make("phone", Counters()), amount=100001)["cvm"] == "device"
    for spec in ("visa", "mastercard", "unionpay"):
        assert refusal(port, spec, amount=100001).names[0] == "CardLimit"
        assert port.read(make(spec, Counters()), amount=100000)["cvm"] == "none"
        assert port.read(make(spec, Counters()), amount=999999999999, limit=None)["cvm"] == "none"


def test_a_refund_takes_an_aac_for_what_it_is(port):
    reading = port.read(make("mastercard", Counters()), type=0x20)
    assert reading["cryptogram"] == "AAC"
    tags = issuers.parse_field55(reading["field55"])
    assert tags["9C"] == b"\x20" and tags["9F27"] == b"\x00"
    assert not issuers.verify_arqc(issuers.MASTERCARD_PAN, "01", tags)


def test_dates_at_their_edges(port):
    card = MastercardCard(Account(issuers.MASTERCARD_PAN, expiry="260731"), Counters())
    assert port.read(card, date="260731")["expiry"] == "2607"
    for date in ("260801", "150100"):  # the day after; the day before the effective date (5F25 150101)
        with pytest.raises(PortRaised) as caught:
            port.read(card, date=date)
        assert caught.value.names[0] == "CardExpired"
    without_date = VisaCard(Account(issuers.VISA_PAN, expiry="260731"), Counters())  # month of track 2 alone
    assert port.read(without_date, date="260731")["expiry"] == "2607"
    with pytest.raises(PortRaised):
        port.read(without_date, date="260801")


def test_pans_of_every_length():
    class Longer(UnionPayCard):
        pass

    with EmvPort() as port:
        for length in range(12, 20):
            pan = "620000" + "7" * (length - 6)
            reading = port.read(Longer(Account(pan), Counters()))
            assert reading["pan"] == pan
            assert issuers.verify_arqc(pan, "01", issuers.parse_field55(reading["field55"]))


def test_a_thousand_readings_leave_no_heap_behind(port):
    card = make("mastercard", Counters())
    port.read(card)
    before = port.call("free")
    for _ in range(1000):
        port.read(card)
    assert port.call("free") >= before - 256


# Recordings: a full reading or a typed, clear error. None of these came from our own code.


def trace(port: EmvPort, name: str, **kwargs):
    return port.read(make(f"trace:{TRACES / name}"), **kwargs)


def test_the_recorded_visa_card(port):
    reading = trace(
        port,
        "visa-qvsdc-test-card.trace",
        date="120315",
        amount=1000,
        un=bytes.fromhex("0008E4C8"),
        currency="036",
        country="036",
    )
    assert (reading["pan"], reading["psn"], reading["expiry"]) == ("4761340000000043", "11", "1712")
    assert (reading["label"], reading["atc"], reading["cryptogram"]) == ("VISA TEST", 0xE2, "ARQC")
    tags = issuers.parse_field55(reading["field55"])
    # The terminal told the recorded card the same amount, date and random number: the card's own cryptogram verifies.
    assert tags["9F26"].hex() == "271a23709bde117e"
    assert issuers.verify_arqc(reading["pan"], reading["psn"], tags)


def test_the_recorded_mastercard_card(port):
    reading = trace(port, "mastercard-mchip4-test-card.trace", date="120316", amount=1000)
    assert (reading["pan"], reading["psn"], reading["expiry"]) == ("5413330089600044", "01", "1412")
    assert (reading["label"], reading["atc"], reading["cryptogram"]) == ("PPC MCD 04  v20", 0x41, "ARQC")
    assert reading["commands"] == 5  # the certificates are not read
    tags = issuers.parse_field55(reading["field55"])
    # What the card was told in the recorded GENERATE AC: its CDOL1 has 9F09 where others have the country.
    recorded = {
        **tags,
        "9F1A": bytes.fromhex("0002"),
        "95": bytes.fromhex("8000008000"),
        "5F2A": bytes.fromhex("0036"),
        "9F37": bytes.fromhex("8221F601"),
        "82": bytes.fromhex("5900"),
    }
    assert issuers.verify_arqc(reading["pan"], reading["psn"], recorded)


def test_the_recorded_unionpay_card(port):
    reading = trace(port, "unionpay-qpboc-redacted.trace", date="180707", amount=1)
    assert (reading["pan"], reading["psn"], reading["expiry"]) == ("6200000000000000013", "01", "2506")
    assert (reading["scheme"], reading["atc"], reading["cryptogram"]) == ("unionpay", 0x4E, "ARQC")
    tags = issuers.parse_field55(reading["field55"])
    assert tags["9F27"] == b"\x80"  # the card left it out: derived from its 9F10


def test_the_recorded_card_without_emv_mode(port):
    with pytest.raises(PortRaised) as caught:
        trace(port, "mastercard-magstripe-test-card.trace", date="120316", amount=1000)
    assert caught.value.names[0] == "CardOther"
    assert "magnetic stripe" in caught.value.text


def test_every_recording_is_replayed_here():
    # Those altered on purpose, and named so, are for the scenarios.
    assert {p.name for p in TRACES.glob("*.trace") if not p.stem.endswith("-unexpired")} == {
        "visa-qvsdc-test-card.trace",
        "mastercard-mchip4-test-card.trace",
        "mastercard-magstripe-test-card.trace",
        "unionpay-qpboc-redacted.trace",
    }
