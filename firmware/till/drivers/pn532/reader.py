"""What the PN532 does for a till: find one card, exchange APDUs with it, notice what goes wrong and come back."""

import asyncio
import time

from micropython import const

from till.core.errors import CardCollision, CardOther, CardRemoved, CardTryAgain, InvalidValue, ReaderError
from till.drivers.flag import TimedFlag
from till.drivers.pn532.frame import ACK, CHIP, HOST, NACK, ROOM, SIZE, seal, sound

_DIAGNOSE = const(0x00)
_GET_FIRMWARE_VERSION = const(0x02)
_SAM_CONFIGURATION = const(0x14)
_RF_CONFIGURATION = const(0x32)
_IN_DATA_EXCHANGE = const(0x40)
_IN_LIST_PASSIVE_TARGET = const(0x4A)
_IN_RELEASE = const(0x52)

_MORE = const(0x40)

_ACK_MS = const(50)  # the chip takes less than 15 (§6.2.2.1), the longest frame 24 on a UART
_COMMAND_MS = const(500)
_RELIST_MS = const(2000)  # listening is asked for again so often: a reader that died in silence is noticed
_REST_MS = const(6)  # without a field for 5.1 ms a card starts afresh (EMV Contactless Level 1, tRESET)
_LOOK_MS = const(50)  # a lost interrupt costs at most this

# RSTPD_N low long enough for a board's filter on that line to discharge; then the oscillator starts (§6.3.2.3) and the
# chip's own firmware with it: a clock before that is lost. Both with a wide margin.
_RESET_MS = const(20)
_START_MS = const(10)
_APART_MS = const(200)  # between attempts

# Progress of one command.
_IDLE = const(0)
_SENT = const(1)
_TAKEN = const(2)

# Progress of listening.
_OFF = const(0)
_CLEARING = const(1)
_RESTING = const(2)
_LISTING = const(3)

# Status bytes of the RF side (§7.1): gone; or noise on the way, where the same card may be presented again.
_GONE = (0x01, 0x29, 0x2A, 0x2B)
_NOISE = (0x02, 0x03, 0x04, 0x05, 0x06, 0x0B, 0x13, 0x23)


class Target:
    """A card that answered. `uid`, `ats` are bytes (`ats` with its length byte, empty without ISO-DEP)."""

    def __init__(self, number: int, atqa: int, sak: int, uid: bytes, ats: bytes):
        self.number = number
        self.atqa = atqa
        self.sak = sak
        self.uid = uid
        self.ats = ats

    @property
    def iso_dep(self) -> bool:
        """Whether it speaks ISO 14443-4, and so APDUs (ISO 14443-3 §6.4.3.4: bit 6 of SAK)."""
        return bool(self.sak & 0x20)

    @property
    def waiting_ms(self) -> int:
        """How long an answer may take, generously: 60 frame waiting times (ISO 14443-4 §7.2, §7.3), 1 to 6 s."""
        ats = self.ats
        fwi = 4
        if len(ats) > 1 and ats[1] & 0x20:
            at = 3 if ats[1] & 0x10 else 2
            if at < len(ats):
                fwi = ats[at] >> 4
        return min(max((18 << fwi), 1000), 6000)


