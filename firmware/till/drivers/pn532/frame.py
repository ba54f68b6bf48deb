"""Frames between host and PN532 (UM0701-02 §6.2.1), built and read in place in buffers that are made once.

Every buffer keeps its first byte for the transport (SPI's direction, I2C's status), so a frame is never copied.
"""

from micropython import const

from till.core.errors import ReaderError

HOST = const(0xD4)
CHIP = const(0xD5)

# A body (frame identifier, command, data) to be sent is written from here: before it is room for the transport's byte
# and for the longer of the two headers.
ROOM = const(9)

LONGEST = const(265)  # body of an extended frame (§6.2.1.2)
SIZE = const(276)  # of a buffer for one frame: ROOM, LONGEST, checksum and postamble

ACK = b"\x00\x00\x00\xff\x00\xff\x00"  # with the transport's byte
NACK = b"\x00\x00\x00\xff\xff\x00\x00"


def seal(buffer: memoryview, length: int) -> memoryview:
    """Close the frame around the body of `length` bytes (1 to LONGEST) at ROOM; it starts with the transport's byte."""
    end = ROOM + length
    if length < 256:
        start = 3
        buffer[6] = 0xFF
        buffer[7] = length
        buffer[8] = -length & 0xFF
    else:
        start = 0
        buffer[3] = buffer[4] = buffer[5] = 0xFF
        buffer[6] = length >> 8
        buffer[7] = length & 0xFF
        buffer[8] = -((length >> 8) + length) & 0xFF
    buffer[start + 1] = buffer[start + 2] = 0
    buffer[end] = -sum(buffer[ROOM:end]) & 0xFF
    buffer[end + 1] = 0
    return buffer[start : end + 2]


def opened(buffer: bytearray, have: int) -> tuple[int, int]:
    """`(offset, length)` of the body whose header is in `buffer[1:have]`; `(offset, 0)` is an ACK.

    A frame ends two bytes after its body (checksum, postamble); an ACK one after its offset. Raises ReaderError.
    """
    at = buffer.find(b"\x00\xff", 1, have) + 2
    if at < 2 or at + 2 > have:
        raise ReaderError("no start code")
    length = buffer[at]
    check = buffer[at + 1]
    if length == 0xFF and check == 0xFF:
        if at + 5 > have:
            raise ReaderError("header cut")
        length = buffer[at + 2] << 8 | buffer[at + 3]
        check = buffer[at + 2] + buffer[at + 3] + buffer[at + 4]
        at += 5
    elif length == 0 and check == 0xFF:
        return at + 2, 0
    else:
        check += length
        at += 2
    if check & 0xFF or not 0 < length <= LONGEST:
        raise ReaderError("length")
    if at + length + 2 > len(buffer):
        raise ReaderError("frame too long")
    return at, length


def sound(buffer: memoryview, at: int, length: int) -> bool:
    """Whether the body at `at` and its checksum after it add up."""
    return not sum(buffer[at : at + length + 1]) & 0xFF
