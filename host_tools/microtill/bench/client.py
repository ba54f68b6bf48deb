"""The owner's side of the bench: starts the bench process, which starts the firmware, and commands both."""

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path

from PIL import Image

from microtill.bench.control import Decoder, encode
from microtill.release.image import build_image, build_sim

EVENTS = ("changed", "trace", "console", "power", "exit", "wlan")
ANSWER_SECONDS = 30.0
ACCESS_POINT = {"ssid": "counter", "password": "till-on-the-bench"}
"""The access point there is when nothing else is said."""


class BenchError(Exception):
    """The bench refused a command, ended, or does not answer."""


class FirmwareDied(BenchError):
    """The firmware ended where it should be running; the text holds its exit status and its last lines."""


class Timeout(BenchError):
    """What was waited for did not come in time."""


class Subscription:
    """Iterates over events (dicts with `event` and its fields) until the bench stops or `close` is called."""

    def __init__(
        self, kinds: Sequence[str], call: Callable[[dict], None] | None, drop: Callable[["Subscription"], None]
    ):
        self.kinds = frozenset(kinds)
        self._call = call
        self._drop = drop
        self._queue: queue.SimpleQueue[dict | None] = queue.SimpleQueue()

    def _deliver(self, event: dict | None) -> None:
        if self._call and event:
            self._call(event)
        elif not self._call:
            self._queue.put(event)

    def get(self, timeout: float | None = None) -> dict | None:
        """The next event; None when the bench has stopped. Raises Timeout."""
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            raise Timeout(f"no {'/'.join(sorted(self.kinds))} event in {timeout} s") from None

    def __iter__(self) -> Iterator[dict]:
        while (event := self.get()) is not None:
            yield event

    def close(self) -> None:
        self._drop(self)
        self._deliver(None)


