"""The TILL_ESP32 terminal: a plain ESP32 with 4 MB flash, 128×64 SSD1306, PN532 on its UART, 4×4 keypad.

Pins are those of wiring.toml, which the bench reads. This file runs unchanged on the device and in the simulation.
"""

from machine import I2C, PWM, UART, Pin
from neopixel import NeoPixel
from soc import equip
from till.drivers.buzzer import Buzzer
from till.drivers.keypad import Keypad
from till.drivers.leds import Leds
from till.drivers.pn532 import PN532
from till.drivers.pn532.uart import UARTTransport
from till.drivers.ssd1306 import SSD1306


class Board:
    """Opens the hardware. Takes about 0.1 s."""

    name = "TILL_ESP32"

    def __init__(self):
        self.display = SSD1306(I2C(0, scl=Pin(22), sda=Pin(21), freq=400_000))
        # The reader has no bus with the panel, which a reader that hangs would hold: a UART is received by interrupt.
        self.nfc = PN532(
            UARTTransport(UART(2, 115_200, tx=Pin(17), rx=Pin(16), timeout=0, txbuf=300, rxbuf=512)),
            reset=Pin(23, Pin.OUT, value=1),
        )
        self.keypad = Keypad(
            [Pin(n, Pin.OPEN_DRAIN, value=1) for n in (32, 33, 25, 26)],
            [Pin(n, Pin.IN, Pin.PULL_UP) for n in (27, 14, 13, 4)],
        )
        self.buzzer = Buzzer(PWM(Pin(19), freq=2000, duty_u16=0))
        self.leds = Leds(NeoPixel(Pin(18), 4))
        equip(self)
