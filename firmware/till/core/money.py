"""Money is an int in minor units with its ISO 4217 currency. Never a float."""

from micropython import const

from till.core.errors import InvalidValue

AMOUNT_DIGITS = const(12)
AMOUNT_MAX = 10**12 - 1


class Currency:
    """`code`: ISO 4217 numeric, 3 digits as str; `exponent`: decimal places 0..4; `symbol`: up to 3 characters."""

    def __init__(self, code: str, exponent: int, symbol: str):
        if not isinstance(code, str) or len(code) != 3 or not code.isdigit():
            raise InvalidValue("currency code")
        if not isinstance(exponent, int) or isinstance(exponent, bool) or not 0 <= exponent <= 4:
            raise InvalidValue("currency exponent")
        if not isinstance(symbol, str) or not 0 <= len(symbol) <= 3:
            raise InvalidValue("currency symbol")
        self.code = code
        self.exponent = exponent
        self.symbol = symbol

    def format(self, amount: int, symbol: bool = True) -> str:
        """`12345` → `¥123.45`: every decimal place is shown, the sign leads."""
        sign = "-" if amount < 0 else ""
        whole, part = divmod(abs(amount), 10**self.exponent)
        text = str(whole)
        if self.exponent:
            digits = str(part)
            text += "." + "0" * (self.exponent - len(digits)) + digits
        return sign + (self.symbol if symbol else "") + text


def check_amount(value: object) -> int:
    """Return `value` if it is an int in 0 … 999 999 999 999 minor units, else raise InvalidValue."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= AMOUNT_MAX:
        raise InvalidValue("amount")
    return value
