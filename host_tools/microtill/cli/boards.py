"""The option `--board` of commands that build or simulate one: a folder under boards/, completed and checked."""

from typing import Annotated

import typer

from microtill.release.boards import names


def _known(board: str) -> str:
    if board not in names():
        raise typer.BadParameter(f"{board}: there are {', '.join(names())}")
    return board


BoardName = Annotated[
    str, typer.Option("--board", help="board folder under boards/", callback=_known, autocompletion=names)
]
