"""A PN532 on I2C: the host link of UM0701-02 §6.2.4 around the protocol core."""

from microtill.bench.chips.base import I2cChip, Nack
from microtill.bench.chips.pn532_module import Module

STRETCH_US = 440
"""What is seen on real buses behind an address while the chip's own processor fetches or takes the data."""

WAKE_STRETCH_US = 1_000
"""The most that SCL is held low when the chip's own address wakes it (data sheet, timing of the I2C interface)."""

WEDGED_US = 10_000_000
"""A chip that hangs in a transfer holds SCL low for ever: no master waits that long."""

_BEHIND = 0xA5  # after its frame a chip sends what its buffer still holds


class PN532(Module, I2cChip):
    """Every reading begins with the status byte: 01 when a frame follows, else 00 and no frame.

    A reading of that byte alone leaves the frame where it is; any longer one takes the frame, whole or not. A sleeping
    chip is woken by its address, and understands frames only T_osc_start later (§6.3.2.3).
    """

    interface = "i2c"
    address = 0x24
    fastest_hz = 400_000

    def __init__(self, name: str = "nfc"):
        super().__init__(name)
        self._hears = False  # as it was when its address came: what follows in that transfer goes by it
        self._offers = False

    def addressed(self, reading: bool) -> int:
        if not self.alive or self.core.dead or self.core.power in ("off", "booting", "booting and woken"):
            raise Nack
        if self.core.deaf:
            return WEDGED_US
        self._hears = self.core.awake
        self._offers = self.core.ready
        if self._hears:
            return STRETCH_US
        self.core.wake()
        return WAKE_STRETCH_US

    def write(self, data: bytes) -> int:
        if data and not self._hears:
            self.unheard("frame sent while it wakes: address it and wait T_osc_start")
        elif data:
            self.core.receive(data)
        return len(data)

    def read(self, length: int) -> bytes:
        if not self._offers or not self.core.ready:
            if length > 1:
                self.violated("read before the status byte or IRQ said ready")
            return bytes(length)
        if length == 1:
            return b"\x01"
        frame = self.core.output()
        if length - 1 < len(frame):
            self.told(f"reading ended {len(frame) - length + 1} bytes before the frame did")
        self._drive(1)
        self.core.read()
        return (b"\x01" + frame)[:length].ljust(length, bytes((_BEHIND,)))
