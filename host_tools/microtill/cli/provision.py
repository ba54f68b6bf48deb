"""`microtill provision`: a unit becomes a merchant's terminal."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from microtill.cli import asking, common
from microtill.cli.work import table
from microtill.device import diary, ports, provisioning, session, wifi_file
from microtill.device.desk import Acquirer
from microtill.device.errors import DeviceError, UsageError
from microtill.device.mid import mid as check_mid
from microtill.device.mid import tid as check_tid
from microtill.device.provisioning import Offer, Outcome, PortLink, Wishes
from microtill.device.texts import t
from microtill.device.wifi_file import Network


# Stages in which a person at the terminal has something to do: said also where no bar is watched.
def provision(
    tid: Annotated[str | None, typer.Option("--tid", "-t", help=t("option.tid"))] = None,
    mid: Annotated[str | None, typer.Option("--mid", "-m", help=t("option.mid"))] = None,
    work: Annotated[int | None, typer.Option("--work", "-w", min=1, help=t("option.work"))] = None,
    port: common.PortOption = None,
    mode: Annotated[
        str | None, typer.Option(help=t("option.mode", known=", ".join(provisioning.MODES)), show_default=False)
    ] = None,
    wifi: Annotated[Path | None, typer.Option("--wifi-file", help=t("option.wifi_file"))] = None,
    ask_wifi: Annotated[bool, typer.Option("--ask-wifi", help=t("option.ask_wifi"))] = False,
    trust: Annotated[Path | None, typer.Option(help=t("option.trust_file"))] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=t("option.yes"))] = False,
    dry_run: common.DryRunOption = False,
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """Provision a terminal."""
    with common.command(as_json, language) as out:
        if tid is not None:
            check_tid(tid)
        if mid is not None:
            check_mid(mid)
        if not (yes or dry_run or asking.somebody()):
            raise UsageError("error.no_keyboard_confirm")
        networks = wifi_file.read(wifi) if wifi else None
        token = _read(trust) if trust else None
        profile, session_token = session.current()
        if not dry_run:
            diary.ready()
        (chosen,) = ports.select(port, may_all=False)
        with profile.acquirer(session_token) as acquirer:
            tid, serial = _which(out, acquirer, chosen, tid, work)
            if ask_wifi and networks is None:
                networks = ask_networks()

            def confirm(offer: Offer) -> bool:
                for line in told(offer):
                    out.say(line)
                return yes or dry_run or asking.agree(t("provision.confirm"))

            wishes = Wishes(
                tid,
                mid=mid,
                work=work,
                mode=mode,
                serial=serial,
                networks=networks,
                ask_networks=ask_networks if networks is None else None,
                trust=token,
                dry_run=dry_run,
                confirm=confirm,
            )
            outcome, error = _run(out, chosen, acquirer, wishes)
        if not dry_run:
            _note(out, profile, outcome, error)
        if error is not None:
            raise error
        if dry_run:
            out.say(t("provision.would", serial=outcome.serial, tid=outcome.tid, merchant=outcome.merchant))
        else:
            out.say(f"{chosen.path}: " + summary(outcome), "green")
        out.result({"ok": True, **asdict(outcome)})


def _note(out: common.Output, profile: session.Profile, outcome: Outcome, error: DeviceError | None) -> None:
    try:
        diary.note(profile, outcome, error)
    except DeviceError as e:
        if error is None:
            raise
        common.warn_of(out, e)  # what happened to the unit is what the technician must hear last


def _run(
    out: common.Output, chosen: ports.Port, acquirer: Acquirer, wishes: Wishes
) -> tuple[Outcome, DeviceError | None]:
    if wishes.dry_run:
        return provisioning.attempt(PortLink(chosen), acquirer, wishes)
    with out.progress() as bars:
        bar = bars.add(chosen.path)

        def confirm(offer: Offer) -> bool:
            with bars.aside():
                return wishes.confirm(offer)

        def networks() -> Sequence[Network]:
            with bars.aside():
                return ask_networks()

        asking_aside = replace(wishes, confirm=confirm, ask_networks=networks if wishes.ask_networks else None)
        outcome, error = provisioning.attempt(PortLink(chosen), acquirer, asking_aside, bar)
        bar.over(error)
    return outcome, error


def told(offer: Offer) -> list[str]:
    """What the technician reads before it begins."""
    mid = offer.mid
    rows = [
        ("merchant", " · ".join(word for word in (offer.merchant, offer.address) if word)),
        ("mid", mid.text),
        ("acquirer", mid.acquirer),
        ("area", mid.area),
        ("mcc", f"{mid.mcc}  {mid.category or t('provision.mcc_unknown')}"),
        ("number", mid.serial),
        ("tid", offer.tid),
        ("unit", f"{offer.board} {offer.serial}, {t(f'provision.state.{offer.state}')}"),
    ]
    if offer.mode:
        rows.append(("mode", offer.mode))
    if offer.fingerprint:
        rows.append(("fingerprint", offer.fingerprint))
    names = [t(f"provision.row.{name}") for name, _ in rows]
    wide = max(common.cell_len(name) for name in names) + 2
    cells = [common.cell(value).plain for _, value in rows]
    return [f"  {common.padded(name, wide)}{value}" for name, value in zip(names, cells, strict=True)]


def summary(outcome: Outcome) -> str:
    """One line on a unit that is done."""
    said = [t("provision.done", serial=outcome.serial, tid=outcome.tid, merchant=outcome.merchant, mid=outcome.mid)]
    if outcome.already:
        said.append(t("provision.already"))
    said.append(t("provision.echo", ms=outcome.echo_ms, version=outcome.version))
    said.append(t("provision.took", seconds=f"{outcome.seconds:.1f}"))
    return " · ".join(said)


def ask_networks() -> tuple[Network, ...]:
    """One or two networks, from the technician; passwords without echo."""
    if not asking.somebody():
        raise UsageError("error.no_keyboard_wifi")
    found: list[Network] = []
    while len(found) < wifi_file.MOST:
        question = t("provision.wifi_name" if not found else "provision.wifi_second")
        name = asking.ask(question) if not found else asking.ask_or_none(question)
        if not name:
            break
        found.append(Network(name, asking.ask_secret(t("provision.wifi_password", name=name))))
    return wifi_file.different(found)


def _which(
    out: common.Output, acquirer: Acquirer, chosen: ports.Port, tid: str | None, work: int | None
) -> tuple[str, str | None]:
    """The terminal ID, and the unit's serial where the work item says it."""
    if tid is not None and work is None:
        return tid, None
    items = acquirer.work()
    if work is None:
        work = _choose(out, items, ports.ask(chosen).serial)
    item = next((item for item in items if item["id"] == work), None)
    if item is None:
        raise UsageError("error.no_such_work", work=work)
    if tid not in (None, item["tid"]):
        raise UsageError("error.tid_and_work")
    return check_tid(str(item["tid"])), item.get("serial") or None


def _choose(out: common.Output, items: Sequence[dict], serial: str) -> int:
    """Which work item this unit is for: the one that names it, or the one that the technician names."""
    mine = [item for item in items if item.get("serial") == serial]
    if len(mine) == 1:
        return mine[0]["id"]
    free = [item for item in items if item.get("serial") in (None, "", serial)]
    if not free or out.as_json or not asking.somebody():
        raise UsageError("error.which_tid")
    out.table(table(free))
    said = asking.ask(t("provision.which_work"))
    if not said.isdecimal() or int(said) not in [item["id"] for item in free]:
        raise UsageError("error.no_such_work", work=said[:20])
    return int(said)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeError) as e:
        detail = e.strerror if isinstance(e, OSError) else None
        raise UsageError("error.trust_file", path=path, detail=detail or type(e).__name__) from e
