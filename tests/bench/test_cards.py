"""The virtual cards' own strictness, counters, and the recordings they replay."""

import pytest
from microtill.acquirer import issuers
from microtill.bench.cards import Counters, EmvCard, TraceCard, TraceError, make
from microtill.bench.cards.trace import load

PPSE = "00A404000E325041592E5359532E444446303100"
SELECT = {
    "visa": "00A4040007A000000003101000",
    "mastercard": "00A4040007A000000004101000",
    "unionpay": "00A4040008A00000033301010100",
}
TEN = "000000001234 000000000000 0156 0000000000 0156 260701 00 CAFE0001"
GPO = {
    "visa": f"80A80000 23 8321 20804000 {TEN} 00",
    "mastercard": "80A80000 02 8300 00",
    "unionpay": f"80A80000 24 8322 20804000 {TEN} 00 00",
}
CDOL1 = f"{TEN} 22 0000 0000000000000000 1F0302 120000" + "00" * 20
AC = f"80AE8000 42 {CDOL1} 00"


def card_of(spec: str) -> EmvCard:
    card = make(spec, Counters())
    assert isinstance(card, EmvCard)
    card.activate()
    return card


def say(card, text: str) -> str:
    answer = card.transceive(bytes.fromhex(text))
    assert answer is not None
    return answer.hex().upper()


def started(scheme: str) -> EmvCard:
    card = card_of(scheme)
    for command in (PPSE, SELECT[scheme], GPO[scheme]):
        assert say(card, command).endswith("9000")
    return card


@pytest.mark.parametrize("scheme", ["visa", "mastercard", "unionpay"])
def test_its_own_commands_in_order_are_answered(scheme):
    card = started(scheme)
    assert card.atc == 1
    if scheme == "mastercard":
        for record in ("00B2011400", "00B2011C00", AC):
            assert say(card, record).endswith("9000")


@pytest.mark.parametrize("scheme", ["visa", "mastercard", "unionpay"])
def test_out_of_order_is_6985(scheme):
    card = card_of(scheme)
    assert say(card, GPO[scheme]) == "6985"
    assert say(card, "00B2011400") == "6985"
    say(card, PPSE)
    assert say(card, GPO[scheme]) == "6985"
    say(card, SELECT[scheme])
    assert say(card, "00B2011400") == "6985"
    assert say(card, GPO[scheme]).endswith("9000")
    assert say(card, GPO[scheme]) == "6985"
    say(card, PPSE)  # selecting anew forgets the transaction
    assert say(card, "00B2011400") == "6985"
    assert card.atc == 1


def test_generate_ac_once_and_only_after_gpo():
    card = card_of("mastercard")
    assert say(card, AC) == "6985"
    card = started("mastercard")
    assert say(card, AC).endswith("9000")
    assert say(card, AC) == "6985"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00", "6700"),
        ("00A404", "6700"),
        ("00A40400", "6700"),
        ("00A4040000", "6700"),
        ("00A40400 07 A0000000041010", "6700"),  # no Le
        ("00A40400 08 A0000000041010 00", "6700"),  # Lc 8, seven octets and Le
        ("00A40400 07 A0000000041010 00 00", "6700"),
        ("00A40400 07 A0000000041010 10", "6700"),  # Le other than 00
        ("00A40400 04 A0000000 00", "6700"),
        ("00A40000 07 A0000000041010 00", "6A86"),
        ("00A40401 07 A0000000041010 00", "6A86"),
        ("00A40400 07 A0000000031010 00", "6A82"),
        ("01A40400 07 A0000000041010 00", "6E00"),
        ("80A40400 07 A0000000041010 00", "6E00"),
        ("00A80000 02 8300 00", "6E00"),
        ("00C0000000", "6D00"),
        ("80CA9F3600", "6D00"),
        ("0084000000", "6D00"),
        ("80A80100 02 8300 00", "6A86"),
        ("80A80000 02 8300", "6700"),
        ("80A80000 02 7700 00", "6A80"),
        ("80A80000 03 830100 00", "6700"),
    ],
)
def test_strict_about_every_octet(command, sw):
    card = card_of("mastercard")
    say(card, PPSE)
    say(card, SELECT["mastercard"])
    assert say(card, command) == sw
    assert card.atc == 0
    assert say(card, GPO["mastercard"]).endswith("9000")  # and nothing had changed


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00B2001400", "6A86"),
        ("00B2011500", "6A86"),
        ("00B2021400", "6A83"),
        ("00B2012400", "6A82"),
        ("00B2011410", "6700"),
        ("00B20114", "6700"),
        ("00B201140100", "6700"),
        (f"80AE8001 42 {CDOL1} 00", "6A86"),
        (f"80AE9000 42 {CDOL1} 00", "6A86"),
        (f"80AE8000 42 {CDOL1}", "6700"),
        (f"80AE8000 41 {CDOL1[:-2]} 00", "6700"),
    ],
)
def test_strict_after_gpo(command, sw):
    card = started("mastercard")
    assert say(card, command) == sw
    assert say(card, AC).endswith("9000")


