# The PN532's UART link against a line whose characters come as they please.
import asyncio

from till.core.errors import ReaderError
from till.drivers.pn532.frame import ROOM, SIZE, seal
from till.drivers.pn532.uart import UARTTransport

ACK = b"\x00\x00\xff\x00\xff\x00"


def framed(body):
    length = len(body)
    if length < 256:
        head = bytes((length, -length & 255))
    else:
        head = bytes((255, 255, length >> 8, length & 255, -((length >> 8) + (length & 255)) & 255))
    return b"\x00\x00\xff" + head + body + bytes((-sum(body) & 255, 0))


class Line:
    def __init__(self):
        self.waiting = b""
        self.written = b""

    def any(self):
        return len(self.waiting)

    def readinto(self, into):
        n = min(len(into), len(self.waiting))
        into[:n] = self.waiting[:n]
        self.waiting = self.waiting[n:]
        return n or None

    def write(self, data):
        self.written += bytes(data)
        return len(data)


def link():
    line = Line()
    buffer = bytearray(SIZE)
    return UARTTransport(line), line, buffer, memoryview(buffer)


def frames(transport, buffer, view):
    """The bodies of the frames that are whole."""
    found = []
    while transport.ready():
        at, length = transport.read(buffer, view, False)
        found.append(bytes(buffer[at : at + length]))
    return found


def test_waking_is_a_preamble_and_what_it_stirs_up_is_dropped():
    transport, line, buffer, view = link()

    async def wake():
        task = asyncio.create_task(transport.wake())
        await asyncio.sleep_ms(1)
        line.waiting = b"\xff\x00\x80"
        await task

    asyncio.run(wake())
    assert line.written == bytes.fromhex("5555000000")
    assert (line.waiting, transport.ready()) == (b"", False)


def test_a_frame_is_written_without_the_transports_byte():
    transport, line, buffer, view = link()
    buffer[ROOM : ROOM + 2] = b"\xd4\x02"
    transport.write(seal(view, 2))
    assert line.written == bytes.fromhex("0000ff02fed4022a00")


def test_a_frame_is_ready_when_its_last_character_is_there():
    body = b"\xd5\x41\x00" + bytes(range(100))
    whole = framed(body)
    transport, line, buffer, view = link()
    for character in whole[:-1]:
        line.waiting += bytes((character,))
        assert not transport.ready()
    line.waiting += whole[-1:]
    assert frames(transport, buffer, view) == [body]
    assert not transport.ready()


def test_frames_that_came_together_are_read_one_by_one():
    short, long = b"\xd5\x03\x32\x01\x06\x07", b"\xd5\x41\x00" + bytes(200)
    transport, line, buffer, view = link()
    line.waiting = ACK + framed(short) + framed(long)
    assert frames(transport, buffer, view) == [b"", short, long]


def test_the_longest_frame_fits():
    body = b"\xd5\x41\x00" + bytes(i & 255 for i in range(262))
    transport, line, buffer, view = link()
    line.waiting = ACK + framed(body)
    assert frames(transport, buffer, view) == [b"", body]
    line.waiting = b"\x55\x12\x00" + framed(body)
    assert not transport.ready()  # the noise took the room of the last characters, and gives it back
    assert frames(transport, buffer, view) == [body]


def test_noise_before_a_frame_is_skipped_however_much_there_is():
    body = b"\xd5\x15"
    for noise in (b"\x80", b"\x00" * 5, b"\xff" * 300, b"\x00\xfe" * 400, b"\x12\x34\x00"):
        transport, line, buffer, view = link()
        line.waiting = noise + framed(body)
        found = []
        for _ in range(10):
            found += frames(transport, buffer, view)
        assert found == [body], noise[:4]


def test_a_header_that_does_not_add_up_is_read_and_refused():
    for header in ("0000ff06f900", "0000ffffff7fff00000000", "0000ffff00"):
        transport, line, buffer, view = link()
        line.waiting = bytes.fromhex(header) + bytes(270)
        assert transport.ready()
        try:
            transport.read(buffer, view, False)
            raise AssertionError(header)
        except ReaderError:
            pass  # that it is raised is what is asked


def test_writing_drops_what_is_left_of_an_older_answer():
    transport, line, buffer, view = link()
    line.waiting = framed(b"\xd5\x41\x00" + bytes(40))[:30]
    assert not transport.ready()
    transport.write(memoryview(b"\x00" + ACK))
    line.waiting = ACK
    assert frames(transport, buffer, view) == [b""]


def test_reading_before_it_is_ready_is_refused():
    transport, line, buffer, view = link()
    try:
        transport.read(buffer, view, False)
        raise AssertionError("read")
    except ReaderError as e:
        assert e.detail == "read too early"
