"""The structured log: one JSON object a line, from a closed list of fields, so that card data have no way in."""

import json
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, TextIO

# Every field that may ever be logged. PAN, track data, field 55, tokens of messages and keys are not among them.
_FIELDS = """tid mid seq type kid ksn status outcome rc action reason result rrn amount stan checks ms error where
    version serial mode port fault operator problem n head"""
FIELDS = frozenset(_FIELDS.split())


class Log:
    """Writes to `path` and `stream` (both optional) and keeps the last lines for whoever asks. Thread-safe."""

    def __init__(self, path: Path | None = None, stream: TextIO | None = None, keep: int = 2000):
        self._file = path.open("a", encoding="utf-8") if path else None
        self._stream = stream
        self._lock = threading.Lock()
        self.lines: deque[dict[str, Any]] = deque(maxlen=keep)

    def event(self, name: str, **fields: Any) -> None:
        """Log `name` with `fields` (None is left out). Raises ValueError for a field that is not allowed."""
        unknown = fields.keys() - FIELDS
        if unknown:
            raise ValueError(f"not a log field: {', '.join(sorted(unknown))}")
        line = {"time": round(time.time(), 3), "event": name} | {k: v for k, v in fields.items() if v is not None}
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            self.lines.append(line)
            for out in (self._file, self._stream):
                if out:
                    out.write(text + "\n")
                    out.flush()

    def failure(self, name: str, error: BaseException, **fields: Any) -> None:
        """Log an unexpected error by its type and place only: its text could quote data."""
        frame = error.__traceback__
        while frame and frame.tb_next:
            frame = frame.tb_next
        where = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
        self.event(name, error=type(error).__name__, where=where, **fields)

    def close(self) -> None:
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None
