"""One terminal as all pages see it: what is shown, what happened, and one pair of hands for everyone's wishes."""

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from microtill import __version__
from microtill.acquirer.process import AcquirerError, AcquirerProcess
from microtill.bench import cards, reading
from microtill.bench.client import Bench, BenchError
from microtill.device.console import RECORD
from microtill.simulator.page.messages import WALLET, Request
from microtill.simulator.page.panel import Frame, update

FRAMES_A_SECOND = 30
READER_HOLDS = 2  # the PN532 tells two cards apart; a third would only hide them
KEPT = 300  # entries of each list
OUTBOX = 1000  # messages a page may lag behind before it gets everything anew
WISHES = 256  # requests that may wait for the hands

# As a person's finger: it stays until the key clicks, and a while at least. A terminal that has never made a sound is
# given up soon; one that has, and is busy for a moment, is waited for.
_PRESS_S = 0.08
_PAUSE_S = 0.04
_CLICK_S = 5.0
_SILENT_S = 0.5
# The reader switches its field off when it is done with a card: whoever holds it takes it away.
_TAKE_AWAY_S = 1.0
_SETTLED_S = 0.3
_WATCH_S = 1.0
_LOG_S = 0.2
_LAST_LINES = 20
_LIGHTS = 4

log = logging.getLogger(__name__)


class Refused(Exception):
    """What cannot be done as things are; the text is a key of the page's texts."""


