"""How the terminal ends: it starts anew, is wiped, or gives way to MicroPython's prompt. Loaded for that only."""

import asyncio

from micropython import const

from till.storage.wipe import Wipe

_ANSWER_MS = const(300)  # for the console's answer to leave


async def end(how: str, board, screen, over) -> None:
    """`how`: "restart", "wipe", "forget" (the vault only), "prompt" (sets `over`), or "": only what was begun before
    the power went."""
    wipe = Wipe(board.nvs, board.nvs_flash, board.journal_flash)
    if not how and not wipe.begun:
        return
    if how != "prompt":
        screen.processing("screen.starting" if how == "restart" else "screen.wiping", "", 0)
    if how:
        await asyncio.sleep_ms(_ANSWER_MS)
    if how == "prompt":
        over.set()
        return
    try:
        if how != "restart":
            wipe.run(board.watchdog, how == "forget")
    except BaseException:
        if how:
            board.reset()  # the start tries again, and says it if it fails again
        raise
    board.reset()
