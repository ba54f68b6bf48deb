"""Short MicroPython scripts on the bench, and chips that only tests have."""

import textwrap
from pathlib import Path

from microtill.bench.chips.base import Chip, I2cChip, SpiChip, SpiSettings, UartChip
from microtill.bench.client import Bench

SUPPORT = Path(__file__).parent

LOOPBACK = """
[bus.loop]
kind = "spi"
sck = 12
mosi = 11
miso = 13
[chip.echo]
model = "support.bench:Echo"
bus = "loop"
pins = { CS = 10, OUT = 9 }
[chip.other]
model = "support.bench:Echo"
bus = "loop"
pins = { CS = 8 }
[pull]
up = [21]
"""


class Echo(SpiChip):
    """Answers each byte with its complement, as its shift register sees it; a byte's top bit drives OUT for 2 ms."""

    pins = ("CS", "OUT")

    def transfer(self, mosi: memoryview, settings: SpiSettings, read: bool) -> bytes | None:
        assert self.seam
        self.seam.trace(self, f"{settings.baudrate} {'lsb' if settings.lsb_first else 'msb'} {bytes(mosi[:16]).hex()}")
        if mosi[0] & 0x80:
            self.seam.drive(self, "OUT", 1)
            self.seam.after(2000, lambda: self.seam and self.seam.drive(self, "OUT", 0))
        return bytes(255 - b for b in mosi) if read else None


class Registers(I2cChip):
    """Sixteen registers at 0x42; the first byte written is the register."""

    address = 0x42

    def __init__(self, name: str):
        super().__init__(name)
        self.values = bytearray(range(16))
        self.at = 0

    def write(self, data: bytes) -> int:
        if data:
            self.at = data[0]
            self.values[self.at : self.at + len(data) - 1] = data[1:]
        return len(data)

    def read(self, length: int) -> bytes:
        return bytes(self.values[self.at : self.at + length])


class Modem(UartChip):
    """Answers each line in capitals, 5 ms later."""

    def receive(self, data: bytes, baudrate: int) -> None:
        assert self.seam
        self.seam.trace(self, f"{baudrate}")
        self.seam.after(5000, lambda: self.send(data.upper()))


class Listener(Chip):
    """Tells what it hears on its pin."""

    pins = ("IN",)

    def pwm(self, pin: str, frequency: int, duty_u16: int) -> None:
        assert self.seam
        self.seam.trace(self, f"{frequency} {duty_u16}")

    def bitstream(self, pin: str, timing: tuple[int, int, int, int], data: bytes) -> None:
        assert self.seam
        self.seam.trace(self, f"{timing} {data.hex()}")


class Broken(Echo):
    """A model with a fault of its own."""

    def transfer(self, mosi: memoryview, settings: SpiSettings, read: bool) -> bytes | None:
        raise RuntimeError("a fault of the model")


def bench(folder: Path, script: str, wiring: str = "", **options) -> Bench:
    """A bench on an empty board (or `wiring`) that runs `script`; `folder` takes the files."""
    source = folder / "script.py"
    source.write_text(textwrap.dedent(script))
    board = folder / "wiring.toml"
    board.write_text(wiring)
    return Bench(script=source, wiring=board, chip_path=[SUPPORT.parent], **options)


def run(folder: Path, script: str, wiring: str = "", **options) -> list[str]:
    """The lines that `script` printed, once it has ended well."""
    with bench(folder, script, wiring, **options) as b:
        status = b.wait_exit(60)
        lines = b.console_lines()
        assert status == 0, "\n".join(lines)
        return lines


def keys(bench: Bench) -> list[tuple[str, str]]:
    """What the program has said of keys: `key NAME up` or `key NAME down`."""
    lines = (line.split() for line in bench.console_lines() if line.startswith("key "))
    return [(words[1], words[2]) for words in lines]


def rest(bench: Bench, ms: int = 150) -> None:
    """Let bench time pass in which nothing is expected."""
    end = bench.now_us() + ms * 1000
    bench.wait(lambda: bench.now_us() > end)
