"""The counter: what stands between terminal and people — screen, keys, lights, tones — handed to the flows as one."""

import asyncio
import time

from micropython import const

from till.core.errors import Cancelled

_HOLD_MS = const(1000)
_QUEUE = const(16)

CLEAR_ALL = "CLEAR_ALL"


class Counter:
    """Key presses are queued by a task of their own, so that a flow may look (`pressed`) or wait (`key`)."""

    def __init__(self, screen, keypad, leds, buzzer):
        self.screen = screen
        self.leds = leds
        self.buzzer = buzzer
        self._keypad = keypad
        self._queue = []
        self._arrived = asyncio.Event()
        self.last_key_ms = time.ticks_ms()

    async def run(self) -> None:
        """Read the keypad for ever. CLEAR held for a second comes as CLEAR and then CLEAR_ALL."""
        self._keypad.start()
        holding = False
        while True:
            try:
                if holding:
                    key, down = await asyncio.wait_for_ms(self._keypad.read(), _HOLD_MS)
                else:
                    key, down = await self._keypad.read()
            except asyncio.TimeoutError:
                holding = False
                self._put(CLEAR_ALL)
                continue
            holding = down and key == "CLEAR"
            if down:
                self.buzzer.key()
                self._put(key)

    def _put(self, key) -> None:
        self.last_key_ms = time.ticks_ms()
        if len(self._queue) < _QUEUE:  # a person is not faster than this; a fault is not heard out
            self._queue.append(key)
        self._arrived.set()

    def forget_keys(self) -> None:
        """Drop keys pressed before now: they were not an answer to what comes on the screen next."""
        self._queue.clear()
        self._arrived.clear()

    def pressed(self):
        """The next key press, or None at once."""
        if not self._queue:
            return None
        key = self._queue.pop(0)
        if not self._queue:
            self._arrived.clear()
        return key

    async def key(self, timeout_ms: int = 0):
        """The next key press; None after `timeout_ms` (0: wait for ever)."""
        if not self._queue:
            try:
                if timeout_ms:
                    await asyncio.wait_for_ms(self._arrived.wait(), timeout_ms)
                else:
                    await self._arrived.wait()
            except asyncio.TimeoutError:
                return None
        return self.pressed()

    def held(self, key: str) -> int:
        """Milliseconds that `key` has been down; 0 when it is up."""
        return self._keypad.held(key)

    async def pause(self, ms: int) -> None:
        """Let `ms` milliseconds pass, whatever is pressed."""
        await asyncio.sleep_ms(ms)

    async def confirm(self, timeout_ms: int = 0) -> None:
        """Until OK; CANCEL raises Cancelled, and so does the timeout."""
        while True:
            key = await self.key(timeout_ms)
            if key == "OK":
                return
            if key is None or key == "CANCEL":
                raise Cancelled()

    def idle_ms(self) -> int:
        """Milliseconds since the last key."""
        return time.ticks_diff(time.ticks_ms(), self.last_key_ms)
