"""The pins of a board in other hands: what a technician's check of the hardware tries. Loaded for that only.

Which pins there are is what the laptop says; nothing here is a board's own.
"""

import esp
import esp32
from machine import SPI, UART, Pin, SoftI2C
from till.core.errors import InvalidValue
from till.drivers.pn532 import PN532
from till.drivers.st7789 import ILI9341_INIT, ST7789_INIT

_PANEL = 1
_READER = 2  # of the SPI hosts and of the UARTs
_SPI_HZ = 1_000_000  # slow: wires may be long, and wrong
_I2C_HZ = 100_000


def memory() -> dict:
    """Octets of flash, and of the largest region of memory: the PSRAM's, where there is one."""
    return {"flash": esp.flash_size(), "region": max([region[0] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])}


def panel(display, pins: dict, madctl: int, inverted: bool) -> None:
    """Start an SPI panel again on `pins` (sck, mosi, CS, DC and, where it has them, RST and BLK). InvalidValue for
    another kind of panel."""
    if not hasattr(display, "start"):
        raise InvalidValue("panel")
    display.start(
        SPI(_PANEL, baudrate=_SPI_HZ, sck=Pin(pins["sck"]), mosi=Pin(pins["mosi"])),
        Pin(pins["DC"], Pin.OUT, value=0),
        Pin(pins["CS"], Pin.OUT, value=1),
        Pin(pins["RST"], Pin.OUT, value=1) if "RST" in pins else None,
        Pin(pins["BLK"], Pin.OUT, value=0) if "BLK" in pins else None,
        madctl,
        ST7789_INIT if inverted else ILI9341_INIT,
    )


def low(pins: dict) -> None:
    """Drive `pins` low, until whoever owns them says otherwise."""
    for gpio in pins.values():
        Pin(gpio, Pin.OUT, value=0)


def reader(was: str, link: str, pins: dict):
    """A PN532 on `pins`, without its interrupt line: `spi` (sck, mosi, miso, CS), `i2c` (scl, sda) or `hsu` (tx, rx).

    RSTPD_N, where it is given, resets it. `was`: the link that the board itself has on these pins.
    """
    if was == "spi":
        SPI(_READER).deinit()  # pins change hands
    reset = Pin(pins["RSTPD_N"], Pin.OUT, value=1) if "RSTPD_N" in pins else None
    if link == "spi":
        from till.drivers.pn532.spi import SPITransport

        bus = SPI(
            _READER,
            baudrate=_SPI_HZ,
            firstbit=SPI.LSB,
            sck=Pin(pins["sck"]),
            mosi=Pin(pins["mosi"]),
            miso=Pin(pins["miso"]),
        )
        transport = SPITransport(bus, Pin(pins["CS"], Pin.OUT, value=1))
    elif link == "i2c":
        from till.drivers.pn532.i2c import I2CTransport

        lines = [Pin(pins[name], Pin.OPEN_DRAIN, Pin.PULL_UP, value=1) for name in ("scl", "sda")]
        transport = I2CTransport(SoftI2C(lines[0], lines[1], freq=_I2C_HZ))
    elif link == "hsu":
        from till.drivers.pn532.uart import UARTTransport

        uart = UART(_READER, 115_200, tx=Pin(pins["tx"]), rx=Pin(pins["rx"]), timeout=0, txbuf=300, rxbuf=512)
        transport = UARTTransport(uart)
    else:
        raise InvalidValue("link")
    return PN532(transport, reset=reset)
