"""The Wi-Fi networks that a terminal is given, and a file for them that only its owner may read.

    [[network]]
    name = "Corner shop"
    password = "…"            # "" for an open network

One or two of them, best first.
"""

import os
import stat
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from microtill.device.errors import UsageError

MOST = 2
_FILE_MAX = 8192
_PASSWORD = range(8, 64)


@dataclass(frozen=True)
class Network:
    """Raises UsageError, which never holds the password."""

    name: str
    password: str = field(repr=False)

    def __post_init__(self):
        if not 1 <= len(self.name.encode()) <= 32 or not self.name.isprintable():
            raise UsageError("error.wifi_name")
        if self.password and (len(self.password.encode()) not in _PASSWORD or not self.password.isprintable()):
            raise UsageError("error.wifi_password", name=self.name)


def read(path: Path) -> tuple[Network, ...]:
    """The networks in the file at `path`. UsageError when others may read it, or it says something else."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as file:
            # Of the open file: nobody changes it between the look and the reading.
            told = os.fstat(descriptor)
            if os.name == "posix" and (stat.S_IMODE(told.st_mode) & 0o077 or told.st_uid != os.geteuid()):
                raise UsageError("error.wifi_file_open", path=path)
            text = file.read(_FILE_MAX + 1).decode()
            if len(text) > _FILE_MAX:
                raise UsageError("error.wifi_file", path=path, detail=f"> {_FILE_MAX} B")
    except OSError as e:
        raise UsageError("error.wifi_file", path=path, detail=e.strerror or type(e).__name__) from e
    except UnicodeDecodeError as e:
        raise UsageError("error.wifi_file", path=path, detail="UTF-8") from e
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        # Where, and not what: its text quotes the file.
        where = str(e).rpartition("(")[2].rstrip(")")
        raise UsageError("error.wifi_file", path=path, detail=where[:40]) from None
    return _networks(said, path)


def _networks(said: dict, path: Path) -> tuple[Network, ...]:
    tables = said.get("network")
    if set(said) != {"network"} or not isinstance(tables, list) or not 1 <= len(tables) <= MOST:
        raise UsageError("error.wifi_file", path=path, detail="[[network]] ×1–2")
    found = []
    for table in tables:
        if not isinstance(table, dict) or set(table) != {"name", "password"}:
            raise UsageError("error.wifi_file", path=path, detail="[[network]]: name, password")
        if not all(isinstance(value, str) for value in table.values()):
            raise UsageError("error.wifi_file", path=path, detail="name, password")
        found.append(Network(**table))
    return different(found)


def different(networks: Sequence[Network]) -> tuple[Network, ...]:
    """`networks`, once no name is there twice."""
    if len({network.name for network in networks}) != len(networks):
        raise UsageError("error.wifi_twice")
    return tuple(networks)
