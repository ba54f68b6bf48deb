"""What an interrupt handler sets and a task waits for, with a deadline."""

import asyncio
import time


class TimedFlag(asyncio.ThreadSafeFlag):
    """A ThreadSafeFlag whose wait can end: asyncio's poll asks `ioctl` each time round, so no timer task is made."""

    def __init__(self):
        super().__init__()
        self._until = 0
        self._struck = False

    def set(self) -> None:
        """From anywhere, an interrupt handler included; allocates nothing."""
        self._struck = True
        super().set()

    def ioctl(self, req, flags):
        if req == 3:  # MP_STREAM_POLL
            return flags if self.state or time.ticks_diff(self._until, time.ticks_ms()) <= 0 else 0
        return -1

    async def wait_ms(self, ms: int) -> bool:
        """Wait until it is set, at most `ms` milliseconds; True when it was. The flag is cleared."""
        self._until = time.ticks_add(time.ticks_ms(), ms)
        await self.wait()
        struck = self._struck
        self._struck = False
        return struck

    def clear(self) -> None:
        self._struck = False
        super().clear()
