"""Many boards at once, by a list: which board gets which row, how it ended, and how the next run goes on.

A row that names a serial gets that board and no other. The other rows get boards without a merchant, the first that
is free. What is done is written down row by row, and skipped by the next run.
"""

import csv
import io
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from microtill.device import ports
from microtill.device.desk import Acquirer, SignInAgain
from microtill.device.diary import append
from microtill.device.errors import (
    AcquirerUnreachable,
    DeviceError,
    NoAnswer,
    NoSuchPort,
    Refused,
    UsageError,
)
from microtill.device.merchants import Row
from microtill.device.ports import Port
from microtill.device.probe import Unit, masked
from microtill.device.provisioning import Outcome, PortLink, Wishes, attempt
from microtill.device.watch import Watch

COLUMNS: tuple[str, ...] = (
    "line",
    "tid",
    "mid",
    "serial",
    "port",
    "result",
    "error",
    "message",
    "version",
    "seconds",
    "time",
    "operator",
)
_SCAN_SECONDS = 0.5
_AGAIN_SECONDS = 2.0


class Stopped(Refused):
    """The batch was stopped before this row was done."""

    key = "error.batch_stopped"


@dataclass(frozen=True)
class Result:
    """How a row ended."""

    row: Row
    outcome: Outcome
    error: DeviceError | None
    skipped: bool = False


