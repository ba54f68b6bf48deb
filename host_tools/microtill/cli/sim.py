"""`microtill sim`: the terminal on the bench, played by a script."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from microtill.acquirer.process import AcquirerError
from microtill.bench.client import BenchError
from microtill.device.provisioning import ProvisioningError
from microtill.simulator.script import Player, ScriptError, ScriptFailed, parse
from microtill.simulator.world import World

USAGE = 2
FAILED = 1

_errors = Console(stderr=True, highlight=False)


def sim(
    script: Annotated[Path, typer.Option("--script", "-s", help="scenario to play, one command a line")],
    headless: Annotated[bool, typer.Option("--headless", help="without a browser page")] = False,
    language: Annotated[str, typer.Option(help="language of the terminal: zh or en")] = "zh",
    blank: Annotated[bool, typer.Option("--blank", help="leave the terminal without a merchant")] = False,
    state: Annotated[Path | None, typer.Option(help="folder for the terminal's flash; kept")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for screenshots")] = Path("."),
    board: Annotated[str, typer.Option(help="board folder under boards/")] = "TILL_ESP32S3",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="print failures only")] = False,
) -> None:
    """Play a scenario script against the real firmware; exit 0 when every line holds, 1 when one does not.

    On failure the panel is saved as PNG beside the screenshots. The script's language: host_tools/README.md.
    """
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
    except (BenchError, AcquirerError, ProvisioningError) as e:
        _errors.print(f"{script.name}: {e}", markup=False)
        raise typer.Exit(FAILED) from None


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
