"""The firmware's end of the two streams to the bench: `bus` (requests and answers) and `events` (interrupts).

A request is `op, sequence, object (u16), length (u32)`, little-endian, and its payload; an answer is `sequence, flags,
status (i16), length (u32)` and its payload. What answers nothing is posted: it costs one or two system calls. Nothing
here allocates once a call is warm.

A Ctrl-C strikes between any two machine instructions of this port (its handler jumps out of the signal). So whoever
begins an exchange marks it open, and whoever finds one open settles it with the bench first: how much of the request is
missing is asked on the event stream, the rest is sent, and answers to what was abandoned are dropped by their sequence.
"""

import select as _select

import port_time as _time  # the port's own `time`, under the name that simboot gives it

from micropython import const

_EVENT = const(32)

PIN_MODE = const(1)
PIN_SET = const(2)
PIN_GET = const(3)
PIN_IRQ = const(4)
SPI_OPEN = const(5)
SPI_CLOSE = const(6)
SPI_WRITE = const(7)
SPI_EXCHANGE = const(8)
I2C_OPEN = const(9)
I2C_WRITE = const(10)
I2C_READ = const(11)
UART_OPEN = const(12)
UART_WRITE = const(13)
UART_READ = const(14)
UART_ANY = const(15)
PWM = const(16)
BITSTREAM = const(17)
TIMER = const(18)
WDT = const(19)
RESET = const(20)
RTC_SET = const(21)
RTC_MEMORY = const(22)
HELLO = const(23)
NVS_OPEN = const(24)
NVS_GET = const(25)
NVS_SET = const(26)
NVS_ERASE = const(27)
NVS_COMMIT = const(28)
FLASH_FIND = const(29)
FLASH_READ = const(30)
FLASH_PROGRAM = const(31)
FLASH_ERASE = const(32)
WLAN = const(33)
RESOLVE = const(34)
SYNC = const(35)
STAGE = const(36)

_EVENT_CLOCK = const(0)
EVENT_PIN = const(1)
EVENT_TIMER = const(2)
_EVENT_RESUME = const(3)
_NO_EVENT = const(255)

_bus = None
events = None  # polled by asyncio and by time.sleep
_head = bytearray(8)
_answer = bytearray(8)
_event = bytearray(_EVENT)
_event[0] = _NO_EVENT
_late = []  # events that came while an exchange was being settled
_octet = bytearray(1)
_sequence = 0
_open = False  # an exchange was begun and not ended
_sending = b""  # its payload
_length = 0  # of the answer's payload, when it has come
_resumed = 0
_posted = False  # since the last answer
_pumping = False
_masked = False

handlers = {}  # (kind << 16 | object) -> function(value), called as an interrupt would be

# Bench time = _base_us + (monotonic - _base_real) * speed / 1000; the bench sends all three when the speed changes.
_base_us = 0
_base_real = 0
speed = 1000
boot_us = 0


def open_streams(bus_fd, events_fd):
    """Take over the two inherited descriptors."""
    global _bus, events
    _bus = open(bus_fd, "r+b", buffering=0)
    events = open(events_fd, "r+b", buffering=0)


def now_us():
    """Bench time, microseconds."""
    return _base_us + (_time.ticks_us() - _base_real) * speed // 1000


def real_us(us):
    """How long `us` of bench time takes on the desk's clock."""
    return us * 1000 // speed


def _gone():
    raise SystemExit("the bench is gone")


def _header(op, sequence, obj, n):
    _head[0] = op
    _head[1] = sequence
    _head[2] = obj & 255
    _head[3] = obj >> 8
    _head[4] = n & 255
    _head[5] = n >> 8 & 255
    _head[6] = n >> 16 & 255


def _begin(head, data):
    global _open, _sending
    if _open:
        _resume()
    _sending = data
    _open = True
    _bus.write(head)
    if data:
        _bus.write(data)


def _receive(sequence):
    """The status of the answer; its payload, `_length` octets, is still to be read."""
    global _length, _posted
    _posted = False
    while True:
        if _bus.readinto(_answer) != 8:
            _gone()
        _length = _answer[4] | _answer[5] << 8 | _answer[6] << 16
        if _answer[0] == sequence:
            break
        _skip(_length)
    status = _answer[2] | _answer[3] << 8
    return status - 65536 if status & 32768 else status


def _skip(n):
    while n:
        if not _bus.readinto(_octet):
            _gone()
        n -= 1


def _end(status):
    global _open
    _open = False
    if _answer[1] & 1:
        pump()
    if status < 0:
        raise OSError(status)
    return status


def _ready(poll):
    for _ in poll.ipoll(0):
        return True
    return False


