"""The same payment card is read over each of the reader's links: the same data come out, and what each link costs."""

import pytest
from pn532_links import start

BODY = """
from till.emv.entry_point import read_card
from till.emv.parameters import SALE, Terminal, Transaction
transaction = Transaction(1234, "156", SALE, b"\\x26\\x11\\x23", b"\\x12\\x00\\x00", b"\\x01\\x02\\x03\\x04", 7)

async def read():
    dialogue = read_card(Terminal("00000001"), transaction)
    try:
        command = next(dialogue)
        while True:
            command = dialogue.send(await nfc.transceive(command))
    except StopIteration as e:
        return e.value

await nfc.start()
await card()
print("found")
reading = await read()
print("read", reading.scheme, reading.cryptogram, reading.atc, bytes(reading.field55).hex())
await nfc.release()
"""

WIRES = {"spi": "irq=irq, reset=reset", "i2c": "irq=irq, reset=reset", "hsu": "reset=reset"}
# What one tap may take of the bus, in milliseconds, chip's stretching included; and bytes.
MOST = {"spi": (3, 1200), "i2c": (60, 1800), "hsu": (90, 1200)}


@pytest.mark.parametrize("card", ["visa", "mastercard", "unionpay"])
def test_each_link_reads_the_same_card_data(tmp_path, card):
    read, cost = {}, {}
    for link, wires in WIRES.items():
        folder = tmp_path / link
        folder.mkdir()
        with start(folder, link, BODY, wires) as bench:
            bench.wait_line("listening")
            before = bench.counters()["nfc"]
            bench.hand("nfc", "present", card=card)
            read[link] = bench.wait_line("read")
            bench.wait_line("done")
            after = bench.counters()["nfc"]
            assert bench.violations() == []
        cost[link] = ((after["seconds"] - before["seconds"]) * 1000, after["bytes"] - before["bytes"])
    print({link: (round(ms, 1), count) for link, (ms, count) in cost.items()})  # shown when it fails
    assert len(set(read.values())) == 1
    assert "ARQC" in read["spi"]
    for link, (ms, count) in cost.items():
        assert ms < MOST[link][0], link
        assert count < MOST[link][1], link
