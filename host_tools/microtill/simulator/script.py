"""Scenario scripts: one command a line, `#` comments. The language is documented in host_tools/README.md.

`parse` turns text into commands or says which line is wrong; `Player` plays them on a `World`.
"""

import shlex
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from microtill.simulator.world import World

KEYS = (*"0123456789", "OK", "UP", "DOWN", "CLEAR", "CANCEL", "MENU")
WAIT_SECONDS = 15.0
HOLD_SECONDS = 1.5
PAGES_SECONDS = 10.0  # a small panel has shown all its pages by then
COUNTS = ("sales", "approved", "declined", "reversed", "amount")

# A bench second passes faster than ours while a script only waits; not so fast that the host's own time shows.
SLEEP_SPEED = 20.0
WAIT_SPEED = 4.0
_GRACE_SECONDS = 5.0  # of our time, for what the acquirer's own process is still writing


class ScriptError(Exception):
    """A line that cannot be understood: file, line and what is wrong with it."""


class ScriptFailed(Exception):
    """A line that did not hold: what was expected and what was there."""


@dataclass(frozen=True)
class Command:
    """`text` is the line as it was written, without its comment."""

    line: int
    verb: str
    arguments: tuple
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text


def parse(text: str, name: str = "script") -> list[Command]:
    """The commands of a script. ScriptError names the first line that is wrong, and why."""
    commands = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
            if words:
                commands.append(Command(number, words[0], _arguments(words[0], words[1:]), line.split(" #")[0].strip()))
        except ValueError as e:
            raise ScriptError(f"{name}:{number}: {e}") from None
    return commands


def _number(word: str, what: str, low: float = 0, high: float = 86400) -> float:
    try:
        value = float(word)
    except ValueError:
        raise ValueError(f"{what} must be a number, not {word!r}") from None
    if not low <= value <= high:
        raise ValueError(f"{what} must be {low:g} to {high:g}")
    return value


def _count(words: list[str], least: int, most: int) -> None:
    if not least <= len(words) <= most:
        raise ValueError(f"takes {least if least == most else f'{least} to {most}'} words, not {len(words)}")


def _one_of(words: list[str], *choices: str) -> tuple:
    _count(words, 1, 1)
    if words[0] not in choices:
        raise ValueError(f"{words[0]!r} is not one of {', '.join(choices)}")
    return (words[0],)


def _key(words: list[str]) -> tuple:
    if not words:
        raise ValueError("key: name at least one")
    for word in words:
        if word not in KEYS:
            raise ValueError(f"no key {word!r}; there are {' '.join(KEYS)}")
    return tuple(words)


def _hold(words: list[str]) -> tuple:
    _count(words, 2, 2)
    return (*_key(words[:1]), _number(words[1], "seconds", 0, 60))


def _tap(words: list[str]) -> tuple:
    _count(words, 1, 2)
    return tuple(words)


def _text(words: list[str]) -> tuple:
    _count(words, 1, 1)
    if not words[0]:
        raise ValueError("the text is empty")
    return (words[0],)


def _wait(words: list[str]) -> tuple:
    _count(words, 1, 2)
    return (*_text(words[:1]), _number(words[1], "seconds") if len(words) > 1 else WAIT_SECONDS)


def _seconds(words: list[str]) -> tuple:
    _count(words, 1, 1)
    return (_number(words[0], "seconds"),)


def _picture(words: list[str]) -> tuple:
    _count(words, 1, 1)
    if not words[0].endswith(".png"):
        raise ValueError("the picture's name must end in .png")
    return (words[0],)


def _host(words: list[str]) -> tuple:
    if words[:1] == ["slow"]:
        _count(words, 2, 2)
        return ("slow", int(_number(words[1], "milliseconds", 0, 600_000)))
    return _one_of(words, "up", "down", "drop-request", "drop-response", "tamper")


def _power_cut(words: list[str]) -> tuple:
    if not words:
        return ()
    if len(words) != 3 or words[0] != "after" or words[2] != "flash-ops":
        raise ValueError("write `power-cut` or `power-cut after N flash-ops`")
    return (int(_number(words[1], "flash-ops", 1, 1_000_000)),)


def _nothing(words: list[str]) -> tuple:
    _count(words, 0, 0)
    return ()


def _acquirer(words: list[str]) -> tuple:
    if len(words) < 2 or words[0] != "expect":
        raise ValueError("write `acquirer expect sales=1 approved=1 …`")
    wanted = []
    for word in words[1:]:
        name, _, value = word.partition("=")
        if name not in COUNTS or not value.isdecimal():
            raise ValueError(f"{word!r}: write one of {', '.join(c + '=N' for c in COUNTS)}")
        wanted.append((name, int(value)))
    return tuple(wanted)


_VERBS: dict[str, Callable[[list[str]], tuple]] = {
    "key": _key,
    "hold": _hold,
    "tap": _tap,
    "remove": _nothing,
    "wait": _wait,
    "expect": _text,
    "absent": _text,
    "sleep": _seconds,
    "screenshot": _picture,
    "wifi": lambda words: _one_of(words, "up", "down"),
    "host": _host,
    "power-cut": _power_cut,
    "power-on": _nothing,
    "reset": _nothing,
    "language": lambda words: _one_of(words, "zh", "en"),
    "acquirer": _acquirer,
}