def _resume():
    # Finish what a Ctrl-C left: the bench says how many octets of the request it lacks.
    global _open, _resumed
    _resumed = _resumed + 1 & 255
    poll = _select.poll()
    poll.register(events, _select.POLLIN)
    _octet[0] = _resumed
    events.write(_octet)
    while True:
        if _event[0] != _NO_EVENT:
            if _event[0] == _EVENT_RESUME:
                if _event[1] == _resumed:
                    break
            else:
                _late.append(bytes(_event))
            _event[0] = _NO_EVENT
        poll.poll(-1)
        if events.readinto(_event) not in (None, _EVENT):
            _gone()
    missing = _event[4] | _event[5] << 8 | _event[6] << 16
    _event[0] = _NO_EVENT
    poll = _select.poll()
    poll.register(_bus, _select.POLLIN)
    while _ready(poll):  # what was answered so far is all here, and nobody wants it
        _skip(1)
    if missing:
        _bus.write(_sending, len(_sending) - missing, missing)
    _open = False


def post(op, obj, data=b""):
    """Send and go on."""
    global _open, _posted
    _posted = True
    _header(op, 0, obj, len(data))
    _begin(_head, data)
    _open = False


def post_frame(frame):
    """Send a frame made beforehand (no payload): the cheapest call there is."""
    global _posted
    _posted = True
    if _open:
        _resume()
    _bus.write(frame)


def settle():
    """Before time is let pass: wait until the bench has done all that was posted, or its chips see it late."""
    if _posted:
        ask(SYNC, 0)


def ask(op, obj, data=b"", into=None):
    """Send and wait; the answer's payload fills `into`. Returns the status; a negative one raises OSError."""
    global _sequence
    _sequence = _sequence + 1 & 255
    _header(op, _sequence, obj, len(data))
    _begin(_head, data)
    status = _receive(_sequence)
    n = 0
    if into is not None and _length:
        n = _length if _length < len(into) else len(into)
        if _bus.readinto(into, n) != n:
            _gone()
    _skip(_length - n)
    return _end(status)


def ask_at(op, head, address, data):
    """`ask` whose payload is an address (u32) and then `data`. `head` is 12 octets the caller keeps for it."""
    global _sequence
    _sequence = _sequence + 1 & 255
    n = len(data) + 4
    head[0] = op
    head[1] = _sequence
    head[2] = head[3] = 0
    for i in range(4):
        head[4 + i] = n >> 8 * i & 255
        head[8 + i] = address >> 8 * i & 255
    _begin(head, data)
    status = _receive(_sequence)
    _skip(_length)
    return _end(status)


def ask_frame(frame):
    """Send a frame made beforehand (its sequence octet is filled in) and return the status of the answer."""
    global _open, _sequence
    _sequence = _sequence + 1 & 255
    frame[1] = _sequence
    _begin(frame, b"")
    status = _receive(_sequence)
    _open = False
    if _answer[1] & 1:
        pump()
    return status


def fetch(op, obj, data=b""):
    """Send and wait; returns the answer's payload as new bytes. A negative status raises OSError."""
    global _sequence
    _sequence = _sequence + 1 & 255
    _header(op, _sequence, obj, len(data))
    _begin(_head, data)
    status = _receive(_sequence)
    result = bytearray(_length)
    if _length and _bus.readinto(result) != _length:
        _gone()
    _end(status)
    return result


def frame(op, obj):
    """A frame without payload for post_frame or ask_frame."""
    return bytearray((op, 0, obj & 255, obj >> 8, 0, 0, 0, 0))


def _u64(at):
    return int.from_bytes(_event[at : at + 8], "little")


def set_clock(base_us, base_real, new_speed):
    global _base_us, _base_real, speed
    _base_us = base_us
    _base_real = base_real
    speed = new_speed


def mask(on):
    """Hold interrupts back, as machine.disable_irq does. Returns the state before."""
    global _masked
    before = _masked
    _masked = on
    if not on:
        pump()
    return before


def pump():
    """Deliver what waits in the event stream: the place where an interrupt strikes. Never nests."""
    global _pumping
    if _pumping or _masked:
        return
    try:
        _pumping = True
        while True:
            if _late:
                _event[:] = _late.pop(0)
            elif _event[0] == _NO_EVENT:
                n = events.readinto(_event)
                if n is None:
                    return
                if n != _EVENT:
                    _gone()
            kind = _event[0]
            value = _event[1]
            which = kind << 16 | _event[2] | _event[3] << 8
            if kind == _EVENT_CLOCK:
                set_clock(_u64(8), _u64(16), _event[4] | _event[5] << 8 | _event[6] << 16)
            _event[0] = _NO_EVENT
            handler = handlers.get(which)
            if handler is not None:
                handler(value)
    finally:
        _pumping = False
