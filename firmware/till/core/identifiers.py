"""The field's identifiers: merchant, terminal, STAN, batch. Checked where they enter."""

from till.core.errors import InvalidValue


def _digits(value: object, length: int, name: str) -> str:
    if not isinstance(value, str) or len(value) != length:
        raise InvalidValue(name)
    for c in value:
        if not "0" <= c <= "9":
            raise InvalidValue(name)
    return value


def check_mid(value: object) -> str:
    """Merchant ID: 15 digits, acquirer 3 + area 4 + MCC 4 + serial 4. There is no check digit."""
    return _digits(value, 15, "merchant id")


def check_tid(value: object) -> str:
    """Terminal ID (F41): 8 digits or capital letters."""
    if not isinstance(value, str) or len(value) != 8:
        raise InvalidValue("terminal id")
    for c in value:
        if not ("0" <= c <= "9" or "A" <= c <= "Z"):
            raise InvalidValue("terminal id")
    return value


def check_stan(value: object) -> str:
    """System trace audit number (F11, 凭证号): 6 digits."""
    return _digits(value, 6, "STAN")


def check_batch(value: object) -> str:
    """Batch number: 6 digits."""
    return _digits(value, 6, "batch")


def split_mid(mid: str) -> tuple:
    """`(acquirer, area, mcc, serial)` of a merchant ID."""
    check_mid(mid)
    return mid[:3], mid[3:7], mid[7:11], mid[11:]


def next_stan(stan: str) -> str:
    """The STAN after `stan`: 999999 is followed by 000001 (000000 is not used)."""
    n = int(stan) % 999999 + 1
    return "%06d" % n
