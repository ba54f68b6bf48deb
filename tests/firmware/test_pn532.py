# The PN532 driver against a bus that expects exact bytes. The dialogues are UM0701-02's.
import asyncio
import time

from till.core.errors import CardCollision, CardOther, CardRemoved, CardTryAgain, InvalidValue, ReaderError
from till.drivers.pn532 import PN532
from till.drivers.pn532.frame import LONGEST, ROOM, SIZE, opened, seal, sound
from till.drivers.pn532.spi import SPITransport

ACK = "0000ff00ff00"
NACK = "01 0000ffff0000"
SAM = "01 0000ff05fbd414011401 02 00"
FIELD_OFF = "01 0000ff04fcd4320100 f9 00"
LIST = "01 0000ff04fcd44a0200 e0 00"
RELEASE = "01 0000ff03fdd45200 da 00"


def hexed(text):
    return bytes.fromhex(text.replace(" ", ""))


def answer(body):
    data = hexed("d5" + body)
    if len(data) < 256:
        head = bytes((0, 0, 255, len(data), -len(data) & 255))
    else:
        head = bytes((0, 0, 255, 255, 255, len(data) >> 8, len(data) & 255, -((len(data) >> 8) + len(data)) & 255))
    return (head + data + bytes((-sum(data) & 255, 0))).hex()


class Bus:
    """SPI, chip select and IRQ: plays the chip from a script of (what the host must write, what it then reads)."""

    def __init__(self, *script):
        self.script = [hexed(line) if line[:2] != "<<" else (hexed(line[2:]),) for line in script]
        self.sent = None
        self.reading = None
        self.log = []

    # chip select
    def cs(self, level):
        if level == 0:
            assert self.sent is None, "selected twice"
            self.sent = bytearray()
            self.reading = None
        elif self.sent is not None:
            if self.sent and self.sent[0] == 1:
                assert self.script, "unexpected " + self.sent.hex()
                expected = self.script.pop(0)
                assert bytes(self.sent) == expected, "%s, expected %s" % (
                    self.sent.hex(),
                    expected.hex() if isinstance(expected, bytes) else "a reading",
                )
            self.sent = None

    # SPI
    def write(self, data):
        self.sent.extend(data)

    def write_readinto(self, out, into):
        assert len(out) == len(into)
        if not self.sent:
            self.sent.extend(out)
            if out[0] == 2:
                into[1] = 0 if self.irq() else 1
                return
            assert out[0] == 3 and not self.irq(), "read too early"
            self.reading = self.script.pop(0)[0]
            into[0] = 0
            into[1:] = self.take(len(into) - 1)
        else:
            into[:] = self.take(len(into))

    def readinto(self, into, fill=0):
        into[:] = self.take(len(into))

    def take(self, count):
        part = self.reading[:count]
        self.reading = self.reading[count:]
        return part + bytes(count - len(part))

    # IRQ: low when the next thing is to be read
    def irq(self):
        return 0 if self.script and isinstance(self.script[0], tuple) else 1

    def done(self):
        assert not self.script, "not reached: %s" % self.script


class Irq:
    IRQ_FALLING = 2

    def __init__(self, bus):
        self.bus = bus
        self.handler = None

    def irq(self, handler, trigger):
        assert trigger == 2
        self.handler = handler

    def __call__(self):
        return self.bus.irq()


def said(*bodies):
    """Script lines for an acknowledgement and one answer each."""
    return ["<<" + ACK] + ["<<" + answer(body) for body in bodies]


START = (
    ["01 " + ACK, SAM]
    + said("15")
    + ["01 0000ff02fed4022a00"]
    + said("03 32010607")
    + ["01 0000ff06fad43205ff01ff f6 00"]
    + said("33")
    + [FIELD_OFF]
    + said("33")
)
ONE = "4b 01 01 0044 20 07 04a1b2c3d4e5f6 0578807002"


def reader(*script, irq=True):
    bus = Bus(*(START + list(script)))
    return PN532(SPITransport(bus, bus.cs), Irq(bus) if irq else None), bus


