"""`esp` as on the ESP32: the size of the flash."""

import json as _json

import simbus as _bus


def flash_size():
    """Octets, as the boot loader took it from the program's header."""
    return _json.loads(_bus.fetch(_bus.HELLO, 0))["flash_bytes"]
