"""A passive buzzer on one PWM pin: it keeps what it sounded, so a test can hear it."""

from dataclasses import dataclass

from microtill.bench.chips.base import Chip

LOWEST_HZ = 100
HIGHEST_HZ = 10_000


@dataclass(frozen=True)
class Tone:
    """`frequency` in Hz for `us` microseconds, from bench time `at` (µs)."""

    at: int
    frequency: int
    us: int


class Buzzer(Chip):
    pins = ("SIGNAL",)

    def __init__(self, name: str = "buzzer"):
        super().__init__(name)
        self.tones: list[Tone] = []
        self._frequency = 0
        self._since = 0

    def power_off(self) -> None:
        self._sound(0)

    def pwm(self, pin: str, frequency: int, duty_u16: int) -> None:
        # A square wave that never turns, at either end of the duty cycle, moves nothing.
        sounding = frequency if 0 < duty_u16 < 65_535 else 0
        if sounding and not LOWEST_HZ <= sounding <= HIGHEST_HZ:
            assert self.seam
            self.seam.violation(self, f"{sounding} Hz is outside {LOWEST_HZ}–{HIGHEST_HZ} Hz")
        self._sound(sounding)

    def seen(self) -> dict:
        return {"frequency": self._frequency, "tones": len(self.tones) + bool(self._frequency)}

    def _sound(self, frequency: int) -> None:
        if frequency == self._frequency or not self.seam:
            return
        now = self.seam.now_us()
        if self._frequency:
            self.tones.append(Tone(self._since, self._frequency, now - self._since))
            self.seam.trace(self, f"{self._frequency} Hz for {(now - self._since) // 1000} ms")
        self._frequency = frequency
        self._since = now
        self.seam.changed(self)
