"""Signed refusals: the terminal says what to do, nothing is charged, and what is open is still put right."""

import sqlite3

import pytest
from microtill.acquirer.process import AcquirerProcess
from microtill.simulator.texts import LANGUAGES, texts
from microtill.simulator.world import World
from support.worlds import key_amount, sell, until

SUSPENDED = (("本终端已停用", "请联系收单行"), ("Unit suspended", "Call acquirer"))


@pytest.fixture
def acquirer(world):
    """As it was before, at the end: terminal and merchant active, the tolerance of clocks as it is by default."""
    acquirer = world.acquirer
    before = acquirer.sales()
    yield acquirer
    if acquirer.terminal()["status"] == "suspended":
        acquirer.resume()
    acquirer.resume_merchant()
    acquirer.set_clock_skew(900)
    acquirer.clear()
    assert acquirer.sales()["amount"] - before["amount"] in (0, 1), "only the sale that was to be approved"


def refused_sale(world, *keys: str) -> None:
    """A sale that the acquirer refuses, with the text of each key on the panel; confirmed."""
    before = world.acquirer.sales()
    key_amount(world, "9")
    world.bench.tap("visa")
    until(world, "outcome.refused", *keys)
    assert not world.shows("交易成功", "APPROVED")
    world.bench.remove()
    world.key("OK")
    until(world, "screen.idle")
    assert not world.console.request("status")["pending"], "a refused sale needs no reversal"
    after = world.acquirer.sales()
    assert (after["amount"], after["approved"]) == (before["amount"], before["approved"])
    assert world.acquirer.transactions()[-1]["outcome"] == "refused"


def test_a_suspended_terminal(world, acquirer):
    acquirer.suspend()
    refused_sale(world, "action.suspended")
    acquirer.resume()
    sell(world)


def test_a_suspended_terminal_still_reverses(world, acquirer):
    before = acquirer.sales()
    key_amount(world, "9")
    acquirer.drop_response(close=True)
    world.bench.tap("visa")
    until(world, "outcome.unknown")
    acquirer.suspend()
    acquirer.clear()
    world.bench.remove()
    until(world, "screen.reversed", seconds=200)
    world.key("OK")
    until(world, "screen.idle")
    after = acquirer.sales()
    assert (after["reversed"] - before["reversed"], after["amount"]) == (1, before["amount"])
    refused_sale(world, "action.suspended")


def test_a_suspended_merchant(world, acquirer):
    acquirer.suspend_merchant()
    refused_sale(world, "action.suspended")
    acquirer.resume_merchant()
    sell(world)


def test_a_clock_that_is_off(world, acquirer):
    """The terminal's clock has run ahead of what the acquirer takes; a sign-on brings the right time, and it sells."""
    acquirer.set_clock_skew(150)
    echo(world)
    world.bench.set_speed(50)
    start = world.bench.now_us()
    world.bench.wait(lambda: world.bench.now_us() - start > 320e6, "five minutes")
    world.bench.set_speed(1.0)
    until(world, "screen.idle", "status.online")
    refused_sale(world, "action.clock")
    sign_on(world)
    sell(world)


def test_another_batch(world, acquirer):
    """The acquirer has opened another batch: sign on, and it goes on in that one."""
    set_batch(acquirer, "000042")
    refused_sale(world, "action.sign_on")
    sign_on(world)
    assert world.console.request("status")["batch"] == "000042"
    sell(world)
    assert acquirer.transactions()[-1]["batch"] == "000042"
    world.bench.reset()
    assert world.console.wait_ready()["batch"] == "000042"


def test_sign_on_and_echo_are_refused_in_words(world, acquirer):
    acquirer.suspend()
    for item in ("1", "2"):
        world.key("MENU", item)
        until(world, "action.suspended")
        world.key("OK")
        until(world, "screen.idle")
    acquirer.resume()
    echo(world)
    assert acquirer.transactions()[-1]["type"] == "echo"


@pytest.mark.parametrize("language", [0, 1], ids=["zh", "en"])
def test_both_lines_of_a_refusal_in_each_language(world, acquirer, language):
    """What it is and what to do, whole, and in one language only."""
    world.set_language(LANGUAGES[language])
    world.bench.wait(lambda: world.shows(texts("screen.idle")[language]), LANGUAGES[language])
    acquirer.suspend()
    try:
        key_amount(world, "9")
        world.bench.tap("visa")
        until(world, "outcome.refused")
        shown = "".join(world.read_screen())
        for line in SUSPENDED[language]:
            assert line in shown
        assert not world.shows(*SUSPENDED[1 - language], texts("outcome.refused")[1 - language])
        world.bench.remove()
        world.key("OK")
        until(world, "screen.idle")
    finally:
        acquirer.resume()
        world.set_language("zh")
    world.bench.wait(lambda: world.shows("输入金额收款"), "Chinese")


def test_the_language_is_kept(world):
    world.set_language("en")
    world.bench.wait(lambda: world.shows("Enter amount"), "English")
    world.bench.power_cut()
    world.bench.power_on()
    world.bench.wait(lambda: world.shows("Enter amount"), "English after a power cut")
    world.set_language("zh")
    world.bench.wait(lambda: world.shows("输入金额收款"), "Chinese")


def test_a_revoked_terminal():
    """For ever, so it takes a terminal of its own: nothing is sold, and nothing is charged."""
    with AcquirerProcess() as acquirer, World(acquirer=acquirer) as world:
        world.provision()
        world.wait_at_rest()
        sell(world)
        acquirer.revoke()
        refused_sale(world, "action.revoked")


def sign_on(world) -> None:
    """By the menu."""
    world.key("MENU", "1")
    until(world, "screen.signed_on")
    world.key("OK")
    until(world, "screen.idle")


def echo(world) -> None:
    """By the menu."""
    world.key("MENU", "2")
    until(world, "screen.echo_ok")
    world.key("OK")
    until(world, "screen.idle")


def set_batch(acquirer, batch: str) -> None:
    """What a settlement will do; until there is one, in the database."""
    with sqlite3.connect(acquirer.home.path / "acquirer.db") as database:
        database.execute("UPDATE terminals SET batch = ? WHERE tid = ?", (batch, acquirer.tid))
    database.close()
