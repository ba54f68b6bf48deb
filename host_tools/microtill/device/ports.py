"""Which serial ports there are, and which unit answers on each."""

import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from serial.tools import list_ports

from microtill.device.errors import DeviceError, NoAnswer, NoSuchPort, UsageError
from microtill.device.line import Line
from microtill.device.probe import QUICK_SECONDS, Unit, probe

ENVIRONMENT = "MICROTILL_PORTS"
"""Names ports beside those of the system, divided as PATH is: virtual boards."""

# What ESP32 boards come with: the chip's own USB, CP210x, CH340 and CH9102, FTDI. Nothing is ever sent to a port
# behind another chip: it may be a modem.
BOARD_VENDORS = frozenset({0x303A, 0x10C4, 0x1A86, 0x0403})

_AT_ONCE = 16


@dataclass(frozen=True)
class Port:
    """A serial port. `vid`, `pid`, `serial`: of the USB device, where there is one."""

    path: str
    vid: int | None = None
    pid: int | None = None
    serial: str | None = None
    description: str = ""

    @property
    def is_board(self) -> bool:
        """Whether a terminal may be behind it."""
        return self.vid in BOARD_VENDORS or self.vid is None

    def line(self) -> Line:
        """The port, to be opened."""
        return Line(self.path, self.vid)


def find() -> list[Port]:
    """USB serial ports of the system, then those that the environment names."""
    named = [p for p in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if p]
    ports = [
        Port(p.device, p.vid, p.pid, p.serial_number, p.description or "")
        for p in sorted(list_ports.comports(), key=lambda p: _by_number(p.device))
        if p.vid is not None and p.device not in named
    ]
    return ports + [Port(path, description="virtual board") for path in dict.fromkeys(named)]


def identify(port: Port) -> Unit | None:
    """The unit on `port`; None when no terminal answers there. DeviceError when the port cannot be opened."""
    try:
        return ask(port)
    except NoAnswer:
        return None


def ask(port: Port, timeout: float = QUICK_SECONDS) -> Unit:
    """The unit on `port`. DeviceError when the port cannot be opened or no terminal answers; its class says which."""
    with port.line() as line:
        return probe(line, timeout)


def survey(ports: Sequence[Port]) -> list[tuple[Port, Unit | DeviceError]]:
    """Ask all `ports` at once what is on them."""

    def one(port: Port) -> Unit | DeviceError:
        try:
            return ask(port)
        except DeviceError as e:
            return e

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(zip(ports, pool.map(one, ports), strict=True))


def select(name: str | None, every: bool = False, *, may_all: bool = True) -> list[Port]:
    """The ports that a command works on.

    `name`: a path, a COM name, a unit's serial or a terminal ID; None: the only port there is. `every`: all ports that
    may have a board. Raises NoSuchPort; UsageError when several are there and none was chosen (`may_all`: the text
    then offers --all).
    """
    if name and every:
        raise UsageError("error.port_and_all")
    if name:
        return [named(name)]
    ports = [p for p in find() if p.is_board]
    if not ports:
        raise NoSuchPort("error.no_port", port="")
    if len(ports) > 1 and not every:
        key = "error.several_ports_all" if may_all else "error.several_ports"
        raise UsageError(key, ports=", ".join(_told(survey(ports))))
    return ports


def named(name: str) -> Port:
    """The port called `name`. Units are asked only when no port has that name."""
    ports = find()
    for port in ports:
        if name == port.path or (os.name == "nt" and name.upper() == port.path.upper()):
            return port
    if _is_path(name):
        return Port(name)  # opening it tells whether it is there
    wanted = _plain(name)
    for port in ports:
        if port.serial and _plain(port.serial) == wanted:
            return port
    for port, found in survey([p for p in ports if p.is_board]) if wanted else ():
        if isinstance(found, Unit) and wanted in (_plain(found.serial), _plain(found.tid)):
            return port
    raise NoSuchPort(port=name)


def _told(found: Iterable[tuple[Port, Unit | DeviceError]]) -> list[str]:
    return [f"{p.path} ({f.name})" if isinstance(f, Unit) and f.name else p.path for p, f in found]


def _plain(name: str) -> str:
    # A USB serial number may be the same address with colons.
    return re.sub(r"[^0-9A-Z]", "", name.upper())


def _is_path(name: str) -> bool:
    return os.sep in name or "/" in name or bool(re.fullmatch(r"(?i)COM\d+", name))


def _by_number(name: str) -> tuple:
    # COM10 after COM9.
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name))
