"""What the terminal does while nobody is at it: connection, next signature, next flash sector, memory."""

import asyncio
import gc

from micropython import const

from till.core.errors import TillError

_LOOK_MS = const(1000)
_PING_S = const(45)  # the acquirer closes a connection that is idle for 120 s
_BACK_OFF_S = (1, 2, 5, 10, 20, 30)


async def keep_connected(link, wifi, payments, log) -> None:
    """Connect whenever Wi-Fi is up and we are not connected; ping before the acquirer hangs up. For ever."""
    failures = 0
    idle_s = 0
    signed_on = False
    while True:
        await asyncio.sleep_ms(_LOOK_MS)
        if not wifi.connected:
            if link.connected and not link.busy:
                link.close()
            link.reason = wifi.reason or "reason.no_wifi"
            failures = 0
            continue
        idle_s += 1
        if link.connected and idle_s < _PING_S:
            continue
        idle_s = 0
        was = link.connected
        try:
            await (link.ping() if was else link.connect())
            failures = 0
            if not was:
                log.event("link", "connected")
                payments.nudge()
            if not signed_on:
                # Once a start, above all for the signed time: after a power cut the clock knows only the journal's.
                await payments.sign_on()
                signed_on = True
        except TillError as e:
            log.error("link", e)
            await asyncio.sleep(_BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)])
            failures += 1


async def make_ready(signer, journal, counter, payments, log) -> None:
    """While no key is pressed and no answer awaited: make the next signature's expensive half, erase the next sector,
    collect garbage."""
    while True:
        await asyncio.sleep_ms(_LOOK_MS)
        if counter.idle_ms() < _LOOK_MS or payments.busy:
            continue
        try:
            if not signer.prepared:
                signer.prepare()
            elif not journal.prepare():
                gc.collect()
        except TillError as e:
            log.error("upkeep", e)
            await asyncio.sleep_ms(10 * _LOOK_MS)


async def watch(watchdog) -> None:
    """Feed the watchdog as long as the event loop turns."""
    while True:
        watchdog.feed()
        await asyncio.sleep_ms(_LOOK_MS)


async def show_status(screen, wifi, clock, link=None, payments=None, operator=None) -> None:
    """Keep the line that is always there true: operator, connection, what waits, and the time.

    A terminal without a merchant has neither `link` nor `payments` nor `operator`.
    """
    while True:
        state = "online" if link and link.connected else "connecting" if wifi.connected else "offline"
        hour, minute = clock.local()[3:5]
        pending = payments.reversals_pending() if payments else 0
        screen.status(operator.id if operator else "", state, pending, "%02d:%02d" % (hour, minute))
        await asyncio.sleep_ms(500)
