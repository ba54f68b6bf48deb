"""`machine` as on the ESP32 and ESP32-S3; each call goes to the bench."""

import io as _io
import struct as _struct
import sys as _sys

import simbus as _bus
import time as _time
from micropython import const

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_hello = {}  # filled in by simboot


def unique_id():
    return bytes.fromhex(_hello["unique_id"])


def reset_cause():
    return _hello["reset_cause"]


def reset():
    _bus.ask(_bus.RESET, 0)


def soft_reset():
    _bus.ask(_bus.RESET, 1)


def freq(hz=None):
    if hz is None:
        return 240000000
    return None


def idle():
    _bus.pump()


def disable_irq():
    return _bus.mask(True)


def enable_irq(state=False):
    _bus.mask(state)


def _call(handler, argument):
    """Run an interrupt handler; returns False when it raised (the port then takes it off)."""
    try:
        handler(argument)
        return True
    except Exception as e:  # noqa: BLE001 - as the port: print it, go on
        _sys.print_exception(e)
        return False


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2
    DRIVE_0 = 0
    DRIVE_1 = 1
    DRIVE_2 = 2
    DRIVE_3 = 3

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        gpios, outputs = _hello["gpios"]  # one bit a pin
        if id < 0 or not gpios >> id & 1:
            raise ValueError("invalid pin")
        if mode > 1 and not outputs >> id & 1:
            raise ValueError("pin can only be input")
        self._id = id
        self._low = _bus.frame(_bus.PIN_SET, id)
        self._high = _bus.frame(_bus.PIN_SET, id | 256)
        self._get = _bus.frame(_bus.PIN_GET, id)
        self._handler = None
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        if mode == -1 and pull == -1:
            if value is not None:
                self.value(value)
            return
        level = 255 if value is None else 1 if value else 0
        mode = 0 if mode == -1 else mode  # 0 leaves it as it is
        pull = 255 if pull == -1 else 0 if pull is None else pull
        _bus.post(_bus.PIN_MODE, self._id, bytes((mode, pull, level)))

    def value(self, level=None):
        if level is None:
            return _bus.ask_frame(self._get)
        _bus.post_frame(self._high if level else self._low)

    __call__ = value

    def on(self):
        _bus.post_frame(self._high)

    def off(self):
        _bus.post_frame(self._low)

    def toggle(self):
        self.value(not self.value())

    def irq(self, handler=None, trigger=3, *, hard=False, wake=None):
        if handler is None:
            trigger = 0
        self._handler = handler
        _bus.handlers[_bus.EVENT_PIN << 16 | self._id] = self._strike
        _bus.post(_bus.PIN_IRQ, self._id, bytes((trigger,)))

    def _strike(self, _level):
        if self._handler is not None and not _call(self._handler, self):
            self._handler = None

    def __repr__(self):
        return "Pin(%d)" % self._id


def _pin(pin):
    """GPIO number of a Pin or an int; 255 when it is None."""
    return 255 if pin is None else pin if isinstance(pin, int) else pin._id


_SOFT = const(3)  # the bench's number of the bit-banged bus
_POLL = const(3)
_READABLE = const(1)
_WRITABLE = const(4)
_FILL = const(256)  # the payload says how many octets of which value are clocked out
_MOST = const(8192)  # octets an answered transfer asks for at once


