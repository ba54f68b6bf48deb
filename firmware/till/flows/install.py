"""A terminal without a merchant: says so, and lets the person confirm what the technician's laptop brings."""

from micropython import const

from till.core.errors import Cancelled
from till.flows.consent import put_question
from till.flows.menu import language

_WATCH_MS = const(200)


async def install(counter, consent, settings, serial: str) -> None:
    """For ever; accepting a ticket restarts the terminal."""
    while True:
        screen = counter.screen
        lines = [screen.text("screen.not_provisioned_hint"), screen.text("label.unit") + " " + serial]
        screen.message("info", screen.text("screen.not_provisioned"), lines, None)
        try:
            if await _question_or_menu(counter, consent):
                await language(counter, settings)
            await put_question(counter, consent)
        except Cancelled:
            counter.buzzer.key()


async def _question_or_menu(counter, consent) -> bool:
    """True when MENU was pressed, False when a question stands."""
    consent.at_rest = True
    try:
        while consent.question is None:
            if await counter.key(_WATCH_MS) == "MENU":
                return True
        return False
    finally:
        consent.at_rest = False
