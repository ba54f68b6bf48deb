"""One message about what went wrong and what to do about it."""

from micropython import const

_NOTICE_MS = const(8000)


async def notice(counter, key: str, detail_key: str = "") -> None:
    """One message about what went wrong and what to do, until a key or a while has passed."""
    counter.forget_keys()
    counter.buzzer.alert()
    counter.screen.error(key, detail_key)
    await counter.key(_NOTICE_MS)