def test_a_pdol_of_the_wrong_length():
    for scheme in ("visa", "unionpay"):
        card = card_of(scheme)
        say(card, SELECT[scheme])
        assert say(card, "80A80000 02 8300 00") == "6700"
        assert say(card, GPO[scheme]).endswith("9000")


def test_a_visa_card_wants_a_terminal_that_speaks_qvsdc():
    card = card_of("visa")
    say(card, SELECT["visa"])
    assert say(card, GPO["visa"].replace("20804000", "80804000")) == "6985"


def test_partial_names_and_the_next_application():
    card = card_of("mastercard")
    assert say(card, "00A40400 05 A000000004 00").startswith("6F")
    assert say(card, "00A40402 05 A000000004 00") == "6A82"  # there is one only


def test_counters_go_on_in_the_same_card_made_again(tmp_path):
    counters = Counters(tmp_path / "cards.json")
    for expected in (1, 2):
        card = make("visa", counters)
        card.activate()
        for command in (SELECT["visa"], GPO["visa"]):
            answer = say(card, command)
        assert f"9F3602{expected:04X}" in answer
    again = Counters(tmp_path / "cards.json")
    assert again.advance(issuers.VISA_PAN + "01") == 3
    assert again.last("another") == 0


def test_a_counter_ends_at_65535():
    counters = Counters()
    card = make("visa", counters)
    assert isinstance(card, EmvCard)
    for _ in range(0xFFFF):
        counters.advance(issuers.VISA_PAN + "01")
    card.activate()
    say(card, SELECT["visa"])
    assert say(card, GPO["visa"]) == "6985"
    assert card.atc == 0xFFFF


def test_pulled_away_and_back():
    for spec in ("pulled:2", "visa@2"):
        card = card_of(spec)
        assert say(card, PPSE) and say(card, SELECT["visa"])
        assert card.transceive(bytes.fromhex(GPO["visa"])) is None and card.gone
        assert card.transceive(bytes.fromhex(PPSE)) is None
        card.activate()
        assert not card.gone and say(card, PPSE).endswith("9000")


def test_a_phone_has_another_uid_at_each_tap():
    card = make("phone", Counters())
    uids = set()
    for _ in range(20):
        card.activate()
        uids.add(card.uid)
        assert len(card.uid) == 4 and card.uid[0] == 0x08
    assert len(uids) > 1
    assert make("visa").uid == make("visa").uid


def test_what_activation_finds():
    for spec in ("visa", "phone", "mastercard"):
        card = make(spec, Counters())
        assert card.ats[0] == len(card.ats) and card.sak & 0x20 and len(card.atqa) == 2
        assert len(card.uid) in (4, 7)


@pytest.mark.parametrize("spec", ["", "amex", "visa:x", "pulled", "pulled:x", "blocked:9999", "visa@x", "trace"])
def test_an_unknown_card_is_refused(spec):
    with pytest.raises((ValueError, OSError)):
        make(spec)


