"""A terminal without a merchant: says so, and lets a person bind it, by an activation code or a technician's laptop."""

from micropython import const

from till.core.errors import Cancelled, TillError
from till.core.memory import forget
from till.flows.consent import put_question
from till.flows.menu import choose, language, wifi
from till.flows.notice import notice

_WATCH_MS = const(200)


async def install(counter, consent, settings, unit) -> None:
    """Until a ticket is installed by what was typed here; one that comes by the laptop restarts the terminal.

    `unit`: `serial`; `fingerprints()` of whom it trusts; `changes()`, a number that rises when that may have changed;
    `wifi_setup()` and `activation()` load what they say.
    """
    while True:
        screen = counter.screen
        lines = [screen.text("screen.not_provisioned_hint"), screen.text("label.unit") + " " + unit.serial]
        lines += [screen.text("screen.trusts_hint", digits=digits) for digits in unit.fingerprints()]
        screen.message("info", screen.text("screen.not_provisioned"), lines, None)
        try:
            if await _wanted(counter, consent, unit) and await _menu(counter, settings, unit):
                return
            await put_question(counter, consent)
        except Cancelled:
            counter.buzzer.key()
        except TillError as e:
            await notice(counter, e.key)


async def _wanted(counter, consent, unit) -> bool:
    """True when MENU was pressed, False when there is something else to show."""
    changes = unit.changes()
    consent.at_rest = True
    try:
        while consent.question is None and unit.changes() == changes:
            if await counter.key(_WATCH_MS) == "MENU":
                return True
        return False
    finally:
        consent.at_rest = False


async def _menu(counter, settings, unit) -> bool:
    """True when a ticket was installed."""
    chosen = await choose(counter, "screen.menu", ("menu.activate", "menu.wifi", "menu.language"))
    if chosen == 0:
        from till.flows.activation import activate

        forget("till.flows.activation")
        await activate(counter, unit.activation(), unit.serial)
        return True
    if chosen == 1:
        await wifi(counter, unit.wifi_setup())
    else:
        await language(counter, settings)
    return False
