"""Non-volatile storage: namespaces of typed values. Only a commit is sure; a cut before it keeps some of what was set.

ESP-IDF writes at `set` and promises at `commit`. Firmware may rely on the promise alone, so the model keeps sets
pending, shows them to reads, and lets a seeded die decide how many of them (a prefix) a cut or reset leaves.
"""

import json
import random
from pathlib import Path

NOT_FOUND = 0x1102
NOT_ENOUGH_SPACE = 0x1105
INVALID_NAME = 0x1106
KEY_TOO_LONG = 0x1109

_KEY = 15
_ENTRY = 32
_ENTRIES_A_PAGE = 126

Value = int | bytes


class NvsError(Exception):
    """An ESP-IDF error; `code` as in nvs.h, positive."""

    def __init__(self, code: int):
        super().__init__(f"{code:#x}")
        self.code = code


class Nvs:
    """`size` bytes of partition; kept in `path` (JSON) when given."""

    def __init__(self, size: int, path: Path | None = None, seed: int = 1):
        self._path = path
        self._random = random.Random(seed)
        self._entries = (size // 4096 - 1) * _ENTRIES_A_PAGE  # one page stays free to move into
        self._durable: dict[tuple[str, str], Value] = {}
        self._pending: list[tuple[tuple[str, str], Value | None]] = []
        self.commits = 0
        if path and path.exists():
            for namespace, values in json.loads(path.read_text("utf-8")).items():
                for key, value in values.items():
                    self._durable[namespace, key] = bytes.fromhex(value) if isinstance(value, str) else value

    def get(self, namespace: str, key: str, kind: type[int] | type[bytes]) -> Value:
        value = self._now().get((namespace, key))
        if value is None or not isinstance(value, kind):
            raise NvsError(NOT_FOUND)
        return value

    def holds(self, namespace: str, key: str) -> bool:
        """Whether there is a value of either type."""
        return (namespace, key) in self._now()

    @property
    def pending(self) -> int:
        """Changes that a commit would make sure."""
        return len(self._pending)

    def set(self, namespace: str, key: str, value: Value) -> None:
        if not key or not namespace or len(namespace) > _KEY:
            raise NvsError(INVALID_NAME)
        if len(key) > _KEY:
            raise NvsError(KEY_TOO_LONG)
        after = self._now() | {(namespace, key): value}
        if sum(_weight(v) for v in after.values()) > self._entries:
            raise NvsError(NOT_ENOUGH_SPACE)
        self._pending.append(((namespace, key), value))

    def erase(self, namespace: str, key: str) -> None:
        if (namespace, key) not in self._now():
            raise NvsError(NOT_FOUND)
        self._pending.append(((namespace, key), None))

    def commit(self) -> None:
        self.commits += 1
        self._keep(len(self._pending))

    def stop(self) -> int:
        """Power cut or reset: some prefix of what is pending is kept. Returns how many were lost."""
        kept = self._random.randint(0, len(self._pending))
        lost = len(self._pending) - kept
        self._keep(kept)
        return lost

    def _keep(self, n: int) -> None:
        if n:
            self._durable = _applied(self._durable, self._pending[:n])
            self._save()
        self._pending.clear()

    def _now(self) -> dict[tuple[str, str], Value]:
        return _applied(self._durable, self._pending) if self._pending else self._durable

    def _save(self) -> None:
        if not self._path:
            return
        table: dict[str, dict[str, int | str]] = {}
        for (namespace, key), value in sorted(self._durable.items()):
            table.setdefault(namespace, {})[key] = value.hex() if isinstance(value, bytes) else value
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(table, indent=1), "utf-8")
        beside.replace(self._path)


def _applied(values: dict, changes: list) -> dict:
    result = dict(values)
    for where, value in changes:
        if value is None:
            result.pop(where, None)
        else:
            result[where] = value
    return result


def _weight(value: Value) -> int:
    """Entries of 32 bytes that a value takes: one for an integer; for a blob its index, its header and its data."""
    return 1 if isinstance(value, int) else 2 + -(-len(value) // _ENTRY)
