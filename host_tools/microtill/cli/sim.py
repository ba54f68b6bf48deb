"""`microtill sim`: the terminal on the bench, played by a script, or kept at a serial port for other tools."""

import contextlib
import functools
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from microtill.acquirer.config import DEFAULT_NAME, DEFAULT_PORT
from microtill.acquirer.process import AcquirerError, AcquirerProcess, make_template
from microtill.bench.client import BenchError
from microtill.cli.boards import BoardName
from microtill.device.errors import DeviceError
from microtill.simulator.board import VirtualBoard
from microtill.simulator.script import Player, ScriptError, ScriptFailed, parse
from microtill.simulator.world import NETWORK, PASSWORD, World

USAGE = 2
FAILED = 1

_ALIVE_S = 0.5
_STILL_S = 0.2
_SETTLED_S = 3.0
_FIRST_UNIT = "02005E100001"
_UNIT = re.compile(r"[0-9A-Fa-f]{12}", re.ASCII)
_CONNECT = re.compile(r"([^\s/@]+):([0-9]{1,5})", re.ASCII)
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
    connect: Annotated[
        str | None, typer.Option(help="with --serial: its Wi-Fi leads to the acquirer that you serve at HOST:PORT")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="with --serial: the serial it has, 12 hex digits (02005E100001)")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for screenshots")] = Path("."),
    board: BoardName = "TILL_ESP32S3",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="print failures only")] = False,
) -> None:
    """Play a scenario script against the real firmware; exit 0 when every line holds, 1 when one does not.

    On failure the panel is saved as PNG beside the screenshots. The script's language: host_tools/README.md.

    With --serial it is a board with files in its flash, for mpremote and for other commands.

    What is typed then is played, as lines of a script; Enter alone shows the panel.
    """
    if serial and not script and headless:
        to = _CONNECT.fullmatch(connect or "")
        if connect and not (to and int(to[2]) < 65536):
            _errors.print("--connect takes HOST:PORT, for example 127.0.0.1:8443")
            raise typer.Exit(USAGE)
        if unit and not _UNIT.fullmatch(unit):
            _errors.print("--unit takes 12 hex digits, for example 02005E100002")
            raise typer.Exit(USAGE)
        make = functools.partial(
            VirtualBoard, state, blank, board, link=serial, unique_id=(unit or _FIRST_UNIT).lower()
        )
        _keep(make, serial, state, not (no_acquirer or to), (to[1], int(to[2])) if to else None)
        return
    if serial or no_acquirer or connect or unit or not script:
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


def _keep(
    make: Callable[..., VirtualBoard],
    link: Path,
    state: Path | None,
    with_acquirer: bool,
    connect: tuple[str, int] | None,
) -> None:
    """A board at a serial port until SIGINT or SIGTERM; what it kept is then ready for the next run."""
    ended = threading.Event()

    def end(*_: object) -> None:
        ended.set()

    # Typing belongs to whoever is in the foreground: reading from the background fails then, and does not stop us.
    actions = {signal.SIGINT: end, signal.SIGTERM: end, signal.SIGTTIN: signal.SIG_IGN}
    before = {number: signal.signal(number, action) for number, action in actions.items()}
    try:
        with contextlib.ExitStack() as stack:
            acquirer = stack.enter_context(_acquirer(state)) if with_acquirer else None
            vb = stack.enter_context(make(acquirer=acquirer))
            hint = "no prompt" if vb.frozen else f"mpremote connect {vb.bench.port()}"
            typer.echo(f"{vb.board} at {link}: {hint}   (Ctrl-C ends it)")
            if acquirer:
                typer.echo(f"its acquirer is on port {acquirer.port}, data in {acquirer.home.path}")
            if connect:
                vb.bench.hosts({f"{DEFAULT_NAME}:{DEFAULT_PORT}": connect})
                typer.echo(f"{DEFAULT_NAME}:{DEFAULT_PORT} is {connect[0]}:{connect[1]} to it")
            if acquirer or connect:
                typer.echo(f"its Wi-Fi network is {NETWORK}, the password {PASSWORD}")
            player, keyboard = Player(vb.world, Path(), Path()), _Keyboard()
            while not ended.is_set():
                lines = keyboard.lines(_ALIVE_S)
                for line in lines:
                    _play(player, line)
                if not lines:
                    vb.bench.state()
    except (BenchError, AcquirerError) as e:
        _errors.print(f"{e}", markup=False)
        raise typer.Exit(FAILED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    typer.echo("ended")


class _Keyboard:
    """What is typed at the standard input, for as long as there is one."""

    def __init__(self):
        self._open = sys.stdin is not None
        self._rest = b""

    def lines(self, timeout: float) -> list[str]:
        """The lines that came within `timeout` seconds."""
        if not self._open:
            time.sleep(timeout)
            return []
        if not select.select([sys.stdin], [], [], timeout)[0]:
            return []
        try:
            got = os.read(sys.stdin.fileno(), 4096)
        except OSError:  # we are in the background: it is meant for somebody else
            time.sleep(timeout)
            return []
        self._open = bool(got)
        *whole, self._rest = (self._rest + got).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]


def _play(player: Player, line: str) -> None:
    """Play a typed line, and show what is on the panel once it rests."""
    try:
        player.play(parse(line, "typed"))
    except (ScriptError, ScriptFailed) as e:
        typer.echo(str(e))
    shown: list[str] | None = None
    end = time.monotonic() + _SETTLED_S
    while shown != (now := player.world.read_screen()) and time.monotonic() < end:
        shown = now
        time.sleep(_STILL_S)
    typer.echo(f"panel: {' · '.join(now) or 'nothing'}")


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
