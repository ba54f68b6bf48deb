"""Reading a question page by page, and answering it; and putting that of the service console."""

from micropython import const

from till.core.errors import Cancelled

_WATCH_MS = const(200)
_PATIENCE_S = const(180)


async def put_question(counter, consent) -> None:
    """Show the question that stands until OK or CANCEL, or until nobody wants to know any more."""
    question = consent.question
    if question is None:
        return
    if question[0] is None:
        await question[1].run(counter)
        return
    counter.forget_keys()
    counter.buzzer.key()
    answer = await _ask(counter, question[0], question[1], lambda: consent.question is question)
    if answer is not None:
        consent.answer(answer)


async def agree(counter, title_key: str, rows, footer_key: str = "footer.both") -> None:
    """Show `rows` of (label key, value) until OK on the last page; CANCEL, or three minutes, raise Cancelled."""
    looks = [_PATIENCE_S * 1000 // _WATCH_MS]

    def patient() -> bool:
        looks[0] -= 1
        return looks[0] > 0

    if not await _ask(counter, title_key, rows, patient, footer_key):
        raise Cancelled()


async def _ask(counter, title_key: str, rows, wanted, footer_key: str = "footer.both") -> "bool | None":
    first = 0
    title = counter.screen.text(title_key)
    texts = [(counter.screen.text(label), value) for label, value in rows]
    after = counter.screen.confirm(title, texts, first, footer_key)
    while wanted():
        key = await counter.key(_WATCH_MS)
        if key == "CANCEL":
            return False
        if key == "OK" and after >= len(rows):  # everything has been seen
            return True
        if key in ("OK", "DOWN") and after < len(rows):
            first = after
            after = counter.screen.confirm(title, texts, first, footer_key)
        elif key == "UP" and first:
            first = 0
            after = counter.screen.confirm(title, texts, first, footer_key)
    return None