def test_the_recorded_pboc_vector():
    """A published worked example of a PBOC application cryptogram (issuer key, elements, ARQC)."""
    text = {
        "9F10": "07000103A04002010A010000001000D1F61152",
        "9F37": "1E78EEBC",
        "9F36": "0240",
        "95": "0080046000",
        "9A": "140701",
        "9C": "00",
        "9F02": "000000000001",
        "5F2A": "0156",
        "82": "7D00",
        "9F1A": "0156",
        "9F03": "000000000000",
    }
    tags = {tag: bytes.fromhex(value) for tag, value in text.items()}
    issuer = issuers.Issuer("unionpay", ("6228",), bytes.fromhex("F0C34A8124CEE0A91A0B034AA97D6EAC"))
    assert issuers.compute_cryptogram(issuer, "6228000100001", "01", tags).hex() == "5d016c91005e7cc2"


def test_an_arqc_is_verified_for_our_issuers_only():
    card = started("unionpay")
    assert not issuers.verify_arqc("6225000000000253", "01", {})
    assert not issuers.verify_arqc(card.account.pan, "01", {})
    assert not issuers.verify_arqc(card.account.pan, "01", {"9F27": b"\x80", "9F10": b"\x07"})
    assert issuers.issuer_of("6225000000000253") is None


def test_every_test_pan_has_an_issuer_and_a_check_digit():
    for name in dir(issuers):
        if not name.endswith("_PAN"):
            continue
        pan = getattr(issuers, name)
        assert issuers.issuer_of(pan) is not None
        digits = [int(d) for d in reversed(pan)]
        assert sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0, name
    assert issuers.DECLINES == {issuers.NO_FUNDS_PAN: "51"}


def test_field_55_is_parsed_strictly():
    assert issuers.parse_field55(bytes.fromhex("9F270180")) == {"9F27": b"\x80"}
    for bad in ("9F2701", "9F2781 0180", "9F2701809F270180", "7003820100", "00", "82830000 0100"):
        with pytest.raises(ValueError):
            issuers.parse_field55(bytes.fromhex(bad))


# Recordings


def test_a_recording_answers_exactly_then_loosely_then_6a82(tmp_path):
    path = tmp_path / "a.trace"
    path.write_text(
        "# comment\n\n=> 00B2010C00\n<= 7001AA9000\n=> 80A8000002830000\n<= 770282009000\n"
        "=> 00 B2 01 0C 00\n<= 7001BB 9000\n=> 00A4040007A000000003101000\n<= 6F00 9000\n"
    )
    card = make(f"trace:{path}")
    card.activate()
    assert say(card, "00B2010C00") == "7001AA9000"
    assert say(card, "00B2010C00") == "7001BB9000"  # the second recording of the same command
    assert say(card, "00B2010C00") == "7001BB9000"
    assert say(card, "80A800000483021234 00") == "770282009000"
    assert say(card, "80A80001 02 8300 00") == "6A82"
    assert say(card, "00A4040007A0000000031010") == "6F009000"  # Le is not compared
    assert say(card, "00A4040007A000000004101000") == "6A82"  # a name is never matched loosely
    card.activate()
    assert say(card, "00B2010C00") == "7001AA9000"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":0: no exchange"),
        ("# only\n", ":1: no exchange"),
        ("=> 00B2010C00\n", ":1: the last command has no answer"),
        ("<= 9000\n", ":1: an answer without a command"),
        ("# x\n=> 00B2010C00\n=> 00B2010C00\n", ":3: a command before"),
        ("=> 00B201\n", ":1: a command has at least"),
        ("=> 00B2010C00\n<= 90\n", ":2: an answer has at least"),
        ("=> 00B2010C0\n", ":1: not hexadecimal"),
        ("=> 00B2010C00\n<= 9000\nSELECT\n", ":3: neither"),
    ],
)
def test_a_broken_recording_says_where(tmp_path, text, message):
    path = tmp_path / "broken.trace"
    path.write_text(text)
    with pytest.raises(TraceError, match="broken.trace" + message):
        load(path)
    with pytest.raises(TraceError):
        make(f"trace:{path}")


def test_a_recorded_card_can_be_pulled_away(tmp_path):
    path = tmp_path / "a.trace"
    path.write_text("=> 00B2010C00\n<= 9000\n")
    card = make(f"trace:{path}@1")
    assert isinstance(card, TraceCard)
    card.activate()
    assert say(card, "00B2010C00") == "9000"
    assert card.transceive(b"\x00\xb2\x01\x0c\x00") is None
