"""JSON as the wire profile has it. The port's own parser lets `[1 2]`, `{"a" 1}`, `1.5` and a member twice pass."""

from micropython import const

from till.core.errors import InvalidValue

_MAX_SIZE = const(16384)
_MAX_VALUES = const(512)  # members and elements together: what bounds the heap that a text can ask for
_MAX_INT = (1 << 53) - 1  # RFC 7493 §2.2
_MAX_DIGITS = const(16)

_QUOTE = const(0x22)
_BACKSLASH = const(0x5C)
_ESCAPES = b'"\\/bfnrt'
_ESCAPED = b'"\\/\b\f\n\r\t'


def parse_json(octets: bytes | bytearray | memoryview, max_depth: int = 6) -> dict:
    """The one object in `octets` (RFC 8259, UTF-8, ≤ 16 KiB), nested at most `max_depth` deep, with at most 512
    values. Numbers are ints within ±(2^53 − 1). Anything else is InvalidValue, which never quotes the text."""
    if len(octets) > _MAX_SIZE:
        raise InvalidValue("JSON size")
    if isinstance(octets, memoryview):  # has no find()
        octets = bytes(octets)
    parser = _Parser(octets)
    if parser.skip() != 0x7B:
        raise InvalidValue("JSON object")
    parser.at += 1
    members = parser.object(max_depth - 1)
    if parser.skip() != -1:
        raise InvalidValue("JSON end")
    return members


class _Parser:
    def __init__(self, data):
        self.data = data
        self.at = 0
        self.left = _MAX_VALUES

    def skip(self) -> int:
        """Pass over white space; the byte that follows, or -1 at the end."""
        data = self.data
        at = self.at
        while at < len(data) and data[at] in b" \t\r\n":
            at += 1
        self.at = at
        return data[at] if at < len(data) else -1

    def value(self, depth: int):
        self.left -= 1
        if self.left < 0:
            raise InvalidValue("JSON values")
        c = self.skip()
        if c == _QUOTE:
            return self.string()
        if c == 0x7B or c == 0x5B:  # { [
            if depth == 0:
                raise InvalidValue("JSON depth")
            self.at += 1
            return self.object(depth - 1) if c == 0x7B else self.array(depth - 1)
        if c == 0x2D or 0x30 <= c <= 0x39:
            return self.integer()
        for word, value in ((b"true", True), (b"false", False), (b"null", None)):
            if self.data[self.at : self.at + len(word)] == word:
                self.at += len(word)
                return value
        raise InvalidValue("JSON value")

    def object(self, depth: int) -> dict:
        members = {}
        if self.skip() == 0x7D:
            self.at += 1
            return members
        while True:
            if self.skip() != _QUOTE:
                raise InvalidValue("JSON member")
            name = self.string()
            if name in members:
                raise InvalidValue("JSON member twice")
            if self.skip() != 0x3A:
                raise InvalidValue("JSON colon")
            self.at += 1
            members[name] = self.value(depth)
            if self.closes(0x7D):
                return members

    def array(self, depth: int) -> list:
        elements = []
        if self.skip() == 0x5D:
            self.at += 1
            return elements
        while True:
            elements.append(self.value(depth))
            if self.closes(0x5D):
                return elements

    def closes(self, bracket: int) -> bool:
        c = self.skip()
        self.at += 1
        if c != bracket and c != 0x2C:
            raise InvalidValue("JSON comma")
        return c == bracket

    def integer(self) -> int:
        data = self.data
        start = self.at
        first = at = start + (data[start] == 0x2D)
        while at < len(data) and 0x30 <= data[at] <= 0x39:
            at += 1
        digits = at - first
        if not 0 < digits <= _MAX_DIGITS or (data[first] == 0x30 and digits > 1):
            raise InvalidValue("JSON number")
        if at < len(data) and data[at] in b".eE":
            raise InvalidValue("JSON float")
        self.at = at
        n = int(data[start:at].decode())
        if not -_MAX_INT <= n <= _MAX_INT:
            raise InvalidValue("JSON number")
        return n

    def string(self) -> str:
        start = self.at + 1
        end = self.data.find(b'"', start)
        if end < 0:
            raise InvalidValue("JSON string")
        raw = self.data[start:end]
        self.at = end + 1
        if raw.find(b"\\") >= 0:
            raw = self.unescape(start)
        elif raw and min(raw) < 0x20:
            raise InvalidValue("JSON control character")
        return _text(raw)

    def unescape(self, at: int) -> bytearray:
        data = self.data
        out = bytearray()
        while True:
            if at >= len(data):
                raise InvalidValue("JSON string")
            c = data[at]
            at += 1
            if c == _QUOTE:
                self.at = at
                return out
            if c < 0x20:
                raise InvalidValue("JSON control character")
            if c != _BACKSLASH:
                out.append(c)
                continue
            escape = data[at : at + 1]
            at += 1
            if escape == b"u":
                code = self.hex4(at)
                at += 4
                if 0xD800 <= code < 0xDC00 and data[at : at + 2] == b"\\u":  # RFC 8259 §7: a surrogate pair
                    low = self.hex4(at + 2)
                    at += 6
                    if not 0xDC00 <= low < 0xE000:
                        raise InvalidValue("JSON surrogate")
                    code = 0x10000 + ((code & 0x3FF) << 10 | low & 0x3FF)
                out.extend(chr(code).encode())
            else:
                i = _ESCAPES.find(escape)
                if i < 0:
                    raise InvalidValue("JSON escape")
                out.append(_ESCAPED[i])

    def hex4(self, at: int) -> int:
        code = 0
        for c in self.data[at : at + 4]:  # cut short by the end of the text, it meets that end next
            i = b"0123456789abcdefABCDEF".find(bytes((c,)))
            if i < 0:
                raise InvalidValue("JSON escape")
            code = code << 4 | (i if i < 16 else i - 6)
        return code


def _text(raw) -> str:
    """UTF-8 with nothing overlong and no surrogates: the port's decoder checks only the shape."""
    try:
        text = raw.decode()
    except UnicodeError:
        raise InvalidValue("JSON encoding")
    if raw and max(raw) > 0x7F:
        length = 0
        for c in text:
            code = ord(c)
            if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
                raise InvalidValue("JSON encoding")
            length += 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
        if length != len(raw):
            raise InvalidValue("JSON encoding")
    return text
