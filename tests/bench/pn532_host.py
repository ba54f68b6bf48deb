"""A plain, correct host of a PN532 on SPI, for testing the virtual chip alone; broken drivers override one step."""

from microtill.bench.chips.base import SpiSettings
from microtill.bench.chips.pn532 import PN532
from microtill.bench.chips.pn532_core import ACK, frame
from support.seam import ManualSeam

RIGHT = SpiSettings(baudrate=5_000_000, polarity=0, phase=0, lsb_first=True)

VERSION = bytes.fromhex("d50332010607")  # the answer to GetFirmwareVersion
SAM = "14 01 14 01"  # SAMConfiguration: normal mode, IRQ in use


class TestCard:
    """The smallest ISO 14443-4 card: it echoes each APDU and appends 9000."""

    __test__ = False

    def __init__(self, uid: str = "04a1b2c3d4e5f6", answer=None):
        self.uid = bytes.fromhex(uid)
        self.atqa = bytes.fromhex("4400")
        self.sak = 0x20
        self.ats = bytes.fromhex("0578807002")
        self.seen: list[bytes] = []
        self.activations = 0
        self._answer = answer or (lambda capdu: capdu + b"\x90\x00")

    def activate(self) -> None:
        self.activations += 1

    def transceive(self, capdu: bytes) -> bytes | None:
        self.seen.append(capdu)
        return self._answer(capdu)


class Host:
    settings = RIGHT

    def __init__(self):
        self.seam = ManualSeam()
        self.chip = PN532()
        self.chip.attach(self.seam)
        self.chip.power_on()
        self.seam.advance(5_000)

    # Bus

    def select(self) -> None:
        self.chip.pin_changed("CS", 0)

    def deselect(self) -> None:
        self.chip.pin_changed("CS", 1)

    def clock(self, data: bytes) -> bytes:
        out = self.chip.transfer(memoryview(data), self.settings, True)
        assert out is not None and len(out) == len(data)
        return out

    def transaction(self, data: bytes) -> bytes:
        self.select()
        out = self.clock(data)
        self.deselect()
        return out

    # Steps a broken driver gets wrong

    def wake(self) -> None:
        self.select()
        self.seam.advance(2_000)
        self.deselect()

    def wait_ready(self, us: int = 2_000_000) -> bool:
        end = self.seam.us + us
        while self.seam.us < end:
            if self.transaction(b"\x02\x00")[1] & 1:
                return True
            self.seam.advance(100)
        return False

    def make_frame(self, body: bytes) -> bytes:
        return frame(body)

    # A dialogue

    def write(self, data: bytes) -> None:
        self.transaction(b"\x01" + data)

    def read(self, length: int = 280) -> bytes:
        return self.transaction(b"\x03" + bytes(length))[1:]

    def command(self, body: str | bytes) -> bytes:
        """Body of the response (TFI first); b"" when the chip did not take or answer the command."""
        data = bytes.fromhex(body) if isinstance(body, str) else body
        self.write(self.make_frame(b"\xd4" + data))
        if not self.wait_ready(15_000) or self.read(6) != ACK:
            return b""
        return self.response()

    def response(self) -> bytes:
        if not self.wait_ready():
            return b""
        data = self.read()
        if data[3:5] == b"\xff\xff":
            length, at = data[5] << 8 | data[6], 8
        else:
            length, at = data[3], 5
        return data[at : at + length]

    def start(self) -> None:
        self.wake()
        assert self.command(SAM) == bytes.fromhex("d515")

    def list_targets(self, most: int = 2) -> bytes:
        return self.command(bytes((0x4A, most, 0)))
