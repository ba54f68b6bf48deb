"""The service console on the USB line: one JSON object a line in, one out. No secrets leave by it.

Request: `{"id": 7, "do": "status", …}` and a line feed. Answer: RS (0x1E), one JSON object, a line feed (the JSON text
sequences of RFC 7464, so that a reader can tell it from anything else on the line): `{"id": 7, "ok": true, …}` or
`{"id": 7, "ok": false, "error": <catalogue key>, "detail": …}`.
"""

import asyncio
import json
import select
import time

from micropython import const

from till.core.errors import InvalidValue, TillError

_LINE_MAX = const(17408)  # a trust object of the greatest size, and what stands around it
_NUMBERS = const(1 << 30)  # of requests
_PATIENCE_MS = const(3000)
_LOOK_MS = const(50)


class Console:
    """`service()` loads an object with a coroutine for each request, which takes the request and returns the members of
    the answer, or raises a TillError.

    Its `always` names the requests that are answered at once, whatever the terminal does. Those in its `at_rest` may
    take the terminal's time or ask the person at its keypad: they wait up to three seconds for `idle()`, which is true
    while no flow would be interrupted, and are refused as `error.busy` after that, and while another is being answered.
    """

    def __init__(self, stdin, stdout, log, service, idle):
        self._stdin = stdin
        self._stdout = stdout
        self._log = log
        self._service = service
        self._idle = idle
        self._work = None

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
                        self._refuse(None, InvalidValue("line too long"))
                    elif line:
                        await self._take(line)
                    line = bytearray()
                    dropping = False
                elif not dropping:
                    dropping = not _kept(line, byte)
                    if dropping:
                        line = bytearray()
                byte = self._stdin.read(1) if poll.poll(0) else b""
            if byte is not None and not poll.poll(0):
                await asyncio.sleep_ms(5)

    async def _take(self, line) -> None:
        number = None
        try:
            request = _parse(line)
            number = request.get("id")
            name = request.get("do")
            if not isinstance(name, str):
                raise InvalidValue("do")
            service = self._service()
            if name in service.always:
                await self._answer(number, getattr(service, name), request)
            elif name not in service.at_rest:
                raise InvalidValue("unknown request; there are: " + ", ".join(service.always + service.at_rest))
            elif self._work is not None:
                raise TillError("another request is being answered", key="error.busy")
            else:
                self._work = asyncio.create_task(self._attend(number, getattr(service, name), request))
        except TillError as e:
            self._refuse(number, e)

    async def _attend(self, number, handler, request) -> None:
        started = time.ticks_ms()
        try:
            while not self._idle():
                if time.ticks_diff(time.ticks_ms(), started) > _PATIENCE_MS:
                    self._refuse(number, TillError("somebody is at the terminal", key="error.busy"))
                    return
                await asyncio.sleep_ms(_LOOK_MS)
            await self._answer(number, handler, request)
        finally:
            self._work = None  # with it goes all that was loaded for the request

    async def _answer(self, number, handler, request) -> None:
        try:
            answer = await handler(request)
            answer["ok"] = True
            answer["id"] = number
            self._write(answer)
        except TillError as e:
            self._refuse(number, e)
        except Exception as e:  # noqa: BLE001 - generic to the laptop, precise in the log
            self._log.error("console", e)
            self._refuse(number, TillError(type(e).__name__))

    def _refuse(self, number, error: TillError) -> None:
        self._write({"ok": False, "error": error.key, "detail": error.detail, "id": number})

    def _write(self, answer: dict) -> None:
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
