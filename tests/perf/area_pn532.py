"""One APDU exchange: the driver's own work beside that of a driver in the style most examples have."""

from figure import Figure, port_instructions, port_run

CAPDU = 40
RAPDU = 100

# The bus is as lean as Python allows, since it is not what is measured: selecting and writing are built-in functions
# (`abs`, `len`), reading copies what an exchange brings, for ever. `clocked` is the bus that counts instead.
_BUS = f"""
import asyncio, sys, time
CAPDU = bytes(range({CAPDU}))
ANSWER = b"\\xd5\\x41\\x00" + bytes(range({RAPDU} - 2)) + b"\\x90\\x00"
ACK = b"\\x00\\x00\\xff\\x00\\xff\\x00"
FRAME = b"\\x00\\x00\\xff" + bytes((len(ANSWER), -len(ANSWER) & 255)) + ANSWER + bytes((-sum(ANSWER) & 255, 0))
clocked = 0
def count(data):
    global clocked
    clocked += len(data)
"""

_OURS = """
from till.drivers.pn532 import PN532, Target
from till.drivers.pn532.spi import SPITransport
HEADS = {7: memoryview(b"\\x00" + ACK), 13: memoryview(b"\\x00" + FRAME[:12])}
REST = memoryview(FRAME)[12:]
class Bus:
    write = len
    @staticmethod
    def write_readinto(out, into):
        into[:] = HEADS[len(out)]
    @staticmethod
    def readinto(into):
        into[:] = REST
class Counting:
    write = staticmethod(count)
    @staticmethod
    def write_readinto(out, into):
        count(out)
        Bus.write_readinto(out, into)
    @staticmethod
    def readinto(into):
        count(into)
        Bus.readinto(into)
class Irq:
    IRQ_FALLING = 2
    def irq(self, handler, trigger):
        pass
def many(rounds, bus):
    nfc = PN532(SPITransport(bus, abs), Irq())
    nfc._sick = False
    nfc._line = int  # low: whatever is due is ready
    nfc._target = Target(1, 0x0044, 0x20, b"", b"")
    async def run():
        for _ in range(rounds):
            answer = await nfc.transceive(CAPDU)
        assert answer == ANSWER[3:]
    asyncio.run(run())
"""

# Most significant bit first on the wire, so every byte is turned in Python, one by one; a new buffer for each step;
# each step waits a fixed time. The waits are left out of the time here and told in the note.
_PEER = """
class Usual:
    def __init__(self, spi, cs):
        self.spi = spi
        self.cs = cs
        self.slept = 0
    def sleep_ms(self, ms):
        self.slept += ms
    def reverse(self, n):
        result = 0
        for _ in range(8):
            result <<= 1
            result += n & 1
            n >>= 1
        return result
    def write_data(self, data):
        turned = bytearray(len(data) + 1)
        turned[0] = self.reverse(0x01)
        for i in range(len(data)):
            turned[i + 1] = self.reverse(data[i])
        self.cs(0)
        self.sleep_ms(2)
        self.spi.write(turned)
        self.cs(1)
    def read_data(self, count):
        self.cs(0)
        self.sleep_ms(2)
        self.spi.write(bytes((self.reverse(0x03),)))
        data = self.spi.read(count)
        self.cs(1)
        turned = bytearray(count)
        for i in range(count):
            turned[i] = self.reverse(data[i]) if i < len(data) else 0
        return turned
    def wait_ready(self):
        while True:
            self.sleep_ms(10)
            self.cs(0)
            self.sleep_ms(2)
            self.spi.write(bytes((self.reverse(0x02),)))
            status = self.reverse(self.spi.read(1)[0])
            self.cs(1)
            if status == 1:
                return
    def write_frame(self, data):
        frame = bytearray(len(data) + 7)
        frame[0:5] = bytes((0, 0, 0xFF, len(data), ~len(data) + 1 & 0xFF))
        frame[5:-2] = data
        checksum = 0
        for i in range(len(data)):
            checksum += data[i]
        frame[-2] = ~checksum + 1 & 0xFF
        self.write_data(frame)
    def read_frame(self, longest):
        data = self.read_data(longest + 8)
        offset = 0
        while data[offset] == 0:
            offset += 1
        offset += 1
        length = data[offset]
        if length + data[offset + 1] & 0xFF:
            raise RuntimeError("length")
        checksum = 0
        for i in range(offset + 2, offset + 2 + length + 1):
            checksum += data[i]
        if checksum & 0xFF:
            raise RuntimeError("checksum")
        return data[offset + 2 : offset + 2 + length]
    def call(self, command, parameters, longest):
        data = bytearray(2 + len(parameters))
        data[0] = 0xD4
        data[1] = command
        for i in range(len(parameters)):
            data[2 + i] = parameters[i]
        self.write_frame(data)
        self.wait_ready()
        if self.read_data(6) != ACK:
            raise RuntimeError("ack")
        self.wait_ready()
        answer = self.read_frame(longest + 2)
        if answer[0] != 0xD5 or answer[1] != command + 1:
            raise RuntimeError("answer")
        return answer[2:]
TURN = bytes(int("".join(reversed("{:08b}".format(i))), 2) for i in range(256))
HEADS = {
    1: bytes((TURN[1],)),
    6: bytes(TURN[b] for b in ACK),
    263: bytes(TURN[b] for b in FRAME) + bytes(263 - len(FRAME)),
}
class Bus:
    write = len
    read = staticmethod(lambda n: HEADS[n])
class Counting:
    write = staticmethod(count)
    @staticmethod
    def read(n):
        count(HEADS[n])
        return HEADS[n]
slept = 0
def many(rounds, bus):
    global slept
    usual = Usual(bus, abs)
    for _ in range(rounds):
        answer = usual.call(0x40, b"\\x01" + CAPDU, 253)
    assert answer[1:] == ANSWER[3:]
    slept = usual.slept
"""

_COUNT = "\nmany(1, Counting)\nprint(clocked, globals().get('slept'))"
_TIME = """
best = None
for _ in range(25):
    began = time.ticks_us()
    many(100, Bus)
    took = time.ticks_diff(time.ticks_us(), began)
    best = took if best is None or took < best else best
print(best / 100)
"""


def _work(source: str) -> tuple[float, str]:
    """What one exchange costs the processor, in instructions (in µs where they cannot be counted), and the unit."""
    few = port_instructions(source + "\nmany(50, Bus)")
    if few is None:
        return float(port_run(source + _TIME)), "µs"
    many = port_instructions(source + "\nmany(150, Bus)")
    assert many
    return (many - few) / 100, "instructions"


def measure() -> list[Figure]:
    """The driver's work for one exchange and the bytes it clocks, beside the usual driver's."""
    ours, unit = _work(_BUS + _OURS)
    peer, _ = _work(_BUS + _PEER)
    ours_bytes = int(port_run(_BUS + _OURS + _COUNT).split()[0])
    peer_bytes, slept = (int(word) for word in port_run(_BUS + _PEER + _COUNT).split())
    name = "a bit-reversing driver"
    note = (
        f"C-APDU {CAPDU} B, R-APDU {RAPDU} B; there is no MicroPython PN532 package to measure, so the peer is "
        f"written in the test as the usual examples are; its {slept} ms of fixed waits an exchange are left out"
    )
    return [
        Figure("pn532_exchange", ours, peer, name, peer / ours, unit, note),
        Figure("pn532_bytes", ours_bytes, peer_bytes, name, peer_bytes / ours_bytes, "bytes", "the same, on the bus"),
    ]
