"""Application transaction counters, which a card keeps without power and never uses twice."""

import json
import os
from pathlib import Path


class Counters:
    """One ATC for each account, in memory or kept in a file, so that a restarted bench does not repeat one."""

    def __init__(self, path: Path | None = None):
        self._path = path
        self._last: dict[str, int] = {}
        if path is not None and path.exists():
            self._last = {str(k): int(v) for k, v in json.loads(path.read_text("utf-8")).items()}

    def last(self, account: str) -> int:
        """The ATC of the last transaction, 0 before the first."""
        return self._last.get(account, 0)

    def advance(self, account: str) -> int:
        """The next ATC, 1–65535; 0 when the card has come to its end."""
        if self.last(account) >= 0xFFFF:
            return 0
        self._last[account] = self.last(account) + 1
        if self._path is not None:
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps(self._last), "utf-8")
            os.replace(new, self._path)
        return self._last[account]
