"""`microtill ports`: what is plugged in, by unit and merchant."""

from typing import Any

from microtill.cli import common
from microtill.device import ports as device_ports
from microtill.device import texts
from microtill.device.errors import DeviceError
from microtill.device.ports import Port
from microtill.device.probe import Unit
from microtill.device.texts import t

_COLUMNS = ("port", "serial", "state", "tid", "mid", "fw")
_MEMBERS = ("serial", "state", "tid", "mid", "merchant", "board", "fw")


texts.add(
    {
        "help.ports": (
            "列出串口，以及每个串口上的终端。",
            "List the serial ports, and the terminal on each.",
        ),
        "ports.none": (
            "没有接上终端。插上 USB 线（须能传数据，不能只充电），等几秒再试。",
            "No terminal is plugged in. Plug one in with a cable that carries data, wait a few seconds, try again.",
        ),
        "ports.not_asked": ("不是终端", "no board"),
        "ports.port_busy": ("被占用", "in use"),
        "ports.no_permission": ("无权打开", "no permission"),
        "ports.no_permission_at_all": ("无权打开", "no permission"),
        "ports.no_such_port": ("已拔出", "gone"),
        "ports.unplugged": ("已拔出", "gone"),
        "ports.micropython_prompt": ("无固件", "no firmware"),
        "ports.bare_chip": ("无固件", "no firmware"),
        "ports.no_answer": ("无应答", "no answer"),
        "ports.not_understood": ("无法理解", "not understood"),
        "ports.failed": ("打不开", "not usable"),
    }
)


def ports(
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """List the serial ports, and the terminal on each."""
    with common.command(as_json, language) as out:
        found = device_ports.find()
        units = dict(device_ports.survey([port for port in found if port.is_board]))
        out.result([_for_programs(port, units.get(port)) for port in found])
        if not found:
            out.warn(t("ports.none"))
            return
        table = common.grid(*(t(f"column.{name}") for name in _COLUMNS))
        for port in found:
            table.add_row(*map(common.cell, _row(port, units.get(port))))
        out.table(table)
        for port in found:
            unit = units.get(port)
            if isinstance(unit, DeviceError) and not as_json:
                common.tell(out, unit)


def _row(port: Port, unit: Unit | DeviceError | None) -> tuple[str, ...]:
    if isinstance(unit, Unit):
        return (port.path, unit.serial, common.state(unit.state), unit.tid, unit.mid, unit.fw)
    if unit is None:  # not a chip that boards have
        return (port.path, "", t("ports.not_asked"))
    short = f"ports.{unit.key.removeprefix('error.')}"
    return (port.path, "", t(short if short in texts.TEXTS else "ports.failed"))


def _for_programs(port: Port, unit: Unit | DeviceError | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "port": port.path,
        "usb": f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None and port.pid is not None else None,
        "usb_serial": port.serial,
        "description": port.description,
    }
    if isinstance(unit, Unit):
        return told | {"ok": True, "unit": {name: getattr(unit, name) or None for name in _MEMBERS}}
    if unit is None:
        return told | {"ok": False, "unit": None, "error": "not_asked"}
    return told | {"unit": None, **common.problem(unit)}
