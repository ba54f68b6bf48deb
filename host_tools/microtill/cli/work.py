"""`microtill work`: what the acquirer has for this technician to do."""

import time

from microtill.cli import common
from microtill.device import provisioning_texts as _texts  # noqa: F401 - what it says
from microtill.device import session
from microtill.device.mid import Mid
from microtill.device.texts import TEXTS, t


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
    columns = ("work", "kind", "tid", "merchant", "mid", "category", "serial", "note", "created")
    grid = common.grid(*(t(f"work.column.{name}") for name in columns))
    for item in items:
        mid = Mid(str(item["mid"]))
        kind = f"work.kind.{item['kind']}"
        cells = (
            item["id"],
            t(kind) if kind in TEXTS else item["kind"],
            item["tid"],
            item["merchant"]["name"],
            mid,
            mid.category or mid.mcc,
            item.get("serial") or "",
            item.get("note") or "",
            time.strftime("%m-%d %H:%M", time.localtime(item["created"])),
        )
        grid.add_row(*(common.cell(cell) for cell in cells))
    return grid
