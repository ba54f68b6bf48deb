"""`microtill sim`: the terminal on the bench, played by a script, or kept at a serial port for other tools."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from microtill.acquirer.process import AcquirerError, AcquirerProcess, make_template
from microtill.bench.client import BenchError
from microtill.cli.boards import BoardName
from microtill.device.errors import DeviceError
from microtill.simulator.board import VirtualBoard
from microtill.simulator.script import Player, ScriptError, ScriptFailed, parse
from microtill.simulator.world import World

USAGE = 2
FAILED = 1

_ALIVE_S = 0.5
_WHAT = """what shall it do?
  --script FILE             play a scenario
  --headless --serial PATH  be a board at a serial port, until Ctrl-C
  microtill run             be a terminal in your browser"""

_errors = Console(stderr=True, highlight=False)


def sim(
    script: Annotated[Path | None, typer.Option("--script", "-s", help="scenario to play, one command a line")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="without a browser page")] = False,
    language: Annotated[str, typer.Option(help="language of the terminal: zh or en")] = "zh",
    blank: Annotated[
        bool, typer.Option("--blank", help="a terminal without a merchant; with --serial a bare MicroPython")
    ] = False,
    state: Annotated[Path | None, typer.Option(help="folder for the terminal's flash; kept")] = None,
    serial: Annotated[Path | None, typer.Option(help="put its serial port there, and run until Ctrl-C")] = None,
    no_acquirer: Annotated[bool, typer.Option("--no-acquirer", help="with --serial: the board alone")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for screenshots")] = Path("."),
    board: BoardName = "TILL_ESP32S3",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="print failures only")] = False,
) -> None:
    """Play a scenario script against the real firmware; exit 0 when every line holds, 1 when one does not.

    On failure the panel is saved as PNG beside the screenshots. The script's language: host_tools/README.md.

    With --serial it plays nothing: it is a board with files in its flash, for mpremote and for other commands.
    """
    if serial and not script and headless:
        _keep(serial, state, blank, board, not no_acquirer)
        return
    if serial or no_acquirer or not script:
        _errors.print(_WHAT, markup=False)
        raise typer.Exit(USAGE)
    if language not in ("zh", "en"):
        _errors.print("--language is zh or en")
        raise typer.Exit(USAGE)
    try:
        commands = parse(script.read_text("utf-8"), str(script))
    except (OSError, UnicodeDecodeError) as e:
        _errors.print(f"cannot read the script: {e}", markup=False)
        raise typer.Exit(USAGE) from None
    except ScriptError as e:
        _errors.print(str(e), markup=False)
        raise typer.Exit(USAGE) from None

    def say(line: str) -> None:
        if not quiet:
            typer.echo(line)

    try:
        with World(state=state, board=board) as world:
            prepare(world, language, blank)
            try:
                Player(world, output, script.parent, say).play(commands)
            except (ScriptFailed, BenchError) as e:
                picture = output / f"{script.stem}-failed.png"
                world.save_screen(picture)
                _errors.print(f"{script.name}: {e}", markup=False)
                _errors.print(f"the panel as it was: {picture}", markup=False)
                raise typer.Exit(FAILED) from None
    except (BenchError, AcquirerError, DeviceError) as e:
        _errors.print(f"{script.name}: {e}", markup=False)
        raise typer.Exit(FAILED) from None


def _keep(link: Path, state: Path | None, blank: bool, board: str, with_acquirer: bool) -> None:
    """A board at a serial port until SIGINT or SIGTERM; what it kept is then ready for the next run."""
    ended = threading.Event()

    def end(*_: object) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.ExitStack() as stack:
            acquirer = stack.enter_context(_acquirer(state)) if with_acquirer else None
            vb = stack.enter_context(VirtualBoard(state, blank, board, acquirer, link))
            hint = "no prompt" if vb.frozen else f"mpremote connect {vb.bench.port()}"
            typer.echo(f"{board} at {link}: {hint}   (Ctrl-C ends it)")
            if acquirer:
                typer.echo(f"its acquirer is on port {acquirer.port}, data in {acquirer.home.path}")
            while not ended.wait(_ALIVE_S):
                vb.bench.state()
    except (BenchError, AcquirerError) as e:
        _errors.print(f"{e}", markup=False)
        raise typer.Exit(FAILED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    typer.echo("ended")


def _acquirer(state: Path | None) -> AcquirerProcess:
    """The board's own acquirer, kept beside its flash."""
    if state is None:
        return AcquirerProcess()
    home = state / "acquirer"
    if not home.exists():
        fresh = state / f"acquirer.{os.getpid()}"
        make_template(fresh)
        fresh.replace(home)
    return AcquirerProcess(home)


def prepare(world: World, language: str, blank: bool = False, say: Callable[[str], None] = lambda line: None) -> None:
    """Bring a world to where scripts start: provisioned, at rest, in `language`. `say` is told the steps."""
    status = world.console.wait_ready()
    if not blank and status["state"] != "provisioned":
        world.provision(say)
        status = world.console.wait_ready()
    if not blank:
        world.wait_at_rest()
        if status["language"] != language:
            world.set_language(language)
            world.wait_at_rest()
