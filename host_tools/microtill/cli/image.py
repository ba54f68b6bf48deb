"""`microtill image`: the release image of a board."""

from typing import Annotated

import typer
from rich.console import Console

from microtill.release.image import ImageError, build_image, image_hash

FAILED = 1


def image(board: Annotated[str, typer.Option(help="board folder under boards/")] = "TILL_ESP32S3") -> None:
    """Compile the firmware and pack it as ROMFS: one file, one hash, the same for a device and for the simulation."""
    try:
        path = build_image(board)
    except ImageError as e:
        Console(stderr=True, highlight=False).print(str(e), markup=False)
        raise typer.Exit(FAILED) from None
    typer.echo(f"{path}\n{path.stat().st_size:,} bytes, SHA-256 {image_hash(path)}")
