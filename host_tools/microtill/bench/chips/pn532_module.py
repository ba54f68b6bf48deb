"""What a PN532 module is on any of its host links: supply, reset, interrupt line, and the hand that holds cards to it.

Traces of these chips hold whole APDUs (`=>` to the card, `<=` from it): only test cards live in the bench, and only the
bench's owner reads its traces. They are never written to a log of the terminal.
"""

from collections.abc import Callable

from microtill.bench.cards import make
from microtill.bench.chips.base import Chip, Timer
from microtill.bench.chips.pn532_core import Card, Core


class Module(Chip):
    """The part around the protocol core; a link adds its bus. Implements the core's Wires.

    Pins by their data sheet names: IRQ is P70_IRQ, RSTPD_N resets and powers down while low.
    """

    interface = ""  # the core's name of the link
    pins = ("IRQ", "RSTPD_N")
    hands = ("present", "remove", "fault", "rf_error", "limit")

    def __init__(self, name: str = "nfc"):
        super().__init__(name)
        self.core = Core(self, self.interface)
        self._powered = False
        self._reset = 1
        self._irq: int | None = None

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

    def unheard(self, text: str) -> None:
        """The host spoke to a chip that does not run: a violation, unless the supply returned without its doing."""
        (self.told if self.core.returned else self.violated)(text)

    def told(self, text: str) -> None:
        assert self.seam
        self.seam.trace(self, text)

    def ready_changed(self) -> None:
        if not self.alive:
            self._drive(None)
        else:
            self._drive(0 if self.core.ready and self.core.irq_enabled else 1)

    def cards_changed(self) -> None:
        if self.seam:
            self.seam.changed(self)

    def _drive(self, level: int | None) -> None:
        if level != self._irq:
            self._irq = level
            if self.seam:
                self.seam.drive(self, "IRQ", level)

    # Supply and reset

    @property
    def alive(self) -> bool:
        """Supplied and out of reset."""
        return bool(self._powered and self._reset)

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