class SPI:
    MSB = 0
    LSB = 1

    def __init__(self, id, baudrate=500000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None, miso=None):
        if id not in (1, 2):
            raise ValueError("SPI(%s) doesn't exist" % id)
        self._id = id
        self._set = [baudrate, polarity, phase, bits, firstbit, _pin(sck), _pin(mosi), _pin(miso)]
        self._fill = bytearray(5)
        self.init()

    def init(
        self,
        baudrate=None,
        *,
        polarity=None,
        phase=None,
        bits=None,
        firstbit=None,
        sck=None,
        mosi=None,
        miso=None,
    ):
        given = (baudrate, polarity, phase, bits, firstbit)
        for i in range(5):
            if given[i] is not None:
                self._set[i] = given[i]
        for i, pin in ((5, sck), (6, mosi), (7, miso)):
            if pin is not None:
                self._set[i] = _pin(pin)
        if self._set[3] != 8:
            raise ValueError("bits")
        _bus.post(_bus.SPI_OPEN, self._id, _struct.pack("<IBBBBBBB", *self._set))

    def deinit(self):
        _bus.post(_bus.SPI_CLOSE, self._id)

    def write(self, buf):
        _bus.post(_bus.SPI_WRITE, self._id, buf)

    def readinto(self, buf, write=0):
        _struct.pack_into("<IB", self._fill, 0, len(buf), write)
        _bus.ask(_bus.SPI_EXCHANGE, self._id | _FILL, self._fill, buf)

    def read(self, nbytes, write=0):
        buf = bytearray(nbytes)
        self.readinto(buf, write)
        return bytes(buf)

    def write_readinto(self, write_buf, read_buf):
        if len(write_buf) != len(read_buf):
            raise ValueError("buffers must be the same length")
        if len(write_buf) > _MOST:
            raise ValueError("longer than the bench exchanges at once")
        _bus.ask(_bus.SPI_EXCHANGE, self._id, write_buf, read_buf)


class I2C:
    def __init__(self, id, *, scl, sda, freq=400000, timeout=50000):
        self._id = id
        _bus.post(_bus.I2C_OPEN, id, _struct.pack("<IIBB", freq, timeout, _pin(scl), _pin(sda)))

    def scan(self):
        found = []
        for address in range(8, 120):
            try:
                self.writeto(address, b"")
                found.append(address)
            except OSError:
                continue  # nobody there
        return found

    def writeto(self, addr, buf, stop=True):
        try:
            return _bus.ask(_bus.I2C_WRITE, self._id << 8 | addr, buf)
        except OSError as e:
            raise OSError(-e.errno)

    def writevto(self, addr, vector, stop=True):
        return self.writeto(addr, b"".join([bytes(part) for part in vector]), stop)

    def readfrom_into(self, addr, buf, stop=True):
        try:
            _bus.ask(_bus.I2C_READ, self._id << 8 | addr, _struct.pack("<H", len(buf)), buf)
        except OSError as e:
            raise OSError(-e.errno)

    def readfrom(self, addr, nbytes, stop=True):
        buf = bytearray(nbytes)
        self.readfrom_into(addr, buf)
        return bytes(buf)

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big") + bytes(buf))

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big"), False)
        self.readfrom_into(addr, buf)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        buf = bytearray(nbytes)
        self.readfrom_mem_into(addr, memaddr, buf, addrsize=addrsize)
        return bytes(buf)


class SoftI2C(I2C):
    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        super().__init__(_SOFT, scl=scl, sda=sda, freq=freq, timeout=timeout)


class UART(_io.IOBase):
    def __init__(
        self, id, baudrate=115200, bits=8, parity=None, stop=1, *, tx=None, rx=None, timeout=0, txbuf=256, rxbuf=256
    ):
        if bits != 8 or parity is not None or stop != 1:
            raise ValueError("the bench's UARTs are 8N1")
        self._id = id
        self._timeout = timeout
        _bus.post(_bus.UART_OPEN, id, _struct.pack("<IHBB", baudrate, rxbuf, _pin(tx), _pin(rx)))

    def any(self):
        return _bus.ask(_bus.UART_ANY, self._id)

    def write(self, buf):
        _bus.post(_bus.UART_WRITE, self._id, buf)
        return len(buf)

    def read(self, nbytes=_MOST):
        """Octets received so far, waiting up to the timeout for the first; None when there are none."""
        end = _time.ticks_add(_time.ticks_ms(), self._timeout)
        while not self.any():
            if _time.ticks_diff(end, _time.ticks_ms()) <= 0:
                return None
            _time.sleep_ms(1)
        return bytes(_bus.fetch(_bus.UART_READ, self._id, _struct.pack("<H", nbytes)))

    def readline(self):
        """Up to and with the next newline, or what has come when the timeout ends it; None when that is nothing."""
        line = bytearray()
        while not line.endswith(b"\n"):
            octet = self.read(1)
            if octet is None:
                break
            line += octet
        return bytes(line) or None

    def readinto(self, buf, nbytes=None):
        data = self.read(len(buf) if nbytes is None else nbytes)
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)

    def ioctl(self, request, argument):
        if request == _POLL:
            return argument & (_WRITABLE | (_READABLE if self.any() else 0))
        return -1


