"""Choosing a Wi-Fi network at the keypad: what is on the air, its password, and trying it at once."""

from micropython import const

from till.core.errors import Cancelled
from till.flows.text_entry import enter_secret
from till.services.network_list import PASSWORD_MAX, PASSWORD_MIN

_PATIENCE_MS = const(60000)
_BARS = ("▂   ", "▂▄  ", "▂▄▆ ", "▂▄▆█")


async def set_wifi(counter, setup) -> None:
    """Until a network is joined, and then kept first, or CANCEL. `setup`: services/wifi_setup.py."""
    setup.begin()
    try:
        while True:
            counter.screen.processing("screen.wifi_scanning", "", 0)
            found = await setup.scan()
            if not found:
                counter.screen.error("reason.wifi_not_found", "", "footer.retry")
                await counter.confirm(_PATIENCE_MS)
                continue
            ssid, locked = await _choose(counter, found)
            if await _join(counter, setup, ssid, locked):
                break
    finally:
        setup.end()
    counter.buzzer.success()
    counter.screen.message("ok", counter.screen.text("screen.wifi_joined"), [ssid])
    await counter.key(_PATIENCE_MS)


async def _choose(counter, found) -> tuple:
    """`(ssid, locked)` of the network chosen; Cancelled by CANCEL."""
    title = counter.screen.text("screen.wifi_list")
    items = [_BARS[strength] + ("*" if locked else " ") + ssid for ssid, strength, locked in found]
    selected = 0
    while True:
        counter.screen.menu(title, items, selected)
        key = await counter.key(_PATIENCE_MS)
        if key is None or key == "CANCEL":
            raise Cancelled()
        if key == "UP" or key == "DOWN":
            selected = (selected + (1 if key == "DOWN" else -1)) % len(items)
        elif key == "OK" or ("1" <= key <= "9" and int(key) <= len(items)):
            if key != "OK":
                selected = int(key) - 1
            return found[selected][0], found[selected][2]


async def _join(counter, setup, ssid: str, locked: bool) -> bool:
    """Try `ssid` until it is joined; False when the person would rather have another."""
    while True:
        try:
            password = ""
            if locked:
                password = await enter_secret(counter, "screen.wifi_password", ssid, PASSWORD_MIN, PASSWORD_MAX)
            counter.screen.processing("screen.wifi_joining", "", 0)
            reason = await setup.join(ssid, password)
            if not reason:
                setup.keep(ssid, password)
                return True
            counter.buzzer.alert()
            counter.screen.error("error.wifi", reason, "footer.retry")
            await counter.confirm(_PATIENCE_MS)
        except Cancelled:
            return False
