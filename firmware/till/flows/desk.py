"""The till at rest: shows what nobody has seen yet, then waits for the first digit of a sale or the menu."""

from micropython import const

from till.core.errors import Cancelled, LinkError, SalesStopped, TillError
from till.core.memory import collect_often, forget
from till.flows.consent import put_question
from till.flows.notice import notice
from till.flows.outcome import show_outcome
from till.flows.sale import sale

_WATCH_MS = const(250)


async def desk(counter, reader, payments, terminal, instruments, settings, log, consent, wifi_setup) -> None:
    """For ever: one flow after another. Whatever goes wrong in one ends on the screen, never in a silent restart."""
    while True:
        collect_often()
        try:
            await show_unseen(counter, payments)
            await put_question(counter, consent)
            key = await _rest(counter, payments, consent)
            if key == "MENU":
                await _menu(counter, payments, settings, wifi_setup)
            elif key is not None:
                await sale(counter, reader, payments, terminal, instruments, key)
        except Cancelled:
            counter.buzzer.key()
        except LinkError as e:
            log.error("desk", e)
            await notice(counter, "error.link", e.key)
        except SalesStopped as e:
            log.error("desk", e)
            await notice(counter, e.key, e.reason)
        except TillError as e:
            log.error("desk", e)
            await notice(counter, e.key)
        except Exception as e:  # noqa: BLE001 - generic on the screen, precise in the log; money is safe in the journal
            log.error("desk", e)
            await notice(counter, "error.internal")


async def _menu(counter, payments, settings, wifi_setup) -> None:
    """Loaded for as long as somebody is in it."""
    from till.flows.menu import menu

    forget("till.flows.menu")
    await menu(counter, payments, settings, wifi_setup)


def _obstacle(screen, payments) -> str:
    """What stands in the way of the next sale, for the idle screen."""
    if payments.standing:
        return screen.text("action." + payments.standing)
    if payments.reversals_pending():
        return screen.text("screen.reversing")
    return ""


async def show_unseen(counter, payments) -> None:
    """Outcomes without SHOWN come first, oldest first, each until a key."""
    for settled in payments.unseen():
        await show_outcome(counter, payments, settled)


async def _rest(counter, payments, consent):
    """The key that starts something; None when something else has come up that a person must see first."""
    obstacle = _obstacle(counter.screen, payments)
    counter.screen.idle(payments.merchant["name"], payments.identity.tid, obstacle)
    consent.at_rest = True
    try:
        while True:
            key = await counter.key(_WATCH_MS)
            if key == "MENU" or (key and "0" <= key <= "9"):
                return key
            if consent.question or payments.has_unseen() or obstacle != _obstacle(counter.screen, payments):
                return None
    finally:
        consent.at_rest = False
