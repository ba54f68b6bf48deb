"""Which chip sits on which GPIO: a board's `wiring.toml`.

[bus.panel]                      # a bus and the GPIOs it runs on
kind = "spi"
sck = 12
mosi = 11

[chip.display]                   # a chip: its model, its bus, its pins by the names of its datasheet
model = "st7789:ST7789"
bus = "panel"
pins = { CS = 10, DC = 9 }
options = { width = 240 }        # keyword arguments of the model
on_board = true                  # came soldered: not in the wiring picture, to which `note` and [socket] belong

[socket]                         # what is printed where a GPIO or a supply comes out
12 = "P3"

[pull]                           # resistors on the board
up = [21]

[module]                         # what came soldered, where it is not what board.json says
psram = false

[note]                           # why a pin that boot looks at may be used; for people
12 = "the card slot is open at reset"
"""

import importlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from microtill.bench import miswiring
from microtill.bench.chips.base import Chip

MAX_GPIO = 48


class WiringError(ValueError):
    """wiring.toml says something the bench cannot build."""


@dataclass
class Bus:
    name: str
    kind: str  # "spi", "i2c" or "uart"
    pins: dict[str, int]
    chips: list[tuple[Chip, dict[str, int]]] = field(default_factory=list)


@dataclass(frozen=True)
class Module:
    """What came soldered. `flash_bytes`: None for as many as board.json says; `psram`: False where it is missing."""

    flash_bytes: int | None = None
    psram: bool = True
    weak_supply: bool = False


@dataclass
class Wiring:
    chips: dict[str, Chip]
    pins: dict[int, list[tuple[Chip, str]]]
    buses: list[Bus]
    pull_up: set[int]
    pull_down: set[int]
    module: Module


_BUS_PINS = {"spi": {"sck", "mosi", "miso"}, "i2c": {"scl", "sda"}, "uart": {"tx", "rx"}}


def load(path: Path) -> Wiring:
    """Build every chip and say where it sits. Raises WiringError, naming the line's table."""
    table = tomllib.loads(path.read_text("utf-8"))
    if "base" in table:
        table = _miswired(table, path)
    unknown = set(table) - {"bus", "chip", "pull", "socket", "note", "module"}
    if unknown:
        raise WiringError(f"{path.name}: unknown table {sorted(unknown)}")
    buses: dict[str, Bus] = {}
    used: dict[int, str] = {}

    def claim(gpio: int, who: str) -> int:
        if not isinstance(gpio, int) or not 0 <= gpio <= MAX_GPIO:
            raise WiringError(f"{who}: no GPIO {gpio}")
        if gpio in used:
            raise WiringError(f"{who}: GPIO {gpio} is already {used[gpio]}")
        used[gpio] = who
        return gpio

    for name, entry in table.get("bus", {}).items():
        entry = dict(entry)
        kind = entry.pop("kind", None)
        if kind not in _BUS_PINS or set(entry) - _BUS_PINS[kind]:
            raise WiringError(f"bus.{name}: wants kind = spi, i2c or uart and its pins")
        buses[name] = Bus(name, kind, {pin: claim(gpio, f"{name}.{pin}") for pin, gpio in entry.items()})

    chips: dict[str, Chip] = {}
    pins: dict[int, list[tuple[Chip, str]]] = {}
    for name, entry in table.get("chip", {}).items():
        module, _, model = entry["model"].partition(":")
        try:
            module = module if "." in module else f"microtill.bench.chips.{module}"
            kind = getattr(importlib.import_module(module), model)
        except (ImportError, AttributeError) as e:
            raise WiringError(f"chip.{name}: no model {entry['model']} ({e})") from e
        chip = kind(name, **entry.get("options", {}))
        wired = entry.get("pins", {})
        unknown = set(wired) - set(chip.pins)
        if unknown:
            raise WiringError(f"chip.{name}: has no pin {sorted(unknown)}")
        for pin, gpio in wired.items():
            pins.setdefault(claim(gpio, f"{name}.{pin}"), []).append((chip, pin))
        if "bus" in entry:
            if entry["bus"] not in buses:
                raise WiringError(f"chip.{name}: no bus {entry['bus']}")
            buses[entry["bus"]].chips.append((chip, wired))
        chips[name] = chip
    pull = table.get("pull", {})
    return Wiring(chips, pins, list(buses.values()), set(pull.get("up", ())), set(pull.get("down", ())), _module(table))


def _module(table: dict) -> Module:
    try:
        return Module(**table.get("module", {}))
    except TypeError as e:
        raise WiringError(f"module: {e}") from e


def _miswired(table: dict, path: Path) -> dict:
    if set(table) != {"base", "faults"}:
        raise WiringError(f"{path.name}: base and faults, and nothing else")
    wired = tomllib.loads((path.parent / table["base"]).read_text("utf-8"))
    for fault in table["faults"]:
        if fault not in miswiring.FAULTS:
            raise WiringError(f"{path.name}: no fault {fault!r}; there are {', '.join(miswiring.FAULTS)}")
        miswiring.FAULTS[fault](wired)
    return wired


def miswired(board_wiring: Path, into: Path, faults: Sequence[str]) -> Path:
    """Write a wiring file for `Bench(wiring=…)`: that of a board, wired wrongly in the ways of `miswiring.FAULTS`."""
    names = ", ".join(json.dumps(fault) for fault in faults)
    into.write_text(f"base = {json.dumps(board_wiring.resolve().as_posix())}\nfaults = [{names}]\n", "utf-8")
    return into
