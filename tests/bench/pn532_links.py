"""The reader's driver on each link of the virtual PN532: wiring, the driver on it, and one way to run a program."""

import textwrap
from pathlib import Path

from microtill.bench.client import Bench

PINS = {"irq": "IRQ = 9", "reset": "RSTPD_N = 8"}

WIRING = {
    "spi": """
[bus.reader]
kind = "spi"
sck = 12
mosi = 11
miso = 13
[chip.nfc]
model = "pn532:PN532"
bus = "reader"
pins = { CS = 10, IRQ = 9, RSTPD_N = 8 }
""",
    "i2c": """
[bus.reader]
kind = "i2c"
scl = 12
sda = 11
[chip.nfc]
model = "pn532_i2c:PN532"
bus = "reader"
pins = { IRQ = 9, RSTPD_N = 8 }
""",
    "hsu": """
[bus.reader]
kind = "uart"
tx = 12
rx = 11
[chip.nfc]
model = "pn532_hsu:PN532"
bus = "reader"
pins = { RSTPD_N = 8 }
""",
}

TRANSPORT = {
    "spi": """
from machine import SPI
from till.drivers.pn532.spi import SPITransport
spi = SPI(2, baudrate=5000000, polarity=0, phase=0, firstbit=SPI.LSB, sck=Pin(12), mosi=Pin(11), miso=Pin(13))
transport = SPITransport(spi, Pin(10, Pin.OUT, value=1))
""",
    "i2c": """
from machine import I2C
from till.drivers.pn532.i2c import I2CTransport
transport = I2CTransport(I2C(0, scl=Pin(12), sda=Pin(11), freq=400000, timeout=TIMEOUT))
""",
    "hsu": """
from machine import UART
from till.drivers.pn532.uart import UARTTransport
transport = UARTTransport(UART(2, BAUD, tx=Pin(12), rx=Pin(11), timeout=0, txbuf=300, rxbuf=512))
""",
}

SCRIPT = """
import asyncio
import time
from machine import Pin
from till.core.errors import CardCollision, CardError, CardRemoved, CardTryAgain, ReaderError
from till.drivers.pn532 import PN532
TRANSPORT
irq = Pin(9, Pin.IN, Pin.PULL_UP)
reset = Pin(8, Pin.OUT, value=1)
nfc = PN532(transport, WITH)
PPSE = b"\\x00\\xa4\\x04\\x00\\x0e2PAY.SYS.DDF01\\x00"

async def card():
    nfc.listen()
    print("listening")
    while True:
        target = nfc.poll()
        if target:
            return target
        await nfc.wait(20)

async def tried(coroutine):
    try:
        return await coroutine
    except Exception as e:
        return type(e).__name__ + ": " + str(e)

async def main():
    await asyncio.sleep_ms(5)
BODY
    print("done")

asyncio.run(main())
"""


def start(folder: Path, link: str, body: str, wires: str = "reset=reset", speed: float = 1.0, **fill) -> Bench:
    """A terminal whose program is `body`, with the driver as `nfc`; `fill` sets TIMEOUT (µs) or BAUD."""
    (folder / "wiring.toml").write_text(WIRING[link])
    transport = TRANSPORT[link]
    for name, value in {"TIMEOUT": 50000, "BAUD": 115200, **fill}.items():
        transport = transport.replace(name, str(value))
    source = SCRIPT.replace("TRANSPORT", transport).replace("WITH", wires)
    (folder / "main.py").write_text(source.replace("BODY", textwrap.indent(textwrap.dedent(body), "    ")))
    return Bench(script=folder / "main.py", wiring=folder / "wiring.toml", speed=speed)


def trace_card(folder: Path, *pairs: tuple[bytes, bytes]) -> str:
    """A card that knows these exchanges."""
    path = folder / "card.trace"
    path.write_text("".join(f"=> {c.hex()}\n<= {r.hex()}\n" for c, r in pairs))
    return f"trace:{path}"
