"""`microtill work`: what the acquirer has for this technician to do."""

import time

from microtill.cli import common
from microtill.device import provisioning_texts as _texts  # noqa: F401 - what it says
from microtill.device import session
from microtill.device.mid import Mid
from microtill.device.texts import TEXTS, t

_WHOLE = frozenset({"work", "tid", "mid", "serial"})  # what is compared sign by sign is not folded


def work(as_json: common.JsonOption = False, language: common.LanguageOption = None) -> None:
    """List the open items of the work list."""
    with common.command(as_json, language) as out:
        profile, token = session.current()
        with profile.acquirer(token) as acquirer:
            items = acquirer.work()
        if not items:
            out.say(t("work.none"))
        else:
            out.table(table(items))
        out.result(items)


def table(items: list[dict]) -> common.Table:
    """Work items for people."""
    rows = [_cells(item) for item in items]
    named = {name: t(f"work.column.{name}") for name in rows[0]} if rows else {}
    shown = [name for name in named if any(row[name] for row in rows)]
    grid = common.grid(*(named[name] for name in shown))
    for name, column in zip(shown, grid.columns, strict=True):
        column.no_wrap = name in _WHOLE
        column.min_width = common.cell_len(named[name])
    for row in rows:
        grid.add_row(*(common.cell(row[name]) for name in shown))
    return grid


def _cells(item: dict) -> dict[str, str]:
    mid = Mid(str(item["mid"]))
    kind = f"work.kind.{item['kind']}"
    return {
        "work": str(item["id"]),
        "kind": t(kind) if kind in TEXTS else str(item["kind"]),
        "tid": str(item["tid"]),
        "merchant": str(item["merchant"]["name"]),
        "mid": mid.text,
        "category": mid.category or mid.mcc,
        "serial": str(item.get("serial") or ""),
        "note": str(item.get("note") or ""),
        "created": time.strftime("%m-%d %H:%M", time.localtime(item["created"])),
    }