class PN532:
    """A reader for one ISO 14443 type A card at a time.

    `transport`: see SPITransport. `irq`: input pin on P70_IRQ (low when a frame is ready); without it the status byte
    is polled. `reset`: output pin on RSTPD_N; without it a reader that hangs altogether cannot be helped.

    Everything but `listen` and `poll` is for one task at a time. A task that is cancelled inside leaves the reader
    usable: the next command ends the one that was running.
    """

    def __init__(self, transport, irq=None, reset=None):
        self._rx = bytearray(SIZE)
        self._tx = bytearray(SIZE)
        self._long = bytearray(262)  # an R-APDU that came in parts
        self._rx_view = memoryview(self._rx)
        self._tx_view = memoryview(self._tx)
        self._ack = memoryview(bytearray(ACK))
        self._nack = memoryview(bytearray(NACK))
        self._transport = transport
        self._irq = irq
        self._reset = reset
        self._interrupt = TimedFlag()
        self._line = None  # `irq`, once the chip drives it
        self._sick = True  # until it was started
        self._phase = _IDLE
        self._command = 0
        self._patience = 0
        self._deadline = 0
        self._again = 0
        self._listening = _OFF
        self._off_at = 0
        self._active = 0  # cards that are activated in the field
        self._target = None
        if reset is not None:
            reset(1)
        if irq is not None:
            irq.irq(handler=self._struck, trigger=irq.IRQ_FALLING)

    def _struck(self, _pin):
        self._interrupt.set()

    # For the till

    async def start(self) -> None:
        """Wake and configure the reader; about 50 ms. Raises ReaderError."""
        await self.recover()

    async def version(self) -> bytes:
        """IC, version, revision and what it supports, an octet each (§7.2.2). Raises ReaderError."""
        return bytes(await self._ask(_GET_FIRMWARE_VERSION, 0))

    def listen(self) -> None:
        """Begin to look for cards and return at once; `poll` brings them. Raises ReaderError: it needs `recover`."""
        self._well()
        self._target = None
        if self._active:
            self._send_field(False)
            self._listening = _CLEARING
        else:
            self._listening = _RESTING
            self._list_when_rested()

    def poll(self) -> Target | None:
        """The card that `listen` found, or None; never blocks.

        Raises CardCollision (more than one card: ask for one, then `listen` again) and ReaderError (then `recover`).
        """
        self._well()
        if self._listening == _OFF:
            return None
        if self._listening == _RESTING:
            self._list_when_rested()
            return None
        answer = self._step()
        if answer is None:
            if self._phase == _TAKEN and self._listening == _LISTING and self._late():
                self._list()
            return None
        if self._listening == _CLEARING:
            self._field_is_off()
            self._listening = _RESTING
            return None
        return self._listed(answer)

    async def wait(self, ms: int) -> None:
        """Sleep until `poll` has something to do, or `ms` milliseconds passed."""
        if self._listening == _RESTING:
            ms = min(ms, _REST_MS)
        if self._line is None or self._listening == _OFF:
            await asyncio.sleep_ms(ms)
        elif not self._ready():
            await self._interrupt.wait_ms(ms)

    async def transceive(self, apdu) -> memoryview:
        """Send a C-APDU (at most 261 bytes); returns the R-APDU with its status word, valid until the next call.

        Raises CardRemoved, CardTryAgain (noise), CardOther (no APDU card, or an answer above 262 bytes), ReaderError.
        """
        target = self._target
        if target is None:
            raise CardRemoved("no card")
        if not target.iso_dep:
            raise CardOther("no ISO-DEP")
        count = len(apdu)
        if not 0 < count <= 261:
            raise InvalidValue("apdu length")
        tx = self._tx_view
        tx[ROOM + 2] = target.number
        tx[ROOM + 3 : ROOM + 3 + count] = apdu
        answer = await self._ask(_IN_DATA_EXCHANGE, 1 + count, target.waiting_ms)
        self._judge(answer)
        if answer[0] & _MORE:
            answer = await self._rest_of(answer, target)
        else:
            answer = answer[1:]
        if len(answer) < 2:
            raise CardTryAgain("no status word")
        return answer

    async def present(self) -> bool:
        """Whether the card of `poll` is still in the field (§7.2.1, test 06); no APDU goes to it."""
        if self._target is None:
            return False
        self._tx[ROOM + 2] = 0x06
        if (await self._ask(_DIAGNOSE, 1, self._target.waiting_ms))[:1] == b"\x00":
            return True
        self._target = None
        return False

    async def release(self) -> None:
        """Let every card go, stop listening and switch the field off. Raises ReaderError if the reader stays dead."""
        self._listening = _OFF
        self._target = None
        if not self._sick:
            try:
                if self._active:
                    self._tx[ROOM + 2] = 0
                    await self._ask(_IN_RELEASE, 1)
                await self._field_off()
                return
            except ReaderError:
                self._sick = True
        await self.recover()

    async def recover(self) -> None:
        """Bring the reader back from whatever state, in at most three attempts. Raises ReaderError if it stays dead.

        A reader that stays dead is left in reset, where it has one: its field is off, and when its supply returns it
        sees no clock before the next attempt.
        """
        detail = ""
        for pause in (_RESET_MS, _APART_MS, _APART_MS):
            try:
                await self._boot(pause)
                self._sick = False
                return
            except ReaderError as e:
                detail = e.detail
        self._hold_reset()
        raise ReaderError("not answering: " + detail)

    # Coming up

    async def _boot(self, pause_ms):
        self._sick = True
        self._line = None  # not driven before SAMConfiguration says so
        self._listening = _OFF
        self._phase = _IDLE
        self._target = None
        self._active = 0
        self._hold_reset()
        await asyncio.sleep_ms(pause_ms)
        if self._reset is not None:
            self._reset(1)
            await asyncio.sleep_ms(_START_MS)
        await self._transport.wake()
        self._transport.write(self._ack)  # ends whatever was running
        tx = self._tx
        tx[ROOM + 2] = 0x01  # normal mode: ends LowVbat (§7.2.10)
        tx[ROOM + 3] = 0x14  # virtual card timeout, of no use here
        tx[ROOM + 4] = 0x01  # drive P70_IRQ
        if len(await self._ask(_SAM_CONFIGURATION, 3)):
            raise ReaderError("SAM configuration")
        self._line = self._irq
        version = await self._ask(_GET_FIRMWARE_VERSION, 0)
        if len(version) != 4 or version[0] != 0x32:
            raise ReaderError("not a PN532")
        tx[ROOM + 2] = 0x05  # retries: for ATR and PSL as by default,
        tx[ROOM + 3] = 0xFF
        tx[ROOM + 4] = 0x01
        tx[ROOM + 5] = 0xFF  # for a card without end
        await self._ask(_RF_CONFIGURATION, 4)
        await self._field_off()

    def _hold_reset(self):
        if self._reset is not None:
            self._reset(0)

    def _well(self):
        if self._sick:
            raise ReaderError("needs recover")

    # The field and the cards in it

    def _send_field(self, on):
        self._tx[ROOM + 2] = 0x01
        self._tx[ROOM + 3] = 1 if on else 0
        self._send(_RF_CONFIGURATION, 2, _COMMAND_MS)

    async def _field_off(self):
        self._send_field(False)
        await self._finished()
        self._field_is_off()

    def _field_is_off(self):
        self._active = 0
        self._off_at = time.ticks_ms()

    def _list_when_rested(self):
        if time.ticks_diff(time.ticks_ms(), self._off_at) >= _REST_MS:
            self._list()

    def _list(self):
        self._tx[ROOM + 2] = 2  # one more than we take, to notice it
        self._tx[ROOM + 3] = 0  # 106 kbit/s type A
        self._send(_IN_LIST_PASSIVE_TARGET, 2, _RELIST_MS)
        self._listening = _LISTING

    def _listed(self, answer):
        count = len(answer)
        if not count or answer[0] > 2:
            raise self._failed("targets")
        if answer[0] == 0:
            self._list()
            return None
        self._listening = _OFF
        self._active = answer[0]
        if answer[0] == 2:
            raise CardCollision()
        if count < 6 or count < 6 + answer[5]:
            raise self._failed("target data")
        end = 6 + answer[5]
        ats = answer[end : end + answer[end]] if end < count else b""
        target = Target(answer[1], answer[2] << 8 | answer[3], answer[4], bytes(answer[6:end]), bytes(ats))
        self._target = target
        return target

    def _judge(self, answer):
        """Raise what the status byte of an exchange means for the person at the till."""
        if not len(answer):
            raise self._failed("no status")
        error = answer[0] & 0x3F
        if error == 0:
            return
        detail = "status %02x" % error
        if error in _GONE:
            self._target = None
            raise CardRemoved(detail)
        if error in _NOISE:
            self._target = None
            raise CardTryAgain(detail)
        raise self._failed(detail)

    async def _rest_of(self, answer, target):
        long = self._long
        end = 0
        while True:
            part = answer[1:]
            if end + len(part) > len(long):
                raise CardOther("answer too long")
            long[end : end + len(part)] = part
            end += len(part)
            if not answer[0] & _MORE:
                return memoryview(long)[:end]
            self._tx[ROOM + 2] = target.number
            answer = await self._ask(_IN_DATA_EXCHANGE, 1, target.waiting_ms)
            self._judge(answer)

    # One command

    def _failed(self, detail):
        """The error to raise: from now on the reader wants `recover`."""
        self._sick = True
        self._phase = _IDLE
        self._target = None
        self._listening = _OFF
        return ReaderError(detail)

    def _ready(self):
        line = self._line
        return self._transport.ready() if line is None else not line()

    def _late(self):
        return time.ticks_diff(time.ticks_ms(), self._deadline) > 0

    def _send(self, command, count, patience_ms):
        """Send `command` with the `count` bytes of parameters that are at ROOM + 2; `_step` sees to the rest."""
        if self._phase != _IDLE:
            self._transport.write(self._ack)  # ends the command that is running (§6.2.1.3)
        tx = self._tx
        tx[ROOM] = HOST
        tx[ROOM + 1] = command
        self._interrupt.clear()
        self._transport.write(seal(self._tx_view, count + 2))
        self._command = command
        self._phase = _SENT
        self._patience = patience_ms
        self._again = 2
        self._deadline = time.ticks_add(time.ticks_ms(), _ACK_MS)

    def _step(self):
        """Do what can be done without waiting: None while the command runs, else the answer's data."""
        if not self._ready():
            if not self._late():
                return None
            if self._listening == _LISTING and self._phase == _TAKEN:
                return None
            if not self._ready():  # asked after the deadline: a busy interpreter is not the chip's fault
                raise self._failed("no acknowledgement" if self._phase == _SENT else "no answer")
        self._interrupt.clear()
        try:
            at, length = self._transport.read(self._rx, self._rx_view, self._phase == _SENT)
        except ReaderError as e:
            return self._say_again(e.detail)
        if self._phase == _SENT:
            if length:
                raise self._failed("answer before acknowledgement")
            self._phase = _TAKEN
            self._deadline = time.ticks_add(time.ticks_ms(), self._patience)
            return None
        if not length or not sound(self._rx_view, at, length):
            return self._say_again("checksum")
        rx = self._rx
        if length < 2 or rx[at] != CHIP or rx[at + 1] != self._command + 1:
            raise self._failed("refused" if rx[at] == 0x7F else "not the answer")
        self._phase = _IDLE
        return self._rx_view[at + 2 : at + length]

    def _say_again(self, detail):
        """An answer came garbled: ask for it again (§6.2.1.4), twice. Nothing repeats an acknowledgement."""
        if self._phase == _SENT or not self._again:
            raise self._failed(detail)
        self._again -= 1
        self._transport.write(self._nack)
        self._deadline = time.ticks_add(time.ticks_ms(), _ACK_MS)

    async def _ask(self, command, count, patience_ms=_COMMAND_MS):
        """The answer's data to `command`, whose `count` bytes of parameters are at ROOM + 2. Raises ReaderError."""
        self._listening = _OFF
        self._send(command, count, patience_ms)
        return await self._finished()

    async def _finished(self):
        while True:
            phase = self._phase
            answer = self._step()
            if answer is not None:
                return answer
            if self._phase != phase:
                continue
            if self._line is None:
                await asyncio.sleep_ms(1)
            else:
                left = time.ticks_diff(self._deadline, time.ticks_ms()) + 1
                await self._interrupt.wait_ms(min(max(left, 1), _LOOK_MS))
