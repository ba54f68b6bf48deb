"""The terminal's service console, from the host's side: one request, one answer, over any line."""

import itertools
import json
import time
from collections.abc import Callable

RECORD = "\x1e"
ANSWER_SECONDS = 30.0
_READY_SECONDS = 0.25  # a terminal that is restarting has not heard the question: ask again soon


class ConsoleError(Exception):
    """The terminal refused (`error` is its catalogue key) or did not answer (`error` is "no_answer")."""

    def __init__(self, error: str, detail: str = ""):
        super().__init__(f"{error}: {detail}" if detail else error)
        self.error = error
        self.detail = detail


class Console:
    """`write(text)` sends to the terminal, `lines()` gives every line it has printed so far."""

    def __init__(self, write: Callable[[str], None], lines: Callable[[], list[str]]):
        self._write = write
        self._lines = lines
        self._numbers = itertools.count(1)

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
                raise ConsoleError("no_answer", f"within {timeout:g} s")
            time.sleep(0.01)

    def poll(self, number: int) -> dict | None:
        """As `answer`, but None at once when it is not there yet."""
        for line in reversed(self._lines()):
            if not line.startswith(RECORD):
                continue
            try:
                answer = json.loads(line[1:])
            except ValueError:
                continue  # cut off by a reset
            if answer.get("id") == number:
                if not answer.get("ok"):
                    raise ConsoleError(str(answer.get("error")), str(answer.get("detail", "")))
                return answer
        return None

    def request(self, do: str, timeout: float = ANSWER_SECONDS, **members) -> dict:
        """Send and wait for the answer."""
        return self.answer(self.send(do, **members), timeout)

    def wait_ready(self, timeout: float = ANSWER_SECONDS) -> dict:
        """Ask for the status until the terminal, perhaps just starting, gives it."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self.request("status", timeout=_READY_SECONDS)
            except ConsoleError as e:
                if e.error != "no_answer" or time.monotonic() > deadline:
                    raise
