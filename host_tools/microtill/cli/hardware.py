"""What `microtill doctor --hardware` does: a fresh box of parts, with the technician at both ends of the cable."""

import queue
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from microtill.cli import common
from microtill.device import label, texts
from microtill.device.console import Console
from microtill.device.doctor import Finding
from microtill.device.errors import DeviceError, NoAnswer, UsageError, VerificationFailed
from microtill.device.hardware import PARTS, Hardware, from_boot
from microtill.device.line import Line
from microtill.device.ports import Port
from microtill.device.probe import STARTING_SECONDS, Unit, probe
from microtill.device.texts import t

_BACK_SECONDS = 15.0
_STYLES = {"ok": "green", "note": "yellow", "fault": "bold red", "skipped": "dim"}


class Keyboard:
    """The person at the laptop. Typing is read beside the work, so that nothing waits for it; without a keyboard,
    nothing is ever typed."""

    def __init__(self, out: common.Output):
        self._out = out
        self._typed: queue.SimpleQueue[str] = queue.SimpleQueue()
        if sys.stdin.isatty():
            threading.Thread(target=self._read, name="keyboard", daemon=True).start()

    def told(self, text: str) -> None:
        """Say what to do, on the error stream: the result is the findings."""
        self._out.errors.print(Text(text, "cyan"), soft_wrap=True)

    def answered(self) -> str | None:
        """What was typed since, a line at a time."""
        with suppress(queue.Empty):
            return self._typed.get_nowait()
        return None

    def _read(self) -> None:
        for line in sys.stdin:
            self._typed.put(line.rstrip("\n"))


def check_hardware(out: common.Output, port: Port, parts: Sequence[str] = PARTS, label_into: Path = Path(".")) -> None:
    """Try every part of the unit on `port`; a pass draws its label. Exit status 5 for a fault."""
    lines: list[Line] = []

    def opened() -> Console:
        """The line once it can be opened: the chip's own USB goes away with each restart."""
        while lines:
            lines.pop().close()
        deadline = time.monotonic() + _BACK_SECONDS
        while True:
            line = port.line()
            try:
                line.open()
                lines.append(line)
                return line.console
            except DeviceError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def tell(finding: Finding) -> None:
        level = Text(t(f"level.{finding.level}"), _STYLES[finding.level])
        out.print(Text.assemble((f"{finding.name}: ", "bold"), level, "  ", finding.text))

    try:
        console = opened()
        try:
            unit = probe(lines[0], STARTING_SECONDS)
        except NoAnswer:
            found = from_boot(lines[0].lines())
            if found is None:
                raise
            tell(found)
            _result(out, port, [found], None)
            _steps(out, [found])
            raise typer.Exit(VerificationFailed.exit_code) from None
        hardware = Hardware(console, Keyboard(out), tell, port.vid, opened)
        hardware.run(parts)
    finally:
        while lines:
            lines.pop().close()
    faults = [f for f in hardware.findings if f.level == "fault"]
    files = None
    if not faults and tuple(parts) == PARTS:
        files = _write_label(unit, label_into)
    _result(out, port, hardware.findings, files)
    _steps(out, faults)
    if faults:
        raise typer.Exit(VerificationFailed.exit_code)


def _steps(out: common.Output, faults: Sequence[Finding]) -> None:
    for n, finding in enumerate(faults, 1):
        out.say(f"{n}. {finding.name}: {finding.next}")


def _write_label(unit: Unit, into: Path) -> list[Path]:
    drawn = label.draw(unit)
    files = [into / f"label-{label.file_name(unit)}{end}" for end in (".svg", ".png")]
    try:
        files[0].write_text(drawn.svg(), "utf-8")
        files[1].write_bytes(drawn.png())
    except OSError as e:
        raise UsageError("error.cannot_write", path=e.filename or files[0], detail=e.strerror or str(e)) from e
    return files


def _result(out: common.Output, port: Port, findings: Sequence[Finding], files: list[Path] | None) -> None:
    out.result(
        {
            "port": port.path,
            "ok": not any(f.exit_code for f in findings),
            "label": [str(path) for path in files or ()],
            "findings": [_for_programs(f) for f in findings],
        }
    )
    if files:
        out.say(t("hw.label", files=", ".join(map(str, files))))


def _for_programs(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "level": finding.level,
        "found": getattr(finding, "key", ""),
        "text": finding.text,
        "next": finding.next or None,
        "exit": finding.exit_code,
    }


texts.add(
    {
        "option.hardware": (
            "逐件检查一台新装的终端：按键、屏幕、读卡器、无线、供电",
            "try a fresh unit piece by piece",
        ),
        "option.part": ("只查这几项（可重复）", "only these parts; may be repeated"),
    }
)
