"""A unit's hardware, tried piece by piece as a technician's laptop asks. Loaded for that, and gone with the restart
that ends it.

The laptop knows how the board is wired, chooses the words and judges; here is only what must happen at the device.
"""

import asyncio
import time

from micropython import const

from till.core.errors import CardCollision, InvalidValue, ReaderError, TillError
from till.core.fields import integer, members, text

_ABANDONED_MS = const(120000)  # a laptop that says nothing for so long is gone
_MOST_MS = const(2000)  # how long one request may wait for a person
_SETTLED_MS = const(60)  # contacts that say the same for so long
_HELD_MS = const(5000)
_LINES = const(9)
_SCANS = const(2)

# Bars, ink and paper of the test picture: pure, so that none of them inverted or swapped looks like another.
_PURE = (0xFF0000, 0x00FF00, 0x0000FF, 0x000000, 0xFFFFFF)
_INK = const(3)
_PAPER = const(4)


class Hardware:
    """`run` is what whoever shows questions does meanwhile; `step` answers the laptop. `end(how)`: as the service's."""

    def __init__(self, board, wifi, consent, end):
        import bringup  # boards/bringup.py, in every image

        self._board = board
        self._wifi = wifi
        self._consent = consent
        self._end = end
        self._bringup = bringup
        self._nfc = board.nfc  # the reader that answered last
        self._listens = False
        self._by_name = True  # how the keys are watched
        self._counter = None
        self._heard = time.ticks_ms()

    async def run(self, counter) -> None:
        """Lend `counter` to the laptop until the terminal restarts."""
        counter.forget_keys()
        self._counter = counter
        self._wifi.held = True
        self._consent.at_rest = True
        while time.ticks_diff(time.ticks_ms(), self._heard) < _ABANDONED_MS:
            await counter.pause(500)
        self._end("restart")
        while True:
            await counter.pause(_ABANDONED_MS)

    async def begin(self) -> dict:
        """Until there is a counter to work with."""
        for _ in range(60):
            if self._counter:
                return {}
            await asyncio.sleep_ms(50)
        raise TillError("nobody lends the counter", key="error.busy")

    async def step(self, request: dict) -> dict:
        """Do the `step` of `request`; returns its findings. InvalidValue for one that is not known."""
        self._heard = time.ticks_ms()
        steps = {
            "parts": self._parts, "show": self._show, "picture": self._picture, "panel": self._panel,
            "answer": self._answer, "rest": self._rest, "key": self._key, "reader": self._start_reader,
            "hold": self._hold, "card": self._card, "wifi": self._scan, "both": self._both, "sound": self._sound,
            "lights": self._lights,
        }  # fmt: skip
        step = steps.get(str(request.get("step")))
        if step is None:
            raise InvalidValue("step")
        try:
            return await step(request)
        finally:
            self._heard = time.ticks_ms()

    def _person(self):
        """The counter: what a person sees and presses."""
        if self._counter is None:
            raise InvalidValue("say begin first")
        return self._counter

    async def _parts(self, request: dict) -> dict:
        board = self._board
        answer = self._bringup.memory()
        answer["display"] = [board.display.width, board.display.height]
        answer["matrix"] = hasattr(board.keypad, "look")
        answer["drawn"] = _keys_height(board.display) > 0
        return answer

    # The panel

    async def _show(self, request: dict) -> dict:
        """`kind` `title` `lines`: a message in the laptop's words."""
        kind = request.get("kind")
        if kind not in ("ok", "info", "warn", "error", "wait"):
            raise InvalidValue("kind")
        # Keys that are drawn say what they are.
        footer = "footer.both" if _keys_height(self._board.display) else None
        self._person().screen.message(kind, text(request.get("title"), 32, "title"), _lines(request), footer)
        return {}

    async def _picture(self, request: dict) -> dict:
        """The test picture with `lines`, the first three on the red, green and blue bar, the others below it or, where
        keys are drawn, on the keys 1 to 6; until the next screen."""
        lines = _lines(request)
        display = self._board.display
        draw = _colours if display.width >= 240 else _mono
        self._person().screen.picture(lambda canvas: draw(display, canvas, lines))
        return {}

    async def _panel(self, request: dict) -> dict:
        """Start the panel anew: on other `pins`, or with another `madctl`, or as glass that is (not) `inverted`."""
        pins = _pins(request)
        madctl = integer(request.get("madctl", 0), 0, 255, "madctl")
        self._bringup.panel(self._board.display, pins, madctl, bool(request.get("inverted", True)))
        return {}

    # Keys

    async def _answer(self, request: dict) -> dict:
        """The keys that are pressed within `ms`, by name; those since the last time, if there are any, at once."""
        await self._watch(True)
        key = await self._person().key(_patience(request))
        keys = []
        while key is not None:
            keys.append(key)
            key = self._person().pressed()
        return {"keys": keys}

    async def _rest(self, request: dict) -> dict:
        """The contacts that are closed while nobody presses a key: bit 4 × row + column."""
        await self._watch(False)
        closed = always = self._board.keypad.look()
        end = time.ticks_add(time.ticks_ms(), 300)
        while time.ticks_diff(end, time.ticks_ms()) > 0:
            now = self._board.keypad.look()
            closed |= now
            always &= now
            await asyncio.sleep_ms(2)
        return {"closed": closed, "always": always}

    async def _key(self, request: dict) -> dict:
        """One press of a key, which must begin within `ms`, contact by contact; those in `ignore` do not count.

        `closed`: what was closed once it had settled, 0 when nothing was pressed; `ms`: how long, in the worse of
        pressing and letting go, the contacts changed until they had; `edges`: how often; `held`: what is still closed
        after five seconds.
        """
        await self._watch(False)
        ignore = integer(request.get("ignore", 0), 0, 0xFFFF, "ignore")
        keypad = self._board.keypad
        started = time.ticks_ms()
        patience = _patience(request)
        now = 0
        while not now:
            if time.ticks_diff(time.ticks_ms(), started) > patience:
                return {"closed": 0, "ms": 0, "edges": 0, "held": 0}
            await asyncio.sleep_ms(2)
            now = keypad.look() & ~ignore
        started = began = changed = time.ticks_ms()
        settled = False
        closed = worst = 0
        edges = 1
        while time.ticks_diff(changed, started) < _HELD_MS:
            await asyncio.sleep_ms(1)
            tick = time.ticks_ms()
            last, now = now, keypad.look() & ~ignore
            if now != last:
                if settled:
                    began = tick
                    settled = False
                edges += 1
                changed = tick
            elif not settled and time.ticks_diff(tick, changed) >= _SETTLED_MS:
                settled = True
                worst = max(worst, time.ticks_diff(changed, began))
                if not now:
                    break
                closed |= now
            elif time.ticks_diff(tick, started) > _HELD_MS:
                break
        return {"closed": closed, "ms": worst, "edges": edges, "held": now}

    async def _watch(self, by_name: bool) -> None:
        """The keys go to the counter by name, or are looked at contact by contact."""
        keypad = self._board.keypad
        if by_name != self._by_name:
            self._by_name = by_name
            if by_name:
                keypad.start()
            else:
                keypad.stop()
                await asyncio.sleep_ms(0)  # it puts its rows back
            self._person().forget_keys()

    # The reader and the radio

    async def _start_reader(self, request: dict) -> dict:
        """Start the reader: the board's own, or one on `pins` by `link` (spi, i2c, hsu); `was`: the board's own link.

        `version`: its four octets, None when it does not answer, and why.
        """
        link = request.get("link", "board")
        self._listens = False
        nfc = self._board.nfc
        if link != "board":
            nfc = self._bringup.reader(str(request.get("was")), link, _pins(request))
        try:
            await nfc.start()
            version = list(await nfc.version())
        except ReaderError as e:
            return {"version": None, "why": e.detail}
        self._nfc = nfc
        return {"version": version, "why": ""}

    async def _hold(self, request: dict) -> dict:
        """Whether the board's reader `answers` while its reset, the only one of `pins`, is held low."""
        self._bringup.low(_pins(request))
        nfc = self._board.nfc
        try:
            await nfc.version()
            answers = True
        except ReaderError:
            answers = False
        await nfc.start()
        return {"answers": answers}

    async def _card(self, request: dict) -> dict:
        """A card that is held to the reader within `ms`: `card` is its SAK, the length of its number and whether it
        takes payments, None while there is none."""
        nfc = self._nfc
        started = time.ticks_ms()
        patience = _patience(request)
        try:
            if not self._listens:
                nfc.listen()
                self._listens = True
            while time.ticks_diff(time.ticks_ms(), started) < patience:
                try:
                    target = nfc.poll()
                except CardCollision:
                    self._listens = False  # it does no more
                    return {"card": None, "several": True}
                if target is not None:
                    self._listens = False
                    await nfc.release()
                    return {"card": [target.sak, len(target.uid), target.iso_dep]}
                await nfc.wait(50)
        except ReaderError as e:
            self._listens = False
            return {"card": None, "why": e.detail}
        return {"card": None}

    async def _scan(self, request: dict) -> dict:
        """`networks`: how many are on the air; `strongest`: [name, dBm]."""
        self._wifi.start_radio()
        found = await self._wifi.scan()
        best = None
        for network in found:
            if best is None or network[3] > best[1]:
                best = network[0], network[3]
        return {"networks": len(found), "strongest": [_name(best[0]), best[1]] if best else None}

    async def _both(self, request: dict) -> dict:
        """The reader's field and the radio at once: what a weak supply does not stand."""
        nfc = self._nfc
        try:
            found = []
            nfc.listen()
            self._listens = True
            for _ in range(_SCANS):
                nfc.poll()
                found = await self._wifi.scan()
                nfc.poll()
            self._listens = False
            await nfc.release()
            await nfc.version()
        except CardCollision:
            self._listens = False
            return {"networks": 0, "why": "cards"}
        except ReaderError as e:
            return {"networks": 0, "why": e.detail}
        return {"networks": len(found), "why": ""}

    # Sound and lights

    async def _sound(self, request: dict) -> dict:
        self._board.buzzer.success()
        return {}

    async def _lights(self, request: dict) -> dict:
        """`n`: so many are green, -1: all are red."""
        n = integer(request.get("n"), -1, 4, "n")
        leds = self._board.leds
        if n < 0:
            leds.error()
        else:
            leds.show(n)
        return {}


