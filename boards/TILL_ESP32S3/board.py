"""The TILL_ESP32S3 terminal: ESP32-S3 with 8 MB flash and octal PSRAM, 240×320 ST7789, PN532, 4×4 keypad.

Pins are those of wiring.toml, which the bench reads. This file runs unchanged on the device and in the simulation.
"""

from machine import PWM, SPI, Pin
from neopixel import NeoPixel
from soc import equip
from till.drivers.buzzer import Buzzer
from till.drivers.keypad import Keypad
from till.drivers.leds import Leds
from till.drivers.pn532 import PN532
from till.drivers.pn532.spi import SPITransport
from till.drivers.st7789 import ST7789


class Board:
    """Opens the hardware. Takes about 0.2 s, most of it the panel's."""

    name = "TILL_ESP32S3"

    def __init__(self):
        # Two SPI hosts: the panel sends most significant bit first, the PN532 least, and changing that stops a bus.
        self.display = ST7789(
            SPI(1, baudrate=40_000_000, sck=Pin(12), mosi=Pin(11)),
            dc=Pin(9, Pin.OUT, value=0),
            cs=Pin(10, Pin.OUT, value=1),
            reset=Pin(8, Pin.OUT, value=1),
            backlight=Pin(13, Pin.OUT, value=0),
        )
        self.nfc = PN532(
            SPITransport(
                SPI(2, baudrate=4_000_000, firstbit=SPI.LSB, sck=Pin(40), mosi=Pin(41), miso=Pin(42)),
                Pin(39, Pin.OUT, value=1),
            ),
            irq=Pin(38, Pin.IN, Pin.PULL_UP),
            reset=Pin(21, Pin.OUT, value=1),
        )
        self.keypad = Keypad(
            [Pin(n, Pin.OPEN_DRAIN, value=1) for n in (4, 5, 6, 7)],
            [Pin(n, Pin.IN, Pin.PULL_UP) for n in (15, 16, 17, 18)],
        )
        self.buzzer = Buzzer(PWM(Pin(14), freq=2000, duty_u16=0))
        self.leds = Leds(NeoPixel(Pin(48), 4))
        equip(self)
