"""The contract between a virtual chip and the bench it sits on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Timer(Protocol):
    def cancel(self) -> None: ...


class Seam(Protocol):
    """What the bench offers a chip: time, its output pins, and a record of what happened."""

    def now_us(self) -> int:
        """Bench time in microseconds since power-on of the bench."""
        ...

    def after(self, us: int, call: Callable[[], None]) -> Timer:
        """Call once, `us` microseconds of bench time from now."""
        ...

    def drive(self, chip: "Chip", pin: str, level: int | None) -> None:
        """The chip drives one of its output pins (IRQ, BUSY …); None lets go of it, so that a pull decides."""
        ...

    def violation(self, chip: "Chip", text: str) -> None:
        """The firmware broke the datasheet: recorded, and a test fails on it. The chip does what a real one would."""
        ...

    def trace(self, chip: "Chip", text: str) -> None:
        """One line for the story of a run. No PAN, no key."""
        ...

    def changed(self, chip: "Chip") -> None:
        """What a person sees or hears of this chip (`Chip.seen`) is not what it was."""
        ...


class Chip:
    """A part on the board. `pins` names its signals as its datasheet does; wiring says which GPIO each sits on."""

    pins: tuple[str, ...] = ()
    hands: tuple[str, ...] = ()
    """Methods that the bench's owner may call on this chip, with JSON values for arguments."""

    def __init__(self, name: str):
        self.name = name
        self.seam: Seam | None = None

    def attach(self, seam: Seam) -> None:
        self.seam = seam

    def power_on(self) -> None:
        """Supply rises: everything volatile is in its power-on state."""

    def power_off(self) -> None:
        """Supply is gone."""

    def pin_changed(self, pin: str, level: int) -> None:
        """The firmware (or a pull) changed the level of an input pin of this chip."""

    def pwm(self, pin: str, frequency: int, duty_u16: int) -> None:
        """The firmware put a square wave on this pin: hertz (0 = none) and on-time in 1/65535."""

    def bitstream(self, pin: str, timing: tuple[int, int, int, int], data: bytes) -> None:
        """The firmware sent `data` by `machine.bitstream`, MSB first: high/low ns of a 0, high/low ns of a 1."""

    def seen(self) -> dict:
        """What a person sees or hears of this chip now, as JSON values (a panel is read as a picture instead)."""
        return {}


@dataclass(frozen=True)
class SpiSettings:
    baudrate: int
    polarity: int
    phase: int
    lsb_first: bool


class SpiChip(Chip):
    """A chip on an SPI bus; its chip select is the pin "CS" (active low)."""

    def transfer(self, mosi: memoryview, settings: SpiSettings, read: bool) -> bytes | None:
        """Clock len(mosi) bytes while CS is low. Returns as many MISO bytes when `read`, else None."""
        raise NotImplementedError


class I2cChip(Chip):
    """A chip on an I2C bus. `address` is its 7-bit address; a transfer it does not acknowledge raises Nack."""

    address = 0
    fastest_hz = 400_000

    def addressed(self, reading: bool) -> int:
        """A transfer to this chip begins; returns for how many microseconds it holds SCL low in it, or raises Nack.

        A master that waits less gives the transfer up, and neither `write` nor `read` is called.
        """
        return 0

    def write(self, data: bytes) -> int:
        """Master writes; returns how many bytes were acknowledged."""
        raise NotImplementedError

    def read(self, length: int) -> bytes:
        """Master reads `length` bytes."""
        raise NotImplementedError


class UartChip(Chip):
    """A chip on a UART; it answers by `send`, which the bench sets."""

    send: Callable[[bytes], None]

    def receive(self, data: bytes, baudrate: int) -> None:
        """The firmware sent `data` at `baudrate`."""
        raise NotImplementedError


class Nack(Exception):
    """An I2C chip did not acknowledge its address."""
