"""The firmware's end of the two streams to the bench: `bus` (requests and answers) and `events` (interrupts).

A request is `op, sequence, object (u16), length (u32)`, little-endian, and its payload; an answer is `sequence, flags,
status (i16), length (u32)` and its payload. What answers nothing is posted: it costs one system call. A sequence octet
is enough to drop the answer to a request that a Ctrl-C abandoned. Nothing here allocates once a call is warm.
"""

import port_time as _time  # the port's own `time`, under the name that simboot gives it

from micropython import const

_ATOMIC = const(16384)  # a write or an answer up to this size crosses a socket pair whole or not at all
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

_EVENT_CLOCK = const(0)
EVENT_PIN = const(1)
EVENT_TIMER = const(2)

_bus = None
events = None  # polled by asyncio and by time.sleep
_head = bytearray(8)
_answer = bytearray(8)
_event = bytearray(_EVENT)
_scrap = bytearray(256)
_sequence = 0
_owed = 0  # octets of an abandoned answer that are still in the stream
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


def _send(data, n, head=_head):
    # Each write is whole or not at all, and the port looks for a pending Ctrl-C only at jumps and in an interrupted
    # system call: so `sent` is exact wherever the interrupt strikes, and the frame is completed before it goes on.
    sent = 0
    interrupted = False
    _bus.write(head)
    while sent < n:
        try:
            _bus.write(data, sent, _ATOMIC)
            sent += _ATOMIC
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        raise KeyboardInterrupt


def post(op, obj, data=b""):
    """Send and go on."""
    global _posted
    _posted = True
    n = len(data)
    _header(op, 0, obj, n)
    _send(data, n)


def post_frame(frame):
    """Send a frame made beforehand (no payload): the cheapest call there is."""
    global _posted
    _posted = True
    _bus.write(frame)


def _skip():
    global _owed
    while _owed:
        n = _bus.readinto(_scrap, _owed if _owed < 256 else 256)
        if not n:
            _gone()
        _owed -= n


def settle():
    """Before time is let pass: wait until the bench has done all that was posted, or its chips see it late."""
    if _posted:
        ask(RTC_MEMORY, 0)


def _receive(sequence):
    global _owed, _posted
    _posted = False
    while True:
        _skip()
        if _bus.readinto(_answer) != 8:
            _gone()
        _owed = _answer[4] | _answer[5] << 8 | _answer[6] << 16
        if _answer[0] == sequence:
            break
    status = _answer[2] | _answer[3] << 8
    return status - 65536 if status & 32768 else status


def ask(op, obj, data=b"", into=None):
    """Send and wait; the answer's payload fills `into`. Returns the status; a negative one raises OSError."""
    global _sequence, _owed
    _sequence = _sequence + 1 & 255
    n = len(data)
    _header(op, _sequence, obj, n)
    _send(data, n)
    status = _receive(_sequence)
    if into is not None and _owed:
        n = _owed if _owed < len(into) else len(into)
        if _bus.readinto(into, n) != n:
            _gone()
        _owed -= n
    _skip()
    if _answer[1] & 1:
        pump()
    if status < 0:
        raise OSError(status)
    return status


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
    _send(data, n - 4, head)
    status = _receive(_sequence)
    _skip()
    if _answer[1] & 1:
        pump()
    if status < 0:
        raise OSError(status)
    return status


def ask_frame(frame):
    """Send a frame made beforehand (its sequence octet is filled in) and return the status of the answer."""
    global _sequence
    _sequence = _sequence + 1 & 255
    frame[1] = _sequence
    _bus.write(frame)
    status = _receive(_sequence)
    if _answer[1] & 1:
        pump()
    return status


def fetch(op, obj, data=b""):
    """Send and wait; returns the answer's payload as new bytes. A negative status raises OSError."""
    global _sequence, _owed
    _sequence = _sequence + 1 & 255
    n = len(data)
    _header(op, _sequence, obj, n)
    _send(data, n)
    status = _receive(_sequence)
    result = bytearray(_owed)
    if _owed:
        if _bus.readinto(result) != _owed:
            _gone()
        _owed = 0
    if _answer[1] & 1:
        pump()
    if status < 0:
        raise OSError(status)
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
    _pumping = True
    try:
        while True:
            n = events.readinto(_event)
            if n is None:
                return
            if n != _EVENT:
                _gone()
            kind = _event[0]
            if kind == _EVENT_CLOCK:
                set_clock(_u64(8), _u64(16), _event[4] | _event[5] << 8 | _event[6] << 16)
                continue
            handler = handlers.get(kind << 16 | _event[2] | _event[3] << 8)
            if handler is not None:
                handler(_event[1])
    finally:
        _pumping = False
