"""`network.WLAN` as on the ESP32: one station; what it sees and reaches is the bench's."""

import json as _json

import simbus as _bus
from micropython import const

STA_IF = 0
AP_IF = 1

STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_BEACON_TIMEOUT = 200
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204

_ACTIVE = const(0)
_CONNECT = const(1)
_DISCONNECT = const(2)
_STATUS = const(3)
_RSSI = const(4)
_SCAN = const(5)
_RECONNECTS = const(6)
_ADDRESS = const(7)
_OFFSET = const(256)  # signal strength is negative, an answer's status is not

_hostname = "mpy-esp32s3"
_country = "XX"


class WLAN:
    IF_STA = 0
    IF_AP = 1
    SEC_OPEN = 0
    SEC_WPA2 = 3
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    _pm = 1
    _reconnects = -1

    def __init__(self, interface=0):
        if interface != STA_IF:
            raise ValueError("this bench has a station only")

    def active(self, up=None):
        if up is None:
            return bool(_bus.ask(_bus.WLAN, _ACTIVE))
        return bool(_bus.ask(_bus.WLAN, _ACTIVE, b"\1" if up else b"\0"))

    def connect(self, ssid=None, key=None, *, bssid=None):
        _bus.ask(_bus.WLAN, _CONNECT, _json.dumps([_text(ssid), _text(key)]).encode())

    def disconnect(self):
        _bus.ask(_bus.WLAN, _DISCONNECT)

    def isconnected(self):
        return _bus.ask(_bus.WLAN, _STATUS) == STAT_GOT_IP

    def status(self, what=None):
        if what is None:
            return _bus.ask(_bus.WLAN, _STATUS)
        if what == "rssi":
            return _bus.ask(_bus.WLAN, _RSSI) - _OFFSET
        raise ValueError("unknown status param")

    def scan(self):
        """Blocks for about two seconds, as the radio walks the channels."""
        import time

        _bus.ask(_bus.WLAN, _SCAN, b"\0")  # raises when the interface is down
        time.sleep_ms(2200)
        found = _json.loads(_bus.fetch(_bus.WLAN, _SCAN, b"\1"))
        return [(ssid.encode(), bytes.fromhex(bssid), ch, rssi, sec, hid) for ssid, bssid, ch, rssi, sec, hid in found]

    def config(self, name=None, **values):
        if name is None:
            for key, value in values.items():
                if key == "reconnects":
                    WLAN._reconnects = value
                    _bus.ask(_bus.WLAN, _RECONNECTS, bytes((value & 255,)))
                elif key == "pm":
                    WLAN._pm = value
                elif key not in ("txpower", "hostname", "dhcp_hostname", "channel", "protocol"):
                    raise ValueError("unknown config param")
            return None
        if name == "mac":
            return bytes.fromhex("02005e100001")
        if name == "pm":
            return WLAN._pm
        if name == "reconnects":
            return WLAN._reconnects
        if name in ("ssid", "essid"):
            return _json.loads(_bus.fetch(_bus.WLAN, _ADDRESS))["ssid"]
        raise ValueError("unknown config param")

    def ifconfig(self, new=None):
        if new is not None:
            return None
        state = _json.loads(_bus.fetch(_bus.WLAN, _ADDRESS))
        if not state["ip"]:
            return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")
        return (state["ip"], "255.255.255.0", state["gateway"], state["gateway"])

    def ipconfig(self, name=None, **values):
        if name == "addr4":
            return self.ifconfig()[:2]
        if name == "gw4":
            return self.ifconfig()[2]
        return None


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    _hostname = name


def country(code=None):
    global _country
    if code is None:
        return _country
    _country = code
