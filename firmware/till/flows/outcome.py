"""Showing how a payment ended, and making sure that a person has seen it."""

from micropython import const

from till.core import outcome
from till.services.payments import REVERSED

_WATCH_MS = const(200)


async def show_outcome(counter, payments, settled) -> None:
    """Show `settled` until OK or CANCEL. An unknown one becomes "not charged" once its reversal is acknowledged."""
    counter.forget_keys()
    counter.leds.show(0)
    if settled.outcome == outcome.UNKNOWN:
        if await _show_unknown(counter, payments, settled):
            return
        settled = payments.settled(settled.n)
    _draw(counter, settled, payments.currency)
    if settled.outcome == outcome.APPROVED:
        counter.buzzer.success()
    else:
        counter.buzzer.alert()
    await _acknowledge(counter)
    payments.seen(settled.n)


async def _show_unknown(counter, payments, settled) -> bool:
    """True when the cashier went on before the reversal was acknowledged: the idle screen tells the rest."""
    _draw(counter, settled, payments.currency)
    counter.buzzer.alert()
    while payments.is_open(settled.n):
        if await counter.key(_WATCH_MS) in ("OK", "CANCEL"):
            return True
    return False


async def _acknowledge(counter) -> None:
    while await counter.key() not in ("OK", "CANCEL"):
        counter.buzzer.alert()


def _draw(counter, settled, currency) -> None:
    screen = counter.screen
    amount = currency.format(settled.amount)
    if settled.outcome == outcome.APPROVED:
        lines = [settled.pan]
        if settled.auth:
            lines.append(screen.text("label.auth") + " " + settled.auth)
        screen.result(outcome.APPROVED, lines, amount)
    elif settled.outcome == outcome.UNKNOWN:
        lines = screen.text("screen.unknown_sale").split("\n")
        lines.append(screen.text(settled.reason).split("\n")[0])
        screen.result(outcome.UNKNOWN, lines, amount)
    elif settled.outcome == REVERSED:
        screen.message("info", screen.text("screen.reversed"), [amount, settled.pan])
    else:
        screen.result(outcome.DECLINED, screen.text(reason_key(settled, screen)).split("\n"), amount)


def reason_key(settled, screen) -> str:
    """Catalogue key of why it was not approved: the acquirer's action, else its response code, else a general one."""
    if settled.outcome == outcome.REFUSED and screen.has("action." + settled.action):
        return "action." + settled.action
    key = "rc." + settled.rc
    return key if screen.has(key) else "rc.other"