async def with_card(*script, irq=True, found=ONE):
    nfc, bus = reader(*([LIST] + said(found) + list(script)), irq=irq)
    await nfc.start()
    nfc.listen()
    target = None
    while target is None:
        target = nfc.poll()
        await nfc.wait(1)
    return nfc, bus, target


def raises(kind, call):
    try:
        call()
    except kind as e:
        return e
    raise AssertionError("no " + kind.__name__)


async def raises_async(kind, coroutine):
    try:
        await coroutine
    except kind as e:
        return e
    raise AssertionError("no " + kind.__name__)


def test_frames_of_the_manual():
    tx = bytearray(SIZE)
    tx[ROOM : ROOM + 2] = b"\xd4\x02"
    assert bytes(seal(memoryview(tx), 2))[1:] == hexed("0000ff02fed4022a00")


def test_frames_at_the_bounds():
    for length in (1, 254, 255, 256, LONGEST):
        tx = bytearray(SIZE)
        for i in range(length):
            tx[ROOM + i] = i * 7 & 255
        frame = bytearray(seal(memoryview(tx), length))
        at, n = opened(frame, 13)
        assert n == length and at + n + 2 == len(frame)
        assert (at == 9) == (length > 255)
        assert sound(memoryview(frame), at, n)
        frame[at + n // 2] ^= 1
        assert not sound(memoryview(frame), at, n)


def test_frames_that_are_none():
    for text in (
        "00" * 13,
        "ff" * 13,
        "00 0000ff05fc" + "00" * 8,  # LCS
        "00 0000ffffff010af6" + "00" * 6,  # 266
        "00 0000ffffff0000 00" + "00" * 6,  # extended and empty
        "00 00000000000000000000ff00",  # start code at the very end
        "00 00000000 0000ffffff01",
    ):
        raises(ReaderError, lambda text=text: opened(bytearray(hexed(text)), 12))


def test_a_longer_preamble_is_a_preamble():
    data = bytearray(hexed("00 000000 00ff02fed503 28 00") + bytes(20))
    at, length = opened(data, 13)
    assert data[at : at + length] == b"\xd5\x03"
    assert opened(bytearray(hexed("00" + ACK)), 7) == (6, 0)


async def test_start():
    nfc, bus = reader()
    await nfc.start()
    bus.done()


async def test_start_without_the_irq_line():
    nfc, bus = reader(irq=False)
    await nfc.start()
    bus.done()


async def test_start_resets_the_chip():
    bus = Bus(*START)
    levels = []
    nfc = PN532(SPITransport(bus, bus.cs), Irq(bus), levels.append)
    await nfc.start()
    assert levels == [1, 0, 1]
    bus.done()


async def test_another_chip_is_refused():
    script = START[:]
    script[6] = "<<" + answer("03 33010607")
    bus = Bus(*(script[:7] * 3))
    e = await raises_async(ReaderError, PN532(SPITransport(bus, bus.cs)).start())
    assert "not a PN532" in e.detail
    bus.done()


async def test_one_card():
    for irq in (True, False):
        nfc, bus, target = await with_card(irq=irq)
        assert target.uid == hexed("04a1b2c3d4e5f6") and target.ats == hexed("0578807002")
        assert (target.sak, target.atqa, target.number, target.iso_dep) == (0x20, 0x0044, 1, True)
        assert nfc.poll() is None
        bus.done()


async def test_waiting_times_follow_the_ats():
    nfc, bus, target = await with_card()
    assert target.waiting_ms == 2304  # FWI 7
    target.ats = b""
    assert target.waiting_ms == 1000
    target.ats = hexed("0478e000")  # TB after TA: FWI 0
    assert target.waiting_ms == 1000
    target.ats = hexed("0460e000")  # no TA: FWI 14
    assert target.waiting_ms == 6000


async def test_two_cards_collide_and_listening_again_clears_the_field():
    two = "4b 02 01 0004 20 04 01020304 0578807002 02 0004 20 04 05060708 0578807002"
    nfc, bus = reader(*([LIST] + said(two) + [FIELD_OFF] + said("33") + [LIST] + said(ONE)))
    await nfc.start()
    nfc.listen()
    caught = 0
    target = None
    while target is None:
        try:
            target = nfc.poll()
        except CardCollision:
            caught += 1
            nfc.listen()
        await nfc.wait(1)
    assert caught == 1
    bus.done()


async def test_no_target_listens_on():
    nfc, bus = reader(*([LIST] + said("4b 00") + [LIST] + said(ONE)))
    await nfc.start()
    nfc.listen()
    while nfc.poll() is None:
        await nfc.wait(1)
    bus.done()


async def test_exchange():
    nfc, bus, _ = await with_card(
        "01 0000ff08f8d44001 00b2010c00 2c 00",
        "<<" + ACK,
        "<<" + answer("41 00 7003 9f3601 9000"),
    )
    assert bytes(await nfc.transceive(hexed("00b2010c00"))) == hexed("70039f36019000")
    bus.done()


async def test_exchange_of_the_longest_apdus():
    long = bytes((i * 11 & 255) for i in range(261))
    body = hexed("d44001") + long
    data = hexed("01 0000ffffff 0108f7") + body + bytes((-sum(body) & 255, 0))
    nfc, bus, _ = await with_card(data.hex(), "<<" + ACK, "<<" + answer("41 00" + (bytes(256) + b"\x90\x00").hex()))
    assert bytes(await nfc.transceive(long)) == bytes(256) + b"\x90\x00"
    bus.done()


async def test_exchange_in_parts():
    nfc, bus, _ = await with_card(
        "01 0000ff04fcd4400100 eb 00",
        "<<" + ACK,
        "<<" + answer("41 40" + "aa" * 200),
        "01 0000ff03fdd44001 eb 00",
        "<<" + ACK,
        "<<" + answer("41 00" + "bb" * 56 + "9000"),
    )
    assert bytes(await nfc.transceive(b"\x00")) == hexed("aa" * 200 + "bb" * 56 + "9000")
    bus.done()


async def test_an_answer_without_end_is_not_a_card():
    nfc, bus, _ = await with_card(
        "01 0000ff04fcd4400100 eb 00",
        "<<" + ACK,
        "<<" + answer("41 40" + "aa" * 200),
        "01 0000ff03fdd44001 eb 00",
        "<<" + ACK,
        "<<" + answer("41 40" + "aa" * 200),
    )
    await raises_async(CardOther, nfc.transceive(b"\x00"))
    bus.done()


async def test_status_bytes_are_the_errors_people_need():
    for status, kind in (
        ("01", CardRemoved),
        ("2b", CardRemoved),
        ("02", CardTryAgain),
        ("0b", CardTryAgain),
        ("27", ReaderError),
        ("0e", ReaderError),
    ):
        nfc, bus, _ = await with_card("01 0000ff04fcd4400100 eb 00", "<<" + ACK, "<<" + answer("41" + status))
        e = await raises_async(kind, nfc.transceive(b"\x00"))
        assert e.detail == "status " + status
        bus.done()
        if kind is not ReaderError:
            await raises_async(CardRemoved, nfc.transceive(b"\x00"))


async def test_apdus_out_of_bounds_and_cards_without_apdus():
    nfc, bus, _ = await with_card()
    await raises_async(InvalidValue, nfc.transceive(b""))
    await raises_async(InvalidValue, nfc.transceive(bytes(262)))
    nfc, bus, target = await with_card(found="4b 01 01 0004 08 04 01020304")
    assert not target.iso_dep and target.ats == b""
    await raises_async(CardOther, nfc.transceive(b"\x00"))
    bus.done()


async def test_present_until_it_is_gone():
    ask = "01 0000ff03fdd4000626 00"
    nfc, bus, _ = await with_card(ask, *said("01 00"), ask, *said("01 01"))
    assert await nfc.present()
    assert not await nfc.present()
    assert not await nfc.present()
    bus.done()


async def test_release():
    nfc, bus, _ = await with_card(RELEASE, *said("53 00"), FIELD_OFF, *said("33"))
    await nfc.release()
    bus.done()


async def test_the_field_rests_long_enough_for_a_card_to_forget():
    nfc, bus, _ = await with_card(RELEASE, *(said("53 00") + [FIELD_OFF] + said("33") + [LIST] + said(ONE)))
    await nfc.release()
    off = time.ticks_ms()
    nfc.listen()
    while bus.script and bus.script[0] == hexed(LIST):
        assert nfc.poll() is None
    assert time.ticks_diff(time.ticks_ms(), off) >= 5  # 5.1 ms, less a tick that was nearly over
    while nfc.poll() is None:
        await nfc.wait(1)
    bus.done()


async def test_a_garbled_answer_is_asked_for_again():
    good = answer("41 00 9000")
    bad = good[:-4] + "0000"
    nfc, bus, _ = await with_card(
        "01 0000ff04fcd4400100 eb 00",
        "<<" + ACK,
        "<<" + bad,
        "01 0000ffff0000",
        "<<" + bad,
        "01 0000ffff0000",
        "<<" + good,
    )
    assert bytes(await nfc.transceive(b"\x00")) == b"\x90\x00"
    bus.done()


async def test_three_garbled_answers_are_a_fault():
    bad = answer("41 00 9000")[:-4] + "0000"
    nfc, bus, _ = await with_card(
        "01 0000ff04fcd4400100 eb 00",
        "<<" + ACK,
        "<<" + bad,
        "01 0000ffff0000",
        "<<" + bad,
        "01 0000ffff0000",
        "<<" + bad,
    )
    await raises_async(ReaderError, nfc.transceive(b"\x00"))
    raises(ReaderError, nfc.poll)
    raises(ReaderError, nfc.listen)
    bus.done()


async def test_a_fault_is_healed_by_recover_and_by_release():
    for heal in ("recover", "release"):
        nfc, bus, _ = await with_card(
            "01 0000ff04fcd4400100 eb 00", "<<" + ACK, "<<0000ff01ff7f8100", *(START + [LIST] + said(ONE))
        )
        e = await raises_async(ReaderError, nfc.transceive(b"\x00"))
        assert e.detail == "refused"
        await getattr(nfc, heal)()
        nfc.listen()
        while nfc.poll() is None:
            await nfc.wait(1)
        bus.done()


async def test_no_acknowledgement_is_a_fault():
    nfc, bus, _ = await with_card("01 0000ff04fcd4400100 eb 00")
    e = await raises_async(ReaderError, nfc.transceive(b"\x00"))
    assert e.detail == "no acknowledgement"


async def test_a_cancelled_exchange_is_ended_by_the_next_command():
    nfc, bus, _ = await with_card(
        "01 0000ff04fcd4400100 eb 00", "<<" + ACK, "01 " + ACK, RELEASE, *(said("53 00") + [FIELD_OFF] + said("33"))
    )
    task = asyncio.create_task(nfc.transceive(b"\x00"))
    while len(bus.script) > 8:
        await asyncio.sleep_ms(1)
    task.cancel()
    await raises_async(asyncio.CancelledError, task)
    await nfc.release()
    bus.done()


async def test_malformed_target_data_is_a_fault_not_a_crash():
    for body in ("4b", "4b 03", "4b 01", "4b 01 01 0044 20", "4b 01 01 0044 20 0a 0102"):
        nfc, bus = reader(*([LIST] + said(body)))
        await nfc.start()
        nfc.listen()
        for _ in range(20):
            try:
                assert nfc.poll() is None
            except ReaderError:
                break
            await nfc.wait(1)
        else:
            raise AssertionError(body)
        bus.done()


async def test_nothing_is_heard_before_listen_and_before_start():
    nfc, bus = reader()
    raises(ReaderError, nfc.poll)
    await nfc.start()
    assert nfc.poll() is None
    bus.done()
