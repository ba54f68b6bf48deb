"""A terminal that must not work: says why and what support needs to know, for ever."""

from micropython import const

from till.core.errors import Cancelled
from till.flows.consent import put_question

_WATCH_MS = const(200)


async def fault(counter, consent, error) -> None:
    """Show TillError `error`; a technician's questions are still put."""
    counter.buzzer.alert()
    while True:
        text = counter.screen.text
        lines = text(error.key).split("\n")
        if error.detail:
            lines.append(text("label.support") + " " + error.detail)
        counter.screen.message("error", lines[0], lines[1:], None)
        consent.at_rest = True
        try:
            while consent.question is None:
                await counter.key(_WATCH_MS)
        finally:
            consent.at_rest = False
        try:
            await put_question(counter, consent)
        except Cancelled:
            counter.buzzer.key()
