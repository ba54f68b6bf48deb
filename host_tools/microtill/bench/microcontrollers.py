"""GPIOs of the microcontrollers that boards are built on, from their data sheets: pin lists and strapping pins."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Microcontroller:
    """`taken`: pins that the chip or its module needs itself, and for what. `straps`: what reset looks at, and why."""

    pins: frozenset[int]
    taken: dict[int, str]
    straps: dict[int, str]
    input_only: frozenset[int] = frozenset()

    @property
    def outputs(self) -> frozenset[int]:
        return self.pins - self.input_only


MICROCONTROLLERS = {
    "esp32": Microcontroller(
        frozenset(range(40)) - {20, 24, *range(28, 32)},
        {1: "console TX", 3: "console RX", **dict.fromkeys(range(6, 12), "flash")},
        {
            0: "low at reset starts the serial loader",
            2: "must be low or open for the serial loader",
            5: "SDIO timing at reset",
            12: "high at reset sets the flash to 1.8 V, and nothing starts",
            15: "low at reset silences the boot messages",
        },
        frozenset(range(34, 40)),
    ),
    "esp32s3": Microcontroller(
        frozenset(range(49)) - set(range(22, 26)),
        {
            19: "USB D-", 20: "USB D+", 43: "console TX", 44: "console RX",
            **dict.fromkeys(range(26, 33), "flash and PSRAM"), **dict.fromkeys(range(33, 38), "octal PSRAM"),
        },
        {
            0: "low at reset starts the serial loader",
            3: "chooses where JTAG is at reset",
            45: "high at reset sets the flash to 1.8 V",
            46: "with 0 low, must be low for the serial loader",
        },
    ),
}  # fmt: skip


def mask(gpios: frozenset[int]) -> int:
    """One bit a pin."""
    return sum(1 << gpio for gpio in gpios)
