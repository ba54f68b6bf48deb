"""The `microtill` command.

A command's module is imported when the command is used: a technician who asks for `ports` does not wait for a database
library, and what this system lacks (Windows has no pseudo-terminals) keeps only those commands away that need it.
"""

import importlib
import io
import sys

import typer
from typer.core import TyperGroup
from typer.main import get_command

from microtill.device import texts

# Name, and where it is: a function, or a typer app with commands of its own. In the order of `microtill --help`.
COMMANDS = {
    "run": "microtill.cli.run:run",
    "demo": "microtill.cli.demo:demo",
    "sim": "microtill.cli.sim:sim",
    "acquirer": "microtill.cli.acquirer:app",
    "image": "microtill.cli.image:image",
    "ports": "microtill.cli.ports:ports",
    "status": "microtill.cli.status:status",
    "doctor": "microtill.cli.doctor:doctor",
    "logs": "microtill.cli.logs:logs",
    "label": "microtill.cli.label:label",
    "flash": "microtill.cli.flash:flash",
    "wipe": "microtill.cli.wipe:wipe",
    "login": "microtill.cli.login:login",
    "logout": "microtill.cli.login:logout",
    "work": "microtill.cli.work:work",
    "provision": "microtill.cli.provision:provision",
    "batch": "microtill.cli.batch:batch",
    "activate": "microtill.cli.activate:activate",
}

_POSIX_ONLY = frozenset({"fcntl", "grp", "pty", "resource", "termios", "tty"})


class _Loaded(dict):
    """Commands by name, each imported when it is first asked for."""

    def __missing__(self, name: str):
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, key, default=None):
        """The command; `default` when there is none, or none on this system."""
        if key not in self and key in COMMANDS:
            try:
                self[key] = _load(key)
            except ModuleNotFoundError as e:
                if e.name not in _POSIX_ONLY:
                    raise
        return super().get(key, default)

    def keys(self):
        """All names: what a mistyped one is compared with."""
        return COMMANDS.keys()


class _Commands(TyperGroup):
    """The commands of COMMANDS that this system can run."""

    def __init__(self, **attrs):
        super().__init__(**attrs)
        self.commands = _Loaded()

    def list_commands(self, ctx) -> list[str]:
        return [name for name in COMMANDS if self.commands.get(name)]


def _load(name: str):
    module, _, attribute = COMMANDS[name].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        holder = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)
        holder.command(name, help=texts.t(f"help.{name}") if f"help.{name}" in texts.TEXTS else None)(found)
        found = holder
    command = get_command(found)
    command.name = name
    return command


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_show_locals=False,  # a traceback must not show a password
    help="Open firmware for a merchant payment terminal.",
)


@app.callback()
def _root() -> None:
    """Open firmware for a merchant payment terminal."""


def main() -> None:
    """Entry point of the `microtill` command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that lacks a character shows "?", and goes on
    app()
