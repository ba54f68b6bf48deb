"""The Wi-Fi station and the access points around it, with the states and codes of the ESP32 port.

`ports/esp32/network_wlan.c` decides what `status()` says: connected, else "not found" or "wrong password" as last seen,
else connecting as long as the driver keeps trying, else the last reason. The driver tries for ever unless
`config(reconnects=n)` says otherwise, so a wrong password shows while it is still being tried.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from microtill.bench.clock import Clock, Due
from microtill.bench.protocol import Op

IDLE, CONNECTING, GOT_IP = 1000, 1001, 1010
BEACON_TIMEOUT, NO_AP_FOUND, WRONG_PASSWORD = 200, 201, 202
ASSOC_LEAVE = 8

SENDING = (1, 5)
"""The requests at which the radio sends: connect and scan."""

_NOT_STARTED = 0x3002
_STATE = 0x3006

SCAN_US = 2_400_000  # all channels, before "not found"
HANDSHAKE_US = 3_200_000  # four messages that a wrong key never completes
ASSOCIATE_US = 700_000
DHCP_US = 600_000
BEACON_US = 6_000_000  # without a beacon, before the station believes it
ADDRESS_LOST_US = 120_000_000  # without a link, before lwIP gives the address up and its connections with it

Answer = tuple[int, bytes]


@dataclass
class AccessPoint:
    """`up`: on the air. `slow_ms`: added to association, as a crowded one does. `hidden`: beacons without a name.
    `address`: whether its DHCP server answers."""

    ssid: str
    password: str = ""
    rssi: int = -55
    channel: int = 6
    bssid: str = "02005e9000fe"
    slow_ms: int = 0
    up: bool = True
    hidden: bool = False
    address: bool = True


class Link(Protocol):
    """What follows the state of the link: the relays, and who watches."""

    def link_changed(self) -> None: ...

    def address_lost(self) -> None: ...

    def tell(self, who: str, text: str) -> None: ...


@dataclass
class Wlan:
    clock: Clock
    link: Link
    access_points: list[AccessPoint] = field(default_factory=list)

    def __post_init__(self):
        self.operations: dict[int, Callable[[int, memoryview], Answer | None]] = {Op.WLAN: self._operate}
        self._asked = (
            self._active,
            self._connect,
            self._disconnect,
            self._status,
            self._rssi,
            self._scan,
            self._set_reconnects,
            self._address,
        )
        self._due: Due | None = None
        self._lost: Due | None = None
        self.stop()

    def stop(self) -> None:
        """The radio is off: power cut, reset, or `active(False)`."""
        self._cancel()
        self._started = False
        self._network: tuple[str, str] | None = None  # the driver keeps it: connect() without a name joins it again
        self._wanted = False
        self._joined: AccessPoint | None = None
        self.connected = False
        self._reason = 0
        self._tries = 0
        self._most_tries = 0
        self.link.link_changed()
        self.link.address_lost()

    @property
    def carries(self) -> bool:
        """True while octets get through; the station believes in its link for a while longer."""
        return self.connected and self._joined is not None and self._joined.up

    def set_up(self, up: bool, ssid: str | None = None) -> None:
        """Access points (or one) go off the air or come back."""
        for ap in self.access_points:
            if ssid in (None, ap.ssid):
                ap.up = up
        self.air_changed()

    def air_changed(self) -> None:
        joined = self._joined
        if joined and (joined not in self.access_points or not joined.up):
            if self._lost is None:
                self._lost = self.clock.after(BEACON_US, self._beacon_timeout)
        elif self._lost and self.connected:
            self._lost.cancel()
            self._lost = None
        self.link.link_changed()

    def state(self) -> dict:
        joined = self._joined
        return {
            "active": self._started,
            "status": self.status(),
            "ssid": joined.ssid if joined else "",
            "rssi": joined.rssi if joined else 0,
            "ip": "192.168.4.20" if self.connected else "",
            "gateway": "192.168.4.1" if self.connected else "",
        }

    def status(self) -> int:
        if self.connected:
            return GOT_IP
        if self._reason in (NO_AP_FOUND, WRONG_PASSWORD):
            return self._reason
        if self._reason == ASSOC_LEAVE:
            return IDLE
        if self._wanted and (not self._most_tries or self._tries < self._most_tries):
            return CONNECTING
        return self._reason or IDLE

    # What the firmware asks

    def _operate(self, what: int, data: memoryview) -> Answer:
        return self._asked[what](bytes(data))

    def _active(self, data: bytes) -> Answer:
        if data:
            if data[0] and not self._started:
                self._started = True
                self._tries = 0
            elif not data[0] and self._started:
                self.stop()
        return int(self._started), b""

    def _connect(self, data: bytes) -> Answer:
        if not self._started:
            return -_NOT_STARTED, b""
        if self._wanted and not self.connected and self._due:
            return -_STATE, b""  # esp_wifi_set_config while the station is connecting
        ssid, password = json.loads(data)
        if ssid is not None:
            self._network = (ssid, password or "")
        if self._network is None:
            return -_STATE, b""
        self._wanted = True
        if self.connected:
            self._leave()
        self._reason = 0
        self._tries = 0
        self._try()
        return 0, b""

    def _disconnect(self, _data: bytes) -> Answer:
        if not self._started:
            return -_NOT_STARTED, b""
        had = self._wanted and (self.connected or self._due is not None)
        self._cancel()
        self._wanted = False
        if self.connected:
            self._leave()
        if had:
            self._reason = ASSOC_LEAVE
        return 0, b""

    def _status(self, _data: bytes) -> Answer:
        return self.status(), b""

    def _rssi(self, _data: bytes) -> Answer:
        if not self._joined:
            return -_STATE, b""
        return self._joined.rssi + 256, b""

    def _scan(self, data: bytes) -> Answer:
        if not self._started:
            return -_NOT_STARTED, b""
        if data == b"\0":
            return 0, b""
        seen = sorted((ap for ap in self.access_points if ap.up), key=lambda ap: -ap.rssi)
        return 0, json.dumps(
            [
                ["" if ap.hidden else ap.ssid, ap.bssid, ap.channel, ap.rssi, 3 if ap.password else 0, ap.hidden]
                for ap in seen
            ]
        ).encode()

    def _set_reconnects(self, data: bytes) -> Answer:
        self._most_tries = 0 if data[0] == 255 else data[0] + 1
        return 0, b""

    def _address(self, _data: bytes) -> Answer:
        return 0, json.dumps(self.state()).encode()

    # What happens on the air

    def _try(self) -> None:
        assert self._network
        ssid, password = self._network
        ap = next((ap for ap in self.access_points if ap.ssid == ssid and ap.up), None)
        if ap is None:
            self._after(SCAN_US, lambda: self._failed(NO_AP_FOUND))
        elif ap.password != password:
            self._after(ap.slow_ms * 1000 + HANDSHAKE_US, lambda: self._failed(WRONG_PASSWORD))
        else:
            self._after(ap.slow_ms * 1000 + ASSOCIATE_US, lambda: self._associated(ap))

    def _associated(self, ap: AccessPoint) -> None:
        if not ap.up or ap not in self.access_points:
            self._failed(NO_AP_FOUND)
            return
        self._joined = ap
        if ap.address:
            self._after(DHCP_US, self._got_address)
        else:
            self._due = None

    def _got_address(self) -> None:
        self._due = None
        if self._lost:
            self._lost.cancel()
            self._lost = None
        self.connected = True
        self._reason = 0
        self._tries = 0
        assert self._joined
        self.link.tell("wifi", f"on {self._joined.ssid}")
        self.link.link_changed()
        self.air_changed()

    def _failed(self, reason: int) -> None:
        self._due = None
        if self._reason != reason:
            self.link.tell("wifi", f"not on, reason {reason}")
        self._reason = reason
        self._joined = None
        self._tries += 1
        if self._wanted and (not self._most_tries or self._tries < self._most_tries):
            self._try()

    def _beacon_timeout(self) -> None:
        self.connected = False
        self._joined = None
        self._lost = self.clock.after(ADDRESS_LOST_US, self._address_lost)
        self._failed(BEACON_TIMEOUT)
        self.link.link_changed()

    def _address_lost(self) -> None:
        self._lost = None
        self.link.address_lost()

    def _leave(self) -> None:
        self.connected = False
        self._joined = None
        if self._lost:
            self._lost.cancel()
            self._lost = None
        self.link.tell("wifi", "left")
        self.link.link_changed()
        self.link.address_lost()

    def _after(self, us: int, call: Callable[[], None]) -> None:
        self._due = self.clock.after(us, call)

    def _cancel(self) -> None:
        for due in (self._due, self._lost):
            if due:
                due.cancel()
        self._due = self._lost = None
