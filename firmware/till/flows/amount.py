"""Keying an amount, in the minor unit, as card terminals do."""

from micropython import const

from till.core.errors import Cancelled
from till.core.money import AMOUNT_DIGITS
from till.ui.counter import CLEAR_ALL

_PATIENCE_MS = const(60000)


async def key_amount(counter, title_key: str, currency, first: str = "") -> int:
    """The amount keyed, above 0, in minor units. UP types 00; CLEAR takes one digit back, held it takes all.

    Cancelled by CANCEL, or after a minute without a key.
    """
    amount = _typed(0, first)
    while True:
        counter.screen.amount(title_key, currency.format(amount))
        key = await counter.key(_PATIENCE_MS)
        if key is None or key == "CANCEL":
            raise Cancelled()
        if key == "OK":
            if amount:
                return amount
            counter.buzzer.alert()
        elif key == "CLEAR":
            amount //= 10
        elif key == CLEAR_ALL:
            amount = 0
        else:
            amount = _typed(amount, "00" if key == "UP" else key)


def _typed(amount: int, digits: str) -> int:
    # What does not fit is not typed: an amount never changes behind the cashier's back.
    for digit in digits:
        if "0" <= digit <= "9" and amount < 10 ** (AMOUNT_DIGITS - 1):
            amount = amount * 10 + int(digit)
    return amount
