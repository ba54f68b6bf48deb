"""The two streams between bench and firmware, as `boards/SIM/simbus.py` speaks them (a test keeps the lists equal)."""

import struct
from enum import IntEnum

REQUEST = struct.Struct("<BBHI")  # op, sequence, object, payload length
ANSWER = struct.Struct("<BBhI")  # sequence, flags, status, payload length
EVENT = struct.Struct("<BBHIQQQ")  # kind, value, object, speed or missing octets, base bench µs, base monotonic µs, 0
EVENTS_WAIT = 1  # flag of an answer: the event stream holds something new


class Op(IntEnum):
    PIN_MODE = 1
    PIN_SET = 2
    PIN_GET = 3
    PIN_IRQ = 4
    SPI_OPEN = 5
    SPI_CLOSE = 6
    SPI_WRITE = 7
    SPI_EXCHANGE = 8
    I2C_OPEN = 9
    I2C_WRITE = 10
    I2C_READ = 11
    UART_OPEN = 12
    UART_WRITE = 13
    UART_READ = 14
    UART_ANY = 15
    PWM = 16
    BITSTREAM = 17
    TIMER = 18
    WDT = 19
    RESET = 20
    RTC_SET = 21
    RTC_MEMORY = 22
    HELLO = 23
    NVS_OPEN = 24
    NVS_GET = 25
    NVS_SET = 26
    NVS_ERASE = 27
    NVS_COMMIT = 28
    FLASH_FIND = 29
    FLASH_READ = 30
    FLASH_PROGRAM = 31
    FLASH_ERASE = 32
    WLAN = 33
    RESOLVE = 34
    SYNC = 35
    STAGE = 36


class Event(IntEnum):
    CLOCK = 0
    PIN = 1
    TIMER = 2
    RESUME = 3
