"""What goes wrong with wires, switches and parts: each turns a board's wiring.toml, read, into a bad board's.

A file with `base = "…/wiring.toml"` and `faults = ["keypad-rows-2-3", …]` is such a board; `wiring.miswired` writes it.
"""

from collections.abc import Callable
from typing import Any

Table = dict[str, Any]
Fault = Callable[[Table], None]

_NOWHERE = 47  # a GPIO that nothing of the board uses
_SMALL_FLASH = 4 << 20


def _pins(chip: str, **wanted: str | int | None) -> Fault:
    """Pins of `chip` get the GPIO of another one, a GPIO, or none."""

    def change(table: Table) -> None:
        pins = table["chip"][chip]["pins"]
        before = dict(pins)
        for pin, where in wanted.items():
            gpio = before[where] if isinstance(where, str) else where
            if gpio is None:
                del pins[pin]
            else:
                pins[pin] = gpio

    return change


def _options(chip: str, **options: object) -> Fault:
    def change(table: Table) -> None:
        table["chip"][chip].setdefault("options", {}).update(options)

    return change


def _glass(**options: object) -> Fault:
    return _options("panel", glass=options)


def _module(**members: object) -> Fault:
    return lambda table: table.setdefault("module", {}).update(members)


def _swap_data(bus: str, one: str, other: str) -> Fault:
    def change(table: Table) -> None:
        wires = table["bus"][bus]
        wires[one], wires[other] = wires[other], wires[one]

    return change


def _reader_by(link: str) -> Fault:
    """The switches of a reader say another link than it is wired for. Its wires stay where they are: NSS, SCL and RX
    are one pin of it, MOSI, SDA and TX another (data sheet, pinning)."""

    def change(table: Table) -> None:
        wires = table["bus"]["nfc"]
        pins = table["chip"]["nfc"].setdefault("pins", {})
        kind = wires["kind"]
        if kind == "spi":
            one, other = pins.pop("CS"), wires["mosi"]
        else:
            one, other = (wires[name] for name in (("scl", "sda") if kind == "i2c" else ("tx", "rx")))
        if link == "i2c":
            table["bus"]["nfc"] = {"kind": "i2c", "scl": one, "sda": other}
        else:
            table["bus"]["nfc"] = {"kind": "uart", "tx": one, "rx": other}
            pins.pop("IRQ", None)  # the model has none
        table["chip"]["nfc"]["model"] = f"pn532_{link}:PN532"

    return change


FAULTS: dict[str, Fault] = {
    "keypad-rows-2-3": _pins("keypad", R1="R2", R2="R1"),
    "keypad-columns-1-4": _pins("keypad", C0="C3", C3="C0"),
    "keypad-columns-off-by-one": _pins("keypad", C0="C1", C1="C2", C2="C3", C3=None),
    "keypad-turned": _options("keypad", turned=True),
    "keypad-row-4-open": _pins("keypad", R3=None),
    "keypad-stuck": _options("keypad", stuck=["8"]),
    "keypad-bounce": _options("keypad", bounces={"5": 60_000}),
    "reader-i2c": _reader_by("i2c"),
    "reader-hsu": _reader_by("hsu"),
    "reader-data-swapped": _swap_data("nfc", "mosi", "miso"),
    "reader-select-elsewhere": _pins("nfc", CS=_NOWHERE),
    "reader-irq-open": _pins("nfc", IRQ=None),
    "reader-reset-open": _pins("nfc", RSTPD_N=None),
    "panel-dc-rst": _pins("panel", DC="RST", RST="DC"),
    "panel-data-swapped": _swap_data("panel", "scl", "sda"),
    "panel-mirrored": _glass(mirrored="x"),
    "panel-upside-down": _glass(mirrored="xy"),
    "panel-not-inverted": _glass(inverted=False),
    "panel-inverted": _glass(inverted=True, bgr=True, mirrored="x"),
    "panel-bgr": _glass(bgr=True),
    "panel-shifted": _glass(shift=[8, 0]),
    "no-psram": _module(psram=False),
    "small-flash": _module(flash_bytes=_SMALL_FLASH),
    "weak-supply": _module(weak_supply=True),
}
"""By name. They are for the TILL_ESP32S3 board; those of the keypad fit every matrix, the reader's switches every
board; `panel-inverted` is another lot of the TILL_CYD, `panel-data-swapped` for a panel on I2C."""
