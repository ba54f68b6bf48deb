"""A strict virtual TCA8418 with a 4×4 keypad: it scans and debounces by itself and keeps ten events in a FIFO.

Facts are from the TCA8418 data sheet (SCPS215); sections are named where a rule comes from.
"""

from microtill.bench.chips.base import I2cChip, Nack, Timer
from microtill.bench.chips.matrix import BOUNCE_US, LEGEND

CFG, INT_STAT, KEY_LCK_EC, KEY_EVENT_A, KEY_EVENT_J = 0x01, 0x02, 0x03, 0x04, 0x0D
KP_GPIO1, KP_GPIO2, KP_GPIO3 = 0x1D, 0x1E, 0x1F
LAST = 0x2E  # GPIO_PULL3

DEBOUNCE_US = 60_000  # §6.9
FIFO = 10
_COLUMNS = 10

_AUTO_INCREMENT, _OVERFLOW_MODE, _OVERFLOW_ENABLE, _KEY_ENABLE = 0x80, 0x20, 0x08, 0x01
_KEY, _OVERFLOW = 0x01, 0x08


class TCA8418(I2cChip):
    """Rows on ROW0 … ROW3, columns on COL0 … COL3; INT pulls low (open drain), RESET works as on the chip."""

    address = 0x34
    pins = ("INT", "RESET")
    hands = ("press", "release", "fault")

    def __init__(self, name: str = "keypad", legend: tuple[tuple[str, ...], ...] = LEGEND):
        super().__init__(name)
        self._where = {key: (row, column) for row, keys in enumerate(legend) for column, key in enumerate(keys)}
        self._powered = False
        self._reset = 1
        self._dead = self._quiet = False
        self._closed: set[tuple[int, int]] = set()  # contacts that are, whoever scans them
        self._down: list[str] = []
        self._settling: dict[str, Timer] = {}
        self._clear()

    # The bench's hand

    def press(self, key: str, bounce_us: int = BOUNCE_US) -> None:
        """Push `key` down and hold it; however its contact chatters, the chip tells it once, later."""
        if key not in self._down:
            self._down.append(key)
        self._move(key, bounce_us)

    def release(self, key: str, bounce_us: int = BOUNCE_US) -> None:
        """Let `key` go."""
        if key in self._down:
            self._down.remove(key)
        self._move(key, bounce_us)

    def fault(self, kind: str | None) -> None:
        """`dead`: it answers nothing, and has forgotten everything when it is there again (None). `quiet`: it goes on
        filling its FIFO, but neither K_INT nor INT tells of it, as was seen on real ones after many quick keys.
        """
        if kind not in ("dead", "quiet", None):
            raise ValueError(f"no fault {kind!r}")
        self._quiet = kind == "quiet"
        if self._quiet:
            return
        self._dead = kind == "dead"
        self._clear()

    def seen(self) -> dict:
        """The keys that are held; `rests`: the terminal has heard of every key that came up."""
        return {"down": list(self._down), "rests": not (self._known or self._events or self._settling)}

    # Supply and pins

    def power_on(self) -> None:
        self._powered = True
        self._clear()

    def power_off(self) -> None:
        self._powered = False
        self._clear()

    def pin_changed(self, pin: str, level: int) -> None:
        if pin == "RESET":
            self._reset = level
            if not level:
                self._clear()

    # The bus

    def addressed(self, reading: bool) -> int:
        if not self._alive():
            raise Nack
        return 0

    def write(self, data: bytes) -> int:
        if not data:
            return 0
        self._register = data[0]
        if data[0] > LAST or data[0] == 0:
            self._violation(f"register {data[0]:02X}h is none, or reserved (Table 9)")
            return len(data)
        for n, value in enumerate(data[1:]):
            if n and not self._values[CFG] & _AUTO_INCREMENT:
                self._violation("several bytes to one register, and CFG's auto-increment is off (§8.6.2.1)")
            self._put(self._register, value)
            self._next()
        return len(data)

    def read(self, length: int) -> bytes:
        if length > 1 and not self._values[CFG] & _AUTO_INCREMENT:
            self._violation("several bytes from one register, and CFG's auto-increment is off (§8.6.2.1)")
        out = bytearray()
        for _ in range(length):
            out.append(self._get(self._register))
            self._next()
        return bytes(out)

    def _next(self) -> None:
        if self._values[CFG] & _AUTO_INCREMENT:
            self._register = self._register + 1 if self._register < LAST else 1

    def _get(self, register: int) -> int:
        if register == KEY_LCK_EC:
            return self._values[register] & 0x70 | len(self._events)
        if register == KEY_EVENT_A:
            if not self._events:
                self._violation("KEY_EVENT_A read while the FIFO is empty (§8.3.1.3)")
                return 0
            return self._events.pop(0)
        if KEY_EVENT_A < register <= KEY_EVENT_J:
            at = register - KEY_EVENT_A
            return self._events[at] if at < len(self._events) else 0
        return self._values[register]

    def _put(self, register: int, value: int) -> None:
        if register == INT_STAT:
            # Ones clear; what is still to be read keeps its bit, and INT low, unless CFG says otherwise (§8.3.5).
            self._values[INT_STAT] &= ~value
            if self._events and not self._quiet:
                self._values[INT_STAT] |= _KEY
        elif KEY_LCK_EC <= register <= KEY_EVENT_J:
            self._violation(f"register {register:02X}h is not for writing here")
        elif register in (KP_GPIO1, KP_GPIO2, KP_GPIO3):
            used = {KP_GPIO1: 0x0F, KP_GPIO2: 0x0F, KP_GPIO3: 0}[register]
            if value & ~used:
                self._violation(f"KP_GPIO {register:02X}h = {value:02X}h: lines that nothing is wired to")
            self._values[register] = value
        else:
            if register == CFG and value & _OVERFLOW_ENABLE and not value & _OVERFLOW_MODE:
                self._violation("an overflow interrupt wants OVR_FLOW_M, too (§8.3.1.4)")
            self._values[register] = value
        self._drive()

    # The keys

    def _move(self, key: str, bounce_us: int) -> None:
        if key not in self._where:
            raise ValueError(f"no key {key!r}")
        assert self.seam
        running = self._settling.pop(key, None)
        if running:
            running.cancel()
        self._settling[key] = self.seam.after(bounce_us + DEBOUNCE_US, lambda: self._settled(key))
        self.seam.changed(self)

    def _settled(self, key: str) -> None:
        self._settling.pop(key, None)
        (self._closed.add if key in self._down else self._closed.discard)(self._where[key])
        if not self._alive():
            return
        seen = {place for place in self._joined() if self._scans(*place)}
        # One scan tells of all that changed, row by row: a ghost may come before the key that makes it.
        for place in sorted(seen ^ self._known):
            self._tell(*place, place in seen)
        self._known = seen

    def _scans(self, row: int, column: int) -> bool:
        return bool(self._values[KP_GPIO1] >> row & 1 and self._values[KP_GPIO2] >> column & 1)

    def _joined(self) -> set[tuple[int, int]]:
        """The crossings that are closed for the scan: three corners of a rectangle close the fourth (§8.3.2.3)."""
        joined = set(self._closed)
        while True:
            grown = {
                (r, c) for r, near in joined for far, c in joined if (far, near) in joined and (r, c) not in joined
            }
            if not grown:
                return joined
            joined |= grown

    def _tell(self, row: int, column: int, down: bool) -> None:
        code = row * _COLUMNS + column + 1
        if len(self._events) == FIFO:
            self._values[INT_STAT] |= _OVERFLOW
            if not self._values[CFG] & _OVERFLOW_MODE:
                self._drive()
                return
            self._events.pop(0)
        self._events.append(code | (0x80 if down else 0))
        if not self._quiet:
            self._values[INT_STAT] |= _KEY
        self._drive()

    # State

    def _clear(self) -> None:
        """All registers are 0 after power-on and reset (§8.4.1)."""
        self._values = bytearray(LAST + 1)
        self._events: list[int] = []
        self._known: set[tuple[int, int]] = set()
        self._register = 0
        self._drive()

    def _alive(self) -> bool:
        return self._powered and bool(self._reset) and not self._dead

    def _drive(self) -> None:
        status, enabled = self._values[INT_STAT], self._values[CFG]
        low = (status & _KEY and enabled & _KEY_ENABLE) or (status & _OVERFLOW and enabled & _OVERFLOW_ENABLE)
        if self.seam:
            self.seam.drive(self, "INT", 0 if low and self._alive() else None)

    def _violation(self, text: str) -> None:
        if self.seam:
            self.seam.violation(self, text)
