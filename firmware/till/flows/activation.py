"""Becoming a merchant's terminal by an activation code, typed at the keypad."""

from micropython import const

from till.core.errors import Cancelled, InvalidValue, LinkError, TillError
from till.flows.consent import agree
from till.services.activation import DIGITS, check_code
from till.ui.counter import CLEAR_ALL

_PATIENCE_MS = const(120000)
_DATE = const(8)


async def activate(counter, office, serial: str) -> None:
    """Until the ticket is installed: restart then. `office`: services/activation.py. Cancelled: nothing has changed."""
    offer = None
    while offer is None:
        code = await _code(counter, serial)
        while offer is None:
            counter.screen.processing("screen.activating", "", 0)
            try:
                offer = await office.fetch(code)
            except LinkError as e:
                if e.key == "reason.tls_not_yet":
                    await _date(counter, office)
                else:
                    await _say(counter, "error.link", e.key)  # and the same code once more
            except TillError as e:
                await _say(counter, e.key)
                break
    await agree(counter, "screen.ticket", offer.rows())
    office.install(offer)


async def _code(counter, serial: str) -> str:
    """A code whose check digits fit: a slip of the finger costs no try at the acquirer."""
    while True:
        hint = counter.screen.text("label.unit") + " " + serial
        code = await _digits(counter, "screen.activation_code", hint, DIGITS, (4, 8))
        try:
            return check_code(code)
        except InvalidValue as e:
            await _say(counter, e.key)


async def _date(counter, office) -> None:
    """Today's date, where the terminal's clock says that the acquirer's certificate is not valid yet."""
    while True:
        digits = await _digits(counter, "screen.date", counter.screen.text("screen.date_hint"), _DATE, (4, 6))
        try:
            office.suggest_date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
            return
        except InvalidValue as e:
            await _say(counter, e.key)


async def _digits(counter, title_key: str, hint: str, length: int, gaps) -> str:
    """Exactly `length` digits, shown in groups that end at `gaps`."""
    typed = ""
    while True:
        shown = "".join([" " + c if i in gaps else c for i, c in enumerate(typed)])
        counter.screen.entry(title_key, shown, hint)
        key = await counter.key(_PATIENCE_MS)
        if key is None or key == "CANCEL":
            raise Cancelled()
        if key == "CLEAR":
            typed = typed[:-1]
        elif key == CLEAR_ALL:
            typed = ""
        elif key == "OK" and len(typed) == length:
            return typed
        elif "0" <= key <= "9" and len(typed) < length:
            typed += key
        else:
            counter.buzzer.alert()


async def _say(counter, key: str, reason: str = "") -> None:
    """What went wrong, until OK tries again; CANCEL raises Cancelled."""
    counter.buzzer.alert()
    counter.screen.error(key, reason, "footer.retry")
    await counter.confirm(_PATIENCE_MS)
