"""`microtill status`: a terminal's state at a glance."""

from datetime import datetime
from typing import Any

from rich.text import Text

from microtill.cli import common
from microtill.device import ports as device_ports
from microtill.device import terminal_texts, texts
from microtill.device.doctor import duration
from microtill.device.errors import DeviceError
from microtill.device.ports import Port
from microtill.device.probe import QUICK_SECONDS, STARTING_SECONDS, Unit
from microtill.device.texts import t

texts.add(
    {
        "help.status": ("显示终端的状态。", "Show a terminal's state."),
        "label.unit": ("终端", "Unit"),
        "label.port": ("端口", "Port"),
        "label.state": ("状态", "State"),
        "label.error": ("故障", "Fault"),
        "label.merchant": ("商户", "Merchant"),
        "label.mid": ("商户号", "Merchant ID"),
        "label.tid": ("终端号", "Terminal ID"),
        "label.standing": ("收单行处置", "Standing"),
        "label.batch": ("批次", "Batch"),
        "label.waiting": ("未完成", "Open"),
        "label.firmware": ("固件", "Firmware"),
        "label.selftest": ("自检", "Self-test"),
        "label.time": ("时间", "Time"),
        "label.uptime": ("运行", "Running"),
        "label.wifi": ("无线网络", "Wi-Fi"),
        "label.acquirer": ("收单行", "Acquirer"),
        "label.ticket": ("绑定版本", "Ticket"),
        "label.trust": ("信任版本", "Trust"),
        "label.idle": ("待机", "At rest"),
        "status.has_sales": ("有未结算交易", "not settled"),
        "status.empty": ("没有交易", "no sales"),
        "status.no_time": ("还没有经签名的时间", "no signed time yet"),
        "status.since": ("{since}（{cause}）", "{since} ({cause})"),
        "status.offline": ("未连接", "not connected"),
        "say.yes": ("是", "yes"),
        "say.no": ("否", "no"),
    }
)


def status(
    port: common.PortOption = None,
    every: common.AllOption = False,
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """Show a terminal's state."""
    with common.command(as_json, language) as out:
        chosen = device_ports.select(port, every)
        found = common.on_each(chosen, lambda item: device_ports.ask(item, STARTING_SECONDS if port else QUICK_SECONDS))
        out.result([_for_programs(*pair) for pair in found] if every else _for_programs(*found[0]))
        for i, (item, unit) in enumerate(found):
            if i:
                out.say()
            if isinstance(unit, Unit):
                _show(out, item, unit)
            elif not as_json:
                common.tell(out, unit)
        common.end(found)


def _show(out: common.Output, port: Port, unit: Unit) -> None:
    table = common.grid()
    for name, value in _rows(port, unit):
        if value is not None and str(value) != "":
            table.add_row(Text(t(f"label.{name}"), "bold"), common.cell(value))
    out.table(table)


def _rows(port: Port, unit: Unit) -> list[tuple[str, object]]:
    told = unit.status
    version = told.get("version")
    version = version if isinstance(version, dict) else {}
    return [
        ("unit", f"{unit.serial} ({unit.board})"),
        ("port", port.path),
        ("state", Text(common.state(unit.state), _STYLES.get(unit.state, ""))),
        ("error", terminal_texts.what(told["error"]) if isinstance(told.get("error"), str) else None),
        ("merchant", unit.merchant),
        ("mid", unit.mid),
        ("tid", unit.tid),
        ("standing", _standing(told.get("standing"))),
        ("batch", _batch(told)),
        ("waiting", _waiting(told)),
        ("firmware", unit.fw + (f" ({told['files'][:12]})" if isinstance(told.get("files"), str) else "")),
        ("selftest", _self_test(told.get("selftest"))),
        ("time", _time(told.get("time")) if "time" in told else None),
        ("uptime", _uptime(told)),
        ("wifi", _reason(told.get("wifi"))),
        ("acquirer", _acquirer(unit)),
        ("ticket", version.get("ticket")),
        ("trust", _trust(told, version.get("trust"))),
        ("idle", t("say.yes" if told["idle"] else "say.no") if isinstance(told.get("idle"), bool) else None),
    ]


_STYLES = {"provisioned": "green", "fault": "red", "blank": "yellow", "trusted": "yellow"}


def _batch(told: Any) -> str:
    if "batch" not in told:
        return ""
    open_batch = told.get("open_batch")
    if not isinstance(open_batch, bool):
        return str(told["batch"])
    return f"{told['batch']} ({t('status.has_sales' if open_batch else 'status.empty')})"


def _waiting(told: Any) -> Text | None:
    counts = [(name, told[name]) for name in ("pending", "unsent") if isinstance(told.get(name), int) and told[name]]
    said = [t(f"doctor.sales_{name}", count=count) for name, count in counts]
    if told.get("unseen") is True:
        said.append(t("doctor.sales_unseen"))
    if said:
        return Text(t("say.comma").join(said), "yellow")
    return Text(t("doctor.nothing_open")) if "pending" in told else None


def _standing(value: object) -> Text | None:
    return Text(terminal_texts.what(f"action.{value}"), "red") if isinstance(value, str) and value else None


def _self_test(value: object) -> Text | None:
    if not isinstance(value, str):
        return None
    return Text(t("level.ok")) if value == "ok" else Text(value, "red")


def _time(value: object) -> str:
    if not isinstance(value, int | float):
        return t("status.no_time")
    try:
        return datetime.fromtimestamp(value).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    except (OverflowError, OSError, ValueError):
        return str(value)


def _uptime(told: Any) -> str:
    since = duration(told["uptime"]) if isinstance(told.get("uptime"), int | float) else ""
    cause = f"reset.{told.get('reset')}"
    if not since or cause not in texts.TEXTS:
        return since
    return t("status.since", since=since, cause=t(cause))


def _reason(value: object) -> Text | None:
    if not isinstance(value, str):
        return None
    return Text(terminal_texts.what(value), "yellow") if value else Text(t("doctor.connected"))


def _acquirer(unit: Unit) -> Text | None:
    host = unit.status.get("host")
    where = f" ({host})" if isinstance(host, str) and host else ""
    if unit.state != "provisioned":
        return None
    if unit.status.get("online") is True:
        return Text(t("doctor.connected") + where)
    reason = unit.status.get("reason")
    said = terminal_texts.what(reason) if isinstance(reason, str) and reason else t("status.offline")
    return Text(said + where, "yellow")


def _trust(told: Any, version: object) -> str:
    prints = told.get("fingerprints")
    prints = ", ".join(map(str, prints)) if isinstance(prints, list) else ""
    return f"{version} ({prints})" if version is not None and prints else "" if version is None else str(version)


def _for_programs(port: Port, unit: Unit | DeviceError) -> dict[str, Any]:
    if isinstance(unit, DeviceError):
        return {"port": port.path, **common.problem(unit)}
    told = {name: value for name, value in unit.status.items() if name not in ("id", "ok")}
    return {"port": port.path, "ok": True, **told, "mid": unit.mid or None}
