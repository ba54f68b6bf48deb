"""Command APDUs as a strict card reads them (ISO 7816-4 §5.1, short lengths)."""

from dataclasses import dataclass


class Refused(Exception):
    """The card answers with this status word and does nothing."""

    def __init__(self, sw: int):
        super().__init__(f"{sw:04X}")
        self.sw = sw


@dataclass(frozen=True)
class Command:
    """`le` is None when absent and 256 for 00."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    le: int | None


def parse(capdu: bytes) -> Command:
    """Raises Refused(6700) unless the length octets account for every octet."""
    if len(capdu) < 4:
        raise Refused(0x6700)
    cla, ins, p1, p2 = capdu[:4]
    rest = capdu[4:]
    if not rest:
        return Command(cla, ins, p1, p2, b"", None)
    if len(rest) == 1:
        return Command(cla, ins, p1, p2, b"", rest[0] or 256)
    lc = rest[0]
    data = rest[1 : 1 + lc]
    if lc == 0 or len(data) != lc or len(rest) > lc + 2:
        raise Refused(0x6700)
    le = (rest[-1] or 256) if len(rest) == lc + 2 else None
    return Command(cla, ins, p1, p2, data, le)
