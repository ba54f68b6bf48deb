"""A port that went away, by its cable or by a restart, and its coming back."""

import time

from microtill.device.errors import NoSuchPort, PortBusy, Unplugged, UsageError
from microtill.device.ports import Port, find

BACK_SECONDS = 30.0
"""How long an unplugged board is waited for, when nothing else is said."""


def wait_for(port: Port, seconds: float) -> Port:
    """The port once it can be opened again, perhaps under another name. Raises Unplugged after `seconds`."""
    deadline = time.monotonic() + max(seconds, 0.0)
    while True:
        again = port
        if port.serial:
            again = next((p for p in find() if (p.serial, p.vid) == (port.serial, port.vid)), port)
        try:
            with again.line():
                return again
        except (NoSuchPort, Unplugged, PortBusy, UsageError) as e:
            if time.monotonic() > deadline:
                raise Unplugged(port=port.path) from e
        time.sleep(0.1)
