from till.core.errors import CardOther
from till.emv import dol
from till.emv.card_data import CardData

H = bytes.fromhex


def refused(text):
    try:
        dol.entries(H(text))
    except CardOther:
        return True
    return False


def test_entries():
    assert dol.entries(b"") == []
    assert dol.entries(H("9F66049F02069505DF810102")) == [(0x9F66, 4), (0x9F02, 6), (0x95, 5), (0xDF8101, 2)]


def test_malformed_lists_are_refused():
    for text in ("9F", "9F66", "95", "9F6680", "DF81828304", "9F668104", "9F02FF"):
        assert refused(text), text
    assert not refused("9F0A7E9F0B7E")  # 252 octets in all
    assert refused("9F0A7E9F0B7F")


def test_values_that_fit():
    assert dol.fit(0x9F02, H("000000001234"), 6) == H("000000001234")
    assert dol.fit(0x9F37, None, 4) == bytes(4)
    assert dol.fit(0x95, H("8000008000"), 0) == b""


def test_too_long_a_value_loses_octets_by_its_format():
    # EMV Book 3 §5.4 rule 4: numeric from the left, everything else from the right.
    assert dol.fit(0x9F02, H("000000001234"), 2) == H("1234")
    assert dol.fit(0x9F1A, H("0156"), 1) == H("56")
    assert dol.fit(0x9F37, H("01020304"), 2) == H("0102")
    assert dol.fit(0x5A, H("5413330089600119"), 4) == H("54133300")


def test_too_short_a_value_is_filled_by_its_format():
    # Rule 5: numeric with zeros in front, compressed numeric with F behind, everything else with zeros behind.
    assert dol.fit(0x9F02, H("000000001234"), 8) == H("0000000000001234")
    assert dol.fit(0x5A, H("5413330089600119"), 10) == H("5413330089600119FFFF")
    assert dol.fit(0x9F1E, b"TILL0001", 10) == b"TILL0001\0\0"


def test_build_takes_the_terminal_before_the_card_and_zeros_for_the_unknown():
    card = CardData()
    card.append(H("9F660411223344" + "9F08020002"))
    card.index(card.length)
    values = {0x9F66: H("20804000"), 0x9C: H("00"), 0x5F2A: H("0156")}
    # 9F66 the terminal's; 9F08 the card's; DF60 nobody's; 5F2A longer than asked.
    assert dol.build(H("9F66049F0802DF60015F2A039C01"), values, card) == H("2080400000020000015600")
    assert dol.build(b"", values, card) == b""
