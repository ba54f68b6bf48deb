"""The `microtill` command."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=True, help="Open firmware for a merchant payment terminal.")


def main() -> None:
    """Entry point of the `microtill` command."""
    app()
