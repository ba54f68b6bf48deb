"""`microtill flash`: the firmware onto boards, several at once."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from microtill.cli import common
from microtill.device import chip as bare_chip
from microtill.device import flashing, ports
from microtill.device.errors import DeviceError, UsageError
from microtill.device.flashing import Outcome, Wishes
from microtill.device.texts import t
from microtill.device.watch import Watch

_JOBS = 8
PortsOption = Annotated[
    list[str] | None,
    typer.Option("--port", "-p", help=t("option.ports"), autocompletion=common.complete_port),
]
JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help=t("option.jobs"))]


def flash(
    port: PortsOption = None,
    every: common.AllOption = False,
    jobs: JobsOption = _JOBS,
    board: Annotated[str | None, typer.Option(help=t("option.board"))] = None,
    trust: Annotated[Path | None, typer.Option(help=t("option.trust"))] = None,
    force_unsettled: Annotated[
        str | None,
        typer.Option("--force-unsettled", help=t("option.force_unsettled", words=f'"{flashing.UNSETTLED_WORDS[0]}"')),
    ] = None,
    chip: Annotated[Path | None, typer.Option(help=t("option.chip"))] = None,
    erase: Annotated[bool, typer.Option("--erase", help=t("option.erase"))] = False,
    wait: Annotated[float, typer.Option(min=0, max=600, help=t("option.wait"))] = flashing.BACK_SECONDS,
    dry_run: common.DryRunOption = False,
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """Put the firmware on boards."""
    with common.command(as_json, language) as out:
        wishes = Wishes(board, force_unsettled, _read(trust) if trust else None, wait, dry_run)
        wishes.check()
        bare = _chip_plan(chip, board, erase)
        chosen = choose(port, every)
        if bare and dry_run:
            _tell_commands(out, bare, chosen)
            return
        with out.progress() as bars:

            def one(item: ports.Port) -> Outcome:
                bar = bars.add(item.path)
                try:
                    if bare:
                        item = _write_chip(bare, item, erase, wait, bar)
                    done = flashing.flash(item, replace(wishes, board=bare.kind.name) if bare else wishes, bar)
                except DeviceError as e:
                    bar.over(e)
                    raise
                bar.over()
                return done

            results = common.on_each(chosen, one, jobs)
        for item, done in results:
            if isinstance(done, DeviceError):
                if not out.as_json:
                    common.tell(out, done, item.path if len(chosen) > 1 else "")
                continue
            out.say(f"{item.path}: " + " · ".join(_summary(done)), "green" if not dry_run else "")
            if done.foreign:
                out.warn(f"{item.path}: " + t("flash.foreign", files=", ".join(done.foreign)))
        out.result([as_result(item, done) for item, done in results])
        common.end(results)


def _chip_plan(path: Path | None, board: str | None, erase: bool) -> bare_chip.ChipPlan | None:
    if path is None:
        if erase:
            raise UsageError("error.erase_alone")
        return None
    bare_chip.require_esptool()
    return bare_chip.plan(path, bare_chip.kind_for(path, board))


def _tell_commands(out: common.Output, bare: bare_chip.ChipPlan, chosen: Sequence[ports.Port]) -> None:
    told = {item.path: bare_chip.commands(bare, item.path) for item in chosen}
    for commands in told.values():
        for says, command in commands:
            out.say(f"# {t(says)}")
            out.say(command)
    pieces = [{"name": p.name, "offset": p.offset, "size": len(p.data)} for p in bare.pieces]
    out.result([{"ok": True, "port": path, "pieces": pieces, "commands": dict(found)} for path, found in told.items()])


def _write_chip(bare: bare_chip.ChipPlan, item: ports.Port, erase: bool, wait: float, watch: Watch) -> ports.Port:
    """MicroPython onto the chip; returns its port once it is there again."""
    must_keep = bare_chip.may_write(item, erase)
    watch.total(sum(len(piece.data) for piece in bare.pieces))
    kept = bare_chip.write(bare, item.path, erase=erase, must_keep=must_keep, stage=watch.stage, step=watch.step)
    watch.stage("chip.kept" if kept else "chip.erased")
    return flashing.wait_for(item, wait)


def choose(names: Sequence[str] | None, every: bool) -> list[ports.Port]:
    """The ports a command works on, none of them twice. DeviceError as ports.select."""
    if not names:
        return ports.select(None, every)
    if every:
        raise UsageError("error.port_and_all")
    return list({port.path: port for port in map(ports.named, names)}.values())


def as_result(port: ports.Port, done: object) -> dict[str, Any]:
    """What was done to one device, or why not, for programs."""
    if isinstance(done, DeviceError):
        return {"port": port.path, **common.problem(done)}
    return {"ok": True, **asdict(done)}  # pyright: ignore[reportArgumentType] - a dataclass, such as Outcome


def _summary(done: Outcome) -> list[str]:
    who = " ".join(word for word in (done.board, done.tid or done.serial) if word)
    if done.dry_run and done.state not in ("", "blank", "trusted"):
        return [who, t("flash.would_by_word", version=done.version, hash=done.hash[:16] or "?")]
    numbers: dict[str, Any] = {
        "written": len(done.written),
        "removed": len(done.removed),
        "unchanged": done.unchanged,
        "kilobytes": -(-done.bytes // 1024),
    }
    if done.dry_run:
        return [who, t("flash.would", **numbers)]
    said = [who, t("flash.done", **numbers) if done.written else t("flash.same", count=done.unchanged)]
    said.append(t("flash.answers", version=done.version, selftest=done.selftest))
    if done.fingerprint:
        said.append(t("flash.fingerprint", fingerprint=done.fingerprint))
    return [*said, t("flash.took", seconds=f"{done.seconds:.1f}")]


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeError) as e:
        detail = e.strerror if isinstance(e, OSError) else None
        raise UsageError("error.cannot_read", path=path, detail=detail or str(e)[:80]) from e
