# The PN532's I2C link against a bus that expects exact bytes.
import asyncio

from till.core.errors import ReaderError
from till.drivers.pn532.frame import ROOM, SIZE, seal
from till.drivers.pn532.i2c import I2CTransport

ENODEV = 19


def framed(body):
    return b"\x00\x00\xff" + bytes((len(body), -len(body) & 255)) + body + bytes((-sum(body) & 255, 0))


class Bus:
    """Each reading takes the next of `readings`: bytes, or an error to raise. What is written is in `written`."""

    def __init__(self, *readings):
        self.readings = list(readings)
        self.lengths = []
        self.written = []
        self.broken = False

    def readfrom_into(self, address, into):
        assert address == 0x24
        self.lengths.append(len(into))
        data = self.readings.pop(0)
        if isinstance(data, int):
            raise OSError(data)
        into[:] = (data + b"\xa5" * len(into))[: len(into)]

    def writeto(self, address, data):
        assert address == 0x24
        if self.broken:
            raise OSError(ENODEV)
        self.written.append(bytes(data))


def link(*readings):
    bus = Bus(*readings)
    buffer = bytearray(SIZE)
    return I2CTransport(bus), bus, buffer, memoryview(buffer)


def detail(call):
    try:
        call()
    except ReaderError as e:
        return e.detail
    raise AssertionError("no ReaderError")


def test_ready_asks_for_the_status_byte_alone():
    transport, bus, _, _ = link(b"\x00", b"\x01", ENODEV, b"\xff")
    assert [transport.ready() for _ in range(4)] == [False, True, False, False]
    assert bus.lengths == [1, 1, 1, 1]


def test_waking_addresses_the_chip_and_bears_that_it_is_not_there():
    for reading in (b"\x00", ENODEV):
        transport, bus, _, _ = link(reading)
        asyncio.run(transport.wake())
        assert bus.lengths == [1]


def test_a_frame_is_written_without_the_transports_byte():
    transport, bus, buffer, view = link()
    buffer[ROOM : ROOM + 2] = b"\xd4\x02"
    transport.write(seal(view, 2))
    assert bus.written == [bytes.fromhex("0000ff02fed4022a00")]


def test_an_acknowledgement_is_seven_bytes():
    transport, bus, buffer, view = link(b"\x01\x00\x00\xff\x00\xff\x00")
    _, length = transport.read(buffer, view, True)
    assert (length, bus.lengths) == (0, [7])


def test_a_short_answer_is_one_reading():
    body = b"\xd5\x41\x00" + bytes(range(51))
    transport, bus, buffer, view = link(b"\x01" + framed(body))
    at, length = transport.read(buffer, view, False)
    assert bytes(buffer[at : at + length]) == body
    assert bus.lengths == [64]


def test_a_longer_answer_is_read_again_whole_after_a_nack():
    body = b"\xd5\x41\x00" + bytes(range(200))
    whole = b"\x01" + framed(body)
    transport, bus, buffer, view = link(whole, whole, b"\x01" + framed(b"\xd5\x41\x00"))
    assert detail(lambda: transport.read(buffer, view, False)) == "answer longer than read"
    transport.write(memoryview(b"\x00\x00\x00\xff\xff\x00\x00"))
    at, length = transport.read(buffer, view, False)
    assert bytes(buffer[at : at + length]) == body
    transport.read(buffer, view, False)  # and the next is short again
    assert bus.lengths == [64, len(whole), 64]


def test_the_longest_frame_fits_the_buffer():
    body = b"\xd5\x41\x00" + bytes(262)
    head = b"\x00\x00\xff\xff\xff\x01\x09" + bytes((-(1 + 9) & 255,))
    whole = b"\x01" + head + body + bytes((-sum(body) & 255, 0))
    transport, bus, buffer, view = link(whole, whole)
    detail(lambda: transport.read(buffer, view, False))
    assert transport.read(buffer, view, False) == (9, 265)
    assert bus.lengths == [64, 276]


def test_errors_of_the_bus_are_the_readers():
    transport, bus, buffer, view = link(ENODEV, b"\x00" * 64)
    assert detail(lambda: transport.read(buffer, view, False)) == "I2C error 19"
    assert detail(lambda: transport.read(buffer, view, False)) == "read too early"
    bus.broken = True
    assert detail(lambda: transport.write(view[:7])) == "I2C error 19"
