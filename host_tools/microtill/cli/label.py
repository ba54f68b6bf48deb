"""`microtill label`: what to stick on a terminal."""

from pathlib import Path
from typing import Annotated, Any

import typer

from microtill.cli import common
from microtill.device import label as device_label
from microtill.device import ports as device_ports
from microtill.device import texts
from microtill.device.errors import DeviceError, UsageError
from microtill.device.ports import Port
from microtill.device.probe import STARTING_SECONDS, Unit
from microtill.device.texts import t

texts.add(
    {
        "help.label": (
            "画出终端标签（50×30 毫米，SVG 和 PNG）。",
            "Draw a terminal's label, 50×30 mm, as SVG and PNG.",
        ),
        "option.label_output": ("标签文件放在哪个文件夹", "folder for the label's files"),
        "label.written": ("已写入 {files}", "wrote {files}"),
        "label.would": ("将写入 {files}", "would write {files}"),
    }
)


def label(
    port: common.PortOption = None,
    every: common.AllOption = False,
    output: Annotated[Path, typer.Option("--output", "-o", help=t("option.label_output"))] = Path("."),
    dry_run: common.DryRunOption = False,
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """Draw a terminal's label."""
    with common.command(as_json, language) as out:
        chosen = device_ports.select(port, every)

        def one(item: Port) -> dict[str, Any]:
            unit = device_ports.ask(item, STARTING_SECONDS)
            files = label_files(unit, output) if dry_run else write_label(unit, output)
            code = device_label.code_of(unit)
            return {"port": item.path, "ok": True, "dry_run": dry_run, "code": code, "files": files}

        results = common.on_each(chosen, one)
        for item, told in results:
            if isinstance(told, DeviceError):
                if not as_json:
                    common.tell(out, told)
                continue
            said = ", ".join(map(str, told["files"]))
            out.say(f"{item.path}: {t('label.would' if dry_run else 'label.written', files=said)}")
            out.say(f"  {told['code']}", "dim")
        listed = [_for_programs(*pair) for pair in results]
        out.result(listed if every else listed[0])
        common.end(results)


def label_files(unit: Unit, folder: Path) -> list[Path]:
    """Where the label of `unit` goes, as SVG and as PNG."""
    return [folder / f"label-{device_label.file_name(unit)}{end}" for end in (".svg", ".png")]


def write_label(unit: Unit, folder: Path) -> list[Path]:
    """Draw the label of `unit` into `folder`, which is made. Returns its files; UsageError: not writable."""
    drawn = device_label.draw(unit)
    svg, png = files = label_files(unit, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        svg.write_text(drawn.svg(), "utf-8")
        png.write_bytes(drawn.png())
    except OSError as e:
        raise UsageError("error.cannot_write", path=e.filename or svg, detail=e.strerror or str(e)) from e
    return files


def _for_programs(port: Port, told: dict[str, Any] | DeviceError) -> dict[str, Any]:
    if isinstance(told, DeviceError):
        return {"port": port.path, **common.problem(told)}
    return told | {"files": [str(path) for path in told["files"]]}
