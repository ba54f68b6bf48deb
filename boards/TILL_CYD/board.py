"""The TILL_CYD terminal: an ESP32-2432S028R with 240×320 ILI9341 and XPT2046 touch, and a PN532 on its I2C socket.

The keypad is drawn on the panel. Pins are those of wiring.toml, which the bench reads. This file runs unchanged on the
device and in the simulation.
"""

import esp32
from machine import I2C, PWM, SPI, Pin
from soc import equip
from till.drivers.buzzer import Buzzer
from till.drivers.ili9341 import ILI9341
from till.drivers.pn532 import PN532
from till.drivers.pn532.i2c import I2CTransport
from till.drivers.rgb_led import RgbLed
from till.drivers.touch_keypad import TouchKeypad
from till.drivers.touch_setup import calibration
from till.drivers.xpt2046 import XPT2046

# For a unit that was never calibrated: 3800 … 240 from left to right, 200 … 3700 from top to bottom.
_USUAL = (-4419, 0, 16792200, 0, 5991, -1198200)


class Board:
    """Opens the hardware. Takes about 0.4 s; longer while somebody touches the glass, who then calibrates it."""

    name = "TILL_CYD"

    def __init__(self):
        # The panel's reset is the board's own.
        self.display = ILI9341(
            SPI(1, baudrate=40_000_000, sck=Pin(14), mosi=Pin(13)),
            dc=Pin(2, Pin.OUT, value=0),
            cs=Pin(15, Pin.OUT, value=1),
            backlight=Pin(21, Pin.OUT, value=0),
            rows=80,
            keys_height=168,
        )
        touch = XPT2046(
            SPI(2, baudrate=2_000_000, sck=Pin(25), mosi=Pin(32), miso=Pin(39)),
            Pin(33, Pin.OUT, value=1),
        )
        self.keypad = TouchKeypad(
            touch,
            Pin(36, Pin.IN),
            self.display,
            calibration(esp32.NVS("touch"), self.display, touch, _USUAL),
        )
        self.nfc = PN532(
            I2CTransport(I2C(0, scl=Pin(22), sda=Pin(27), freq=400_000, timeout=3000)),
            irq=Pin(35, Pin.IN),
        )
        self.buzzer = Buzzer(PWM(Pin(26), freq=2000, duty_u16=0))
        self.leds = RgbLed(*[Pin(n, Pin.OUT, value=1) for n in (4, 16, 17)])
        equip(self)
