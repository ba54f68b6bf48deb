"""The reader's driver on the virtual PN532, through the bench: pins, SPI, interrupts and time as on the board."""

import textwrap

import pytest
from microtill.bench.client import Bench

WIRING = """
[bus.reader]
kind = "spi"
sck = 12
mosi = 11
miso = 13
[chip.nfc]
model = "pn532:PN532"
bus = "reader"
pins = { CS = 10, IRQ = 9, RSTPD_N = 8 }
"""

SCRIPT = """
import asyncio
import time
from machine import Pin, SPI
from till.core.errors import CardCollision, CardError, CardRemoved, CardTryAgain, ReaderError
from till.drivers.pn532 import PN532
from till.drivers.pn532.spi import SPITransport

spi = SPI(2, baudrate=5000000, polarity=0, phase=0, firstbit=SPI.LSB, sck=Pin(12), mosi=Pin(11), miso=Pin(13))
cs = Pin(10, Pin.OUT, value=1)
irq = Pin(9, Pin.IN, Pin.PULL_UP)
reset = Pin(8, Pin.OUT, value=1)
nfc = PN532(SPITransport(spi, cs), WITH)
PPSE = b"\\x00\\xa4\\x04\\x00\\x0e2PAY.SYS.DDF01\\x00"

async def card():
    nfc.listen()
    print("listening")
    while True:
        target = nfc.poll()
        if target:
            return target
        await nfc.wait(20)

async def tried(coroutine):
    try:
        return await coroutine
    except Exception as e:
        return type(e).__name__ + ": " + str(e)

async def main():
    await asyncio.sleep_ms(5)
BODY
    print("done")

asyncio.run(main())
"""

ALL = "irq=irq, reset=reset"


@pytest.fixture
def run(tmp_path):
    """Starts the terminal with `body` as its program; at the end nothing may have broken a datasheet's rule."""
    benches = []

    def start(body: str, wires: str = ALL, speed: float = 1.0) -> Bench:
        (tmp_path / "wiring.toml").write_text(WIRING)
        script = SCRIPT.replace("WITH", wires).replace("BODY", textwrap.indent(textwrap.dedent(body), "    "))
        (tmp_path / "main.py").write_text(script)
        bench = Bench(script=tmp_path / "main.py", wiring=tmp_path / "wiring.toml", speed=speed)
        benches.append(bench)
        return bench

    yield start
    try:
        for bench in benches:
            assert bench.violations() == []
    finally:
        for bench in benches:
            bench.stop()


@pytest.fixture
def trace_card(tmp_path):
    def make(*pairs: tuple[bytes, bytes]) -> str:
        path = tmp_path / "card.trace"
        path.write_text("".join(f"=> {c.hex()}\n<= {r.hex()}\n" for c, r in pairs))
        return f"trace:{path}"

    return make


@pytest.mark.parametrize("wires", [ALL, "irq=irq", "reset=reset", ""])
def test_a_card_is_read_with_and_without_irq_and_reset(run, wires):
    bench = run(
        """
        await nfc.start()
        target = await card()
        print("card", target.uid.hex(), target.iso_dep)
        print("answer", bytes(await nfc.transceive(PPSE)).hex())
        await nfc.release()
        """,
        wires,
    )
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    assert bench.wait_line("card").endswith("True")
    assert bench.wait_line("answer").endswith("9000")
    bench.wait_line("done")
    assert bench.seen()["nfc"] == {"field": False, "cards": 1}


def test_listening_costs_no_bus_while_nobody_comes(run):
    bench = run("await nfc.start()\nawait card()")
    bench.wait_line("listening")
    start = bench.now_us()
    bench.wait(lambda: bench.now_us() - start > 200_000)
    before = bench.counters()["nfc"]["transfers"]
    bench.wait(lambda: bench.now_us() - start > 1_000_000)
    assert bench.counters()["nfc"]["transfers"] == before


def test_two_cards_collide_and_one_is_read_after_the_other_is_gone(run):
    bench = run(
        """
        await nfc.start()
        nfc.listen()
        print("listening")
        while True:
            try:
                if nfc.poll():
                    break
            except CardCollision:
                print("two cards")
                nfc.listen()
            await nfc.wait(20)
        print("answer", bytes(await nfc.transceive(PPSE)).hex())
        """
    )
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    bench.hand("nfc", "present", card="mastercard")
    bench.wait_line("two cards")
    bench.hand("nfc", "remove")
    bench.hand("nfc", "present", card="mastercard")
    bench.wait_line("answer")


def test_a_card_pulled_away_is_removed_and_may_come_again(run):
    bench = run(
        """
        await nfc.start()
        await card()
        print(await tried(nfc.transceive(PPSE)))
        print(await tried(nfc.transceive(PPSE)))
        await nfc.release()
        await card()
        print("again", bytes(await nfc.transceive(PPSE)).hex())
        """
    )
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa", leaves_after=1)
    bench.wait_line("CardRemoved: status 01")
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    bench.wait_line("again")


def test_presence_ends_when_the_card_is_taken(run):
    bench = run(
        """
        await nfc.start()
        await card()
        print("present", await nfc.present())
        while await nfc.present():
            await asyncio.sleep_ms(20)
        print("taken")
        """
    )
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    bench.wait_line("present True")
    bench.hand("nfc", "remove")
    bench.wait_line("taken")


def test_noise_asks_for_the_card_again(run):
    bench = run("await nfc.start()\nawait card()\nawait asyncio.sleep_ms(50)\nprint(await tried(nfc.transceive(PPSE)))")
    bench.wait_line("listening")
    bench.hand("nfc", "rf_error", status=0x02)
    bench.hand("nfc", "present", card="visa")
    bench.wait_line("CardTryAgain: status 02")


