"""Keeps the terminal on Wi-Fi: tries the known networks in turn, for ever, and says why it is not on yet."""

import asyncio

from micropython import const

_TONE_MS = const(30)  # the tone of the key that asked for a scan ends before it
_CONNECT_S = const(20)
_POLL_MS = const(200)
_BACK_OFF_S = (1, 2, 5, 10, 20, 30)

# network.STAT_* of the ESP32 port; the module itself belongs to the board.
_IDLE = const(1000)
_REASONS = {
    201: "reason.wifi_not_found",
    202: "reason.wifi_password",
    204: "reason.wifi_password",
    203: "reason.wifi_refused",
    200: "reason.wifi_weak",
    210: "reason.wifi_password",
    211: "reason.wifi_password",
    212: "reason.wifi_weak",
}


class Wifi:
    """`wlan` is the board's station interface; `networks()` returns [(ssid, password)], best first, at most two."""

    def __init__(self, wlan, networks):
        self._wlan = wlan
        self._networks = networks
        self.reason = "reason.no_wifi"
        self.held = False  # somebody sets up the Wi-Fi: the station is theirs
        self._station = asyncio.Lock()
        self.up = asyncio.Event()
        self.changed = asyncio.Event()

    @property
    def connected(self) -> bool:
        """True while the station has an address."""
        return self._wlan.isconnected()

    def start_radio(self) -> None:
        """RF on: also what makes the chip's random numbers random."""
        self._wlan.active(True)

    def retry(self) -> None:
        """The networks changed: try at once."""
        self.changed.set()

    async def scan(self) -> list:
        """As WLAN.scan: two seconds during which nothing else runs. Empty when the radio will not. Hold it first."""
        await asyncio.sleep_ms(_TONE_MS)
        async with self._station:
            try:
                if not self.connected:
                    self._wlan.disconnect()  # a station that is joining cannot look around
                return self._wlan.scan()
            except OSError as e:
                self.error = repr(e)
                return []

    async def join(self, ssid: str, password: str) -> bool:
        """Leave whatever network there is and try this one now; False: `reason` says why not. Hold it first."""
        async with self._station:
            return await self._join(ssid, password)

    async def run(self) -> None:
        """Stay connected, for ever."""
        self.start_radio()
        failures = 0
        while True:
            if self.held or self.connected:
                failures = 0
                if self.connected:
                    self.reason = ""
                    self.up.set()
                await asyncio.sleep_ms(_POLL_MS)
                continue
            self.up.clear()
            networks = self._networks()
            if not networks:
                self.reason = "reason.no_wifi"
                await self.changed.wait()
                self.changed.clear()
                continue
            ssid, password = networks[failures % len(networks)]
            async with self._station:
                joined = await self._join(ssid, password)
            if joined:
                continue
            wait = _BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)]
            failures += 1
            try:
                await asyncio.wait_for(self.changed.wait(), wait)
                self.changed.clear()
                failures = 0
            except asyncio.TimeoutError:
                continue

    async def _join(self, ssid, password) -> bool:
        wlan, held = self._wlan, self.held
        if self.reason in ("", "reason.no_wifi"):
            self.reason = "reason.connecting"
        try:
            wlan.disconnect()
            while self.connected:  # the driver has not said so yet
                await asyncio.sleep_ms(_POLL_MS)
            wlan.connect(ssid, password)
        except OSError as e:
            self.reason = "reason.no_wifi"
            self.error = repr(e)
            return False
        for _ in range(_CONNECT_S * 1000 // _POLL_MS):
            if self.connected:
                return True
            if self.held != held:
                break
            status = wlan.status()
            reason = _REASONS.get(status)
            if reason:
                self.reason = reason
                wlan.disconnect()
                return False
            await asyncio.sleep_ms(_POLL_MS)
        self.reason = "reason.wifi_no_address" if self._associated() else "reason.wifi_silent"
        wlan.disconnect()
        return False

    def _associated(self) -> bool:
        try:
            self._wlan.status("rssi")
        except OSError:
            return False
        return True
