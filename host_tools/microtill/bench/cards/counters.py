"""Application transaction counters, which a card keeps without power and never uses twice."""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path


class Counters:
    """One ATC for each account, in memory or kept in the file `path`.

    Benches that share the file share the cards: neither a restart nor a second bench repeats a counter, which an
    acquirer would decline as a card used twice.
    """

    def __init__(self, path: Path | None = None):
        self._path = path
        self._last: dict[str, int] = {}

    def last(self, account: str) -> int:
        """The ATC of the last transaction, 0 before the first."""
        self._read()
        return self._last.get(_name(account), 0)

    def advance(self, account: str) -> int:
        """The next ATC, 1–65535; 0 when the card has come to its end."""
        with self._alone():
            last = self.last(account)
            if last >= 0xFFFF:
                return 0
            self._last[_name(account)] = last + 1
            if self._path is not None:
                new = self._path.with_suffix(".new")
                new.write_text(json.dumps(self._last), "utf-8")
                os.replace(new, self._path)
            return last + 1

    def _read(self) -> None:
        if self._path is not None and self._path.exists():
            self._last = {str(k): int(v) for k, v in json.loads(self._path.read_text("utf-8")).items()}

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process advances meanwhile."""
        if self._path is None:
            yield
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _name(account: str) -> str:
    """What stands for the account in the file: no file holds a card number, not even a test card's."""
    return hashlib.sha256(account.encode()).hexdigest()[:16]
