"""`microtill doctor`: what is wrong, and what to do about it."""

from typing import Annotated, Any

import typer
from rich.text import Text

from microtill.cli import common
from microtill.cli.hardware import check_hardware
from microtill.device import doctor as device_doctor
from microtill.device import ports as device_ports
from microtill.device import texts
from microtill.device.doctor import Report
from microtill.device.hardware import PARTS
from microtill.device.texts import t

_STYLES = {"ok": "green", "note": "yellow", "fault": "bold red", "skipped": "dim"}


texts.add(
    {
        "help.doctor": (
            "查找终端的问题，并说明如何处理。",
            "Find out what is wrong with a terminal, and what to do about it.",
        ),
        "doctor.working": ("正在检查……", "looking …"),
        "doctor.steps": ("处理办法", "What to do"),
        "doctor.healthy": ("没有发现问题。", "Nothing is wrong."),
    }
)


def doctor(
    port: common.PortOption = None,
    every: common.AllOption = False,
    hardware: Annotated[bool, typer.Option("--hardware", help=t("option.hardware"))] = False,
    part: Annotated[list[str] | None, typer.Option("--part", help=t("option.part"))] = None,
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """Find out what is wrong with a terminal."""
    with common.command(as_json, language) as out:
        if hardware:
            (one,) = device_ports.select(port, may_all=False)
            check_hardware(out, one, part or PARTS)
            return
        chosen = device_ports.select(port, every)
        with out.working(t("doctor.working")):
            reports = common.all_at_once(device_doctor.examine, chosen)
        out.result([_for_programs(r) for r in reports] if every else _for_programs(reports[0]))
        for i, report in enumerate(reports):
            if i:
                out.say()
            _show(out, report)
        code = next((report.exit_code for report in reports if report.exit_code), 0)
        if code:
            raise typer.Exit(code)


def _show(out: common.Output, report: Report) -> None:
    unit = report.unit
    name = f"{unit.name}, {unit.merchant}" if unit and unit.merchant else unit.name if unit else ""
    out.say(f"{report.port}: {name}" if name else report.port, "bold")
    table = common.grid()
    for finding in report.findings:
        level = Text(t(f"level.{finding.level}"), _STYLES[finding.level])
        table.add_row(common.cell(finding.name), level, common.cell(finding.text))
    out.table(table)
    steps = [f for f in report.findings if f.next]
    if steps:
        out.say()
        out.say(t("doctor.steps"), "bold")
        table = common.grid()
        for i, finding in enumerate(steps, 1):
            table.add_row(f"{i}.", common.cell(finding.name), common.cell(finding.next))
        out.table(table)
    elif not report.exit_code:
        out.say(t("doctor.healthy"), "green")


def _for_programs(report: Report) -> dict[str, Any]:
    unit = report.unit
    return {
        "port": report.port,
        "ok": not report.exit_code,
        "exit": report.exit_code,
        "serial": unit.serial if unit else None,
        "tid": unit.tid or None if unit else None,
        "findings": [
            {"check": f.check, "level": f.level, "text": f.text, "next": f.next or None, "exit": f.exit_code}
            for f in report.findings
        ],
    }
