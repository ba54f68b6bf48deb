"""Whatever bytes the reader sends, the driver raises ReaderError or a CardError, and comes back afterwards."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from microtill.bench.chips.pn532_core import ACK, NACK, SYNTAX_ERROR, frame
from support.fuzz import examples
from support.port import Port, PortRaised

SOURCE = """
import asyncio
import till.drivers.flag as flag
import till.drivers.pn532.reader as reader
from till.drivers.pn532 import PN532, Target
from till.drivers.pn532.spi import SPITransport

class Clock:
    # Every look at the clock takes 3 ms, so that no deadline is waited for.
    def __init__(self):
        self.now = 0
    def ticks_ms(self):
        self.now += 3
        return self.now
    def ticks_add(self, a, b):
        return a + b
    def ticks_diff(self, a, b):
        return a - b

reader.time = flag.time = Clock()

def frame(body):
    return b"\\x00\\x00\\xff" + bytes((len(body), -len(body) & 255)) + body + bytes((-sum(body) & 255, 0))

ANSWERS = {0x14: b"", 0x02: b"\\x32\\x01\\x06\\x07", 0x32: b"", 0x52: b"\\x00",
           0x4A: bytes.fromhex("01010044200401020304" "0578807002"), 0x40: b"\\x00\\x90\\x00"}

class Bus:
    IRQ_FALLING = 2
    def __init__(self):
        self.readings = []
        self.healthy = False
        self.start = False
        self.reading = b""
    def irq(self, handler=None, trigger=None):
        pass
    def __call__(self):
        return 0 if self.readings else 1
    def cs(self, level):
        self.start = not level
    def write(self, data):
        if self.healthy and data[4] != 0:
            self.readings = [b"\\x00\\x00\\xff\\x00\\xff\\x00", frame(bytes((0xD5, data[7] + 1)) + ANSWERS[data[7]])]
    def write_readinto(self, out, into):
        if out[0] == 2:
            into[1] = 1 if self.readings else 0
            return
        self.reading = self.readings.pop(0)
        self.readinto(memoryview(into)[1:])
    def readinto(self, into, fill=0):
        n = len(into)
        part = self.reading[:n]
        self.reading = self.reading[n:]
        into[:] = part + bytes(n - len(part))

bus = Bus()
nfc = PN532(SPITransport(bus, bus.cs), bus)

async def listen():
    nfc.listen()
    for _ in range(50):
        target = nfc.poll()
        if target:
            return target.uid
        await nfc.wait(1)

async def act(what):
    if what == "listen":
        return await listen()
    if what == "transceive":
        return bytes(await nfc.transceive(b"\\x00\\xb2\\x01\\x0c\\x00"))
    return await getattr(nfc, what)()

def garbage(what, readings):
    # the reader is well and holds a card, then says `readings` in turn
    bus.healthy = False
    nfc._sick = False
    nfc._phase = 0
    nfc._line = bus
    nfc._active = 1
    nfc._target = Target(1, 0x0044, 0x20, b"", b"")
    bus.readings = list(readings)
    return asyncio.run(act(what))

async def _heal():
    await nfc.recover()
    return await listen(), bytes(await nfc.transceive(b"\\x00"))

def heal():
    bus.healthy = True
    bus.readings = []
    return asyncio.run(_heal())
"""

ALLOWED = {"ReaderError", "CardError"}


@pytest.fixture(scope="module")
def port():
    with Port(SOURCE) as port:
        yield port


def mangled(data: bytes, at: int, value: int) -> bytes:
    changed = bytearray(data)
    changed[at % len(changed)] = value
    return bytes(changed)


bodies = st.one_of(
    st.sampled_from([0x15, 0x03, 0x33, 0x4B, 0x41, 0x53, 0x01]).flatmap(
        lambda code: st.binary(max_size=60).map(lambda data: bytes((0xD5, code)) + data)
    ),
    st.binary(min_size=1, max_size=265),
    st.binary(min_size=255, max_size=262).map(lambda data: b"\xd5\x41" + data[:262]),
)
frames = st.one_of(
    st.just(ACK),
    st.sampled_from([NACK, SYNTAX_ERROR, b"\xff" * 280, bytes(280)]),
    bodies.map(frame),
    st.builds(mangled, bodies.map(frame), st.integers(0, 280), st.integers(0, 255)),
    st.binary(max_size=40),
)
readings = st.lists(frames, max_size=8).flatmap(lambda f: st.sampled_from([f, [ACK, *f], [ACK, *f[:1], ACK, *f[1:]]]))


def test_fuzz_the_driver_takes_anything_from_the_chip(port):
    @given(st.sampled_from(["listen", "transceive", "present", "release", "recover"]), readings)
    def run(what, said):
        try:
            port.call("garbage", what, said)
        except PortRaised as raised:
            assert ALLOWED & set(raised.names), f"{what}: {raised}"
        assert port.call("heal") == [bytes.fromhex("01020304"), b"\x90\x00"]

    settings(max_examples=examples(300), deadline=None)(run)()


def test_the_harness_would_notice(port):
    with pytest.raises(PortRaised) as caught:
        port.call("garbage", "no_such_method", [])
    assert not ALLOWED & set(caught.value.names)
    assert port.call("garbage", "transceive", [ACK, frame(b"\xd5\x41\x00\x6a\x82")]) == b"\x6a\x82"
