"""`microtill logs`: what a terminal has logged, and goes on logging."""

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from microtill.cli import common
from microtill.device import ports as device_ports
from microtill.device import texts
from microtill.device.console import TerminalSilent, parse
from microtill.device.errors import NoPermission, NoSuchPort, PortBusy, Unplugged
from microtill.device.line import Line
from microtill.device.ports import Port
from microtill.device.probe import clean, probe
from microtill.device.texts import t

_ANSWER_SECONDS = 10.0
_POLL = 0.05
_AGAIN = 0.25
_PERMISSION_SECONDS = 5.0  # until the system has given a port that was just plugged in its rights
_KEPT = 256

# "1793500000 wifi: joined"; "-" stands before the terminal has a clock.
_LINE = re.compile(r"(\d{9,11}|-) ([\w.]{1,24}): (.*)")


texts.add(
    {
        "help.logs": ("显示终端的日志。", "Show what a terminal has logged."),
        "option.follow": ("持续显示新日志，直到按 Ctrl-C", "go on with each new line, until Ctrl-C"),
        "logs.none": ("终端没有日志", "the terminal has logged nothing"),
        "logs.waiting": ("等它回来……", "waiting for it to come back"),
        "say.semicolon": ("；", "; "),
    }
)


def logs(
    port: common.PortOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help=t("option.follow"))] = False,
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """Show what a terminal has logged."""
    with common.command(as_json, language) as out:
        (chosen,) = device_ports.select(port, may_all=False)
        if follow:
            _follow(out, chosen)
            return
        with chosen.line() as line:
            probe(line)
            kept, _ = _kept(line)
        out.result({"port": chosen.path, "ok": True, "lines": [_entry(text) for text in kept]})
        for text in kept:
            out.print(_told(text))
        if not kept:
            out.warn(t("logs.none"))


def _follow(out: common.Output, port: Port) -> None:
    """Until Ctrl-C, over restarts and unplugs. What was shown is not shown again."""
    shown: list[str] = []
    try:
        with port.line() as line:  # a port that is not there, or has no terminal, is said at once
            probe(line)
        while True:
            with contextlib.closing(_back(port)) as line:
                try:
                    for text in _lines(line, shown):
                        if out.as_json:
                            sys.stdout.write(json.dumps(_entry(text), ensure_ascii=False) + "\n")
                            sys.stdout.flush()
                        else:
                            out.print(_told(text))
                        shown = [*shown[1 - _KEPT :], text]
                except Unplugged as e:
                    out.warn(f"{e.what}{t('say.semicolon')}{t('logs.waiting')}")
                except TerminalSilent:
                    continue  # it was just starting
    except KeyboardInterrupt:
        return  # how one stops to follow


def _back(port: Port) -> Line:
    """The port, open, as soon as it is there again and nobody else has it."""
    denied: float | None = None
    while True:
        line = port.line()
        try:
            line.open()
            return line
        except (NoSuchPort, PortBusy, Unplugged):
            denied = None
        except NoPermission:
            denied = denied or time.monotonic()
            if time.monotonic() - denied > _PERMISSION_SECONDS:
                raise
        time.sleep(_AGAIN)


def _lines(line: Line, shown: list[str]) -> Iterator[str]:
    """What the terminal has kept and `shown` does not end with, then each line as it comes. Ends with Unplugged."""
    kept, at = _kept(line)
    yield from kept[_overlap(shown, kept) :]
    while True:
        came, at = line.follow(at)
        yield from (text for text in came if text and parse(text) is None)
        time.sleep(_POLL)


def _kept(line: Line) -> tuple[list[str], int]:
    """The lines that the terminal has kept, and the number of the first line that came after its answer."""
    _, at = line.follow()
    number = line.console.send("logs")
    for _ in line.wait(_ANSWER_SECONDS):
        answer = line.console.poll(number)  # raises what the terminal refuses
        if answer is None:
            continue
        came, _ = line.follow(at)
        where = next(i for i, text in enumerate(came) if (parse(text) or {}).get("id") == number)
        kept = answer.get("lines")
        return [str(text) for text in kept] if isinstance(kept, list) else [], at + where + 1
    raise TerminalSilent(_ANSWER_SECONDS)


def _overlap(shown: list[str], kept: list[str]) -> int:
    """How many of the first lines of `kept` are the last ones of `shown`."""
    return next((n for n in range(len(kept), 0, -1) if shown[-n:] == kept[:n]), 0)


def _entry(text: str) -> dict[str, Any]:
    found = _LINE.fullmatch(text)
    if not found:
        return {"time": None, "source": None, "text": clean(text)}
    seconds, source, said = found.groups()
    return {"time": None if seconds == "-" else int(seconds), "source": source, "text": clean(said)}


def _told(text: str) -> Text:
    entry = _entry(text)
    if entry["source"] is None:
        return Text(entry["text"], "dim")
    try:
        when = datetime.fromtimestamp(entry["time"]).astimezone().strftime("%m-%d %H:%M:%S") if entry["time"] else "-"
    except (OverflowError, OSError, ValueError):
        when = str(entry["time"])
    return Text.assemble((f"{when:<14}  ", "dim"), (entry["source"], "bold"), f": {entry['text']}")
