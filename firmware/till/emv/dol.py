"""Data object lists: what the card asks for in its PDOL and CDOL1 (EMV Book 3 §5.4)."""

from micropython import const

from till.core.errors import CardOther

LENGTH_MAX = const(252)

# Formats n (digits, right-justified) and cn (digits, left-justified, filled with F); the rest is left-justified.
_NUMERIC = (
    0x9F02,
    0x9F03,
    0x9F1A,
    0x5F2A,
    0x5F36,
    0x9A,
    0x9C,
    0x9F21,
    0x9F35,
    0x9F15,
    0x9F01,
    0x9F39,
    0x9F41,
    0x5F24,
    0x5F25,
    0x5F28,
    0x5F34,
    0x9F42,
)
_COMPRESSED = (0x5A, 0x9F20)


def entries(dol) -> list:
    """`[(tag, length), …]` of a data object list. Raises CardOther when it is malformed or asks for too much."""
    found = []
    total = 0
    pos = 0
    end = len(dol)
    while pos < end:
        tag = dol[pos]
        pos += 1
        if tag & 0x1F == 0x1F:
            octet = 0x80
            while octet & 0x80:
                if pos == end or tag > 0xFFFF:
                    raise CardOther("DOL tag")
                octet = dol[pos]
                tag = tag << 8 | octet
                pos += 1
        if pos == end or dol[pos] & 0x80:
            raise CardOther("DOL length")
        found.append((tag, dol[pos]))
        total += dol[pos]
        pos += 1
    if total > LENGTH_MAX:
        raise CardOther("DOL asks for too much")
    return found


def fit(tag: int, value, length: int) -> bytes:
    """`value` in exactly `length` octets, cut or filled by the format of `tag`; None is all zeros."""
    if value is None:
        return bytes(length)
    have = len(value)
    if tag in _NUMERIC:
        return bytes(value[have - length :]) if length <= have else bytes(length - have) + bytes(value)
    if length <= have:
        return bytes(value[:length])
    return bytes(value) + (b"\xff" if tag in _COMPRESSED else b"\x00") * (length - have)


def build(dol, values: dict, card) -> bytes:
    """The data that `dol` asks for: from the terminal's `values`, else from `card`, else zeros."""
    out = bytearray()
    for tag, length in entries(dol):
        value = values.get(tag)
        out.extend(fit(tag, card.get(tag) if value is None else value, length))
    return bytes(out)
