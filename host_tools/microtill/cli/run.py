"""`microtill run`: the terminal in a browser, with an acquirer of its own and a demo merchant."""

import asyncio
import contextlib
import logging
import signal
import socket
import webbrowser
from typing import Annotated

import typer
from rich.console import Console

from microtill.acquirer.process import AcquirerError
from microtill.bench.client import BenchError
from microtill.cli.boards import BoardName
from microtill.cli.sim import prepare
from microtill.simulator.page.server import HOST, listen, serve
from microtill.simulator.page.session import Session
from microtill.simulator.world import World

USAGE = 2
FAILED = 1

_errors = Console(stderr=True, highlight=False)


def run(
    port: Annotated[int, typer.Option(min=0, max=65535, help="of the page, on 127.0.0.1; 0 takes a free one")] = 0,
    language: Annotated[str, typer.Option(help="language of the terminal: zh or en")] = "zh",
    speed: Annotated[float, typer.Option(min=0.1, max=20, help="terminal seconds a second")] = 1.0,
    blank: Annotated[bool, typer.Option("--blank", help="leave the terminal without a merchant")] = False,
    board: BoardName = "TILL_ESP32S3",
    open_page: Annotated[bool, typer.Option("--open", help="open the page in your browser")] = False,
) -> None:
    """The terminal as an object in your browser: real firmware, virtual hardware, test cards. Ctrl-C ends it all."""
    if language not in ("zh", "en"):
        _errors.print("--language is zh or en")
        raise typer.Exit(USAGE)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        listening = listen(port)
    except OSError as e:
        _errors.print(f"port {port} on {HOST}: {e.strerror}")
        raise typer.Exit(FAILED) from None
    typer.echo("starting the acquirer and the terminal …")
    with listening, contextlib.suppress(KeyboardInterrupt):
        try:
            with World(board=board, speed=speed) as world:
                asyncio.run(_serve_until_interrupted(world, listening, board, language, blank, open_page))
        except (BenchError, AcquirerError) as e:
            _errors.print(f"{e}", markup=False)
            raise typer.Exit(FAILED) from None
    typer.echo("ended")


async def _serve_until_interrupted(
    world: World, listening: socket.socket, board: str, language: str, blank: bool, open_page: bool
) -> None:
    def ready(url: str) -> None:
        typer.echo(f"the terminal is at {url} (Ctrl-C ends it)")
        if open_page:
            webbrowser.open(url)

    session = Session(
        world.bench,
        world.acquirer,
        lambda say: prepare(world, language, say=say),
        board=board,
        blank=blank,
        say=lambda line: typer.echo(f"  {line}"),
    )
    task = asyncio.current_task()
    assert task
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serve(session, listening, ready)