def _name(ssid: bytes) -> str:
    """As text; in hexadecimal where it is none."""
    try:
        return text(ssid.decode(), 32, "ssid", 0)
    except (InvalidValue, UnicodeError):
        return ssid.hex()


def _patience(request) -> int:
    return integer(request.get("ms", 1000), 0, _MOST_MS, "ms")


def _lines(request) -> list:
    lines = request.get("lines")
    if not isinstance(lines, list) or len(lines) > _LINES:
        raise InvalidValue("lines")
    return [text(line, 64, "lines", 0) for line in lines]


def _pins(request) -> dict:
    pins = members(request.get("pins"), "pins", 8)
    return {name: integer(gpio, 0, 48, "pins") for name, gpio in pins.items()}


def _keys_height(display) -> int:
    return getattr(display, "keys_height", 0)


def _colours(display, canvas, lines) -> None:
    """Bars in red, green and blue with the names of these colours, in a thin frame at the very edges, and below them
    the other lines, or on the keys that are drawn there."""
    palette = display.palette
    display.palette = _PURE + palette[len(_PURE) :]
    keys = _keys_height(display)
    top = canvas.height - (keys or canvas.height // 4)
    try:
        for n in range(3):
            y0, y1 = top * n // 3, top * (n + 1) // 3
            _framed(canvas, y0, y1)
            canvas.rect(16, y0 + 12, canvas.width - 32, y1 - y0 - 12, n)
            canvas.text(24, (y0 + y1 - 20) // 2, lines[n] if n < len(lines) else "", _PAPER, n, 2)
            canvas.flush()
        if keys:
            _answers(canvas, top, keys // 4, lines[3:])
        else:
            _framed(canvas, top, canvas.height)
            for i, line in enumerate(lines[3:]):
                canvas.text(16, top + 12 + 20 * i, line, _INK, _PAPER)
            canvas.flush()
    finally:
        display.palette = palette


def _answers(canvas, top, height, lines) -> None:
    """Four rows of keys, the first six with what they mean."""
    width = canvas.width // 4
    for row in range(4):
        y0 = top + height * row
        _framed(canvas, y0, y0 + height)
        for column in range(3):
            n = 3 * row + column
            if n >= len(lines):
                break
            x0 = width * column + 2
            canvas.rect(x0 + 2, y0 + 2, width - 4, height - 4, _INK)
            canvas.text(x0 + width // 2 - 4, y0 + 5, str(n + 1), _PAPER, _INK)
            canvas.text(x0 + (width - canvas.font.width(lines[n])) // 2, y0 + 21, lines[n], _PAPER, _INK)
        canvas.flush()


def _framed(canvas, y0, y1) -> None:
    """Begin a band: paper, with what it has of the frame."""
    canvas.begin(y0, y1)
    canvas.rect(0, y0, canvas.width, y1 - y0, _INK)
    first = 2 if y0 == 0 else 0
    last = 2 if y1 == canvas.height else 0
    canvas.rect(2, y0 + first, canvas.width - 4, y1 - y0 - first - last, _PAPER)


def _mono(display, canvas, lines) -> None:
    """A frame at the very edges, and text."""
    canvas.begin(0, canvas.height)
    canvas.rect(0, 0, canvas.width, canvas.height, 1)
    canvas.rect(1, 1, canvas.width - 2, canvas.height - 2, 0)
    for i, line in enumerate(lines[3:6]):
        canvas.text(6, 5 + 18 * i, line)
    canvas.flush()
