"""`time` as on the ESP32: epoch 2000, whole seconds, eight-tuples; every clock is the bench's."""

import select as _select

import port_time as _real
import simbus as _bus

_EPOCH = 946684800  # 2000-01-01 in Unix seconds
_SLICE_US = 5000

ticks_diff = _real.ticks_diff
ticks_add = _real.ticks_add
now_us = _bus.now_us
_rtc_us = 0  # what the real-time clock is ahead of bench time
_poll = None


def _set_rtc(offset_us):
    global _rtc_us
    _rtc_us = offset_us


def ticks_us():
    return now_us() - _bus.boot_us


def ticks_ms():
    return (now_us() - _bus.boot_us) // 1000


ticks_cpu = ticks_us


def time():
    """Seconds since 2000-01-01, from the real-time clock: 0 at power-on until somebody sets it."""
    return (now_us() + _rtc_us) // 1000000


def time_ns():
    return (now_us() + _rtc_us) * 1000


def gmtime(seconds=None):
    return tuple(_real.gmtime((time() if seconds is None else seconds) + _EPOCH)[:8])


localtime = gmtime


def mktime(date):
    return int(_real.mktime(tuple(date[:8]) + (0,))) - _EPOCH


def sleep_us(us):
    """Sleep bench time; interrupts strike meanwhile, and a change of speed takes effect within 5 ms."""
    global _poll
    _bus.settle()
    end = now_us() + us
    if _poll is None:
        _poll = _select.poll()
        _poll.register(_bus.events, _select.POLLIN)
    while True:
        left = end - now_us()
        if left <= 0:
            return
        left = _bus.real_us(left)
        if left >= 1000:
            for _ in _poll.ipoll((left if left < _SLICE_US else _SLICE_US) // 1000):
                _bus.pump()
        else:
            _real.sleep_us(left)


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1000000))
