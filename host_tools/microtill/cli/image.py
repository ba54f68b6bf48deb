"""`microtill image`: the release image of a board."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from microtill.cli.boards import BoardName
from microtill.device import trust as trust_file
from microtill.device.errors import UsageError
from microtill.release.image import ImageError, build_image, image_hash

FAILED = 1


def image(
    board: BoardName = "TILL_ESP32S3",
    trust: Annotated[
        Path | None,
        typer.Option(help="trust object of the acquirer whom units with this image trust from the start"),
    ] = None,
) -> None:
    """Compile the firmware and pack it as ROMFS: one file, one hash, the same for a device and for the simulation."""
    try:
        trusted = trust_file.read(trust.read_text("ascii").strip()) if trust else None
        path = build_image(board, trust=trusted.payload if trusted else None)
    except (ImageError, UsageError, OSError, ValueError) as e:
        Console(stderr=True, highlight=False).print(str(e), markup=False)
        raise typer.Exit(e.exit_code if isinstance(e, UsageError) else FAILED) from None
    typer.echo(f"{path}\n{path.stat().st_size:,} bytes, SHA-256 {image_hash(path)}")
    if trusted:
        typer.echo(f"trusts {trusted.name}, {trusted.url}, fingerprint {trusted.fingerprint}")
