"""The menu: what can be done beside a sale."""

from micropython import const

from till import __version__
from till.core.errors import Cancelled
from till.core.memory import forget
from till.flows.consent import agree

_PATIENCE_MS = const(30000)
_LANGUAGES = ("zh", "en")


async def menu(counter, payments, settings, wifi_setup) -> None:
    """Choose by digit, or by UP, DOWN and OK, and do it. CANCEL raises Cancelled. `wifi_setup()` loads a WifiSetup."""
    items = ("menu.sign_on", "menu.echo", "menu.language", "menu.wifi", "menu.about")
    chosen = await choose(counter, "screen.menu", items)
    if chosen == 0:
        await sign_on(counter, payments)
    elif chosen == 1:
        await echo_test(counter, payments)
    elif chosen == 2:
        await language(counter, settings)
    elif chosen == 3:
        await wifi(counter, wifi_setup())
    else:
        await about(counter, payments)


async def choose(counter, title_key: str, keys, selected: int = 0) -> int:
    """Index of the item chosen among catalogue `keys`."""
    text = counter.screen.text
    items = [text(key) for key in keys]
    while True:
        counter.screen.menu(text(title_key), items, selected)
        key = await counter.key(_PATIENCE_MS)
        if key is None or key == "CANCEL":
            raise Cancelled()
        if key == "OK":
            return selected
        if key == "UP":
            selected = (selected - 1) % len(items)
        elif key == "DOWN":
            selected = (selected + 1) % len(items)
        elif "1" <= key <= "9" and int(key) <= len(items):
            return int(key) - 1


async def language(counter, settings) -> None:
    """Switch the language of the screen; kept over restarts."""
    screen = counter.screen
    chosen = await choose(counter, "menu.language", ("language.zh", "language.en"), _LANGUAGES.index(screen.language))
    screen.language = _LANGUAGES[chosen]
    settings.set("language", screen.language)


async def wifi(counter, setup) -> None:
    """Choose the network; loaded for as long as somebody does."""
    from till.flows.wifi_setup import set_wifi

    forget("till.flows.wifi_setup", "till.flows.text_entry")
    await set_wifi(counter, setup)


async def sign_on(counter, payments) -> None:
    """Fetch the batch number, the signed time and the parameters."""
    counter.screen.processing("screen.signing_on", "", 0)
    await payments.sign_on()
    await _done(counter, "screen.signed_on", [counter.screen.text("label.batch") + " " + payments.batch])


async def echo_test(counter, payments) -> None:
    """Is the acquirer there, and does it know us?"""
    counter.screen.processing("screen.please_wait", "", 0)
    await payments.echo()
    await _done(counter, "screen.echo_ok", [])


async def about(counter, payments) -> None:
    """Whose terminal this is, and which firmware runs."""
    identity = payments.identity
    rows = [
        ("label.merchant", identity.merchant["name"]),
        ("label.mid", identity.mid),
        ("label.tid", identity.tid),
        ("label.batch", payments.batch),
        ("label.unit", identity.serial),
        ("label.firmware", __version__),
    ]
    await agree(counter, "menu.about", rows, "footer.ok")


async def _done(counter, title_key: str, lines) -> None:
    counter.screen.message("ok", counter.screen.text(title_key), lines)
    await counter.key(_PATIENCE_MS)
