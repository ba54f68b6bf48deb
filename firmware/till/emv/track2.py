"""Track 2 equivalent data (tag 57): PAN, expiry, service code (EMV Book 3 Annex A, ISO 7813)."""

from till.core.errors import CardOther


def _digits(octets) -> str:
    """Packed digits up to the filling Fs; "D" is the separator."""
    text = ""
    for octet in octets:
        text += "%02X" % octet
    return text.rstrip("F")


def check_pan(pan: str) -> str:
    """A PAN is 12–19 digits. Its check digit is the issuer's affair: closed-loop cards need not have one."""
    if not 12 <= len(pan) <= 19 or not pan.isdigit():
        raise CardOther("PAN")
    return pan


def pan_of(octets) -> str:
    """The PAN in tag 5A (format cn)."""
    return check_pan(_digits(octets))


def parse(octets) -> tuple:
    """`(pan, expiry "YYMM", service code)` of tag 57, at most 19 octets. Raises CardOther."""
    if len(octets) > 19:
        raise CardOther("track 2 length")
    text = _digits(octets)
    separator = text.find("D")
    if separator < 0:
        raise CardOther("track 2 separator")
    rest = text[separator + 1 :]
    if len(rest) < 7 or not rest.isdigit() or not 1 <= int(rest[2:4]) <= 12:
        raise CardOther("track 2")
    return check_pan(text[:separator]), rest[:4], rest[4:7]


def mask(pan: str) -> str:
    """The first 6 and last 4 digits (ISO 9564 truncation): all that may be shown or stored."""
    return pan[:6] + "*" * (len(pan) - 10) + pan[-4:]
