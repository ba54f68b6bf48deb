"""What every ESP32 brings along: radio, flash, clock, watchdog, randomness. What is wired to it is in board.py."""

import machine
from micropython import const

_WATCHDOG_MS = const(20000)
_RELAXED_MS = const(86400000)


class Watchdog:
    """The hardware watchdog; it starts with the first `feed` and cannot be stopped: 20 s without another one resets."""

    def __init__(self):
        self._wdt = None

    def feed(self) -> None:
        if self._wdt is None:
            self._wdt = machine.WDT(timeout=_WATCHDOG_MS)
        self._wdt.feed()

    def relax(self) -> None:
        """Give whoever is at the prompt a day, over soft resets too; the next `feed` starts it as before."""
        if self._wdt is not None:
            machine.WDT(timeout=_RELAXED_MS)  # made again, the chip's watchdog takes the new time
            self._wdt = None


def equip(board) -> None:
    """Give `board` what does not depend on its pins."""
    import os

    import network
    from esp32 import NVS, Partition
    from till.crypto.rng import Rng

    board.wifi = network.WLAN(network.WLAN.IF_STA)
    board.nvs = NVS("till")
    board.nvs_flash = Partition.find(Partition.TYPE_DATA, label="nvs")[0]
    board.journal_flash = Partition.find(Partition.TYPE_DATA, label="journal")[0]
    board.rng = Rng(os.urandom)
    board.watchdog = Watchdog()
    board.rtc = machine.RTC()
    board.reset_cause = ("", "power", "restart", "watchdog", "sleep", "soft")[machine.reset_cause()]
    board.serial_number = machine.unique_id().hex().upper()
    board.reset = machine.reset  # restarts the terminal; does not return
