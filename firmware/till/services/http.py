"""One HTTP/1.1 answer, read into a buffer. Pure: bytes in, meaning out (RFC 9112)."""

from micropython import const

from till.core.errors import AnswerError

_HEAD_MAX = const(1024)
_ROOM = const(1280)  # an answer to a sale, its head included, has some 900
_LENGTH_DIGITS = const(5)


def request(method: str, path: str, host: str, content_type: str, body) -> bytearray:
    """Head and body in one buffer: two writes would cost a round trip of Nagle's algorithm."""
    head = "%s %s HTTP/1.1\r\nHost: %s\r\n" % (method, path, host)
    if body is not None:
        head += "Content-Type: %s\r\nContent-Length: %d\r\n" % (content_type, len(body))
    whole = bytearray(len(head) + 2 + (len(body) if body is not None else 0))
    at = len(head)
    whole[:at] = head.encode()
    whole[at : at + 2] = b"\r\n"
    if body is not None:
        whole[at + 2 :] = body
    return whole


class HttpAnswer:
    """Collects one answer of at most `limit` body bytes. Feed it: `readinto(space())`, then `filled(n)`.

    Everything that is not a plain answer with a Content-Length is an AnswerError: chunked coding, compression,
    a body without length, a second answer behind the first. A long answer is given more room until the next one.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._make_room(_ROOM)
        self.start()

    def _make_room(self, size: int) -> None:
        self._buffer = bytearray(size)
        self._view = memoryview(self._buffer)

    def start(self) -> None:
        """Forget the last answer; the buffer is used again."""
        if len(self._buffer) > _ROOM:
            self._make_room(_ROOM)
        self._have = 0
        self._body_at = 0
        self._length = 0
        self.status = 0
        self.content_type = b""
        self.keep_alive = True

    @property
    def empty(self) -> bool:
        """True until the first byte has arrived."""
        return self._have == 0

    def space(self) -> memoryview:
        """Where the next bytes go; never empty while the answer is not whole."""
        return self._view[self._have :]

    def filled(self, n: int) -> bool:
        """Account for `n` new bytes (0 is the end of the stream). True when the answer is whole.

        Raises AnswerError as soon as it can never become one.
        """
        if n == 0:
            raise AnswerError("the stream ended after %d bytes" % self._have, key="reason.truncated")
        self._have += n
        if not self._body_at:
            end = self._buffer.find(b"\r\n\r\n", 0, min(self._have, _HEAD_MAX))
            if end < 0:
                if self._have >= _HEAD_MAX:
                    raise AnswerError("head over %d bytes" % _HEAD_MAX, key="reason.oversized")
                return False
            self._parse_head(bytes(self._view[:end]))
            self._body_at = end + 4
            if self._body_at + self._length > len(self._buffer):
                arrived = self._view[: self._have]
                self._make_room(self._body_at + self._length)
                self._view[: self._have] = arrived
        missing = self._body_at + self._length - self._have
        if missing < 0:
            raise AnswerError("bytes behind the answer", key="reason.malformed")
        return missing == 0

    def body(self) -> memoryview:
        """The body, valid until `start()`."""
        return self._view[self._body_at : self._body_at + self._length]

    def _parse_head(self, head: bytes) -> None:
        lines = head.split(b"\r\n")
        first = lines[0]
        if first[:9] != b"HTTP/1.1 " or len(first) < 12 or (len(first) > 12 and first[12:13] != b" "):
            raise AnswerError("status line", key="reason.malformed")
        self.status = _number(first[9:12], 3)
        length = None
        for line in lines[1:]:
            colon = line.find(b":")
            if colon < 1 or line[:1] in b" \t":
                raise AnswerError("header line", key="reason.malformed")
            name = line[:colon].lower()
            value = line[colon + 1 :].strip(b" \t")
            if name == b"content-length":
                if length is not None:
                    raise AnswerError("two lengths", key="reason.malformed")
                length = _number(value, _LENGTH_DIGITS)
            elif name == b"transfer-encoding" or name == b"content-encoding":
                raise AnswerError("coded answer", key="reason.malformed")
            elif name == b"content-type":
                self.content_type = value
            elif name == b"connection" and value.lower() == b"close":
                self.keep_alive = False
        if length is None:
            if self.status != 204:
                raise AnswerError("no length", key="reason.malformed")
            length = 0
        if length > self.limit:
            raise AnswerError("answer of %d bytes" % length, key="reason.oversized")
        self._length = length


def _number(text: bytes, digits: int) -> int:
    if not 1 <= len(text) <= digits:
        raise AnswerError("number", key="reason.malformed")
    n = 0
    for c in text:
        if not 48 <= c <= 57:
            raise AnswerError("number", key="reason.malformed")
        n = n * 10 + c - 48
    return n
