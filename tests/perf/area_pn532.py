"""One APDU exchange: the driver's own work beside that of a driver in the style most examples have."""

from figure import Figure, port_run

CAPDU = 40
RAPDU = 100
ROUNDS = 200
REPEATS = 25

_BUS = f"""
import asyncio, gc, time
CAPDU = bytes(range({CAPDU}))
ANSWER = b"\\xd5\\x41\\x00" + bytes(range({RAPDU} - 2)) + b"\\x90\\x00"
ACK = b"\\x00\\x00\\xff\\x00\\xff\\x00"
FRAME = b"\\x00\\x00\\xff" + bytes((len(ANSWER), -len(ANSWER) & 255)) + ANSWER + bytes((-sum(ANSWER) & 255, 0))
TURN = bytes(int("".join(reversed("{{:08b}}".format(i))), 2) for i in range(256))

class Bus:
    # As lean as Python allows: it checks nothing, it only plays the two readings of an exchange for ever.
    def __init__(self, turned):
        self.frames = [bytes(TURN[b] for b in f) if turned else f for f in (ACK, FRAME)]
        self.ready = TURN[1] if turned else 1
        self.status = TURN[2] if turned else 2
        self.fetch = TURN[3] if turned else 3
        self.turn = 0
        self.at = 0
        self.clocked = 0
        self.reading = b""
    def cs(self, level):
        self.start = not level
    def write(self, data):
        self.clocked += len(data)
        if self.start and data[0] == self.fetch:
            self.reading = self.frames[self.turn]
            self.turn ^= 1
            self.at = 0
        self.start = False
    def write_readinto(self, out, into):
        self.clocked += len(out)
        if out[0] == self.status:
            into[1] = self.ready
        else:
            self.reading = self.frames[self.turn]
            self.turn ^= 1
            self.at = n = len(out) - 1
            into[1:] = self.reading[:n]
        self.start = False
    def readinto(self, into, fill=0):
        n = len(into)
        self.clocked += n
        into[:n] = self.reading[self.at : self.at + n]
        self.at += n
    def read(self, n, fill=0):
        self.clocked += n
        data = self.reading[self.at : self.at + n]
        self.at += n
        if not data:
            return bytes((self.ready,)) * n
        return data

def best(run):
    times = []
    for _ in range({REPEATS}):
        gc.collect()
        began = time.ticks_us()
        run()
        times.append(time.ticks_diff(time.ticks_us(), began))
    return min(times) / {ROUNDS}
"""

_OURS = """
from till.drivers.pn532 import PN532, SPITransport, Target
bus = Bus(False)
nfc = PN532(SPITransport(bus, bus.cs))
nfc._sick = False
nfc._target = Target(1, 0x0044, 0x20, b"", b"")
async def many():
    for _ in range(%d):
        answer = await nfc.transceive(CAPDU)
    assert answer == ANSWER[3:]
best_us = best(lambda: asyncio.run(many()))
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
            self.spi.reading = b""
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
bus = Bus(True)
usual = Usual(bus, bus.cs)
def many():
    for _ in range(%d):
        answer = usual.call(0x40, b"\\x01" + CAPDU, 253)
    assert answer[1:] == ANSWER[3:]
best_us = best(many)
slept = usual.slept // (%d * %d)
"""


def measure() -> list[Figure]:
    """The driver's work for one exchange (µs on this desk) and the bytes it clocks, beside the usual driver's."""
    told = port_run(_BUS + _OURS % ROUNDS + f"print(best_us, bus.clocked / {ROUNDS * REPEATS})").split()
    ours_us, ours_bytes = float(told[0]), float(told[1])
    told = port_run(
        _BUS + _PEER % (ROUNDS, ROUNDS, REPEATS) + f"print(best_us, bus.clocked / {ROUNDS * REPEATS}, slept)"
    ).split()
    peer_us, peer_bytes, slept = float(told[0]), float(told[1]), int(told[2])
    name = "a bit-reversing driver"
    note = (
        f"C-APDU {CAPDU} B, R-APDU {RAPDU} B; there is no MicroPython PN532 package to measure, so the peer is "
        f"written in the test as the usual examples are; its {slept} ms of fixed waits an exchange are left out"
    )
    return [
        Figure("pn532_exchange", ours_us, peer_us, name, peer_us / ours_us, "µs", note),
        Figure(
            "pn532_bytes", ours_bytes, peer_bytes, name, peer_bytes / ours_bytes, "bytes", "on the bus, same exchange"
        ),
    ]
