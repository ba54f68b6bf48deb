"""What every command of the technician shares: its options, its errors, its tables, bars and JSON.

A command is `with command(as_json, language) as out:`. Inside it a DeviceError becomes a message and an exit status,
here and nowhere else.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from microtill.device import ports, texts
from microtill.device.errors import DeviceError
from microtill.device.probe import clean
from microtill.device.texts import t

INTERRUPTED = 130
# Into a pipe or a file nothing is folded.
_WIDE = 240
_PARALLEL = 16

_T = TypeVar("_T")


def complete_port(incomplete: str) -> list[tuple[str, str]]:
    """For the shell: ports, and the units that answer on them right now."""
    found: list[tuple[str, str]] = []
    listed = ports.find()
    for port, unit in ports.survey([p for p in listed if p.is_board]):
        if isinstance(unit, DeviceError):
            found.append((port.path, port.description))
            continue
        found += [(name, unit.merchant or unit.board) for name in (unit.tid, unit.serial, port.path) if name]
    return [(name, told) for name, told in found if name.upper().startswith(incomplete.upper())]


PortOption = Annotated[
    str | None,
    typer.Option("--port", "-p", help=t("option.port"), autocompletion=complete_port),
]
AllOption = Annotated[bool, typer.Option("--all", "-a", help=t("option.all"))]
JsonOption = Annotated[bool, typer.Option("--json", help=t("option.json"))]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help=t("option.dry_run"))]
LanguageOption = Annotated[Literal["zh", "en"] | None, typer.Option("--language", help=t("option.language"))]


@dataclass
class Output:
    """Where a command speaks: `say` and `table` for people, `result` for programs. Only one of the two is printed."""

    as_json: bool
    console: Console = field(default_factory=lambda: _console(sys.stdout))
    errors: Console = field(default_factory=lambda: _console(sys.stderr))

    def say(self, text: str = "", style: str = "") -> None:
        """A line for people."""
        if not self.as_json:
            self.console.print(Text(text, style), soft_wrap=True)

    def print(self, text: Text) -> None:
        """A line for people, with styles."""
        if not self.as_json:
            self.console.print(text, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line that is no result, on the error stream; programs see it too."""
        self.errors.print(Text(text, "yellow"), soft_wrap=True)

    def table(self, table: Table) -> None:
        """A table for people."""
        if not self.as_json:
            with self.console.capture() as drawn:
                self.console.print(table)
            lines = (line.rstrip() for line in drawn.get().splitlines())
            self.console.file.write("".join(f"{line}\n" for line in lines))

    def result(self, value: Any) -> None:
        """The result for programs: one JSON value, once."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
            sys.stdout.flush()

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Says `text` while the body runs, where somebody watches."""
        if self.as_json or not self.errors.is_terminal:
            yield
            return
        with self.errors.status(text):
            yield

    @contextmanager
    def progress(self) -> Iterator["Bars"]:
        """Bars, one a device. Nothing moves where nobody watches: then only the ends are told."""
        watched = self.errors.is_terminal and not self.as_json
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=self.errors, disable=not watched) as progress:
            yield Bars(self, progress)


class Bars:
    """The bars of some devices that are worked on at once; may be called from any thread."""

    def __init__(self, out: Output, progress: Progress):
        self._out = out
        self._progress = progress

    def add(self, name: str) -> "Bar":
        """A bar for the device `name`."""
        return Bar(self, self._out, name)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """No bar moves while the body asks a person something."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()


class Bar:
    """One device's bar: a Watch, whose asking is printed, too, because a person must not miss it."""

    def __init__(self, bars: Bars, out: Output, name: str):
        self._progress = bars._progress
        self._out = out
        self._name = name
        self._total = 0
        self._task = self._progress.add_task(name, total=1, note="")

    def stage(self, text: str, **fields: Any) -> None:
        self._progress.update(self._task, note=t(text, **fields))

    def ask(self, text: str, **fields: Any) -> None:
        self.stage(text, **fields)
        self._out.warn(f"{self._name}: {t(text, **fields)}")

    def total(self, amount: int) -> None:
        self._total += amount
        self._progress.update(self._task, total=max(self._total, 1))

    def step(self, amount: int) -> None:
        self._progress.advance(self._task, amount)

    def over(self, error: DeviceError | None = None) -> None:
        """The bar's last word; it is full when all went well."""
        if error is None:
            self._progress.update(self._task, completed=max(self._total, 1), note=t("bar.done"))
        else:
            self._progress.update(self._task, note=error.what)


@contextmanager
def command(as_json: bool = False, language: str | None = None) -> Iterator[Output]:
    """Run a command's body: errors end it with their message and exit status."""
    texts.set_language(language)
    out = Output(as_json)
    try:
        yield out
    except DeviceError as e:
        tell(out, e)
        raise typer.Exit(e.exit_code) from None
    except KeyboardInterrupt:
        out.warn(t("say.interrupted"))
        raise typer.Exit(INTERRUPTED) from None


def tell(out: Output, error: DeviceError, name: str = "") -> None:
    """Print what happened and what to do next; as JSON when JSON is wanted."""
    if out.as_json:
        out.result(problem(error))
        return
    said = Text(f"{name}: " if name else "")
    said.append(error.what, "red")
    out.errors.print(said, soft_wrap=True)
    if error.next:
        out.errors.print(Text(t("say.next", step=error.next)), soft_wrap=True)


def warn_of(out: Output, error: DeviceError) -> None:
    """As `tell`, on the error stream alone: something else is the result."""
    out.warn(error.what)
    if error.next:
        out.errors.print(Text(t("say.next", step=error.next)), soft_wrap=True)


def problem(error: DeviceError) -> dict[str, Any]:
    """An error for programs."""
    return {"ok": False, "error": error.key, "message": error.what, "next": error.next, "exit": error.exit_code}


def on_each(
    items: Sequence[ports.Port], work: Callable[[ports.Port], _T], at_once: int = _PARALLEL
) -> list[tuple[ports.Port, _T | DeviceError]]:
    """`work` on every port, several at once; in the order of `items`. A DeviceError is that port's result."""

    def one(port: ports.Port) -> _T | DeviceError:
        try:
            return work(port)
        except DeviceError as e:
            return e

    return list(zip(items, all_at_once(one, items, at_once), strict=True))


def all_at_once(work: Callable[[ports.Port], _T], items: Sequence[ports.Port], most: int = _PARALLEL) -> list[_T]:
    """`work` on every port, `most` of them at once; in the order of `items`."""
    with ThreadPoolExecutor(min(most, max(len(items), 1))) as pool:
        return list(pool.map(work, items))


def end(results: Sequence[tuple[ports.Port, object]]) -> None:
    """Leave with the exit status of the first device that failed, if one did."""
    for _, result in results:
        if isinstance(result, DeviceError):
            raise typer.Exit(result.exit_code)


def state(name: str) -> str:
    """A terminal's state for people."""
    return t(f"state.{name}") if f"state.{name}" in texts.TEXTS else name


def grid(*headings: str) -> Table:
    """An empty table in the style of all: no lines, headings in bold."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=bool(headings))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def cell(value: object) -> Text:
    """`value` as it may be shown: no markup, nothing that steers the screen."""
    return value if isinstance(value, Text) else Text(clean("" if value is None else str(value)))


def padded(text: str, width: int) -> str:
    """`text` filled up to `width` columns; a Chinese character takes two."""
    return text + " " * (width - cell_len(text))


def _console(stream) -> Console:
    watched = stream.isatty()
    return Console(file=stream, width=None if watched else _WIDE, highlight=False, soft_wrap=False)
