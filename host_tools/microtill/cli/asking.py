"""Asking the person at the laptop. What is secret is typed without echo and comes from nowhere else."""

import getpass
import sys

import typer

from microtill.device.errors import UsageError


def somebody() -> bool:
    """Whether a person is there to be asked."""
    return sys.stdin.isatty()


def ask(question: str, default: str = "") -> str:
    """A line; `default` when nothing is typed."""
    _require()
    return str(typer.prompt(question, default=default or None, show_default=bool(default), err=True)).strip()


def ask_or_none(question: str) -> str:
    """A line, perhaps empty."""
    _require()
    return str(typer.prompt(question, default="", show_default=False, err=True)).strip()


def ask_secret(question: str) -> str:
    """A line that nobody sees."""
    _require()
    return getpass.getpass(f"{question}: ")


def agree(question: str) -> bool:
    """Yes, said with `y`."""
    _require()
    return typer.confirm(question, default=False, err=True)


def _require() -> None:
    if not somebody():
        raise UsageError("error.no_keyboard")
