"""The list of a batch: a CSV file with a row for each terminal, checked whole before the first board is touched.

Columns, in any order: `tid` and `mid`; where wanted `serial` (this unit and no other), `wifi` (a Wi-Fi file beside the
list), `mode` (as for one terminal) and `note` (for people). Divided by commas or semicolons, UTF-8.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from microtill.device import wifi_file
from microtill.device.errors import AcquirerRefused, DeviceError, UsageError
from microtill.device.mid import Mid, mid, tid
from microtill.device.probe import clean
from microtill.device.provisioning import MODES
from microtill.device.texts import t
from microtill.device.wifi_file import Network

_REQUIRED = ("tid", "mid")
_OPTIONAL = ("serial", "wifi", "mode", "note")
_FILE_MAX = 4 << 20
_ROWS_MAX = 10_000


@dataclass(frozen=True)
class Row:
    """One terminal. `unit`: the serial that it must or, as the acquirer knows its unit already, will have."""

    line: int
    tid: str
    mid: Mid
    serial: str = ""
    networks: tuple[Network, ...] | None = None
    mode: str | None = None
    merchant: str = ""
    unit: str = ""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be done, and why."""

    line: int
    tid: str
    error: DeviceError


def read(path: Path, usual: tuple[Network, ...] | None = None) -> tuple[list[Row], list[BadRow]]:
    """The rows of the file at `path`. `usual`: Wi-Fi of rows that name none. UsageError when it is no such list."""
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_MAX + 1)
        text = data.decode("utf-8-sig")
    except OSError as e:
        raise UsageError("error.batch_file", path=path, detail=e.strerror or type(e).__name__) from e
    except UnicodeDecodeError as e:
        raise UsageError("error.batch_file", path=path, detail=t("batch.utf8")) from e
    if len(data) > _FILE_MAX:
        raise UsageError("error.batch_file", path=path, detail=t("batch.too_long"))
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in head and "," not in head else ",")
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as e:
        raise UsageError("error.batch_file", path=path, detail=f"{reader.line_num}: {e}") from e
    if not lines:
        raise UsageError("error.batch_file", path=path, detail=t("batch.empty"))
    names = [cell.strip().lower() for cell in lines[0][1]]
    _check_head(path, names)
    if not 0 < len(lines) - 1 <= _ROWS_MAX:
        raise UsageError(
            "error.batch_file", path=path, detail=t("batch.empty" if len(lines) == 1 else "batch.too_long")
        )
    return _rows(path.parent, names, lines[1:], usual)


def _check_head(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in _REQUIRED if name not in names]
    unknown = [clean(name)[:20] for name in names if name not in (*_REQUIRED, *_OPTIONAL)]
    if missing or unknown or len(set(names)) != len(names):
        known = ", ".join((*_REQUIRED, *_OPTIONAL))
        found = ", ".join(clean(name)[:20] for name in names)[:120]
        raise UsageError("error.batch_head", path=path, found=found, known=known)


def _rows(
    folder: Path, names: Sequence[str], lines: Sequence[tuple[int, list[str]]], usual: tuple[Network, ...] | None
) -> tuple[list[Row], list[BadRow]]:
    rows: list[Row] = []
    bad: list[BadRow] = []
    seen: dict[tuple[str, str], int] = {}
    files: dict[str, tuple[Network, ...] | DeviceError] = {}
    for number, cells in lines:
        said = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        try:
            if len(cells) != len(names):
                raise UsageError("error.batch_cells", found=len(cells), wanted=len(names))
            row = _row(number, said, folder, files, usual)
            for name, value in (("tid", row.tid), ("serial", row.serial)):
                if value and (first := seen.setdefault((name, value), number)) != number:
                    raise UsageError("error.batch_twice", name=name, line=first)
            rows.append(row)
        except DeviceError as e:
            bad.append(BadRow(number, clean(said.get("tid", ""))[:8], e))
    return rows, bad


def _row(
    number: int,
    said: dict[str, str],
    folder: Path,
    files: dict[str, tuple[Network, ...] | DeviceError],
    usual: tuple[Network, ...] | None,
) -> Row:
    serial, name, mode = said.get("serial", "").upper(), said.get("wifi", ""), said.get("mode", "")
    terminal, merchant = tid(said["tid"]), mid(said["mid"])
    if mode and mode not in MODES:
        raise UsageError("error.mode", mode=clean(mode)[:20], known=", ".join(MODES))
    if serial and (len(serial) > 40 or not serial.isascii() or not serial.isprintable()):
        raise UsageError("error.batch_serial")
    networks = usual
    if name:
        if name not in files:
            try:
                files[name] = wifi_file.read(folder / name)
            except DeviceError as e:
                files[name] = e
        found = files[name]
        if isinstance(found, DeviceError):
            raise found
        networks = found
    return Row(number, terminal, merchant, serial, networks, mode or None, unit=serial)


def look_up(
    rows: Sequence[Row], ask: Callable[[str, str], dict[str, Any]], step: Callable[[], None] = lambda: None
) -> tuple[list[Row], list[BadRow]]:
    """The rows as the acquirer knows them: `ask(tid, mid)` gives its terminal, or refuses."""
    good: list[Row] = []
    bad: list[BadRow] = []
    for row in rows:
        try:
            found = ask(row.tid, row.mid.text)
            # A ticket may be on its way to a unit that an earlier run had in hand: no other may have it then.
            unit = row.serial or ("" if row.mode == "replace" else str(found.get("serial") or ""))
            good.append(replace(row, merchant=clean(str(found["merchant"].get("name", ""))), unit=unit))
        except AcquirerRefused as e:
            if e.key.startswith("error.acquirer.session"):
                raise
            bad.append(BadRow(row.line, row.tid, e))
        step()
    return good, bad