def test_the_longest_apdus(run, trace_card):
    capdu = bytes.fromhex("00e20000ff") + bytes(range(255)) + b"\x00"
    rapdu = bytes(i * 7 & 255 for i in range(256)) + b"\x90\x00"
    assert (len(capdu), len(rapdu)) == (261, 258)
    bench = run(
        f"""
        await nfc.start()
        await card()
        answer = bytes(await nfc.transceive(bytes.fromhex("{capdu.hex()}")))
        print("whole", answer == bytes.fromhex("{rapdu.hex()}"))
        answer = bytes(await nfc.transceive(bytes.fromhex("{capdu.hex()}")))
        print("again", answer == bytes.fromhex("{rapdu.hex()}"))
        """
    )
    bench.wait_line("listening")
    bench.hand("nfc", "present", card=trace_card((capdu, rapdu)))
    assert bench.wait_line("whole").endswith("True")
    assert bench.wait_line("again").endswith("True")
    assert f"=> {capdu.hex()}" in [text for _, _, text in bench.trace()]


def test_an_answer_in_parts(run, trace_card):
    capdu = bytes.fromhex("00b2010c00")
    rapdu = bytes(i * 7 & 255 for i in range(256)) + b"\x90\x00"
    bench = run(
        f"""
        await nfc.start()
        await card()
        answer = bytes(await nfc.transceive(bytes.fromhex("{capdu.hex()}")))
        print("whole", answer == bytes.fromhex("{rapdu.hex()}"))
        """
    )
    bench.wait_line("listening")
    bench.hand("nfc", "limit", data=100)
    bench.hand("nfc", "present", card=trace_card((capdu, rapdu)))
    assert bench.wait_line("whole").endswith("True")


def test_a_garbled_answer_is_asked_for_again(run):
    bench = run(
        "await nfc.start()\nprint('started')\nawait card()\nprint('answer', bytes(await nfc.transceive(PPSE)).hex())"
    )
    bench.wait_line("listening")
    bench.hand("nfc", "fault", kind="garbled", count=2)
    bench.hand("nfc", "present", card="visa")
    assert bench.wait_line("answer").endswith("9000")


RECOVERS = """
await nfc.start()
for round in range(2):
    try:
        await card()
        print("answer", bytes(await nfc.transceive(PPSE)).hex())
        await asyncio.sleep_ms(100)
        while True:
            await nfc.transceive(PPSE)
    except (ReaderError, CardError) as e:
        print("fault", e)
    while True:
        try:
            await nfc.recover()
            break
        except ReaderError as e:
            print("still", e)
            await asyncio.sleep_ms(200)
    print("well again")
"""


@pytest.mark.parametrize(
    ("kind", "wires"), [("wedged", ALL), ("wedged", "reset=reset"), ("stuck", ALL), ("stuck", "irq=irq"), ("stuck", "")]
)
def test_a_reader_that_hangs_comes_back_by_itself(run, kind, wires):
    bench = run(RECOVERS, wires, speed=5)
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    bench.wait_line("answer")
    bench.hand("nfc", "fault", kind=kind)
    bench.wait_line("fault")
    bench.wait_line("well again")
    assert bench.wait_line("answer").endswith("9000")


@pytest.mark.parametrize("wires", [ALL, ""])
def test_a_dead_reader_is_told_until_it_lives(run, wires):
    bench = run(RECOVERS, wires, speed=2)
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    bench.wait_line("answer")
    bench.hand("nfc", "fault", kind="dead")
    bench.wait_line("still not answering")
    bench.wait_line("still not answering")
    bench.hand("nfc", "fault", kind=None)
    bench.wait_line("well again")
    assert bench.wait_line("answer").endswith("9000")


def test_a_reader_that_dies_while_it_listens_is_noticed(run):
    bench = run(
        """
        await nfc.start()
        print(await tried(card()))
        await nfc.recover()
        print("card", (await card()).uid.hex())
        """,
        speed=5,
    )
    bench.wait_line("listening")
    bench.hand("nfc", "fault", kind="wedged")
    bench.wait_line("ReaderError: no ")  # acknowledgement, or, when it died half-way through a frame, start code
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    bench.wait_line("card")


def test_a_cancelled_exchange_leaves_the_reader_usable(run):
    bench = run(
        """
        await nfc.start()
        await card()
        task = asyncio.create_task(nfc.transceive(PPSE))
        await asyncio.sleep_ms(3)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            print("cancelled")
        await nfc.release()
        await card()
        print("answer", bytes(await nfc.transceive(PPSE)).hex())
        """
    )
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    bench.wait_line("cancelled")
    assert bench.wait_line("answer").endswith("9000")


def test_a_hundred_exchanges_leave_the_heap_as_it_was(run, trace_card):
    bench = run(
        """
        import gc
        await nfc.start()
        await card()
        apdu = b"\\x00\\xb2\\x01\\x0c\\x00"
        for _ in range(5):
            await nfc.transceive(apdu)
        gc.collect()
        before = gc.mem_alloc()
        for _ in range(100):
            await nfc.transceive(apdu)
        gc.collect()
        print("grown", gc.mem_alloc() - before)
        """,
        speed=10,
    )
    bench.wait_line("listening")
    bench.hand("nfc", "present", card=trace_card((bytes.fromhex("00b2010c00"), b"\x70\x00\x90\x00")))
    assert int(bench.wait_line("grown").split()[1]) <= 256
