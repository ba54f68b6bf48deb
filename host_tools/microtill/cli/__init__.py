"""The `microtill` command."""

import typer

from microtill.cli import acquirer, demo, image, run, sim

app = typer.Typer(no_args_is_help=True, add_completion=True, help="Open firmware for a merchant payment terminal.")
app.add_typer(acquirer.app, name="acquirer")
app.command()(run.run)
app.command()(sim.sim)
app.command()(demo.demo)
app.command()(image.image)


def main() -> None:
    """Entry point of the `microtill` command."""
    app()
