"""The PN532's own firmware (V1.6) as its user manual UM0701-02 describes it, apart from the host interface.

Section numbers are the manual's. A core is fed whole write transactions (`receive`), says when it has a frame for the
host (`ready`, `output`, `read`), and owns the RF side: the field, the cards in it and the targets it has activated.
Commands that the terminal has no use for answer with the syntax error frame and are recorded, so that a driver that
grows is told instead of being lied to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from microtill.bench.chips.base import Timer

ACK = bytes.fromhex("0000ff00ff00")
NACK = bytes.fromhex("0000ffff0000")
SYNTAX_ERROR = bytes.fromhex("0000ff01ff7f8100")

HOST_TO_CHIP = 0xD4
CHIP_TO_HOST = 0xD5

LONGEST_BODY = 265
"""TFI and packet data of one extended frame (§6.2.1.2)."""

LONGEST_DATA = 262
"""DataOut or DataIn of one InDataExchange (§7.3.8)."""

T_OSC_START_US = 2_000
"""Oscillator start: typically some 100 µs, up to 2 ms (§6.3.2.3). The model takes the worst case."""

ACK_US = 300
COMMAND_US = 400
NEXT_FRAME_US = 80
POWER_DOWN_US = 1_000
FIELD_GUARD_US = 5_000
CARD_RESET_US = 5_100
"""A card keeps what it has in hand through a shorter gap in the field (EMV Contactless Level 1, tRESET)."""
TRY_US = 20_000
ACTIVATE_US = 9_000
EXCHANGE_US = 1_500
BYTE_US = 85
DEFAULT_CARD_US = 3_000

# Status bytes (§7.1).
TIMEOUT = 0x01
INVALID_PARAMETER = 0x10
WRONG_CONTEXT = 0x27

_INFINITE = 0xFF
_MORE = 0x40
_WAKE_BY_HOST = {"i2c": 0x80, "spi": 0x20, "hsu": 0x10}
_RF_ITEM_LENGTHS = {0x01: 1, 0x02: 3, 0x04: 1, 0x05: 3, 0x0A: 11, 0x0B: 8, 0x0C: 3, 0x0D: 9}
_NEEDS_NORMAL_MODE = {0x32, 0x4A, 0x40, 0x44, 0x52, 0x54}


class Card(Protocol):
    """A virtual card: see `microtill.bench.cards`. `processing_us`, when it has one, is its own time for one APDU."""

    uid: bytes
    atqa: bytes
    sak: int
    ats: bytes

    def activate(self) -> None: ...

    def transceive(self, capdu: bytes) -> bytes | None: ...


class Wires(Protocol):
    """What the core needs of the chip around it."""

    def now_us(self) -> int: ...

    def after(self, us: int, call: Callable[[], None]) -> Timer: ...

    def violated(self, text: str) -> None: ...

    def told(self, text: str) -> None: ...

    def ready_changed(self) -> None: ...

    def cards_changed(self) -> None: ...


@dataclass
class Slot:
    """A card in the field and how far ISO 14443-3 has brought it: idle, protocol or halt; away after it said None."""

    card: Card
    state: str = "idle"
    apdus: int = 0
    leaves_after: int | None = None


def frame(body: bytes) -> bytes:
    """The frame the chip would send for `body` (TFI first): normal up to 255 bytes, else extended (§6.2.1)."""
    length = len(body)
    if length <= 255:
        head = bytes((0, 0, 0xFF, length, -length & 0xFF))
    else:
        head = bytes((0, 0, 0xFF, 0xFF, 0xFF, length >> 8, length & 0xFF, -((length >> 8) + (length & 0xFF)) & 0xFF))
    return head + body + bytes((-sum(body) & 0xFF, 0))


class FrameError(Exception):
    """A frame from the host that the chip does not take; the text says why."""


def parse(data: bytes) -> bytes | None:
    """Body (TFI first) of an information frame; ACK and NACK come back as b"" and None. Raises FrameError."""
    start = data.find(b"\x00\xff")
    if start < 0 or any(data[:start]):
        raise FrameError("no preamble and start code")
    head = data[start + 2 :]
    if len(head) < 2:
        raise FrameError("frame ends in its header")
    if head[:2] == b"\x00\xff":
        return b""
    if head[:2] == b"\xff\x00":
        return None
    if head[:2] == b"\xff\xff":
        if len(head) < 5:
            raise FrameError("frame ends in its header")
        length, check, body = head[2] << 8 | head[3], sum(head[2:5]), head[5:]
    else:
        length, check, body = head[0], sum(head[:2]), head[2:]
    if check & 0xFF:
        raise FrameError("wrong length checksum (LCS)")
    if not 1 <= length <= LONGEST_BODY:
        raise FrameError(f"{length} bytes of packet data, at most {LONGEST_BODY}")
    if len(body) <= length:
        raise FrameError(f"frame ends {length + 1 - len(body)} bytes early")
    if sum(body[: length + 1]) & 0xFF:
        raise FrameError("wrong data checksum (DCS)")
    if body[length + 1 :].strip(b"\x00") or len(body) == length + 1:
        raise FrameError("no postamble of zeros")
    return body[:length]


class Core:
    """`interface` names the host interface, for the wake-up sources of PowerDown: "spi", "i2c" or "hsu"."""

    def __init__(self, wires: Wires, interface: str):
        self._wires = wires
        self._interface = interface
        self.slots: list[Slot] = []
        self._fault: str | None = None
        self._garbled = 0
        self._rf_errors: list[int] = []
        self.longest_data = LONGEST_DATA
        self._timers: list[Timer] = []
        self._power = "off"
        self.returned = False
        self._forget()

    # Power

    def _forget(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []
        self.low_vbat = True
        self.irq_enabled = False
        self._wake_sources = 0xFF
        self._parameters = 0x14
        self._passive_retries = _INFINITE
        self._out: bytes | None = None
        self._out_is_ack = False
        self._response: bytes | None = None
        self._waiting: bytes | None = None
        self._running = False
        self._sleeps_when_read = False
        self._search: tuple[int, int] | None = None
        self.field = False
        self._dark_since = -CARD_RESET_US
        self.targets: dict[int, Slot] = {}
        self._chain = b""
        self._rest = b""
        self._last_error = 0
        for slot in self.slots:
            slot.state = "idle"

    def boot(self) -> None:
        """Supply or RSTPD_N rises: the chip starts in LowVbat mode, asleep until the host selects it (§7.2.10)."""
        if self._fault == "wedged" or self._fault == "stuck":
            self._fault = None
        self._forget()
        self.returned = False
        self._power = "booting"
        self._later(T_OSC_START_US, self._booted)
        self._wires.ready_changed()

    def off(self) -> None:
        """Supply is gone, or RSTPD_N is low."""
        self._forget()
        self._power = "off"
        self._wires.ready_changed()

    def _booted(self) -> None:
        if self._power == "booting and woken":
            self._power = "awake"
            self.returned = False
        else:
            self._power = "asleep"

    def wake(self) -> None:
        """The host's select line fell: a sleeping chip starts its oscillator (§6.3.4.3)."""
        if self._power == "booting":
            self._power = "booting and woken"
        elif self._power == "asleep":
            if not self._wake_sources & _WAKE_BY_HOST[self._interface]:
                self._wires.violated("PowerDown did not enable a wake-up by this interface")
                return
            self._power = "waking"
            self._later(T_OSC_START_US, self._awake)

    def _awake(self) -> None:
        self._power = "awake"
        self.returned = False
        self._wires.told("awake")

    @property
    def awake(self) -> bool:
        return self._power == "awake"

    @property
    def power(self) -> str:
        """off, booting, asleep, waking or awake, for messages."""
        return self._power

    # Faults the bench can switch on

    def fault(self, kind: str | None, count: int = 1) -> None:
        """Break the chip in one of the ways people see, or cure it by None.

        `dead`: no supply until None; no host can know when it returns, so what is clocked then is lost, and no rule is
        broken, until the chip has been woken or reset. `wedged`: nothing until reset. `stuck`: takes commands and
        never answers, until it is aborted or reset. `garbled`: the next `count` responses have a wrong checksum.
        """
        if kind not in (None, "dead", "wedged", "stuck", "garbled"):
            raise ValueError(kind)
        if kind == "garbled":
            self._garbled = count
            return
        was_dead = self.dead
        self._fault = kind
        if kind in ("dead", "wedged"):
            self._forget()
        elif was_dead and self._power != "off":
            self.boot()
            self.returned = True
        self._wires.ready_changed()

    @property
    def deaf(self) -> bool:
        """Dead or wedged: takes nothing, says nothing."""
        return self._fault in ("dead", "wedged")

    @property
    def dead(self) -> bool:
        return self._fault == "dead"

    def rf_error(self, status: int) -> None:
        """The next exchange with a card fails with this status byte (§7.1)."""
        self._rf_errors.append(status)

    # The card slot

    def present(self, card: Card, leaves_after: int | None = None) -> None:
        """A card comes into the field's reach; it is pulled away after `leaves_after` APDUs, when given."""
        self.slots.append(Slot(card, leaves_after=leaves_after))
        if self._search:
            self._later(TRY_US // 2, self._activate)
        self._wires.cards_changed()

    def remove(self, card: Card | None = None) -> None:
        """That card, or every card, is taken away."""
        self.slots = [slot for slot in self.slots if card is not None and slot.card is not card]
        self._wires.cards_changed()

    def _set_field(self, on: bool) -> None:
        if self.field and not on:
            self._dark_since = self._wires.now_us()
            self.targets = {}
        elif on and not self.field and self._wires.now_us() - self._dark_since >= CARD_RESET_US:
            for slot in self.slots:
                slot.state = "idle"
        if self.field != on:
            self._wires.told("field on" if on else "field off")
        self.field = on

    # Frames

    @property
    def ready(self) -> bool:
        return self._out is not None and self.awake and not self.deaf

    def output(self) -> bytes:
        """The frame that waits for the host; only while `ready`."""
        assert self._out is not None
        return self._out

    def read(self) -> None:
        """The host has ended a reading of the frame, whole or not: it is gone (a NACK brings a response again)."""
        self._out = None
        if self._out_is_ack:
            if self._waiting is not None:
                self._later(NEXT_FRAME_US, self._offer_waiting)
        elif self._sleeps_when_read:
            self._later(POWER_DOWN_US, self._sleep)
        self._wires.ready_changed()

    def receive(self, data: bytes) -> None:
        """One whole write transaction of the host, direction byte or address taken off."""
        if self.deaf:
            return
        try:
            body = parse(data)
        except FrameError as problem:
            self._wires.violated(str(problem))
            return
        if body is None:
            self._repeat()
        elif body == b"":
            self._abort()
        elif body[0] != HOST_TO_CHIP:
            self._wires.violated(f"frame identifier {body[0]:02x} is not the host's")
        elif len(body) < 2:
            self._start(0x100, b"")
        else:
            self._start(body[1], body[2:])

    def _repeat(self) -> None:
        if self._response is None or self._running:
            self._wires.violated("NACK with no response to repeat")
            return
        response = self._response
        self._later(NEXT_FRAME_US, lambda: self._offer(response, False))

    def _abort(self) -> None:
        if not self._running and self._out is None:
            return  # the optional ACK of a response (§6.2.2.1 b)
        if self._running:
            self._wires.told("aborted by the host")
        self._stop()
        self._wires.ready_changed()

    def _stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []
        if self._running and self._fault == "stuck":
            self._fault = None
        self._running = False
        self._search = None
        self._waiting = None
        self._out = None

    def _start(self, code: int, parameters: bytes) -> None:
        if self._running:
            self._wires.told("a new command ends the one before")
        self._stop()
        self._response = None
        self._running = True
        self._sleeps_when_read = False

        def acknowledge() -> None:
            self._offer(ACK, True)
            if self._fault != "stuck":
                self._execute(code, parameters)

        self._later(ACK_US, acknowledge)

    def _offer(self, data: bytes, is_ack: bool) -> None:
        self._out = data
        self._out_is_ack = is_ack
        if not is_ack and self._garbled:
            self._garbled -= 1
            self._out = data[:-2] + bytes((data[-2] ^ 0x55, data[-1]))
        self._wires.ready_changed()

    def _offer_waiting(self) -> None:
        if self._waiting is not None:
            response, self._waiting = self._waiting, None
            self._running = False
            self._offer(response, False)

    def _finish(self, response: bytes) -> None:
        self._response = response
        if self._out is not None:
            self._waiting = response
        else:
            self._running = False
            self._offer(response, False)

    def _answer(self, code: int, payload: bytes, us: int = COMMAND_US) -> None:
        self._later(us, lambda: self._finish(frame(bytes((CHIP_TO_HOST, code + 1)) + payload)))

    def _refuse(self) -> None:
        self._later(COMMAND_US, lambda: self._finish(SYNTAX_ERROR))

    def _later(self, us: int, call: Callable[[], None]) -> None:
        timer: Timer

        def run() -> None:
            self._timers.remove(timer)
            call()

        timer = self._wires.after(us, run)
        self._timers.append(timer)

    def _sleep(self) -> None:
        self._power = "asleep"
        self._set_field(False)
        self._wires.told("power down")
        self._wires.ready_changed()

    # Commands

    def _execute(self, code: int, parameters: bytes) -> None:
        run = self._COMMANDS.get(code)
        if run is None:
            self._wires.violated(f"command {code:02x} is not in this model of the chip")
            self._refuse()
        elif self.low_vbat and code in _NEEDS_NORMAL_MODE:
            self._wires.violated(f"command {code:02x} in LowVbat mode: SAMConfiguration comes first")
            self._refuse()
        elif not run(self, parameters):
            self._wires.violated(f"command {code:02x} with wrong parameters ({len(parameters)} bytes)")
            self._refuse()

    def _diagnose(self, p: bytes) -> bool:
        """§7.2.1: 00 echoes, 01 and 02 test ROM and RAM, 06 asks whether the ISO 14443-4 card is still there."""
        if not p:
            return False
        if p[0] == 0x00:
            self._answer(0x00, p)
        elif p[0] in (0x01, 0x02) and len(p) == 1:
            self._answer(0x00, b"\x00")
        elif p[0] == 0x06 and len(p) == 1:
            slot = self.targets.get(min(self.targets, default=1))
            if slot is None:
                self._answer(0x00, bytes((WRONG_CONTEXT,)))
            else:
                self._later(8 * BYTE_US, lambda: self._tell_presence(slot))
        else:
            return False
        return True

    def _tell_presence(self, slot: Slot) -> None:
        if slot in self.slots and slot.state == "protocol":
            self._answer(0x00, b"\x00")
        else:
            self._answer(0x00, bytes((TIMEOUT,)), _waiting_time_us(slot.card))

    def _get_firmware_version(self, p: bytes) -> bool:
        if p:
            return False
        self._answer(0x02, bytes.fromhex("32010607"))
        return True

    def _get_general_status(self, p: bytes) -> bool:
        if p:
            return False
        payload = bytes((self._last_error, self.field, len(self.targets)))
        for number in sorted(self.targets):
            payload += bytes((number, 0, 0, 0))
        self._answer(0x04, payload + b"\x00")
        return True

    def _set_parameters(self, p: bytes) -> bool:
        if len(p) != 1 or p[0] & 0x88:
            return False
        self._parameters = p[0]
        self._answer(0x12, b"")
        return True

    def _sam_configuration(self, p: bytes) -> bool:
        """§7.2.10: normal mode ends LowVbat; the third byte says whether P70_IRQ is driven (it is when left out)."""
        if not 1 <= len(p) <= 3 or p[0] != 0x01 or (len(p) == 3 and p[2] > 1):
            return False

        def configured() -> None:
            self.low_vbat = False
            self.irq_enabled = len(p) < 3 or p[2] == 1
            self._finish(frame(bytes((CHIP_TO_HOST, 0x15))))

        self._later(COMMAND_US, configured)
        return True

    def _power_down(self, p: bytes) -> bool:
        if not 1 <= len(p) <= 2:
            return False
        self._wake_sources = p[0]
        self._sleeps_when_read = True
        self._answer(0x16, b"\x00")
        return True

    def _rf_configuration(self, p: bytes) -> bool:
        if not p or _RF_ITEM_LENGTHS.get(p[0]) != len(p) - 1:
            return False
        us = COMMAND_US
        if p[0] == 0x01:
            if p[1] & 1 and not self.field:
                us += FIELD_GUARD_US
            self._set_field(bool(p[1] & 1))
        elif p[0] == 0x05:
            self._passive_retries = p[3]
        self._answer(0x32, b"", us)
        return True

    def _in_list_passive_target(self, p: bytes) -> bool:
        """§7.3.5. Retries: 00 is one try, FF tries for ever (RFConfiguration item 05)."""
        if len(p) < 2 or p[0] not in (1, 2) or p[1] > 4:
            return False
        self.targets = {}
        us = 0 if self.field else FIELD_GUARD_US
        self._set_field(True)
        self._search = (p[0], p[1])
        self._later(us, self._activate)
        if self._passive_retries != _INFINITE:
            self._later(us + (self._passive_retries + 1) * TRY_US, self._nothing_found)
        return True

    def _nothing_found(self) -> None:
        if self._search:
            self._search = None
            self._finish(frame(bytes((CHIP_TO_HOST, 0x4B, 0))))

    def _activate(self) -> None:
        """Cards that are idle answer REQA; one that is in the protocol state or halted does not (ISO 14443-3 §6)."""
        if self._search is None:
            return
        most, kind = self._search
        chosen = [slot for slot in self.slots if slot.state == "idle"][:most] if kind == 0 else []
        if not chosen:
            return
        self._search = None

        def activated() -> None:
            payload = b""
            self.targets = {}
            for slot in chosen:
                if slot not in self.slots:
                    continue
                number = len(self.targets) + 1
                self.targets[number] = slot
                card = slot.card
                slot.state = "protocol"
                card.activate()
                # SENS_RES goes out the other way round than it came over the air.
                payload += bytes((number, card.atqa[1], card.atqa[0], card.sak, len(card.uid))) + card.uid
                if card.sak & 0x20 and self._parameters & 0x10:
                    payload += card.ats
            if not self.targets:
                self._search = (most, kind)
                self._later(TRY_US, self._activate)
                return
            self._wires.told(f"{len(self.targets)} card{'s' * (len(self.targets) > 1)}")
            self._finish(frame(bytes((CHIP_TO_HOST, 0x4B, len(self.targets))) + payload))

        self._later(ACTIVATE_US * len(chosen), activated)

    def _in_data_exchange(self, p: bytes) -> bool:
        if not p:
            return False
        number, data = p[0] & 0x07, p[1:]
        slot = self.targets.get(number)
        if slot is None:
            self._status(0x40, WRONG_CONTEXT)
        elif p[0] & _MORE:
            self._chain += data
            self._status(0x40, 0, us=EXCHANGE_US + len(data) * BYTE_US)
        elif self._rest and not data:
            self._hand_over(b"")
        else:
            capdu, self._chain, self._rest = self._chain + data, b"", b""
            self._later(EXCHANGE_US // 2 + (len(capdu) + 5) * BYTE_US, lambda: self._reach(slot, capdu))
        return True

    def _reach(self, slot: Slot, capdu: bytes) -> None:
        self._wires.told(f"=> {capdu.hex()}")
        if slot.apdus == slot.leaves_after:
            self.remove(slot.card)
        slot.apdus += 1
        if self._rf_errors:
            self._status(0x40, self._rf_errors.pop(0))
            return
        there = slot in self.slots and slot.state == "protocol"
        rapdu = slot.card.transceive(capdu) if there else None
        if rapdu is None:
            if there:
                slot.state = "away"
            self._wires.told("<= nothing")
            self._status(0x40, TIMEOUT, us=_waiting_time_us(slot.card))
            return
        card_us = getattr(slot.card, "processing_us", DEFAULT_CARD_US)

        def received() -> None:
            self._hand_over(rapdu)
            if slot.apdus == slot.leaves_after:
                self.remove(slot.card)

        self._later(card_us + (len(rapdu) + 5) * BYTE_US + EXCHANGE_US // 2, received)

    def _hand_over(self, rapdu: bytes) -> None:
        if rapdu:
            self._wires.told(f"<= {rapdu.hex()}")
            self._rest = rapdu
        part, self._rest = self._rest[: self.longest_data], self._rest[self.longest_data :]
        self._last_error = 0
        self._finish(frame(bytes((CHIP_TO_HOST, 0x41, _MORE if self._rest else 0)) + part))

    def _status(self, code: int, status: int, us: int = COMMAND_US) -> None:
        self._last_error = status
        self._answer(code, bytes((status,)), us)

    def _in_deselect(self, p: bytes) -> bool:
        return self._part_from(0x44, p, forget=False)

    def _in_release(self, p: bytes) -> bool:
        return self._part_from(0x52, p, forget=True)

    def _part_from(self, code: int, p: bytes, forget: bool) -> bool:
        if len(p) != 1 or p[0] > 2:
            return False
        chosen = sorted(self.targets) if p[0] == 0 else [n for n in self.targets if n == p[0]]
        if p[0] and not chosen:
            self._status(code, WRONG_CONTEXT)
            return True
        for number in chosen:
            slot = self.targets[number]
            if slot in self.slots:
                slot.state = "halt"
            if forget:
                del self.targets[number]
        self._status(code, 0, us=COMMAND_US + len(chosen) * 10 * BYTE_US)
        return True

    def _in_select(self, p: bytes) -> bool:
        if len(p) != 1 or p[0] not in (1, 2):
            return False
        slot = self.targets.get(p[0])
        if slot is None:
            self._status(0x54, WRONG_CONTEXT)
        elif slot in self.slots:
            slot.state = "protocol"
            slot.card.activate()
            self._status(0x54, 0, us=ACTIVATE_US)
        else:
            self._status(0x54, TIMEOUT, us=ACTIVATE_US)
        return True

    _COMMANDS: dict[int, Callable[["Core", bytes], bool]] = {
        0x00: _diagnose,
        0x02: _get_firmware_version,
        0x04: _get_general_status,
        0x12: _set_parameters,
        0x14: _sam_configuration,
        0x16: _power_down,
        0x32: _rf_configuration,
        0x40: _in_data_exchange,
        0x44: _in_deselect,
        0x4A: _in_list_passive_target,
        0x52: _in_release,
        0x54: _in_select,
    }


def _waiting_time_us(card: Card) -> int:
    """Frame waiting time of the card's ATS (ISO 14443-4 §7.2: 302 µs × 2^FWI, FWI 4 by default), and two retries."""
    ats = card.ats
    fwi = 4
    if len(ats) >= 2 and ats[1] & 0x20:
        at = 2 + bool(ats[1] & 0x10)
        if at < len(ats):
            fwi = min(ats[at] >> 4, 14)
    return 3 * (302 << fwi)
