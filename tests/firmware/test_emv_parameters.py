from till.core.errors import CardOther, InvalidValue
from till.emv import track2
from till.emv.parameters import APPLICATIONS, Application, Terminal, Transaction, bcd

H = bytes.fromhex
GOOD = {
    "amount": 1234,
    "currency": "156",
    "type": 0,
    "date": H("260701"),
    "time": H("120000"),
    "unpredictable": b"abcd",
}


def raises(kind, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except kind:
        return True
    return False


def test_bcd():
    assert bcd(1234, 6) == H("000000001234")
    assert bcd(999999999999, 6) == H("999999999999")
    assert bcd(0, 1) == b"\0"
    assert raises(InvalidValue, bcd, 100, 1)


def test_a_transaction_is_checked():
    Transaction(**GOOD)
    for name, bad in (
        ("amount", -1),
        ("amount", 10**12),
        ("amount", 1.0),
        ("currency", "15"),
        ("currency", "CNY"),
        ("date", H("2607")),
        ("date", H("26070A")),
        ("time", H("A20000")),
        ("unpredictable", b"abc"),
        ("other", -1),
    ):
        values = dict(GOOD)
        values[name] = bad
        assert raises(InvalidValue, Transaction, **values), (name, bad)


def test_a_terminal_is_checked():
    for kwargs in (
        {"serial": "SHORT"},
        {"serial": "TILL0001", "country": "CN"},
        {"serial": "TILL0001", "capabilities": b"\0"},
        {"serial": "TILL0001", "denial": b"\0"},
    ):
        assert raises(InvalidValue, Terminal, **kwargs), kwargs
    assert raises(InvalidValue, Application, b"\xa0\0\0\0", 3, "visa", "Visa", 1)


def test_what_the_terminal_says_about_itself():
    values = Terminal("TILL0001").values(Transaction(sequence=42, other=5, **GOOD), APPLICATIONS[0])
    for tag, value in (
        (0x9F02, "000000001234"),
        (0x9F03, "000000000005"),
        (0x9F1A, "0156"),
        (0x5F2A, "0156"),
        (0x95, "0000000000"),
        (0x9A, "260701"),
        (0x9C, "00"),
        (0x9F37, "61626364"),
        (0x9F35, "22"),
        (0x9F1E, "54494c4c30303031"),
        (0x9F41, "00000042"),
        (0x9F21, "120000"),
        (0x9F66, "20804000"),
    ):
        assert values[tag].hex() == value, hex(tag)


def test_the_limit_decides_what_the_card_is_told():
    terminal = Terminal("TILL0001", cvm_limit=1234)
    assert terminal.qualifiers(Transaction(**GOOD)).hex() == "20804000"
    above = dict(GOOD)
    above["amount"] = 1235
    assert terminal.qualifiers(Transaction(**above)).hex() == "20c04000"
    terminal.cvm_limit = None
    assert terminal.qualifiers(Transaction(**above)).hex() == "20804000"


def test_track_2():
    assert track2.parse(H("5413330089600119D49122010000000000F0"[:-2] + "0F")) == ("5413330089600119", "4912", "201")
    assert track2.parse(H("4761340000000043D171220113183875"))[0] == "4761340000000043"
    for length in (12, 13, 16, 18, 19):
        text = "6" * length + "D4912201"
        text += "F" * (len(text) % 2)
        assert track2.parse(H(text))[0] == "6" * length
    for bad in (
        "",
        "5413330089600119",  # no separator
        "66666666666D4912201F",  # 11 digits
        "66666666666666666666D4912201F0"[:-1] + "F",  # 20 digits
        "5413330089600119D491220",  # service code cut
        "5413330089600119D49132010",  # month 13
        "5413330089600119D49002010",  # month 0
        "541333008960A119D49122010",  # not digits
        "5413330089600119D4912201D0",  # a second separator
        "00" * 20,
    ):
        bad += "F" * (len(bad) % 2)
        assert raises(CardOther, track2.parse, H(bad)), bad


def test_pan_and_mask():
    assert track2.pan_of(H("5413330089600119")) == "5413330089600119"
    assert track2.pan_of(H("623456789012345678")) == "623456789012345678"
    assert track2.pan_of(H("6234567890123456789F")) == "6234567890123456789"
    assert raises(CardOther, track2.pan_of, H("12345678901F"))
    assert track2.mask("5413330089600119") == "541333******0119"
    assert track2.mask("123456789012") == "123456**9012"
    assert track2.mask("6234567890123456789") == "623456*********6789"
