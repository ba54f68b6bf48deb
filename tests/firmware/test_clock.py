import time

from till.core.errors import InvalidValue
from till.services.clock import EPOCH_2000, Clock, civil


class Rtc:
    """A chip's clock that starts in 2000 and can be set."""

    def __init__(self):
        self.seconds = 0

    def datetime(self, when):
        year, month, day, _, hour, minute, second, _ = when
        # Independent of civil(): the port's own calendar, whose epoch is 1970.
        self.seconds = time.mktime((year, month, day, hour, minute, second, 0, 0)) - EPOCH_2000


def test_civil_agrees_with_the_port():
    for t in (0, 951782400, 951868799, 1709164800, 1709251199, 1764000000, 4102444799, 4107542400):
        assert civil(t) == tuple(time.gmtime(t)[:6]), t


def test_a_clock_that_forgot_starts_at_its_floor():
    rtc = Rtc()
    clock = Clock(rtc, lambda: rtc.seconds, 1764000000)
    assert clock.now() == 1764000000
    rtc.seconds += 10
    assert clock.now() == 1764000010


def test_signed_time_moves_the_clock_and_never_below_the_floor():
    rtc = Rtc()
    clock = Clock(rtc, lambda: rtc.seconds, 1764000000)
    clock.synchronise(1764000060)
    assert clock.now() == 1764000060 and clock.floor == 1764000060
    clock.synchronise(1764100000)
    assert clock.now() == 1764100000
    clock.synchronise(1763000000)
    assert clock.now() == 1764100000 and clock.floor == 1764100000


def test_local_time_has_the_merchants_offset():
    rtc = Rtc()
    clock = Clock(rtc, lambda: rtc.seconds, 1764000000, offset=480)
    assert clock.local() == civil(1764000000 + 8 * 3600)
    for bad in (841, -841, "480", None):
        try:
            clock.set_offset(bad)
        except InvalidValue:
            continue
        raise AssertionError(bad)