class Results:
    """The CSV file of results: a line is added and on the disk before the next row is begun."""

    def __init__(self, path: Path, operator: str):
        self.path = path
        self._operator = operator
        self._lock = threading.Lock()

    def done(self) -> dict[str, dict[str, str]]:
        """The rows that earlier runs have done, by terminal ID. UsageError when it is some other file."""
        try:
            text = self.path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as e:
            raise UsageError("error.results_file", path=self.path) from e
        whole = text[: text.rfind("\n") + 1]  # what a crash left of a line counts for nothing
        rows = list(csv.reader(io.StringIO(whole, newline="")))
        if rows and tuple(rows[0]) != COLUMNS:
            raise UsageError("error.results_file", path=self.path)
        if not rows and text and not ",".join(COLUMNS).startswith(text.rstrip("\r")):
            raise UsageError("error.results_file", path=self.path)
        last = {row[1]: dict(zip(COLUMNS, row, strict=False)) for row in rows[1:] if len(row) == len(COLUMNS)}
        return {tid: row for tid, row in last.items() if row["result"] == "done"}

    def begin(self) -> None:
        """Make the file ready to be added to. UsageError when this computer cannot write it."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                data = file.read()
                kept = data.rfind(b"\n") + 1
                file.truncate(kept)
                file.seek(kept)
                if not kept:
                    file.write(_csv(COLUMNS))
                file.flush()
                os.fsync(descriptor)
        except OSError as e:
            raise UsageError("error.cannot_keep", path=self.path, detail=e.strerror or type(e).__name__) from e

    def add(self, result: Result) -> None:
        """Write down how a row ended."""
        row, outcome, error = result.row, result.outcome, result.error
        line = _csv(
            (
                row.line,
                row.tid,
                masked(row.mid.text),
                outcome.serial,
                outcome.port,
                "failed" if error else "done",
                error.key if error else "",
                error.what if error else "",
                outcome.version or "",
                outcome.seconds,
                time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                self._operator,
            )
        )
        try:
            with self._lock:
                append(self.path, line)
        except OSError as e:
            raise UsageError("error.cannot_keep", path=self.path, detail=e.strerror or type(e).__name__) from e


def _csv(cells: Sequence[object]) -> bytes:
    out = io.StringIO(newline="")
    # A program of tables takes a cell that begins so for a formula.
    safe = [f"'{cell}" if str(cell).startswith(("=", "+", "-", "@", "\t")) else cell for cell in cells]
    csv.writer(out, lineterminator="\n").writerow(safe)
    return out.getvalue().encode()


@dataclass
class Plan:
    """What all rows have in common.

    `wait`: seconds for boards that are not plugged in yet; `patience`: for an acquirer that does not answer; `back`:
    for a board that is unplugged.
    """

    jobs: int = 4
    wait: float = 0.0
    patience: float = 120.0
    back: float = 30.0
    trust: str | None = None
    prove: bool = True


class Batch:
    """The rows that are left, and the boards for them.

    `watch(row, port)`, called from any thread, gives who hears of a row's steps; `ended` hears each result.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        acquirer: Acquirer,
        plan: Plan,
        watch: Callable[[Row, Port], Watch],
        ended: Callable[[Result], None],
    ):
        self._waiting = list(rows)
        self._acquirer = acquirer
        self._plan = plan
        self._watch = watch
        self._ended = ended
        self._stop = threading.Event()
        self._cause: DeviceError | None = None
        self._used: set[str] = set()
        self._seen: dict[str, Unit | DeviceError] = {}
        self._there: dict[str, Port] = {}
        self.results: list[Result] = []

    @property
    def left(self) -> list[Row]:
        """Rows that have no board yet."""
        return list(self._waiting)

    def stop(self) -> None:
        """End as soon as it can be; rows in hand are given up where they wait for somebody."""
        self._stop.set()

    def run(self) -> list[Result]:
        """All results, in the order of the rows."""
        running: set[Future[Result]] = set()
        idle_since = time.monotonic()
        with ThreadPoolExecutor(self._plan.jobs) as pool:
            try:
                while self._waiting or running:
                    if not self._stop.is_set() and len(running) < self._plan.jobs and self._waiting:
                        for row, port in self.assign(self._plan.jobs - len(running)):
                            self._used.add(port.path)
                            running.add(pool.submit(self._one, row, port))
                    if not running:
                        late = time.monotonic() - idle_since > self._plan.wait
                        if self._stop.is_set() or late:
                            break
                        self._stop.wait(_SCAN_SECONDS)
                        continue
                    ended, running = wait(running, timeout=_SCAN_SECONDS, return_when=FIRST_COMPLETED)
                    for future in ended:
                        self._take(future.result())
                    idle_since = time.monotonic()
            except BaseException:
                self.stop()
                raise
        for row in self._waiting:
            self._take(Result(row, Outcome("", serial=row.unit, tid=row.tid), self._not_begun(row)))
        self._waiting = []
        return sorted(self.results, key=lambda result: result.row.line)

    def assign(self, most: int) -> list[tuple[Row, Port]]:
        """Rows and the free boards for them, `most` at once; those rows wait no more."""
        self._look()
        pairs: list[tuple[Row, Port]] = []
        free = {path: unit for path, unit in self._seen.items() if path not in self._used and isinstance(unit, Unit)}
        by_serial = {unit.serial: path for path, unit in free.items()}
        by_tid = {unit.tid: path for path, unit in free.items() if unit.tid}
        named = {row.unit for row in self._waiting if row.unit}
        for row in list(self._waiting):
            if len(pairs) == most:
                break
            path = by_serial.get(row.unit) if row.unit else by_tid.get(row.tid)
            if path is None and not row.unit:
                path = next(
                    (p for p, u in free.items() if u.state in ("blank", "trusted") and u.serial not in named), None
                )
            if path is None or path not in free:
                continue
            del free[path]
            self._waiting.remove(row)
            pairs.append((row, self._there[path]))
        return pairs

    def _look(self) -> None:
        """Ask boards that were plugged in since. One that gave no answer is asked again when it comes back."""
        there = {port.path: port for port in ports.find() if port.is_board}
        self._there = there
        self._seen = {path: unit for path, unit in self._seen.items() if path in there}
        new = [port for path, port in there.items() if path not in self._seen and path not in self._used]
        for port, unit in ports.survey(new) if new else ():
            if not isinstance(unit, NoSuchPort):
                self._seen[port.path] = unit

    def _one(self, row: Row, port: Port) -> Result:
        watch = self._watch(row, port)
        wishes = Wishes(
            row.tid,
            row.mid.text,
            mode=row.mode,
            serial=row.unit or None,
            networks=row.networks,
            spare_wifi=True,
            trust=self._plan.trust,
            back=self._plan.back,
            prove=self._plan.prove,
            waiting=self._check,
        )
        deadline = time.monotonic() + self._plan.patience
        while True:
            outcome, error = attempt(PortLink(port), self._acquirer, wishes, watch)
            away = isinstance(error, AcquirerUnreachable) or (error is not None and error.key == "error.not_recorded")
            if not away or self._stop.is_set() or time.monotonic() > deadline:
                break
            watch.stage("provision.acquirer_away")
            self._stop.wait(_AGAIN_SECONDS)
        if isinstance(error, SignInAgain):
            self._cause = error
            self.stop()  # every other row would be refused as this one
        return Result(row, outcome, error)

    def _check(self) -> None:
        if self._stop.is_set():
            raise self._cause or Stopped()

    def _not_begun(self, row: Row) -> DeviceError:
        if self._stop.is_set():
            return self._cause or Stopped()
        return NoAnswer("error.no_board", serial=f" ({row.unit})" if row.unit else "")

    def _take(self, result: Result) -> None:
        self.results.append(result)
        self._ended(result)