class PWM:
    def __init__(self, pin, freq=0, *, duty=None, duty_u16=None, duty_ns=None):
        self._pin = _pin(pin)
        self._freq = 5000
        self._duty = 32768
        self.init(freq=freq or 5000, duty=duty, duty_u16=duty_u16, duty_ns=duty_ns)

    def init(self, *, freq=None, duty=None, duty_u16=None, duty_ns=None):
        if freq is not None:
            self._freq = freq
        if duty is not None:
            self._duty = duty * 65535 // 1023
        elif duty_u16 is not None:
            self._duty = duty_u16
        elif duty_ns is not None:
            self._duty = min(duty_ns * self._freq * 65535 // 1000000000, 65535)
        if not 1 <= self._freq <= 40000000 or not 0 <= self._duty <= 65535:
            raise ValueError("frequency or duty out of bounds")
        _bus.post(_bus.PWM, self._pin, _struct.pack("<IH", self._freq, self._duty))

    def deinit(self):
        _bus.post(_bus.PWM, self._pin, _struct.pack("<IH", 0, 0))

    def freq(self, value=None):
        if value is None:
            return self._freq
        self.init(freq=value)

    def duty(self, value=None):
        if value is None:
            return self._duty * 1023 // 65535
        self.init(duty=value)

    def duty_u16(self, value=None):
        if value is None:
            return self._duty
        self.init(duty_u16=value)

    def duty_ns(self, value=None):
        if value is None:
            return self._duty * 1000000000 // (65535 * self._freq)
        self.init(duty_ns=value)


def bitstream(pin, encoding, timing, data):
    _bus.post(_bus.BITSTREAM, _pin(pin), _struct.pack("<IIII", *timing) + bytes(data))
    _bus.settle()  # as on the chip: it returns when the last bit is out


class RTC:
    """Keeps its time over every reset but not over a power cut."""

    def datetime(self, new=None):
        if new is None:
            t = _time.gmtime()
            return (t[0], t[1], t[2], t[6], t[3], t[4], t[5], _time.time_ns() // 1000 % 1000000)
        year, month, day, _weekday, hour, minute, second, us = new
        seconds = _time.mktime((year, month, day, hour, minute, second, 0, 0))
        offset = seconds * 1000000 + us - _bus.now_us()
        _time._set_rtc(offset)
        _bus.post(_bus.RTC_SET, 0, _struct.pack("<q", offset))

    def memory(self, data=None):
        if data is None:
            return bytes(_bus.fetch(_bus.RTC_MEMORY, 0))
        if len(data) > 2048:
            raise ValueError("buffer too long")
        _bus.ask(_bus.RTC_MEMORY, 1, data)


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id or timeout < 1000:
            raise ValueError("timeout")
        self._feed = _bus.frame(_bus.WDT, 0)
        _bus.post(_bus.WDT, 0, _struct.pack("<I", timeout))

    def feed(self):
        _bus.post_frame(self._feed)


class Timer:
    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, id, **options):
        if not 0 <= id < 4:
            raise ValueError("invalid Timer number")
        self._id = id
        self._callback = None
        if options:
            self.init(**options)

    def init(self, *, mode=1, freq=-1, period=-1, callback=None, hard=False):
        us = int(1000000 / freq) if freq != -1 else period * 1000
        if us <= 0:
            raise ValueError("period")
        self._callback = callback
        _bus.handlers[_bus.EVENT_TIMER << 16 | self._id] = self._strike
        _bus.post(_bus.TIMER, self._id, _struct.pack("<IB", us, mode))

    def deinit(self):
        self._callback = None
        _bus.post(_bus.TIMER, self._id, _struct.pack("<IB", 0, 0))

    def _strike(self, _value):
        if self._callback is not None and not _call(self._callback, self):
            self.deinit()
