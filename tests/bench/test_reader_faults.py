"""A reader that fails while a card is awaited: the panel says so, the reader is brought back, and the sale goes on.

What the driver does in each kind of fault is tested with the chip in test_pn532_driver.py; here, that it is shown.
"""

import pytest
from microtill.simulator.script import Player, parse
from microtill.simulator.texts import texts
from support.worlds import key_amount, sell, until


@pytest.fixture
def nfc(world):
    """Does something to the reader; cured at the end."""
    yield lambda act, **arguments: world.bench.hand("nfc", act, **arguments)
    world.bench.hand("nfc", "fault", kind=None)


def test_the_flow_shows_the_fault_and_goes_on_without_help(world, tmp_path):
    before = world.acquirer.sales()["amount"]
    player = Player(world, tmp_path, tmp_path)
    player.play(parse('key 7 OK\nwait "请挥卡"'))
    world.bench.hand("nfc", "fault", kind="wedged")  # only its reset line frees it
    world.bench.wait(lambda: world.shows(*texts("error.reader")), "the reader's fault on the panel", 30)
    player.play(parse('wait "请挥卡" 30\ntap visa\nwait "交易成功" 30\nremove\nkey OK\nwait "输入金额收款"'))
    assert world.acquirer.sales()["amount"] == before + 7


@pytest.mark.parametrize("seconds", [0.3, 1, 2.5, 7])
def test_a_reader_without_supply_for_a_while(world, nfc, seconds):
    """The panel says so for as long as it lasts, whenever in an attempt to recover it the supply returns."""
    before = world.acquirer.sales()["amount"]
    key_amount(world, "8")
    nfc("fault", kind="dead")
    died = world.bench.now_us()
    until(world, "error.reader")
    world.bench.wait(lambda: world.bench.now_us() - died > seconds * 1e6, "the supply")
    if seconds > 2:
        assert world.shows(*texts("error.reader"))
    nfc("fault", kind=None)
    until(world, "screen.present")
    world.bench.tap("mastercard")
    until(world, "outcome.approved")
    world.bench.remove()
    world.key("OK")
    until(world, "screen.idle")
    assert world.acquirer.sales()["amount"] == before + 8


def test_a_dead_reader_can_be_walked_away_from(world, nfc):
    """CANCEL works while it is being recovered; the next sale says so again, and sells once it lives."""
    before = world.acquirer.sales()["amount"]
    for _ in range(2):
        key_amount(world, "8") if not _ else world.key("8", "OK")
        nfc("fault", kind="dead")
        until(world, "error.reader")
        world.key("CANCEL")
        until(world, "screen.idle")
    nfc("fault", kind=None)
    sell(world)
    assert world.acquirer.sales()["amount"] == before + 1


def test_a_reader_that_stays_dead_ends_the_sale_in_words(world, nfc):
    key_amount(world, "8")
    nfc("fault", kind="dead")
    until(world, "error.reader")
    world.bench.set_speed(5)
    world.bench.wait(lambda: not world.shows(*texts("menu.sale")), "the end of patience", 60)
    assert world.shows(*texts("error.reader"))
    world.bench.set_speed(1)
    world.key("OK")
    until(world, "screen.idle")


def test_a_reader_that_dies_while_it_reads(world, nfc):
    before = world.acquirer.sales()["amount"]
    key_amount(world, "8")
    traced = len(apdus(world))
    world.bench.tap("visa")
    world.bench.wait(lambda: len(apdus(world)) > traced, "the first command")
    nfc("fault", kind="dead")
    until(world, "error.reader")
    world.bench.remove()
    nfc("fault", kind=None)
    until(world, "screen.present")
    world.bench.tap("visa")
    until(world, "outcome.approved")
    world.bench.remove()
    world.key("OK")
    until(world, "screen.idle")
    assert world.acquirer.sales()["amount"] == before + 8


def test_a_reader_that_is_dead_at_the_start_does_not_keep_the_terminal_from_starting(world, nfc):
    nfc("fault", kind="dead")
    world.bench.reset()
    world.console.wait_ready()
    until(world, "screen.idle", "status.online")
    world.key("8", "OK")
    until(world, "error.reader")
    nfc("fault", kind=None)
    until(world, "screen.present")
    world.key("CANCEL")
    until(world, "screen.idle")
    sell(world)


def apdus(world) -> list[str]:
    return [text for _, who, text in world.bench.trace() if who == "nfc" and text.startswith("=>")]
