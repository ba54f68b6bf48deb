"""BER-TLV as EMV cards speak it (EMV Book 3 Annex B): an index over the octets as they lie, nothing is copied.

A position is one int, `start << 12 | length`: a small int on every port, so that indexing allocates nothing but
its dictionary.
"""

from micropython import const

from till.core.errors import CardTryAgain

SIZE_MAX = const(4095)
DEPTH_MAX = const(6)

_SHIFT = const(12)
_MASK = const(0xFFF)


class TlvError(CardTryAgain):
    """What came is not BER-TLV within our bounds."""


def index(data, start: int, end: int, into: dict) -> dict:
    """Map each primitive tag in `data[start:end]`, at any depth, to its position; return `into`.

    Tags are at most 3 octets and lengths 1–3 octets (so at most SIZE_MAX); at most DEPTH_MAX templates may end at
    different places; 00 octets between objects are padding. A tag may come again only with the same value (EMV
    Book 3 §10.2 forbids a second one). Raises TlvError, and leaves in `into` what it had read until then.
    """
    if end > SIZE_MAX or end > len(data):
        raise TlvError("TLV too long")
    outer = []
    pos = start
    try:
        while True:
            while pos < end:
                tag = data[pos]
                if tag & 0x1F == 0x1F:
                    tag = tag << 8 | data[pos + 1]
                    if tag & 0x80:
                        octet = data[pos + 2]
                        if tag & 0xFF == 0x80 or octet & 0x80:
                            raise TlvError("TLV tag")
                        constructed = tag & 0x2000
                        tag = tag << 8 | octet
                        pos += 1
                    else:
                        constructed = tag & 0x2000
                    length = data[pos + 2]
                    pos += 3
                elif tag:
                    constructed = tag & 0x20
                    length = data[pos + 1]
                    pos += 2
                else:
                    pos += 1
                    continue
                if length > 0x7F:
                    if length == 0x81:
                        length = data[pos]
                        pos += 1
                    elif length == 0x82:
                        length = data[pos] << 8 | data[pos + 1]
                        pos += 2
                    else:
                        raise TlvError("TLV length")
                if constructed:
                    if pos + length != end:  # else it ends with its parent, as most templates do
                        if len(outer) == DEPTH_MAX:
                            raise TlvError("TLV depth")
                        outer.append(end)
                        end = pos + length
                elif tag in into and data[pos : pos + length] != slice_of(data, into[tag]):
                    raise TlvError("tag %X twice" % tag)
                else:
                    into[tag] = pos << _SHIFT | length
                    pos += length
            if pos > end:  # the last value ran past its template: one check for all of them
                raise TlvError("TLV ends early")
            if not outer:
                return into
            end = outer.pop()
    except IndexError:
        raise TlvError("TLV ends early")


def slice_of(data, position: int):
    """The value at a position of `index` or `children`: a slice of `data` (no copy when that is a memoryview)."""
    start = position >> _SHIFT
    return data[start : start + (position & _MASK)]


def header(data, pos: int, end: int) -> tuple:
    """`(tag, value start, value end)` of the object at `pos`. Raises TlvError as `index` does."""
    if end > SIZE_MAX or end > len(data):
        raise TlvError("TLV too long")
    try:
        tag = data[pos]
        pos += 1
        if tag & 0x1F == 0x1F:
            octet = 0x80
            while octet & 0x80:
                if tag > 0xFFFF:
                    raise TlvError("TLV tag")
                octet = data[pos]
                if octet == 0x80 and tag < 0x100:
                    raise TlvError("TLV tag")
                tag = tag << 8 | octet
                pos += 1
        length = data[pos]
        pos += 1
        if length > 0x7F:
            if not 0x81 <= length <= 0x82:
                raise TlvError("TLV length")
            octets = length & 3
            length = 0
            while octets:
                length = length << 8 | data[pos]
                pos += 1
                octets -= 1
    except IndexError:
        raise TlvError("TLV ends early")
    if pos + length > end:
        raise TlvError("TLV ends early")
    return tag, pos, pos + length


def children(data, position: int, wanted: int) -> list:
    """Positions of the objects with tag `wanted` directly inside the object at `position`, in order."""
    found = []
    pos = position >> _SHIFT
    end = pos + (position & _MASK)
    while pos < end:
        if not data[pos]:
            pos += 1
            continue
        tag, start, pos = header(data, pos, end)
        if tag == wanted:
            found.append(start << _SHIFT | pos - start)
    return found


def only(data, position: int) -> tuple:
    """`(tag, position of its value)` of the one object that fills `position` exactly. Raises TlvError."""
    start = position >> _SHIFT
    end = start + (position & _MASK)
    tag, value, after = header(data, start, end)
    if after != end:
        raise TlvError("octets after the template")
    return tag, value << _SHIFT | after - value


def first(data, position: int, wanted: int):
    """Position of the first object with tag `wanted` directly inside the one at `position`, or None."""
    found = children(data, position, wanted)
    return found[0] if found else None


def append(out: bytearray, tag: int, value) -> None:
    """Append one object to `out`; `value` is at most 255 octets."""
    length = len(value)
    if length > 0xFF:
        raise TlvError("value too long")
    if tag > 0xFFFF:
        out.append(tag >> 16)
    if tag > 0xFF:
        out.append(tag >> 8 & 0xFF)
    out.append(tag & 0xFF)
    if length > 0x7F:
        out.append(0x81)
    out.append(length)
    out.extend(value)
