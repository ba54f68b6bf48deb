"""The board: chips on their wires, and what each request of the firmware does to them."""

import json
import struct
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from microtill.bench import wiring
from microtill.bench.chips.base import Chip, I2cChip, Nack, SpiChip, SpiSettings, UartChip
from microtill.bench.clock import Clock, Due
from microtill.bench.pins import Pins
from microtill.bench.protocol import Event, Op
from microtill.bench.wiring import Bus

_ENODEV = 19
_ETIMEDOUT = 116
_EINVAL = 22
_NO_PIN = 255
_SPI_SOURCE_HZ = 80_000_000  # the ESP32 divides this by a whole number
_UART_BUFFER = 256

Answer = tuple[int, bytes]
_OK: Answer = (0, b"")


class Host(Protocol):
    """What the board needs of the process it lives in."""

    def interrupt(self, kind: Event, obj: int, value: int) -> None: ...

    def restart(self, cause: int) -> None: ...

    def changed(self, chip: str) -> None: ...

    def notify(self, what: str, **fields) -> None: ...


class _Spi:
    """One SPI host of the microcontroller, as the firmware opened it."""

    def __init__(self, bus: Bus | None, settings: SpiSettings):
        self.bus = bus
        self.settings = settings
        self.rate = _SPI_SOURCE_HZ / -(-_SPI_SOURCE_HZ // max(settings.baudrate, 1))


class VirtualBoard:
    """Chips by name in `chips`; `violations` and `trace` tell what happened. Implements the chips' Seam."""

    TRACE_LINES = 20_000

    def __init__(self, path: Path, clock: Clock, host: Host):
        self.clock = clock
        self.host = host
        self.violations: list[str] = []
        self.traces: deque[tuple[int, int, str, str]] = deque(maxlen=self.TRACE_LINES)
        self._traced = 0
        built = wiring.load(path)
        self.chips = built.chips
        self.buses = built.buses
        self.module = built.module
        self.pins = Pins(built, self._board_violation, lambda gpio, level: host.interrupt(Event.PIN, gpio, level))
        self._pin_taps = built.pins
        self.counts: dict[str, dict[str, float]] = {}
        self._forget()
        for chip in self.chips.values():
            chip.attach(self)
            if isinstance(chip, UartChip):
                self._connect_uart(chip)
        self.operations: dict[int, Callable[[int, memoryview], Answer | None]] = {
            Op.PIN_MODE: self._pin_mode,
            Op.PIN_SET: self._pin_set,
            Op.PIN_GET: self._pin_get,
            Op.PIN_IRQ: self._pin_irq,
            Op.SPI_OPEN: self._spi_open,
            Op.SPI_CLOSE: self._spi_close,
            Op.SPI_WRITE: self._spi_write,
            Op.SPI_EXCHANGE: self._spi_exchange,
            Op.I2C_OPEN: self._i2c_open,
            Op.I2C_WRITE: self._i2c_write,
            Op.I2C_READ: self._i2c_read,
            Op.UART_OPEN: self._uart_open,
            Op.UART_WRITE: self._uart_write,
            Op.UART_READ: self._uart_read,
            Op.UART_ANY: self._uart_any,
            Op.PWM: self._pwm,
            Op.BITSTREAM: self._bitstream,
            Op.TIMER: self._timer,
            Op.WDT: self._watchdog,
        }

    # Supply and reset

    def power_on(self) -> None:
        for chip in self.chips.values():
            chip.power_on()
        self.pins.greet()

    def power_off(self) -> None:
        self.restart()
        for chip in self.chips.values():
            chip.power_off()

    def restart(self) -> None:
        """The microcontroller restarts; the chips keep their supply."""
        for timer in (*self._timers.values(), self._watchdog_due):
            if timer:
                timer.cancel()
        for gpio in self._waves:
            self._signal(gpio, "pwm", 0, 0)
        self._forget()
        self.pins.reset()

    @property
    def field(self) -> bool:
        """Whether a reader's field is on."""
        return any(chip.seen().get("field") for chip in self.chips.values())

    def soft_reset(self) -> None:
        """Python restarts, the microcontroller does not: timers, waves and pin interrupts go, the watchdog runs on."""
        for timer in self._timers.values():
            timer.cancel()
        for gpio in self._waves:
            self._signal(gpio, "pwm", 0, 0)
        watchdog = self._watchdog_due, self._watchdog_us
        self._forget()
        self._watchdog_due, self._watchdog_us = watchdog
        self.pins.soft_reset()

    def _forget(self) -> None:
        self._spi: dict[int, _Spi] = {}
        self._i2c: dict[int, tuple[Bus | None, int, int]] = {}
        self._uart: dict[int, tuple[Bus | None, int]] = {}
        self._received: dict[str, bytearray] = {}
        self._receive_room: dict[str, int] = {}
        self._timers: dict[int, Due] = {}
        self._watchdog_due: Due | None = None
        self._watchdog_us = 0
        self._waves: set[int] = set()

    # Seam: what the bench offers a chip

    def now_us(self) -> int:
        return self.clock.now_us()

    def after(self, us: int, call: Callable[[], None]) -> Due:
        return self.clock.after(us, call)

    def drive(self, chip: Chip, pin: str, level: int | None) -> None:
        self.pins.drive(chip, pin, level)

    def violation(self, chip: Chip, text: str) -> None:
        self.violate(f"{chip.name}: {text}")

    def trace(self, chip: Chip, text: str) -> None:
        self.tell(chip.name, text)

    def changed(self, chip: Chip) -> None:
        self.host.changed(chip.name)

    def tell(self, who: str, text: str) -> None:
        """A line in the story of the run."""
        self._traced += 1
        self.traces.append((self._traced, self.clock.now_us(), who, text))
        self.host.notify("trace", number=self._traced, us=self.traces[-1][1], chip=who, text=text)

    def _board_violation(self, text: str) -> None:
        self.violate(f"board: {text}")

    def violate(self, text: str) -> None:
        """`who: what` broke a datasheet."""
        self.violations.append(text)
        who, _, what = text.partition(": ")
        self.tell(who, f"VIOLATION {what}")

    def count(self, name: str, octets: int, seconds: float) -> None:
        """Octets and wire time of a bus or a chip."""
        entry = self.counts.setdefault(name, {"transfers": 0, "bytes": 0, "seconds": 0.0})
        entry["transfers"] += 1
        entry["bytes"] += octets
        entry["seconds"] += seconds

    # Pins

    def _pin_mode(self, gpio: int, data: memoryview) -> None:
        self.pins.mode(gpio, *data)

    def _pin_set(self, obj: int, _data: memoryview) -> None:
        self.pins.set(obj & 255, obj >> 8)

    def _pin_get(self, gpio: int, _data: memoryview) -> Answer:
        return self.pins.get(gpio), b""

    def _pin_irq(self, gpio: int, data: memoryview) -> None:
        self.pins.irq(gpio, data[0])

    def _signal(self, gpio: int, method: str, *arguments) -> None:
        for chip, pin in self._pin_taps.get(gpio, ()):
            getattr(chip, method)(pin, *arguments)

    def _pwm(self, gpio: int, data: memoryview) -> None:
        frequency, duty = struct.unpack("<IH", data)
        (self._waves.add if frequency else self._waves.discard)(gpio)
        self._signal(gpio, "pwm", frequency, duty)

    def _bitstream(self, gpio: int, data: memoryview) -> None:
        timing = struct.unpack_from("<IIII", data)
        octets = bytes(data[16:])
        self.count(f"gpio{gpio}", len(octets), len(octets) * 8 * (timing[2] + timing[3]) / 1e9)
        self._signal(gpio, "bitstream", timing, octets)

    # Buses

    def _find(self, kind: str, wanted: dict[str, int]) -> Bus | None:
        for bus in self.buses:
            if bus.kind == kind and all(gpio == _NO_PIN or bus.pins.get(pin) == gpio for pin, gpio in wanted.items()):
                return bus
        self._board_violation(f"{kind} opened on {wanted}, where no bus is wired")
        return None

    def _spi_open(self, host: int, data: memoryview) -> None:
        baudrate, polarity, phase, _bits, first, sck, mosi, miso = struct.unpack("<IBBBBBBB", data)
        bus = self._find("spi", {"sck": sck, "mosi": mosi, "miso": miso})
        self._spi[host] = _Spi(bus, SpiSettings(baudrate, polarity, phase, first == 1))

    def _spi_close(self, host: int, _data: memoryview) -> None:
        self._spi.pop(host, None)

    def _spi_chip(self, host: int, n: int) -> tuple[SpiChip | None, SpiSettings | None]:
        spi = self._spi.get(host)
        if spi is None or spi.bus is None:
            self._board_violation(f"SPI {host} used while it is closed or wired to nothing")
            return None, None
        seconds = n * 8 / spi.rate
        self.count(spi.bus.name, n, seconds)
        chosen = [c for c, p in spi.bus.chips if "CS" not in p or not self.pins.chip_level(p["CS"])]
        if len(chosen) != 1:
            names = ", ".join(c.name for c in chosen) or "no chip"
            self._board_violation(f"{spi.bus.name}: transfer with {names} selected")
            return None, None
        chip = chosen[0]
        assert isinstance(chip, SpiChip)
        if chip.name != spi.bus.name:
            self.count(chip.name, n, seconds)
        return chip, spi.settings

    def _spi_write(self, host: int, data: memoryview) -> None:
        chip, settings = self._spi_chip(host, len(data))
        if chip and settings:
            chip.transfer(data, settings, False)

    def _spi_exchange(self, obj: int, data: memoryview) -> Answer:
        host = obj & 255
        if obj >> 8:  # a plain read: so many octets of one value go out
            n, fill = struct.unpack("<IB", data)
            data = memoryview(bytes((fill,)) * n)
        chip, settings = self._spi_chip(host, len(data))
        miso = chip.transfer(data, settings, True) if chip and settings else None
        return 0, bytes(miso) if miso is not None else b"\xff" * len(data)

    def _i2c_open(self, host: int, data: memoryview) -> None:
        frequency, timeout_us, scl, sda = struct.unpack("<IIBB", data)
        self._i2c[host] = (self._find("i2c", {"scl": scl, "sda": sda}), frequency, timeout_us)

    def _i2c_chip(self, host: int, address: int, n: int, reading: bool) -> I2cChip:
        """The chip that acknowledges `address`. Raises Nack, and TimeoutError when it holds SCL low for too long."""
        bus, frequency, timeout_us = self._i2c.get(host, (None, 1, 0))
        if bus is None:
            raise Nack
        seconds = (n + 1) * 9 / frequency
        self.count(bus.name, n + 1, seconds)
        for chip, _ in bus.chips:
            if isinstance(chip, I2cChip) and chip.address == address:
                if frequency > chip.fastest_hz:
                    self.violation(chip, f"clocked at {frequency} Hz, at most {chip.fastest_hz}")
                held_us = chip.addressed(reading)
                self.counts[bus.name]["seconds"] += min(held_us, timeout_us) / 1e6
                if chip.name != bus.name:
                    self.count(chip.name, n, seconds + min(held_us, timeout_us) / 1e6)
                if held_us > timeout_us:
                    self.tell(chip.name, f"SCL low for {held_us} µs, the master waits {timeout_us}")
                    raise TimeoutError
                return chip
        raise Nack

    def _i2c_write(self, obj: int, data: memoryview) -> Answer:
        try:
            return self._i2c_chip(obj >> 8, obj & 255, len(data), False).write(bytes(data)), b""
        except Nack:
            return -_ENODEV, b""
        except TimeoutError:
            return -_ETIMEDOUT, b""

    def _i2c_read(self, obj: int, data: memoryview) -> Answer:
        (n,) = struct.unpack("<H", data)
        try:
            return 0, self._i2c_chip(obj >> 8, obj & 255, n, True).read(n)
        except Nack:
            return -_ENODEV, b""
        except TimeoutError:
            return -_ETIMEDOUT, b""

    def _connect_uart(self, chip: UartChip) -> None:
        for bus in self.buses:
            if any(other is chip for other, _ in bus.chips):

                def send(data: bytes, name: str = bus.name) -> None:
                    self._count_uart(name, chip.name, len(data))
                    buffer = self._received.setdefault(name, bytearray())
                    room = self._receive_room.get(name, _UART_BUFFER)
                    if len(buffer) + len(data) > room:
                        self._board_violation(f"{name}: receive buffer of {room} overran")
                    buffer += data[: room - len(buffer)]

                chip.send = send

    def _count_uart(self, bus: str, chip: str, octets: int) -> None:
        """Octets in one direction, at the speed that the firmware opened the bus with."""
        baudrate = next((rate for wire, rate in self._uart.values() if wire and wire.name == bus), 1)
        for name in {bus, chip}:
            self.count(name, octets, octets * 10 / baudrate)

    def _uart_open(self, host: int, data: memoryview) -> None:
        baudrate, room, tx, rx = struct.unpack("<IHBB", data)
        bus = self._find("uart", {"tx": tx, "rx": rx})
        self._uart[host] = (bus, baudrate)
        if bus:
            self._receive_room[bus.name] = room

    def _uart_write(self, host: int, data: memoryview) -> None:
        bus, baudrate = self._uart.get(host, (None, 1))
        if bus:
            for chip, _ in bus.chips:
                if isinstance(chip, UartChip):
                    self._count_uart(bus.name, chip.name, len(data))
                    chip.receive(bytes(data), baudrate)

    def _uart_buffer(self, host: int) -> bytearray:
        bus, _ = self._uart.get(host, (None, 1))
        return self._received.setdefault(bus.name, bytearray()) if bus else bytearray()

    def _uart_read(self, host: int, data: memoryview) -> Answer:
        (n,) = struct.unpack("<H", data)
        buffer = self._uart_buffer(host)
        taken = bytes(buffer[:n])
        del buffer[:n]
        return 0, taken

    def _uart_any(self, host: int, _data: memoryview) -> Answer:
        return len(self._uart_buffer(host)), b""

    # Timers and the watchdog

    def _timer(self, number: int, data: memoryview) -> None:
        us, periodic = struct.unpack("<IB", data)
        running = self._timers.pop(number, None)
        if running:
            running.cancel()
        if us:
            self._arm(number, us, bool(periodic))

    def _arm(self, number: int, us: int, periodic: bool) -> None:
        def strike() -> None:
            if periodic:
                self._arm(number, us, True)
            self.host.interrupt(Event.TIMER, number, 0)

        self._timers[number] = self.clock.after(us, strike)

    def _watchdog(self, milliseconds: int, data: memoryview) -> None:
        if len(data):
            (milliseconds,) = struct.unpack("<I", data)
            self._watchdog_us = milliseconds * 1000
        if self._watchdog_due:
            self._watchdog_due.cancel()
        self._watchdog_due = self.clock.after(self._watchdog_us, self._bite)

    def _bite(self) -> None:
        self.tell("watchdog", f"not fed for {self._watchdog_us // 1000} ms")
        self.host.restart(WDT_RESET)

    def seen(self) -> dict:
        """What a person sees and hears of every chip."""
        return {name: chip.seen() for name, chip in self.chips.items()}


PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


def hello(**fields) -> bytes:
    """The greeting that simboot reads."""
    return json.dumps(fields).encode()
