# Tones are what the PWM was told, in order.
import asyncio
import time

from till.drivers.buzzer import Buzzer


class Pwm:
    def __init__(self):
        self.calls = []

    def freq(self, hertz):
        self.calls.append((time.ticks_ms(), hertz))

    def duty_u16(self, duty):
        self.calls.append((time.ticks_ms(), "on" if duty else "off"))

    def told(self):
        return [what for _, what in self.calls]


async def quiet(buzzer):
    for _ in range(2000):
        if buzzer._task is None:
            return
        await asyncio.sleep_ms(1)
    raise AssertionError("still sounding")


async def test_silent_from_the_start():
    pwm = Pwm()
    Buzzer(pwm)
    assert pwm.told() == ["off"]


async def test_key_returns_at_once_and_ends_by_itself():
    pwm = Pwm()
    buzzer = Buzzer(pwm)
    buzzer.key()
    assert pwm.told() == ["off"]
    await quiet(buzzer)
    assert pwm.told() == ["off", 2000, "on", "off"]


async def test_success_is_half_a_second_of_1500_hz():
    pwm = Pwm()
    buzzer = Buzzer(pwm)
    buzzer.success()
    await quiet(buzzer)
    assert pwm.told() == ["off", 1500, "on", "off"]
    assert 480 <= time.ticks_diff(pwm.calls[3][0], pwm.calls[1][0]) <= 1500


async def test_alert_is_twice_750_hz():
    pwm = Pwm()
    buzzer = Buzzer(pwm)
    buzzer.alert()
    await quiet(buzzer)
    assert pwm.told() == ["off", 750, "on", "off", 750, "on", "off"]


async def test_a_new_tone_ends_the_old_and_is_not_silenced_by_its_end():
    pwm = Pwm()
    buzzer = Buzzer(pwm)
    buzzer.success()
    await asyncio.sleep_ms(20)
    buzzer.alert()
    await asyncio.sleep_ms(20)
    assert pwm.told() == ["off", 1500, "on", 750, "on"]
    await quiet(buzzer)


async def test_a_key_does_not_cut_an_outcome_short_and_may_be_muted():
    pwm = Pwm()
    buzzer = Buzzer(pwm, muted=True)
    buzzer.key()
    await asyncio.sleep_ms(2)
    assert pwm.told() == ["off"]
    buzzer.muted = False
    buzzer.success()
    buzzer.key()
    await asyncio.sleep_ms(20)
    assert pwm.told() == ["off", 1500, "on"]
    await quiet(buzzer)
