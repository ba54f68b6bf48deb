"""A PN532 on SPI: the host link of UM0701-02 §6.2.5 around the protocol core."""

from microtill.bench.chips.base import SpiChip, SpiSettings
from microtill.bench.chips.pn532_module import Module

STATUS_READ = 0x02
DATA_WRITE = 0x01
DATA_READ = 0x03

FASTEST_HZ = 5_000_000

_REVERSED = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))


class PN532(Module, SpiChip):
    """Pins by their data sheet names: CS is NSS, IRQ is P70_IRQ, RSTPD_N resets and powers down while low."""

    interface = "spi"
    pins = ("CS", "IRQ", "RSTPD_N")

    def __init__(self, name: str = "nfc"):
        super().__init__(name)
        self.clocked = 0
        self._cs = 1
        self._direction: int | None = None
        self._written = bytearray()
        self._reading = b""
        self._read_at = 0
        self._lost = False

    def pin_changed(self, pin: str, level: int) -> None:
        super().pin_changed(pin, level)
        if pin == "CS" and level != self._cs:
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
        if self.core.dead or not self.alive:
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
            self.unheard(f"clocked while {self.core.power}: wake it by NSS and wait T_osc_start")
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
                    self._drive(1)
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
