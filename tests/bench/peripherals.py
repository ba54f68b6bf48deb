# The peripherals that boards/TILL_ESP32S3 opens, without its drivers: what they take of the heap is the simulation's.
import gc
import os

import esp32
import machine
import network
from machine import PWM, SPI, Pin
from neopixel import NeoPixel

gc.collect()
opened = [
    SPI(1, baudrate=40_000_000, sck=Pin(12), mosi=Pin(11)),
    SPI(2, baudrate=4_000_000, firstbit=SPI.LSB, sck=Pin(40), mosi=Pin(41), miso=Pin(42)),
    PWM(Pin(14), freq=2000, duty_u16=0),
    NeoPixel(Pin(48), 4),
    network.WLAN(network.WLAN.IF_STA),
    esp32.NVS("till"),
    esp32.Partition.find(esp32.Partition.TYPE_DATA, label="journal")[0],
    machine.RTC(),
    os.urandom,
]
opened += [Pin(n, Pin.OUT, value=1) for n in (8, 9, 10, 13, 21, 39)]
opened += [Pin(n, Pin.OPEN_DRAIN, value=1) for n in (4, 5, 6, 7)]
opened += [Pin(n, Pin.IN, Pin.PULL_UP) for n in (15, 16, 17, 18, 38)]
for pin in opened[-5:]:
    pin.irq(lambda _: None)
gc.collect()
print("free", gc.mem_free())