def _arguments(verb: str, words: list[str]) -> tuple:
    if verb not in _VERBS:
        raise ValueError(f"no command {verb!r}; there are {', '.join(_VERBS)}")
    try:
        return _VERBS[verb](words)
    except ValueError as e:
        raise ValueError(f"{verb}: {e}") from None


class Player:
    """Plays commands on a running world. `folder`: where screenshots go; `home`: where `trace:FILE` is looked up.

    What the acquirer held before the player was made does not count in `acquirer expect`.
    """

    def __init__(self, world: World, folder: Path, home: Path, say: Callable[[str], None] = lambda line: None):
        self.world = world
        self.bench = world.bench
        self.folder = folder
        self.home = home
        self.say = say
        self._before = world.acquirer.sales() if world.acquirer else {}

    def play(self, commands: Iterable[Command]) -> None:
        """Play all; ScriptFailed at the first that does not hold, and at any broken datasheet."""
        for command in commands:
            self.say(str(command))
            try:
                getattr(self, "_" + command.verb.replace("-", "_"))(*command.arguments)
            except ScriptFailed as e:
                raise ScriptFailed(f"line {command.line}: {command}: {e}") from None
            broken = self.bench.violations()
            if broken:
                raise ScriptFailed(f"line {command.line}: {command}: a chip was used wrongly: {broken[0]}")

    def _key(self, *keys: str) -> None:
        self.world.key(*keys)

    def _hold(self, key: str, seconds: float) -> None:
        # At the speed of one's own clock for as long as the terminal counts how long a key is down.
        self.world.press(key)
        end = self.bench.now_us() + int(min(seconds, HOLD_SECONDS) * 1e6)
        while self.bench.now_us() < end:
            time.sleep(0.01)
        self._sleep(max(0.0, seconds - HOLD_SECONDS))
        self.bench.release(key)

    def _tap(self, *cards: str) -> None:
        for card in cards:
            self.bench.tap(self._card(card))

    def _card(self, card: str) -> str:
        kind, colon, file = card.partition(":")
        return f"trace:{(self.home / file).resolve()}" if kind == "trace" and colon else card

    def _remove(self) -> None:
        self.bench.remove()

    def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Poll on the bench's clock, faster than ours once the first second has not been enough."""
        end = self.bench.now_us() + int(seconds * 1e6)
        patience = time.monotonic() + 1
        try:
            while not holds():
                if self.bench.now_us() >= end:
                    return False
                if patience and time.monotonic() > patience:
                    self.bench.set_speed(WAIT_SPEED)
                    patience = 0
                time.sleep(0.02)
            return True
        finally:
            if not patience:
                self.bench.set_speed(1.0)

    def _wait(self, text: str, seconds: float) -> None:
        if not self._until(lambda: self.world.shows(text), seconds):
            raise ScriptFailed(f"not on the panel within {seconds:g} s; there is {self.world.read_screen()}")

    def _expect(self, text: str) -> None:
        patience = PAGES_SECONDS if self.world.turns_pages() else 0
        if not self._until(lambda: self.world.shows(text), patience):
            raise ScriptFailed(f"not on the panel; there is {self.world.read_screen()}")

    def _absent(self, text: str) -> None:
        if self.world.shows(text):
            raise ScriptFailed(f"is on the panel: {self.world.read_screen()}")

    def _sleep(self, seconds: float) -> None:
        self.bench.set_speed(SLEEP_SPEED)
        try:
            end = self.bench.now_us() + int(seconds * 1e6)
            while self.bench.now_us() < end:
                time.sleep(0.01)
        finally:
            self.bench.set_speed(1.0)

    def _screenshot(self, name: str) -> None:
        self.world.save_screen(self.folder / name)

    def _wifi(self, state: str) -> None:
        self.bench.wifi(state == "up")

    def _host(self, what: str, milliseconds: int = 0) -> None:
        acquirer = self.world.acquirer
        if acquirer is None:
            raise ScriptFailed("this world has no acquirer")
        if what == "down":
            acquirer.down()
        elif what == "up":
            acquirer.clear()
            acquirer.up()
        elif what == "slow":
            acquirer.slow(milliseconds)
        elif what == "drop-request":
            acquirer.drop_request()
        elif what == "drop-response":
            acquirer.drop_response()
        else:
            acquirer.tamper()

    def _power_cut(self, operations: int | None = None) -> None:
        self.bench.power_cut(after=operations)

    def _power_on(self) -> None:
        self.bench.power_on()

    def _reset(self) -> None:
        self.bench.reset()

    def _language(self, language: str) -> None:
        """As a person does it: menu, language, choose. The terminal must be at rest."""
        self.world.set_language(language)

    def _acquirer(self, *wanted: tuple[str, int]) -> None:
        if self.world.acquirer is None:
            raise ScriptFailed("this world has no acquirer")
        deadline = time.monotonic() + _GRACE_SECONDS
        while True:
            sales = self.world.acquirer.sales()
            held = {name: sales[name] - self._before[name] for name in COUNTS}
            wrong = [f"{name} is {held[name]}, not {value}" for name, value in wanted if held[name] != value]
            if not wrong:
                return
            if time.monotonic() > deadline:
                raise ScriptFailed("; ".join(wrong))
            time.sleep(0.05)
