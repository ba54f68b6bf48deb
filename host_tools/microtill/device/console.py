"""The terminal's service console, from the host's side: one request, one answer, over any line."""

import itertools
import json
import random
import time
from collections.abc import Callable

from microtill.device import terminal_texts, texts
from microtill.device.errors import DeviceError, NoAnswer, Refused

RECORD = "\x1e"
ANSWER_SECONDS = 30.0
_READY_SECONDS = 0.25  # a terminal that is restarting has not heard the question: ask again soon
_LONGEST_PAUSE = 1.5
_NUMBERS = 1 << 29  # numbers stay small ints on the terminal, also after many requests


class ConsoleError(DeviceError):
    """The terminal refused (`error` is its catalogue key) or did not answer (`error` is "no_answer")."""

    error = ""
    detail = ""


class TerminalRefuses(ConsoleError, Refused):
    """The terminal says no: `error` is the entry of its catalogue, `detail` is meant for the log."""

    def __init__(self, error: str, detail: str = ""):
        super().__init__("error.terminal_refuses", error=error)
        self.error = error
        self.detail = detail

    @property
    def what(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return texts.what(self.key, reason=terminal_texts.what(self.error), detail=detail)

    @property
    def next(self) -> str:
        return terminal_texts.next_step(self.error)


class TerminalSilent(ConsoleError, NoAnswer):
    """The terminal did not answer in time."""

    error = "no_answer"

    def __init__(self, seconds: float):
        super().__init__("error.terminal_silent", seconds=f"{seconds:g}")
        self.detail = f"within {seconds:g} s"


class Console:
    """`write(text)` sends to the terminal, `lines()` gives every line it has printed so far."""

    def __init__(self, write: Callable[[str], None], lines: Callable[[], list[str]]):
        self._write = write
        self._lines = lines
        # Not from 1: an answer to the last program's question may still be on its way.
        self._numbers = itertools.count(random.randrange(1, _NUMBERS))

    def heard(self) -> list[str]:
        """Every line the terminal has printed so far, answers and all."""
        return self._lines()

    def send(self, do: str, **members) -> int:
        """Send a request; returns its number for `answer`."""
        number = next(self._numbers)
        self._write(json.dumps({"id": number, "do": do, **members}) + "\n")
        return number

    def answer(self, number: int, timeout: float = ANSWER_SECONDS) -> dict:
        """The answer to request `number`. ConsoleError when it is a refusal or does not come in `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.poll(number)
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise TerminalSilent(timeout)
            time.sleep(0.01)

    def poll(self, number: int) -> dict | None:
        """As `answer`, but None at once when it is not there yet."""
        wanted = str(number)
        for line in reversed(self._lines()):
            answer = parse(line) if wanted in line else None
            if answer and answer.get("id") == number:
                if answer.get("ok") is not True:
                    raise TerminalRefuses(str(answer.get("error")), str(answer.get("detail") or ""))
                return answer
        return None

    def request(self, do: str, timeout: float = ANSWER_SECONDS, **members) -> dict:
        """Send and wait for the answer."""
        return self.answer(self.send(do, **members), timeout)

    def wait_ready(self, timeout: float = ANSWER_SECONDS) -> dict:
        """Ask for the status until the terminal, perhaps just starting, gives it."""
        deadline = time.monotonic() + timeout
        asked: list[int] = []
        pause = _READY_SECONDS
        while True:
            asked.append(self.send("status"))
            again = time.monotonic() + pause
            pause = longer(pause)
            while time.monotonic() < again:
                for number in asked:  # a terminal in the middle of a TLS handshake answers the first one late
                    answer = self.poll(number)
                    if answer is not None:
                        return answer
                time.sleep(0.01)
            if time.monotonic() > deadline:
                raise TerminalSilent(timeout)


def longer(pause: float) -> float:
    """How long to wait before asking once more: a slow terminal must not drown in questions that it answers in turn."""
    return min(pause * 1.5, _LONGEST_PAUSE)


def parse(line: str) -> dict | None:
    """The record that a line holds; None when it holds none, or one that a reset cut off."""
    _, found, text = line.rpartition(RECORD)  # what a reset left without a line feed may stand before it
    if not found:
        return None
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None
