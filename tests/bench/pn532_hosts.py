"""Plain, correct hosts of a PN532 on I2C and on its high-speed UART; broken ones override one step."""

from microtill.bench.chips import pn532_hsu, pn532_i2c
from microtill.bench.chips.base import Nack
from microtill.bench.chips.pn532_core import ACK
from pn532_host import Host
from support.seam import ManualSeam


class I2cHost(Host):
    """Waits for SCL as long as `patience_us`."""

    patience_us = 2_000

    def __init__(self):
        self.seam = ManualSeam()
        self.chip = pn532_i2c.PN532()
        self.chip.attach(self.seam)
        self.chip.power_on()
        self.seam.advance(5_000)

    def addressed(self, reading: bool) -> None:
        held = self.chip.addressed(reading)
        self.seam.advance(min(held, self.patience_us))
        if held > self.patience_us:
            raise TimeoutError

    def wake(self) -> None:
        self.fetch(1)
        self.seam.advance(2_000)

    def fetch(self, length: int) -> bytes:
        self.addressed(True)
        return self.chip.read(length)

    def wait_ready(self, us: int = 2_000_000) -> bool:
        end = self.seam.us + us
        while self.seam.us < end:
            if self.fetch(1)[0] & 1:
                return True
            self.seam.advance(100)
        return False

    def write(self, data: bytes) -> None:
        self.addressed(False)
        assert self.chip.write(data) == len(data)

    def read(self, length: int = 280) -> bytes:
        data = self.fetch(length + 1)
        return data[1:] if data[0] else b""

    def gone(self) -> bool:
        """Whether the chip lets its address go by."""
        try:
            self.chip.addressed(True)
        except Nack:
            return True
        return False


class HsuHost(Host):
    baudrate = 115_200
    preamble = bytes.fromhex("5555000000")

    def __init__(self):
        self.seam = ManualSeam()
        self.chip = pn532_hsu.PN532()
        self.chip.attach(self.seam)
        self.received = bytearray()
        self.chip.send = self.received.extend
        self.chip.power_on()
        self.seam.advance(5_000)

    def wake(self) -> None:
        self.write(self.preamble)
        self.seam.advance(3_000)

    def write(self, data: bytes) -> None:
        self.received.clear()
        self.chip.receive(data, self.baudrate)

    def wait_ready(self, us: int = 2_000_000) -> bool:
        end = self.seam.us + us
        while self.seam.us < end:
            if self._length():
                return True
            self.seam.advance(100)
        return False

    def read(self, length: int = 280) -> bytes:
        whole = bytes(self.received[: self._length()])
        del self.received[: len(whole)]
        return whole[:length]

    def _length(self) -> int:
        have = self.received
        if len(have) < 6 or have[:6] == ACK:
            return 6 if len(have) >= 6 else 0
        length = 10 + (have[5] << 8 | have[6]) if have[3:5] == b"\xff\xff" else 7 + have[3]
        return length if len(have) >= length else 0
