"""A PN532 on its high-speed UART: the host link of UM0701-02 §6.2.3 around the protocol core, by characters."""

from itertools import pairwise

from microtill.bench.chips.base import UartChip
from microtill.bench.chips.pn532_module import Module

BAUD = 115_200
"""8N1, as after every reset; the model knows no SetSerialBaudRate."""

WAKE_EDGES = 5
"""Rising edges on the line that wake a sleeping chip (§6.3.2.3): one 55, or five characters 00."""

GAP_US = 1_000
"""The longest pause inside a frame. The manual names no figure; a host that sends a frame whole never pauses."""

_CHARACTER_US = 10e6 / BAUD
_BURST = 16  # characters handed over at once on their way to the host

_START = b"\x00\xff"
_NOISE = b"\x00\x55"


class PN532(Module, UartChip):
    """Characters take their time on the wire in both directions. What arrives while the chip sleeps or starts is lost.

    The chip sends as soon as it has something to say, so IRQ is of no use here and is not modelled.
    """

    interface = "hsu"
    pins = ("RSTPD_N",)

    def __init__(self, name: str = "nfc"):
        super().__init__(name)
        self._line_free_us = 0  # when the last character from the host has arrived
        self._edges = 0
        self._frame = bytearray()
        self._frame_us = 0  # when its last character arrived
        self._sending = b""

    def power_on(self) -> None:
        self._forget()
        super().power_on()

    def pin_changed(self, pin: str, level: int) -> None:
        if not level:
            self._forget()
        super().pin_changed(pin, level)

    def _forget(self) -> None:
        self._edges = 0
        self._frame.clear()
        self._sending = b""

    # From the host

    def receive(self, data: bytes, baudrate: int) -> None:
        if not self.alive or self.core.deaf:
            return
        if baudrate != BAUD:
            self.violated(f"HSU at {baudrate} baud, the chip listens at {BAUD}")
            return
        now = self.now_us()
        begins = max(now, self._line_free_us)
        self._line_free_us = begins + round(len(data) * _CHARACTER_US)
        if self.core.power in ("asleep", "booting"):
            wakes = self._wakes_at(data)
            if wakes is None:
                self._unheard(data)
                return
            if _START not in data[wakes:]:
                self._unheard(data)
            self.after(begins - now + round(wakes * _CHARACTER_US), self.core.wake)
            begins += round(wakes * _CHARACTER_US)
            data = data[wakes:]
        # Heard is what begins to arrive when the oscillator runs.
        ends = self._line_free_us
        self.after(begins - now, lambda: self._begins(data, begins, ends))

    def _wakes_at(self, data: bytes) -> int | None:
        """How many characters it takes until the line has risen often enough; None when they are too few."""
        for i, character in enumerate(data):
            self._edges += _rising_edges(character)
            if self._edges >= WAKE_EDGES:
                self._edges = 0
                return i + 1
        return None

    def _begins(self, data: bytes, begins_us: int, ends_us: int) -> None:
        if self.core.deaf or not self.alive:
            return
        if not self.core.awake:
            self._unheard(data)
            return
        if _START in self._frame and begins_us - self._frame_us > GAP_US:
            self.violated(f"a pause of {begins_us - self._frame_us} µs inside a frame, at most {GAP_US}")
            self._frame.clear()
        self.after(ends_us - begins_us, lambda: self._arrived(data, ends_us))

    def _unheard(self, data: bytes) -> None:
        if _START in data:
            self.unheard(f"frame sent while {self.core.power}: send 55 55 00 00 00 and wait T_osc_start")

    def _arrived(self, data: bytes, when_us: int) -> None:
        self._frame += data
        self._frame_us = when_us
        while length := self._frame_length():
            whole = bytes(self._frame[:length])
            del self._frame[:length]
            self._sending = b""
            self.core.receive(whole)

    def _frame_length(self) -> int:
        """Characters of the frame that begins the buffer, once all are there; what cannot begin one is dropped."""
        have = self._frame
        at = have.find(_START)
        if at < 0:
            if have.strip(_NOISE):
                self.violated(f"neither a frame nor a preamble: {bytes(have).hex()}")
                have.clear()
            else:
                del have[:-1]
            return 0
        if bytes(have[:at]).strip(_NOISE):
            self.violated(f"before a start code: {bytes(have[:at]).hex()}")
        del have[:at]
        if len(have) < 4:
            return 0
        if have[2:4] in (b"\x00\xff", b"\xff\x00"):
            length = 5
        elif have[2:4] == b"\xff\xff":
            if len(have) < 7:
                return 0
            length = 7 + (have[4] << 8 | have[5]) + 2
        else:
            length = 4 + have[2] + 2
        return length if len(have) >= length else 0

    # To the host

    def ready_changed(self) -> None:
        if not self.core.ready:
            self._sending = b""
        elif not self._sending:
            self._sending = self.core.output()
            self._send_on(self._sending, 0)

    def _send_on(self, frame: bytes, at: int) -> None:
        burst = frame[at : at + _BURST]
        self.after(round(len(burst) * _CHARACTER_US), lambda: self._sent(frame, at + len(burst), burst))

    def _sent(self, frame: bytes, at: int, burst: bytes) -> None:
        if self._sending is not frame or not self.alive or self.core.deaf:
            return  # ended by the host, or by its supply
        self.send(burst)
        if at < len(frame):
            self._send_on(frame, at)
        else:
            self._sending = b""
            self.core.read()


def _rising_edges(character: int) -> int:
    """How often the line rises while this character passes: start bit, bits from the lowest, stop bit."""
    levels = [0, *((character >> i) & 1 for i in range(8)), 1]
    return sum(after > before for before, after in pairwise(levels))