class Page:
    """One open page: what is still to be sent to it. Created by `Session.open`."""

    def __init__(self, session: "Session"):
        self._session = session
        self._texts: deque[str] = deque()
        self._wake = asyncio.Event()
        self._shown: Frame | None = None
        self.pressed: set[str] = set()
        self.touches = False
        self.say(session.everything())

    def say(self, message: dict[str, Any]) -> None:
        """Queue a message. A page that lags too far behind gets the whole state instead of every step to it."""
        if len(self._texts) >= OUTBOX:
            self._texts.clear()
            message = self._session.everything()
        self._texts.append(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
        self._wake.set()

    def look(self) -> None:
        """There may be a new picture."""
        self._wake.set()

    async def next(self) -> list[str | bytes]:
        """What to send next: texts, and then at most one picture. Waits until there is something."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            messages: list[str | bytes] = list(self._texts)
            self._texts.clear()
            frame = self._session.frame
            if frame and frame is not self._shown:
                picture = update(self._shown, frame)
                self._shown = frame
                if picture:
                    messages.append(picture)
            if messages:
                return messages


class Session:
    """`prepare(say)` makes the blank terminal a merchant's, in a thread of its own; None leaves it as it is.

    `blank` says that nobody wants that at the start: pages may still ask for it.
    """

    def __init__(
        self,
        bench: Bench,
        acquirer: AcquirerProcess | None = None,
        prepare: Callable[[Callable[[str], None]], None] | None = None,
        *,
        board: str = "TILL_ESP32S3",
        blank: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ):
        self._bench = bench
        self._acquirer = acquirer
        self._prepare = prepare
        self._say = say
        self._pages: set[Page] = set()
        self._watched = asyncio.Event()  # there is a page
        self._panel_changed = asyncio.Event()
        self._wishes: asyncio.Queue[tuple[Request, Page | None]] = asyncio.Queue(WISHES)
        self._struck = 0.0  # when a key last moved
        self._tones = 0
        self._clicked = asyncio.Event()
        self._read_a_card = False
        self._take_away: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looks: set[asyncio.Task] = set()
        self.frame: Frame | None = None
        self.state: dict[str, Any] = {
            "version": __version__,
            "board": board,
            "wallet": [_face(name) for name in WALLET],
            "acquirer": acquirer is not None,
            "phase": "blank" if blank or prepare is None else "preparing",
            "can_prepare": prepare is not None,
            "steps": [],
            "failure": "",
            "powered": True,
            "running": True,
            "exit": None,
            "last_lines": [],
            "wifi": True,
            "joined": False,
            "host": acquirer is not None,
            "lights": [[0, 0, 0]] * _LIGHTS,
            "tone": 0,
            "down": [],
            "glass": None,
            "cards": [],
            "text": [],
            "broken": "",
        }
        self.lists: dict[str, deque] = {name: deque(maxlen=KEPT) for name in ("acquirer", "card", "console")}

    # Pages

    def open(self) -> Page:
        """A page is there; it gets everything."""
        page = Page(self)
        self._pages.add(page)
        self._watched.set()
        self._panel_changed.set()
        return page

    def close(self, page: Page) -> None:
        """A page is gone; the keys that it held come up."""
        self._pages.discard(page)
        if not self._pages:
            self._watched.clear()
        for key in sorted(page.pressed):
            self._wish(Request("release", key))
        if page.touches:
            self._wish(Request("lift"))

    def ask(self, request: Request, page: Page) -> None:
        """Have it done, after what was asked before. A failure is told to `page`."""
        if request.do == "press":
            page.pressed.add(str(request.what))
        elif request.do == "release":
            page.pressed.discard(str(request.what))
        elif request.do in ("touch", "lift"):
            page.touches = request.do == "touch"
        self._wish(request, page)

    def _wish(self, request: Request, page: Page | None = None) -> None:
        try:
            self._wishes.put_nowait((request, page))
        except asyncio.QueueFull:
            log.warning("%s was dropped: %d requests are waiting", request.do, WISHES)

    def everything(self) -> dict[str, Any]:
        """What a page that has just been opened needs to know."""
        return {"state": self.state, "lists": {name: list(entries) for name, entries in self.lists.items()}}

    def _set(self, **values: Any) -> None:
        changed = {name: value for name, value in values.items() if self.state[name] != value}
        if changed:
            self.state.update(changed)
            self._tell({"state": changed})

    def _add(self, name: str, *entries: Any) -> None:
        self.lists[name].extend(entries)
        self._tell({"add": {name: entries}})

    def _tell(self, message: dict[str, Any]) -> None:
        for page in self._pages:
            page.say(message)

    # Life

    async def run(self) -> None:
        """Until it is cancelled. A bench that ends is shown as such, and nothing more happens then."""
        self._loop = asyncio.get_running_loop()
        heard = None
        try:
            async with asyncio.TaskGroup() as tasks:
                heard = await asyncio.to_thread(self._bench.subscribe, call=self._hear)
                tasks.create_task(self._carry_out())
                tasks.create_task(self._show_panel())
                tasks.create_task(self._watch())
                if self._acquirer:
                    tasks.create_task(self._follow(self._acquirer.home.log_path))
                if self.state["phase"] == "preparing":
                    self._start_preparing()
        except* BenchError as e:
            self._set(phase="gone", failure=str(e.exceptions[0]), running=False)
            log.error("the bench is gone: %s", e.exceptions[0])
        finally:
            if heard:
                with contextlib.suppress(BenchError):
                    heard.close()

    async def _watch(self) -> None:
        """Look at the bench now and then: at the start, and for what no event tells."""
        self._lights(await asyncio.to_thread(self._bench.seen))
        while True:
            await self._look()
            await asyncio.sleep(_WATCH_S)

    async def _look(self) -> None:
        state = await asyncio.to_thread(self._bench.state)
        broken = await asyncio.to_thread(self._bench.violations)
        self._set(
            powered=state["powered"],
            running=state["running"],
            joined=bool((state["wlan"] or {}).get("ip")),
            broken=broken[0] if broken else "",
        )
        if state["powered"] and not state["running"]:
            lines = await asyncio.to_thread(self._bench.console_lines)
            said = [line for line in lines if not line.startswith(RECORD)]
            self._set(exit=state["exit_status"], last_lines=said[-_LAST_LINES:])
        else:
            self._set(exit=None, last_lines=[])

    # What the bench tells

    def _hear(self, event: dict) -> None:
        """On the bench client's thread."""
        assert self._loop
        if event["event"] == "changed" and event["chip"] == "panel" and self._panel_changed.is_set():
            return  # a screen is hundreds of writes
        with contextlib.suppress(RuntimeError):  # the loop has just been closed
            self._loop.call_soon_threadsafe(self._on_event, event)

    def _on_event(self, event: dict) -> None:
        match event["event"]:
            case "changed" if event["chip"] == "panel":
                self._panel_changed.set()
            case "changed":
                self._lights({event["chip"]: event["seen"]})
            case "trace":
                self._on_trace(event["us"], event["chip"], event["text"])
            case "console" if not event["line"].startswith(RECORD):
                self._add("console", event["line"])
            case "power" | "exit":
                self._lose_interest()
                look = asyncio.ensure_future(self._look_once())
                self._looks.add(look)
                look.add_done_callback(self._looks.discard)
            case "wlan":
                self._set(joined=bool(event["ip"]))

    async def _look_once(self) -> None:
        with contextlib.suppress(BenchError):  # `_watch` is about to find that out
            await self._look()

    def _lights(self, seen: dict) -> None:
        if "leds" in seen:
            self._set(lights=seen["leds"]["lights"])
        if "buzzer" in seen:
            self._set(tone=seen["buzzer"]["frequency"])
            if seen["buzzer"]["tones"] != self._tones:
                self._tones = seen["buzzer"]["tones"]
                self._clicked.set()
        if "keypad" in seen:
            self._set(down=seen["keypad"]["down"], glass=seen["keypad"].get("glass"))

    def _on_trace(self, us: int, chip: str, text: str) -> None:
        if chip == "nfc":
            self._mind_the_card(text)
        elif chip not in ("person", "bench") and not text.startswith("VIOLATION"):
            return
        self._add("card", [us, chip, text])

    def _mind_the_card(self, text: str) -> None:
        if text.startswith("=> "):
            self._read_a_card = True
        elif text == "field off" and self._read_a_card:
            assert self._loop
            self._lose_interest()
            self._take_away = self._loop.call_later(_TAKE_AWAY_S, self._take_all)
        elif text == "field on":
            self._lose_interest()

    def _lose_interest(self) -> None:
        self._read_a_card = False
        if self._take_away:
            self._take_away.cancel()
            self._take_away = None

    def _take_all(self) -> None:
        for card in self.state["cards"]:
            self._wish(Request("take", card))

    # The panel

    async def _show_panel(self) -> None:
        """Fetch the picture when it has changed and someone looks; and its text once it stays as it is."""
        while True:
            await self._watched.wait()
            try:
                await asyncio.wait_for(self._panel_changed.wait(), _SETTLED_S)
            except TimeoutError:
                await self._read_panel()
                await self._panel_changed.wait()
            started = time.monotonic()
            self._panel_changed.clear()
            image = await asyncio.to_thread(self._bench.frame)
            self.frame = Frame(image.width, image.height, image.tobytes())
            for page in self._pages:
                page.look()
            await asyncio.sleep(max(0, 1 / FRAMES_A_SECOND - (time.monotonic() - started)))

    async def _read_panel(self) -> None:
        """For those who hear the panel read out."""
        frame = self.frame
        if not frame:
            return
        try:
            lines = await asyncio.to_thread(reading.read_lines, frame.pixels, frame.width)
        except ValueError:
            lines = []  # more colours than text has: the noise of a panel just switched on
        self._set(text=[text for _, _, _, text in lines])

    # The hands

    async def _carry_out(self) -> None:
        while True:
            request, page = await self._wishes.get()
            try:
                await self._do(request)
            except (BenchError, AcquirerError, Refused) as e:
                if isinstance(e, BenchError) and not await self._bench_answers():
                    raise
                log.warning("%s: %s", request.do, e)
                if page:
                    page.say({"refused": request.do, "why": str(e).partition("\n")[0]})

    async def _bench_answers(self) -> bool:
        try:
            await asyncio.to_thread(self._bench.state)
        except BenchError:
            return False
        return True

    async def _do(self, request: Request) -> None:
        bench = self._bench
        match request.do, request.what:
            case "press", str(key):
                await self._finger(True, bench.press, key)
            case "release", str(key):
                await self._finger(False, bench.release, key)
            case "touch", (x, y):
                if self.state["glass"]:
                    await self._finger(True, bench.touch, x, y)
            case "lift", _:
                if self.state["glass"]:
                    await self._finger(False, bench.lift)
            case "hold", str(card):
                await self._hold(card)
            case "take", str(card):
                await self._take(card)
            case "wifi", bool(up):
                await asyncio.to_thread(bench.wifi, up)
                self._set(wifi=up)
            case "host", bool(up):
                if self._acquirer:
                    await asyncio.to_thread(self._acquirer.up if up else self._acquirer.down)
                    self._set(host=up)
            case "power", bool(on):
                if on != (await asyncio.to_thread(bench.state))["powered"]:
                    await asyncio.to_thread(bench.power_on if on else bench.power_cut)
                elif on and not self.state["running"]:
                    await asyncio.to_thread(bench.reset)
            case "reset", _:
                await asyncio.to_thread(bench.reset)
            case "prepare", _:
                if self._prepare and self.state["phase"] in ("blank", "failed"):
                    self._start_preparing()

    async def _finger(self, falls: bool, move: Callable[..., None], *where: Any) -> None:
        """It falls or rises, never faster than a finger: a contact that is too short is none."""
        speed = max((await asyncio.to_thread(self._bench.state))["speed"], 0.1)
        rest = (_PAUSE_S if falls else _PRESS_S) / speed
        await asyncio.sleep(max(0, self._struck + rest - time.monotonic()))
        if self.state["running"]:
            # What is no key does not click.
            patience = _CLICK_S if self._tones and (falls or self.state["down"]) else _SILENT_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._keypad_rests() if falls else self._clicked.wait(), patience)
        self._clicked.clear()
        await asyncio.to_thread(move, *where)
        self._struck = time.monotonic()

    async def _keypad_rests(self) -> None:
        """Until the terminal has noticed that every key is up."""
        while True:
            keypad = (await asyncio.to_thread(self._bench.seen))["keypad"]
            if keypad["down"] or keypad["rests"]:
                return
            await asyncio.sleep(0.005)

    async def _hold(self, card: str) -> None:
        cards = self.state["cards"]
        if card in cards:
            return
        if len(cards) >= READER_HOLDS:
            raise Refused("reader_full")
        await asyncio.to_thread(self._bench.tap, card)
        self._set(cards=[*cards, card])

    async def _take(self, card: str) -> None:
        if card not in self.state["cards"]:
            return
        left = [other for other in self.state["cards"] if other != card]
        # The bench takes all cards away; what stays is held there again, as one hand would.
        await asyncio.to_thread(self._bench.remove)
        for other in left:
            await asyncio.to_thread(self._bench.tap, other)
        self._set(cards=left)

    # Provisioning

    def _start_preparing(self) -> None:
        """In a thread that nobody waits for at the end: it may hang on a terminal that does not answer."""
        assert self._prepare and self._loop
        self._set(phase="preparing", steps=[], failure="")
        threading.Thread(target=self._in_thread, args=(self._prepare, self._loop), name="prepare", daemon=True).start()

    def _in_thread(self, prepare: Callable[[Callable[[str], None]], None], loop: asyncio.AbstractEventLoop) -> None:
        def tell(call: Callable[..., None], *args: Any) -> None:
            with contextlib.suppress(RuntimeError):  # it was ended meanwhile
                loop.call_soon_threadsafe(call, *args)

        try:
            prepare(lambda line: tell(self._step, line))
        except Exception as e:  # noqa: BLE001 (a thread's end; the person is told, whatever it was)
            tell(self._prepared, f"{e}" or type(e).__name__)
        else:
            tell(self._prepared, "")

    def _step(self, line: str) -> None:
        self._say(line)
        self._set(steps=[*self.state["steps"], line])

    def _prepared(self, failure: str) -> None:
        self._set(phase="failed" if failure else "ready", failure=failure)
        self._say(f"not ready: {failure}" if failure else "ready: key in an amount, and tap a card")

    # The acquirer

    async def _follow(self, path: Path) -> None:
        """Tell what the acquirer logs from now on. Its log file is there whether or not it listens."""
        with path.open("rb") as lines:
            lines.seek(0, 2)
            rest = b""
            while True:
                rest += lines.read()
                *whole, rest = rest.split(b"\n")
                if whole:
                    self._add("acquirer", *_decoded(whole))
                await asyncio.sleep(_LOG_S)


def _face(name: str) -> dict[str, str]:
    """What is printed on a card."""
    card = cards.make(name, cards.Counters())
    assert isinstance(card, cards.EmvCard)
    year, month = card.account.expiry[:2], card.account.expiry[2:4]
    return {"name": name, "last4": card.account.pan[-4:], "expiry": f"{month}/{year}"}


def _decoded(lines: Iterable[bytes]) -> list[dict]:
    return [json.loads(line) for line in lines if line]
