"""The service console on the USB line: one JSON object a line in, one out. No secrets leave by it.

Request: `{"id": 7, "do": "status", …}` and a line feed. Answer: RS (0x1E), one JSON object, a line feed (the JSON text
sequences of RFC 7464, so that a reader can tell it from anything else on the line): `{"id": 7, "ok": true, …}` or
`{"id": 7, "ok": false, "error": <catalogue key>, "detail": …}`.
"""

import asyncio
import json
import select

from micropython import const

from till.core.errors import InvalidValue, TillError

_LINE_MAX = const(17408)  # a trust object of the greatest size, and what stands around it
_NUMBERS = const(1 << 30)  # of requests


class Console:
    """`handlers[name](request)` are coroutines that return the members of the answer or raise a TillError."""

    def __init__(self, stdin, stdout, handlers: dict):
        self._stdin = stdin
        self._stdout = stdout
        self._handlers = handlers

    async def run(self) -> None:
        """Answer for ever. A line that is too long is dropped whole."""
        reader = asyncio.StreamReader(self._stdin)
        poll = select.poll()
        poll.register(self._stdin, select.POLLIN)
        line = bytearray()
        dropping = False
        while True:
            # One byte a read: a longer read on the device would wait until it is filled.
            byte = await reader.read(1)
            while byte:
                if byte == b"\n":
                    if dropping:
                        self._answer(
                            {"id": None, "ok": False, "error": "error.invalid_value", "detail": "line too long"}
                        )
                    elif line:
                        await self._handle(line)
                    line = bytearray()
                    dropping = False
                elif not dropping:
                    dropping = not _kept(line, byte)
                    if dropping:
                        line = bytearray()
                byte = self._stdin.read(1) if poll.poll(0) else b""
            if byte is not None and not poll.poll(0):
                await asyncio.sleep_ms(5)

    async def _handle(self, line) -> None:
        number = None
        try:
            request = _parse(line)
            number = request.get("id")
            name = request.get("do")
            if not isinstance(name, str):
                raise InvalidValue("do")
            handler = self._handlers.get(name)
            if handler is None:
                raise InvalidValue("unknown request; there are: " + ", ".join(sorted(self._handlers)))
            answer = await handler(request)
            answer["ok"] = True
        except TillError as e:
            answer = {"ok": False, "error": e.key, "detail": e.detail}
        answer["id"] = number
        self._answer(answer)

    def _answer(self, answer: dict) -> None:
        self._stdout.write("\x1e" + json.dumps(answer) + "\n")


def _kept(line, byte) -> bool:
    """Whether the line took `byte`: it is not too long, for its bound or for the memory there is."""
    if len(line) == _LINE_MAX:
        return False
    try:
        line.extend(byte)
    except MemoryError:
        return False
    return True


def _parse(line) -> dict:
    try:
        request = json.loads(line)
    except ValueError:
        request = None
    except MemoryError:  # what a line unfolds to may be ten times its length
        raise InvalidValue("too much in one line")
    if not isinstance(request, dict):
        raise InvalidValue("not a JSON object")
    number = request.get("id")
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < _NUMBERS):
        raise InvalidValue("id")
    return request
