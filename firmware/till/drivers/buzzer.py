"""The buzzer: a tick for a key, and the two tones of EMV Contactless Book A, 9.3 (success, alert)."""

import asyncio

# (hertz, milliseconds) one after another; 0 Hz is silence.
_KEY = ((2000, 15),)
_SUCCESS = ((1500, 500),)
_ALERT = ((750, 200), (0, 200), (750, 200))

_HALF = 32768


class Buzzer:
    """`pwm`: like `machine.PWM` (`freq(hertz)`, `duty_u16(n)`). Every call returns at once; a new tone ends the old.

    Make it with `duty_u16=0`: the ESP32's PWM sounds from the start otherwise.
    `muted`: no ticks for keys; success and alert always sound. Tones end in the event loop: call from tasks only.
    """

    def __init__(self, pwm, muted: bool = False):
        self._pwm = pwm
        self._task = None
        self.muted = muted
        pwm.duty_u16(0)

    def key(self) -> None:
        """A key was taken. Never cuts a success or alert tone short."""
        if self._task is None:
            self._play(_KEY)

    def success(self) -> None:
        """The card is read: 1500 Hz for half a second."""
        self._play(_SUCCESS)

    def alert(self) -> None:
        """Something needs a person: twice 750 Hz."""
        self._play(_ALERT)

    def _play(self, tones):
        if self.muted and tones is _KEY:
            return
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._sound(tones))

    async def _sound(self, tones):
        pwm = self._pwm
        try:
            for hertz, ms in tones:
                if hertz:
                    pwm.freq(hertz)
                    pwm.duty_u16(_HALF)
                else:
                    pwm.duty_u16(0)
                await asyncio.sleep_ms(ms)
        finally:
            if self._task is asyncio.current_task():  # else the next tone sounds already
                pwm.duty_u16(0)
                self._task = None
