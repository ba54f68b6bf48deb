"""A PN532 on SPI: the host link of UM0701-02 §6.2.5 around the protocol core.

Traces of this chip hold whole APDUs (`=>` to the card, `<=` from it): only test cards live in the bench, and only the
bench's owner reads its traces. They are never written to a log of the terminal.
"""

from collections.abc import Callable

from microtill.bench.cards import make
from microtill.bench.chips.base import SpiChip, SpiSettings, Timer
from microtill.bench.chips.pn532_core import Card, Core

STATUS_READ = 0x02
DATA_WRITE = 0x01
DATA_READ = 0x03

FASTEST_HZ = 5_000_000

_REVERSED = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))


class PN532(SpiChip):
    """Pins by their data sheet names: CS is NSS, IRQ is P70_IRQ, RSTPD_N resets and powers down while low."""

    pins = ("CS", "IRQ", "RSTPD_N")
    hands = ("present", "remove", "fault", "rf_error", "limit")

    def __init__(self, name: str = "nfc"):
        super().__init__(name)
        self.core = Core(self, "spi")
        self.clocked = 0
        self._powered = False
        self._cs = 1
        self._reset = 1
        self._irq: int | None = None
        self._direction: int | None = None
        self._written = bytearray()
        self._reading = b""
        self._read_at = 0
        self._lost = False

    # The bench's hand

    def present(self, card: Card | str, leaves_after: int | None = None) -> None:
        """Hold a card, or the one that a spec names, to the antenna; pulled away after `leaves_after` APDUs."""
        self.core.present(make(card) if isinstance(card, str) else card, leaves_after)

    def remove(self, card: Card | None = None) -> None:
        """Take that card, or every card, away."""
        self.core.remove(card)

    def fault(self, kind: str | None, count: int = 1) -> None:
        """See `Core.fault`: dead, wedged, stuck, garbled, or None."""
        self.core.fault(kind, count)

    def rf_error(self, status: int) -> None:
        """The next exchange with a card fails with this status byte."""
        self.core.rf_error(status)

    def limit(self, data: int) -> None:
        """Hand over an R-APDU in parts of at most `data` bytes (the chip's own limit is 262)."""
        self.core.longest_data = data

    def seen(self) -> dict:
        return {"field": self.core.field, "cards": len(self.core.slots)}

    # What the core needs (Wires)

    def now_us(self) -> int:
        assert self.seam
        return self.seam.now_us()

    def after(self, us: int, call: Callable[[], None]) -> Timer:
        assert self.seam
        return self.seam.after(us, call)

    def violated(self, text: str) -> None:
        assert self.seam
        self.seam.violation(self, text)

    def told(self, text: str) -> None:
        assert self.seam
        self.seam.trace(self, text)

    def ready_changed(self) -> None:
        if not self._powered or not self._reset:
            level = None
        else:
            level = 0 if self.core.ready and self.core.irq_enabled else 1
        if level != self._irq:
            self._irq = level
            if self.seam:
                self.seam.drive(self, "IRQ", level)

    def cards_changed(self) -> None:
        if self.seam:
            self.seam.changed(self)

    # Pins and bus

    def power_on(self) -> None:
        self._powered = True
        if self._reset:
            self.core.boot()

    def power_off(self) -> None:
        self._powered = False
        self.core.off()

    def pin_changed(self, pin: str, level: int) -> None:
        if pin == "RSTPD_N" and level != self._reset:
            self._reset = level
            if self._powered:
                if level:
                    self.core.boot()
                else:
                    self.core.off()
        elif pin == "CS" and level != self._cs:
            self._cs = level
            if level == 0:
                self._begin()
            else:
                self._end()

    def _begin(self) -> None:
        self._direction = None
        self._written = bytearray()
        self._lost = False
        if not self.core.deaf:
            self.core.wake()

    def _end(self) -> None:
        direction, self._direction = self._direction, None
        if self._lost:
            return
        if direction == DATA_WRITE:
            self.core.receive(bytes(self._written))
        elif direction == DATA_READ and self._read_at:
            if self._read_at < len(self._reading) - 1:
                self.told(f"reading ended {len(self._reading) - self._read_at} bytes before the frame did")
            self.core.read()
        self._reading = b""
        self._read_at = 0

    def transfer(self, mosi: memoryview, settings: SpiSettings, read: bool) -> bytes | None:
        count = len(mosi)
        self.clocked += count
        if self.core.dead or not self._powered or not self._reset:
            return b"\xff" * count if read else None
        if settings.baudrate > FASTEST_HZ:
            self.violated(f"SPI clock {settings.baudrate} Hz, at most {FASTEST_HZ}")
        if settings.polarity or settings.phase:
            self.violated(f"SPI mode {settings.polarity}{settings.phase}, only mode 0 is read")
            self._lost = True
        if self._cs:
            self.violated("clocked while NSS is high")
            self._lost = True
        if not self.core.deaf and not self.core.awake and not self._lost:
            told = self.told if self.core.returned else self.violated
            told(f"clocked while {self.core.power}: wake it by NSS and wait T_osc_start")
            self._lost = True
        if self._lost or self.core.deaf:
            return bytes(count) if read else None
        data = bytes(mosi)
        if not settings.lsb_first:
            data = data.translate(_REVERSED)  # the chip clocks the lowest bit first, whatever the master meant
        answer = self._clock(data)
        if not read:
            return None
        return answer if settings.lsb_first else answer.translate(_REVERSED)

    def _clock(self, data: bytes) -> bytes:
        out = bytearray(len(data))
        at = 0
        if self._direction is None and data:
            self._direction = data[0]
            at = 1
            if self._direction == DATA_READ:
                if self.core.ready:
                    self._reading = self.core.output()
                    self._irq_released()
                else:
                    self.violated("read before the status byte or IRQ said ready")
                    self._lost = True
            elif self._direction not in (STATUS_READ, DATA_WRITE):
                self.violated(f"direction byte {self._direction:02x} (in the wrong bit order?)")
                self._lost = True
        if self._lost:
            return bytes(out)
        if self._direction == DATA_WRITE:
            self._written += data[at:]
        elif self._direction == STATUS_READ:
            status = 1 if self.core.ready else 0
            for i in range(at, len(out)):
                out[i] = status
        else:
            part = self._reading[self._read_at : self._read_at + len(out) - at]
            out[at : at + len(part)] = part
            self._read_at += len(out) - at
        return bytes(out)

    def _irq_released(self) -> None:
        if self._irq == 0:
            self._irq = 1
            assert self.seam
            self.seam.drive(self, "IRQ", 1)
