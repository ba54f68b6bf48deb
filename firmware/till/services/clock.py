"""The terminal's time: UTC Unix seconds that never fall below a signed floor.

The chip's clock forgets at power-off and can be set by anyone; only times that came signed (build, ticket, journal,
acquirer) raise the floor, and a sale is refused while the clock is below it.
"""

from micropython import const

from till.core.errors import InvalidValue

# Seconds from 1970 to 2000, where the ESP32's clock starts. Not the port's epoch: the bench keeps the ESP32's.
EPOCH_2000 = const(946684800)

_OFFSET_MAX = const(14 * 60)
_SKEW_S = const(120)


class Clock:
    """`rtc` is a machine.RTC-like (`datetime(tuple)`), `time` returns whole seconds since 2000."""

    def __init__(self, rtc, time, floor: int, offset: int = 480):
        self._rtc = rtc
        self._time = time
        self.floor = floor
        self._correction = 0
        self._started = time()
        self.known = False  # whether the time came signed since power-on; until then it is a floor, not the time
        self.set_offset(offset)
        if self.now() < floor:
            self._set(floor)

    def now(self) -> int:
        """Unix seconds, UTC."""
        return self._time() + EPOCH_2000 + self._correction

    def uptime(self) -> int:
        """Seconds since this was made, whatever the clock was set to meanwhile."""
        return self._time() - self._started

    def set_offset(self, minutes: int) -> None:
        """Minutes east of UTC of the merchant's wall clock."""
        if not isinstance(minutes, int) or not -_OFFSET_MAX <= minutes <= _OFFSET_MAX:
            raise InvalidValue("time offset")
        self.offset = minutes

    def raise_floor(self, utc: int) -> None:
        """A signed time was seen: the clock can no longer be before it."""
        if utc > self.floor:
            self.floor = utc
        if self.now() < self.floor:
            self._set(self.floor)

    def synchronise(self, utc: int) -> None:
        """Follow the acquirer's signed time if we are more than two minutes off it."""
        if abs(self.now() - utc) > _SKEW_S:
            self._set(utc)
        self.raise_floor(utc)
        self.known = True

    def suggest(self, utc: int) -> None:
        """Somebody says that it is `utc`: TLS must know, though nobody has signed a time yet. Never below the floor,
        which stays where it is."""
        if utc > self.floor:
            self._set(utc)

    def local(self, utc=None) -> tuple:
        """`(year, month, day, hour, minute, second)` on the merchant's wall clock."""
        return civil((self.now() if utc is None else utc) + self.offset * 60)

    def _set(self, utc: int) -> None:
        # TLS reads the chip's clock, so it is set too where it can be; what remains is our correction.
        year, month, day, hour, minute, second = civil(utc)
        before = self._time()
        self._rtc.datetime((year, month, day, 0, hour, minute, second, 0))
        self._started += self._time() - before
        self._correction = 0
        self._correction = utc - self.now()


def civil(seconds: int) -> tuple:
    """Gregorian `(year, month, day, hour, minute, second)` of Unix `seconds` (proleptic, any year after 1970)."""
    days, rest = divmod(seconds, 86400)
    days += 719468  # days from 0000-03-01 to 1970-01-01
    era, doe = divmod(days, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (1 if month <= 2 else 0)
    return year, month, doy - (153 * mp + 2) // 5 + 1, rest // 3600, rest // 60 % 60, rest % 60
