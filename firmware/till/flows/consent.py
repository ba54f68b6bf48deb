"""Putting a question of the service console to the person at the keypad."""

from micropython import const

_WATCH_MS = const(200)


async def put_question(counter, consent) -> None:
    """Show the question that stands, page by page, until OK or CANCEL, or until nobody wants to know any more."""
    question = consent.question
    if question is None:
        return
    title_key, rows = question
    counter.forget_keys()
    counter.buzzer.key()
    first = 0
    title = counter.screen.text(title_key)
    texts = [(counter.screen.text(label), value) for label, value in rows]
    after = counter.screen.confirm(title, texts, first)
    while consent.question is question:
        key = await counter.key(_WATCH_MS)
        if key == "CANCEL":
            consent.answer(False)
        elif key == "OK":
            if after >= len(rows):  # everything has been seen
                consent.answer(True)
            else:
                first = after
                after = counter.screen.confirm(title, texts, first)
        elif key == "UP" and first:
            first = 0
            after = counter.screen.confirm(title, texts, first)