class Bench:
    """A terminal on the bench, switched on. Use it as a context manager: leaving it ends both processes.

    `image`: a release image (built when neither image nor script is given). `script`: a MicroPython file to run
    instead, with `firmware/`, the board's folder and `path` to import from. `state`: folder of flash and NVS (None:
    forgotten at the end). `speed`: bench seconds a desk second. `hosts`: what the terminal's Wi-Fi reaches,
    `"name:port"` to an address here. `access_points`: dicts with `ssid` and optionally `password`, `rssi`, `channel`,
    `bssid`, `slow_ms`, `up`; None is `ACCESS_POINT`. `wiring`: another wiring.toml. `chip_path`: folders of your own
    chips' modules. `heap`: bytes, beside the image. `power`: False leaves it switched off. `seed`: of the die that
    decides how flash and NVS are torn. `unique_id`: of the microcontroller, 12 hex digits. `cards`: file that keeps the
    cards' counters (None: `state` does); benches that share an acquirer share it. `serial`: the board gets a serial
    port, True or the path of a link to it, and runs the files in its `vfs` partition; with an `image` that one, as a
    build does that has the terminal frozen in: it never gives a prompt.
    """

    def __init__(
        self,
        board: str = "TILL_ESP32S3",
        image: str | PathLike | None = None,
        script: str | PathLike | None = None,
        state: str | PathLike | None = None,
        speed: float = 1.0,
        hosts: dict[str, tuple[str, int]] | None = None,
        access_points: Sequence[dict] | None = None,
        *,
        wiring: str | PathLike | None = None,
        path: Sequence[str | PathLike] = (),
        chip_path: Sequence[str | PathLike] = (),
        heap: int | None = None,
        power: bool = True,
        seed: int = 1,
        unique_id: str = "02005e100001",
        serial: bool | str | PathLike = False,
        cards: str | PathLike | None = None,
    ):
        if serial and script:
            raise ValueError("with a serial port the board runs its own files, or an image")
        if image is None and script is None and not serial:
            image = build_image(board)
        config = {
            "board": board,
            "image": str(Path(image).resolve()) if image else None,
            "script": str(Path(script).resolve()) if script else None,
            "state": str(Path(state).resolve()) if state else None,
            "speed": speed,
            "hosts": {name: list(address) for name, address in (hosts or {}).items()},
            "access_points": list(access_points if access_points is not None else [ACCESS_POINT]),
            "sim": str(build_sim()),
            "seed": seed,
            "unique_id": unique_id,
            "cards": str(Path(cards).resolve()) if cards else None,
            "wiring": str(Path(wiring).resolve()) if wiring else None,
            "path": [str(Path(p).resolve()) for p in path],
            "chip_path": [str(Path(p).resolve()) for p in chip_path],
            "heap": heap,
            "serial": {"link": None if serial is True else os.path.abspath(serial)} if serial else None,
        }
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "microtill.bench", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._socket = ours
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue] = {}
        self._subscriptions: list[Subscription] = []
        self._next = 1
        self._stopped = False
        self._closed = False
        self._console_seen = 0
        first: queue.SimpleQueue = queue.SimpleQueue()
        self._waiting[0] = first
        self._reader = threading.Thread(target=self._read, name="bench", daemon=True)
        self._reader.start()
        try:
            ours.sendall(encode(config))
            self._take(first, "start", ANSWER_SECONDS)
            if power:
                self.power_on()
        except BaseException:
            self.stop()
            raise

    # What a person does

    def press(self, key: str) -> None:
        """Push a key of the keypad and hold it."""
        self._alive("press", key=key)

    def release(self, key: str) -> None:
        """Let a key go; that works on a terminal that has died, too."""
        self._ask("release", key=key)

    def key(self, *keys: str, hold_ms: int = 80, gap_ms: int = 80) -> None:
        """Press and release keys one after the other, in bench time."""
        for key in keys:
            self.press(key)
            self._pass(hold_ms)
            self.release(key)
            self._pass(gap_ms)

    def hand(self, chip: str, act: str, **arguments) -> None:
        """What only a hand on the board can do to a chip, one of its `hands`: `hand("nfc", "fault", kind="dead")`."""
        self._alive("hand", chip=chip, act=act, arguments=arguments)

    def touch(self, x: int, y: int) -> None:
        """Put a finger on the glass of a touch panel, at this pixel, and leave it there."""
        self.hand("keypad", "touch", x=x, y=y)

    def lift(self) -> None:
        """Take the finger off the glass; that works on a terminal that has died, too."""
        self._ask("hand", chip="keypad", act="lift", arguments={})

    def tap(self, card: str) -> None:
        """Hold the card that this names (see `bench.cards`) to the reader, and leave it there."""
        self._alive("tap", card=card)

    def remove(self) -> None:
        """Take every card away, from a terminal that has died, too."""
        self._ask("remove")

    def frame(self) -> Image.Image:
        """The panel's glass as a person sees it."""
        size, pixels = self._ask_both("frame")
        return Image.frombytes("RGB", (size["width"], size["height"]), pixels)

    def seen(self) -> dict:
        """Lights, sounds and the like of every chip, by chip name."""
        return self._ask("seen")

    # The console (USB)

    def console_write(self, text: str) -> None:
        self._alive("console_write", text=text)

    def console_lines(self) -> list[str]:
        """Every line the firmware printed, since the bench started (at most 10,000)."""
        return self._ask("console", since=0)["lines"]

    # The serial port, of a bench that has one

    def port(self) -> str | None:
        """Path of the serial port as tools open it (another one each time it is plugged in); None without a cable."""
        return self._ask("port")["path"]

    def received(self) -> int:
        """Octets that have come in by the serial port, of all its cables."""
        return self._ask("port")["taken"]

    def unplug(self, after_bytes: int | None = None) -> None:
        """Pull the cable now, or when the computer has sent so many bytes more; what follows them is lost."""
        self._ask("unplug", after=after_bytes)

    def plug(self) -> None:
        """Put the cable in (again)."""
        self._ask("plug")

    # Power, time, network

    def power_on(self) -> None:
        self._ask("power_on")

    def power_cut(self, after: int | None = None) -> None:
        """Cut the supply now, or in the middle of the `after`-th flash or NVS operation from now (1 = the next)."""
        self._ask("power_cut", after=after)

    def wifi(self, up: bool, ssid: str | None = None) -> None:
        """Every access point (or the one named) goes off the air or comes back.

        At once nothing gets through; the station notices after six seconds without a beacon, as the ESP32's does.
        """
        self._ask("wifi", up=up, ssid=ssid)

    def access_points(self, points: Sequence[dict]) -> None:
        """Replace the access points on the air."""
        self._ask("access_points", points=list(points))

    def hosts(self, hosts: dict[str, tuple[str, int]]) -> None:
        """Replace what the Wi-Fi reaches; connections that are open stay."""
        self._ask("hosts", hosts={name: list(address) for name, address in hosts.items()})

    def drop_connections(self) -> None:
        """Reset every open connection, as a middlebox does."""
        self._ask("drop_connections")

    def reset(self) -> None:
        """The reset button: the firmware restarts, the chips keep their supply."""
        self._ask("reset")

    def set_speed(self, speed: float) -> None:
        """Bench seconds a desk second, from now on."""
        self._ask("speed", speed=speed)

    def now_us(self) -> int:
        """Bench time, microseconds."""
        return self._ask("state")["now_us"]

    # What happened

    def state(self) -> dict:
        """powered, running, exit_status, resets (causes so far), pid, now_us, speed, wlan."""
        return self._ask("state")

    def counters(self) -> dict:
        """By bus and chip: transfers, bytes, seconds of wire time."""
        return self._ask("counters")

    def trace(self, since: int = 0) -> list[tuple[int, str, str]]:
        """(microseconds, chip, text), oldest first, of bench time `since` (µs) or later."""
        return [(us, who, text) for _, us, who, text in self._ask("trace", since=0) if us >= since]

    def violations(self) -> list[str]:
        """What the firmware did that a datasheet forbids."""
        return self._ask("violations")

    def subscribe(self, kinds: Sequence[str] = EVENTS, call: Callable[[dict], None] | None = None) -> Subscription:
        """Events of these kinds: `changed` (chip, seen), `trace`, `console` (line), `power`, `exit`, `wlan`.

        With `call`, each is handed to it on the reader's thread (asyncio: `loop.call_soon_threadsafe`); without, the
        subscription queues them for `get` or iteration.
        """
        unknown = set(kinds) - set(EVENTS)
        if unknown:
            raise ValueError(f"no event {sorted(unknown)}")
        subscription = Subscription(kinds, call, self._unsubscribe)
        with self._lock:
            self._subscriptions.append(subscription)
        self._resubscribe()
        return subscription

    # Waiting: always with a deadline in desk seconds

    def wait(self, condition: Callable[[], object], what: str = "it", timeout: float = 20.0) -> object:
        """Poll until `condition()` is true; returns its value. Raises Timeout with the console's last lines."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise Timeout(f"{what} did not come in {timeout} s{self._tail()}")
            time.sleep(0.005)

    def wait_line(self, text: str, timeout: float = 20.0) -> str:
        """The next console line that holds `text`, among those not yet waited past."""

        def look() -> str | None:
            state = self.state()  # before the console is read: once it has ended, its last lines are there
            answer = self._ask("console", since=self._console_seen)
            for i, line in enumerate(answer["lines"]):
                if text in line:
                    self._console_seen = answer["total"] - len(answer["lines"]) + i + 1
                    return line
            if state["powered"] and not state["running"]:
                self._raise_if_dead()
            return None

        return str(self.wait(look, f"a console line with {text!r}", timeout))

    def wait_exit(self, timeout: float = 20.0) -> int:
        """The firmware's exit status, once its script has ended (negative: the signal that ended it)."""
        self.wait(lambda: not self.state()["running"], "the firmware's end", timeout)
        return self.state()["exit_status"]

    def stop(self) -> None:
        """End both processes. May be called again."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def __del__(self):
        with contextlib.suppress(Exception):
            self.stop()

    # The control socket

    def _read(self) -> None:
        decoder = Decoder()
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            for message, blob in decoder.feed(data):
                if "event" in message:
                    with self._lock:
                        interested = [s for s in self._subscriptions if message["event"] in s.kinds]
                    for subscription in interested:
                        subscription._deliver(message)
                else:
                    waiting = self._waiting.pop(message["id"], None)
                    if waiting:
                        waiting.put((message, blob))
        self._stopped = True
        for waiting in list(self._waiting.values()):
            waiting.put(None)
        for subscription in list(self._subscriptions):
            subscription._deliver(None)

    def _ask_both(self, do: str, **arguments) -> tuple:
        waiting: queue.SimpleQueue = queue.SimpleQueue()
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._waiting[number] = waiting
            if self._stopped or self._closed:
                raise BenchError("the bench has stopped")
            try:
                self._socket.sendall(encode({"id": number, "do": do, "with": arguments}))
            except OSError as e:
                raise BenchError(f"the bench is gone ({e})") from e
        return self._take(waiting, do, ANSWER_SECONDS)

    def _take(self, waiting: queue.SimpleQueue, do: str, seconds: float) -> tuple:
        try:
            answer = waiting.get(timeout=seconds)
        except queue.Empty:
            raise BenchError(f"the bench does not answer {do!r}") from None
        if answer is None:
            raise BenchError(f"the bench ended (status {self._process.poll()}) at {do!r}")
        message, blob = answer
        if "error" in message:
            raise BenchError(f"{do}: {message['error']}")
        return message["result"], blob

    def _ask(self, do: str, **arguments):
        return self._ask_both(do, **arguments)[0]

    def _alive(self, do: str, **arguments) -> None:
        self._raise_if_dead()
        self._ask(do, **arguments)

    def _raise_if_dead(self) -> None:
        state = self._ask("state")
        if state["powered"] and not state["running"]:
            raise FirmwareDied(f"the firmware ended with status {state['exit_status']}{self._tail()}")

    def _tail(self) -> str:
        lines = self.console_lines()[-30:]
        return "; its last lines:\n" + "\n".join(lines) if lines else "; it printed nothing"

    def _pass(self, ms: int) -> None:
        end = self.now_us() + ms * 1000
        while (left := end - self.now_us()) > 0:
            time.sleep(min(left / 1e6 / self.state()["speed"], 0.05))

    def _unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
        if not self._closed and not self._stopped:
            self._resubscribe()

    def _resubscribe(self) -> None:
        with self._lock:
            kinds = sorted(set().union(*(s.kinds for s in self._subscriptions)))
        self._ask("subscribe", kinds=kinds)
