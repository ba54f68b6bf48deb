from till.core.errors import InvalidValue
from till.core.identifiers import check_mid, check_stan, check_tid, next_stan, split_mid
from till.core.money import AMOUNT_MAX, Currency, check_amount


def refused(function, *args):
    try:
        function(*args)
    except InvalidValue:
        return True
    return False


def test_money_shows_every_decimal_place():
    yuan = Currency("156", 2, "¥")
    assert yuan.format(0) == "¥0.00"
    assert yuan.format(5) == "¥0.05"
    assert yuan.format(123456) == "¥1234.56"
    assert yuan.format(-123) == "-¥1.23"
    assert Currency("392", 0, "¥").format(1200) == "¥1200"
    assert Currency("048", 3, "BD").format(1200, symbol=False) == "1.200"


def test_money_amount_is_a_bounded_int():
    assert check_amount(AMOUNT_MAX) == AMOUNT_MAX
    for bad in (-1, AMOUNT_MAX + 1, 1.0, "1", True, None):
        assert refused(check_amount, bad), bad


def test_currency_is_checked():
    for bad in (
        ("15", 2, "¥"),
        ("15a", 2, "¥"),
        (156, 2, "¥"),
        ("156", 5, "¥"),
        ("156", True, "¥"),
        ("156", 2, "long"),
    ):
        assert refused(Currency, *bad), bad


def test_identifiers_are_checked_where_they_enter():
    assert split_mid("898210154110002") == ("898", "2101", "5411", "0002")
    for bad in ("89821015411000", "8982101541100021", "89821015411000a", "８98210154110002", None, 898210154110002):
        assert refused(check_mid, bad), bad
    assert check_tid("0000A001") == "0000A001"
    for bad in ("0000a001", "0000001", "000000012", "0000 001", 1):
        assert refused(check_tid, bad), bad
    for bad in ("00001", "0000a1", 1):
        assert refused(check_stan, bad), bad


def test_stan_runs_from_000001_to_999999():
    assert next_stan("000000") == "000001"
    assert next_stan("000001") == "000002"
    assert next_stan("999999") == "000001"
