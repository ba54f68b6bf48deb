"""Checks for single values where they enter: from flash, from a ticket, from an answer."""

from micropython import const

from till.core.errors import InvalidValue

_URL_MAX = const(200)


def integer(value: object, low: int, high: int, name: str) -> int:
    """`value` if it is an int in low … high, else InvalidValue(name)."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidValue(name)
    return value


def text(value: object, most: int, name: str, least: int = 1) -> str:
    """`value` if it is a str of least … most characters without control characters, else InvalidValue(name)."""
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise InvalidValue(name)
    for c in value:
        # C0, DEL and C1; the separators and the marks that would let one text look like another on the screen.
        if c < " " or "\x7f" <= c <= "\x9f" or "\u2028" <= c <= "\u202e" or "\u2066" <= c <= "\u2069":
            raise InvalidValue(name)
    return value


def hexadecimal(value: object, length: int, name: str, digits: str = "0123456789abcdef") -> str:
    """`value` if it is a str of `length` hex digits (lower-case, or as `digits` says), else InvalidValue(name)."""
    checked = text(value, length, name, length)
    for c in checked:
        if c not in digits:
            raise InvalidValue(name)
    return checked


def members(value: object, name: str, most: int = 64) -> dict:
    """`value` if it is a dict of at most `most` members, else InvalidValue(name)."""
    if not isinstance(value, dict) or len(value) > most:
        raise InvalidValue(name)
    return value


def check_url(value: object) -> str:
    """`https://name[:port]` without a path, as the link takes it; else InvalidValue."""
    url = text(value, _URL_MAX, "url", 9)
    name, colon, port = url[8:].partition(":")
    if url[:8] != "https://" or not name or name[0] in ".-" or (colon and not port):
        raise InvalidValue("url")
    for c in name:
        if not ("a" <= c <= "z" or "A" <= c <= "Z" or "0" <= c <= "9" or c in ".-"):
            raise InvalidValue("url")
    for c in port:
        if not "0" <= c <= "9":
            raise InvalidValue("url")
    if port and not 0 < int(port[:6]) < 65536:
        raise InvalidValue("url")
    return url
