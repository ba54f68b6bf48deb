"""The reader's driver on every link of the virtual PN532: pins, interrupts and time as on the board."""

import pytest
from microtill.bench.client import Bench
from pn532_links import start, trace_card

ALL, IRQ, RESET, NONE = "irq=irq, reset=reset", "irq=irq", "reset=reset", ""
# The best wiring of each link: on the UART frames come by themselves, without an interrupt.
LINKS = (("spi", ALL), ("i2c", ALL), ("hsu", RESET))
every_link = pytest.mark.parametrize(("link", "wires"), LINKS, ids=[link for link, _ in LINKS])


@pytest.fixture
def run(tmp_path, benches):
    """Starts the terminal with `body` as its program; at the end nothing may have broken a datasheet's rule."""

    def run(body: str, link: str = "spi", wires: str = ALL, speed: float = 1.0) -> Bench:
        benches.append(start(tmp_path, link, body, wires, speed))
        return benches[-1]

    return run


@pytest.mark.parametrize(
    ("link", "wires"),
    [(link, wires) for link in ("spi", "i2c") for wires in (ALL, IRQ, RESET, NONE)] + [("hsu", RESET), ("hsu", NONE)],
)
def test_a_card_is_read_with_and_without_irq_and_reset(run, link, wires):
    bench = run(
        """
        await nfc.start()
        target = await card()
        print("card", target.uid.hex(), target.iso_dep)
        print("answer", bytes(await nfc.transceive(PPSE)).hex())
        await nfc.release()
        """,
        link,
        wires,
    )
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    assert bench.wait_line("card").endswith("True")
    assert bench.wait_line("answer").endswith("9000")
    bench.wait_line("done")
    assert bench.seen()["nfc"] == {"field": False, "cards": 1}


@every_link
def test_listening_costs_no_bus_while_nobody_comes(run, link, wires):
    bench = run("await nfc.start()\nawait card()", link, wires)
    bench.wait_line("listening")
    began = bench.now_us()
    bench.wait(lambda: bench.now_us() - began > 200_000)
    before = bench.counters()["nfc"]["transfers"]
    bench.wait(lambda: bench.now_us() - began > 1_000_000)
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


@every_link
def test_the_longest_apdus(run, tmp_path, link, wires):
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
        """,
        link,
        wires,
    )
    bench.wait_line("listening")
    bench.hand("nfc", "present", card=trace_card(tmp_path, (capdu, rapdu)))
    assert bench.wait_line("whole").endswith("True")
    assert bench.wait_line("again").endswith("True")
    assert f"=> {capdu.hex()}" in [text for _, _, text in bench.trace()]


@every_link
def test_an_answer_in_parts(run, tmp_path, link, wires):
    capdu = bytes.fromhex("00b2010c00")
    rapdu = bytes(i * 7 & 255 for i in range(256)) + b"\x90\x00"
    bench = run(
        f"""
        await nfc.start()
        await card()
        answer = bytes(await nfc.transceive(bytes.fromhex("{capdu.hex()}")))
        print("whole", answer == bytes.fromhex("{rapdu.hex()}"))
        """,
        link,
        wires,
    )
    bench.wait_line("listening")
    bench.hand("nfc", "limit", data=100)
    bench.hand("nfc", "present", card=trace_card(tmp_path, (capdu, rapdu)))
    assert bench.wait_line("whole").endswith("True")


@every_link
def test_a_garbled_answer_is_asked_for_again(run, link, wires):
    bench = run(
        "await nfc.start()\nawait card()\nprint('answer', bytes(await nfc.transceive(PPSE)).hex())", link, wires
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


HANGS = [("wedged", ALL), ("wedged", RESET), ("stuck", ALL), ("stuck", IRQ), ("stuck", NONE)]
HANGS_ON_UART = [("wedged", RESET), ("stuck", RESET), ("stuck", NONE)]


@pytest.mark.parametrize(
    ("link", "kind", "wires"),
    [(link, *hang) for link in ("spi", "i2c") for hang in HANGS] + [("hsu", *hang) for hang in HANGS_ON_UART],
)
def test_a_reader_that_hangs_comes_back_by_itself(run, link, kind, wires):
    bench = run(RECOVERS, link, wires, speed=5)
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    bench.wait_line("answer")
    bench.hand("nfc", "fault", kind=kind)
    bench.wait_line("fault")
    bench.wait_line("well again")
    assert bench.wait_line("answer").endswith("9000")


@pytest.mark.parametrize(("link", "wires"), [*LINKS, *((link, NONE) for link, _ in LINKS)])
def test_a_dead_reader_is_told_until_it_lives(run, link, wires):
    bench = run(RECOVERS, link, wires, speed=2)
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


@every_link
def test_a_cancelled_exchange_leaves_the_reader_usable(run, link, wires):
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
        """,
        link,
        wires,
    )
    bench.wait_line("listening")
    bench.hand("nfc", "present", card="visa")
    bench.wait_line("cancelled")
    assert bench.wait_line("answer").endswith("9000")


def test_a_hundred_exchanges_leave_the_heap_as_it_was(run, tmp_path):
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
    bench.hand("nfc", "present", card=trace_card(tmp_path, (bytes.fromhex("00b2010c00"), b"\x70\x00\x90\x00")))
    assert int(bench.wait_line("grown").split()[1]) <= 256
