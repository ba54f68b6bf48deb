"""`microtill batch`: many terminals by a list."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from microtill.cli import asking, common
from microtill.device import diary, merchants, provisioning, session, wifi_file
from microtill.device.batch import Batch, Plan, Result, Results
from microtill.device.errors import DeviceError, UsageError
from microtill.device.merchants import BadRow, Row
from microtill.device.ports import Port
from microtill.device.probe import masked
from microtill.device.texts import t
from microtill.device.watch import Quiet, Watch

_JOBS = 8


def batch(
    path: Annotated[Path, typer.Argument(metavar="merchants.csv", help=t("option.batch_file"))],
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help=t("option.jobs"))] = _JOBS,
    wifi: Annotated[Path | None, typer.Option("--wifi-file", help=t("option.batch_wifi"))] = None,
    results: Annotated[Path | None, typer.Option(help=t("option.results"))] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help=t("option.skip_bad"))] = False,
    wait: Annotated[float, typer.Option(min=0, max=86400, help=t("option.batch_wait"))] = 0,
    patience: Annotated[float, typer.Option(min=0, max=3600, help=t("option.patience"))] = 120,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=t("option.yes"))] = False,
    dry_run: common.DryRunOption = False,
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """Provision terminals by a list."""
    with common.command(as_json, language) as out:
        if not (yes or dry_run or asking.somebody()):
            raise UsageError("error.no_keyboard_confirm")
        rows, bad = merchants.read(path, wifi_file.read(wifi) if wifi else None)
        profile, token = session.current()
        book = Results(results or path.with_name(f"{path.stem}.results.csv"), profile.name)
        earlier = book.done()
        with profile.acquirer(token) as acquirer:
            with out.working(t("batch.checking")):
                rows, refused = merchants.look_up(rows, lambda tid, mid: provisioning.look_up(acquirer, tid, mid))
            bad = sorted([*bad, *refused], key=lambda row: row.line)
            for row in bad:
                out.warn(t("batch.bad", path=path, line=row.line, tid=row.tid, what=row.error.what))
            if bad and not skip_bad:
                out.result([_bad(row) for row in bad])
                if as_json:
                    raise typer.Exit(UsageError.exit_code)
                raise UsageError("error.batch_rows", path=path, count=len(bad), step=t("batch.mend"))
            left = [row for row in rows if not _is_done(row, earlier)]
            skipped = [row for row in rows if _is_done(row, earlier)]
            plan = Plan(jobs, wait, patience)
            if dry_run:
                _tell_plan(out, Batch(left, acquirer, plan, _nobody, _ignore), skipped, bad)
                return
            _confirm(out, left, skipped, yes)
            book.begin()
            diary.ready()
            unkept: list[DeviceError] = []

            def ended(result: Result) -> None:
                try:
                    book.add(result)
                    if result.outcome.port:
                        diary.note(profile, result.outcome, result.error)
                except DeviceError as e:
                    unkept.append(e)
                    work.stop()  # what is not written down is not begun

            with out.progress() as bars:
                made: dict[int, common.Bar] = {}

                def watch(row: Row, port: Port) -> common.Bar:
                    made[row.line] = bars.add(f"{row.tid} {port.path.rpartition('/')[2]}")
                    return made[row.line]

                def told(result: Result) -> None:
                    ended(result)
                    if result.row.line in made:
                        made[result.row.line].over(result.error)

                work = Batch(left, acquirer, plan, watch, told)
                done = work.run()
        _tell(out, done, skipped, bad, book.path)
        out.result([_told(result) for result in done] + [_skipped(row) for row in skipped] + [_bad(row) for row in bad])
        if unkept:
            common.warn_of(out, unkept[0])
            raise typer.Exit(unkept[0].exit_code)
        failed = next((result.error for result in done if result.error), None) or next((row.error for row in bad), None)
        if failed is not None:
            raise typer.Exit(failed.exit_code)


def _is_done(row: Row, earlier: dict[str, dict[str, str]]) -> bool:
    before = earlier.get(row.tid)
    if before is None or before["mid"] != masked(row.mid.text):
        return False
    return row.serial in ("", before["serial"])


def _confirm(out: common.Output, left: list[Row], skipped: list[Row], yes: bool) -> None:
    grid = common.grid(
        *(t(f"batch.column.{name}") for name in ("line", "tid", "merchant", "mid", "category", "serial"))
    )
    for row in left:
        cells = (row.line, row.tid, row.merchant, row.mid, row.mid.category or row.mid.mcc, row.unit)
        grid.add_row(*(common.cell(cell) for cell in cells))
    if left:
        out.table(grid)
    if skipped:
        out.say(t("batch.skipped", count=len(skipped)))
    if left and not yes and not asking.agree(t("batch.confirm", count=len(left))):
        raise UsageError("error.not_confirmed")


def _tell_plan(out: common.Output, made: Batch, skipped: list[Row], bad: list[BadRow]) -> None:
    pairs = made.assign(1 << 30)
    for row, port in pairs:
        out.say(t("batch.would", line=row.line, tid=row.tid, merchant=row.merchant, port=port.path))
    out.say(t("batch.would_count", boards=len(pairs), left=len(made.left), skipped=len(skipped), bad=len(bad)))
    told = [{"ok": True, "dry_run": True, "line": row.line, "tid": row.tid, "port": port.path} for row, port in pairs]
    out.result(told + [_skipped(row) for row in skipped] + [_bad(row) for row in bad])


def _tell(out: common.Output, done: list[Result], skipped: list[Row], bad: list[BadRow], book: Path) -> None:
    for result in done:
        if result.error and not out.as_json:
            common.tell(out, result.error, f"{result.row.line} {result.row.tid}")
    good = sum(result.error is None for result in done)
    style = "green" if good == len(done) and not bad else ""
    failed = len(done) - good
    out.say(t("batch.done", good=good, failed=failed, skipped=len(skipped), bad=len(bad), path=book), style)


def _told(result: Result) -> dict[str, Any]:
    told = {"ok": result.error is None, "line": result.row.line, **asdict(result.outcome)}
    return told | (common.problem(result.error) if result.error else {})


def _skipped(row: Row) -> dict[str, Any]:
    return {"ok": True, "skipped": True, "line": row.line, "tid": row.tid}


def _bad(row: BadRow) -> dict[str, Any]:
    return {"line": row.line, "tid": row.tid, **common.problem(row.error)}


def _nobody(row: Row, port: Port) -> Watch:
    return Quiet()


def _ignore(result: Result) -> None:
    """A dry run ends nothing."""
