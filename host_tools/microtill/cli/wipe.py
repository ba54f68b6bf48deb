"""`microtill wipe`: a terminal forgets everything, and it is proved."""

import sys
from typing import Annotated

import typer

from microtill.cli import common
from microtill.cli.flash import as_result
from microtill.device import ports, wiping
from microtill.device.errors import UsageError
from microtill.device.texts import t


def wipe(
    port: common.PortOption = None,
    words: Annotated[str | None, typer.Option(help=t("option.words"))] = None,
    dry_run: common.DryRunOption = False,
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """Wipe a terminal and prove it."""
    with common.command(as_json, language) as out:
        (chosen,) = ports.select(port, may_all=False)
        if words is None and not dry_run:
            words = _ask(out, chosen)
        with out.progress() as bars:
            bar = bars.add(chosen.path)
            proof = wiping.wipe(chosen, words, bar, dry_run=dry_run)
            bar.over()
        if dry_run:
            said = t("wipe.would", serial=proof.serial, state=proof.state or "?", words=proof.words)
        elif proof.kept:
            said = t("wipe.kept", state=proof.state)
        else:
            said = t("wipe.done", **{name: getattr(proof, name) for name in _COUNTS})
        out.say(f"{chosen.path}: {said}")
        if proof.fresh:
            out.say(t("wipe.fresh", names=", ".join(proof.fresh)))
        out.result(as_result(chosen, proof))


_COUNTS = ("nvs_blank", "nvs_blocks", "journal_blank", "journal_blocks")


def _ask(out: common.Output, chosen: ports.Port) -> str | None:
    """The words, from the person at the laptop; None where nobody can be asked."""
    if out.as_json or not sys.stdin.isatty():
        return None
    would = wiping.wipe(chosen, None, dry_run=True)
    out.say(t("wipe.would", serial=would.serial, state=would.state or "?", words=would.words))
    said = out.console.input(t("wipe.ask", words=f'"{would.words}"') + ": ")
    if said.strip() != would.words:
        raise UsageError("error.wipe_words", words=would.words)
    return said.strip()
