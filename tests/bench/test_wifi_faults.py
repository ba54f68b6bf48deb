"""Wi-Fi that fails: the terminal says what is wrong with it, charges nobody, and is back by itself when the air is."""

import pytest
from microtill.simulator.script import WAIT_SPEED
from microtill.simulator.texts import texts
from microtill.simulator.world import NETWORK, PASSWORD
from support.worlds import key_amount, sell, until

GOOD = {"ssid": NETWORK, "password": PASSWORD}


@pytest.fixture
def air(world):
    """Replaces the access points on the air; ours is back at the end, and so is what the acquirer answers with."""
    yield lambda *points: world.bench.access_points(points)
    world.bench.access_points([GOOD])
    world.bench.wifi(True)
    world.acquirer.clear()


def until_reason(world, reason: str) -> None:
    world.bench.set_speed(WAIT_SPEED)
    world.bench.wait(lambda: world.console.request("status")["wifi"] == reason, reason, 60)
    world.bench.set_speed(1.0)


def refused_for(world, reason: str) -> None:
    """No sale can begin, and the panel says what is wrong with the Wi-Fi."""
    messages = len(world.acquirer.transactions())
    records = world.console.request("status")["pending"]
    world.key("9", "OK")
    until(world, "error.link", reason)
    world.key("OK")
    until(world, "screen.idle")
    assert len(world.acquirer.transactions()) == messages
    assert world.console.request("status")["pending"] == records == 0


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([], "reason.wifi_not_found"),
        ([GOOD | {"password": "another-password"}], "reason.wifi_password"),
        ([GOOD | {"slow_ms": 60_000}], "reason.wifi_silent"),
    ],
    ids=["gone", "another password", "silent"],
)
def test_the_panel_says_why_and_the_terminal_comes_back_by_itself(world, air, points, reason):
    air(*points)
    until(world, "status.offline")
    until_reason(world, reason)
    refused_for(world, reason)
    air(GOOD)
    until(world, "status.online", seconds=200)
    sell(world)


def test_in_english(world, air):
    world.set_language("en")
    world.bench.wait(lambda: world.shows("Enter amount"), "English")
    air(GOOD | {"password": "another-password"})
    until(world, "status.offline")
    until_reason(world, "reason.wifi_password")
    world.key("9", "OK")
    world.bench.wait(lambda: world.shows(texts("reason.wifi_password")[1]), "Wi-Fi password, in English")
    world.key("OK")
    until(world, "screen.idle")
    air(GOOD)
    until(world, "status.online", seconds=200)
    world.set_language("zh")
    world.bench.wait(lambda: world.shows("输入金额收款"), "Chinese")


def test_an_access_point_that_takes_its_time(world, air):
    air(GOOD | {"slow_ms": 12_000})
    until(world, "status.offline")
    refused_for(world, "reason.connecting")
    until(world, "status.online", seconds=200)
    sell(world)


def test_the_second_network_is_tried_when_the_first_is_gone(world, air):
    """What a merchant with a phone as a spare does; both are set over the console, with consent at the keypad."""
    spare = {"ssid": "老板的手机", "password": "spare-password"}
    pairs = [[ap["ssid"], ap["password"]] for ap in (GOOD, spare)]
    set_networks(world, pairs)
    air(spare)
    until(world, "status.offline")
    until(world, "status.online", seconds=200)
    assert world.bench.state()["wlan"]["ssid"] == "老板的手机"
    sell(world)
    air(GOOD)
    until(world, "status.offline")
    until(world, "status.online", seconds=200)
    set_networks(world, pairs[:1])
    until(world, "status.online", seconds=200)


def test_it_drops_before_the_answer(world, air):
    """The acquirer has approved, the answer never comes: unknown, reversed once the Wi-Fi is back."""
    acquirer = world.acquirer
    before = acquirer.sales()
    key_amount(world, "9")
    acquirer.slow(3000)
    world.bench.tap("visa")
    world.bench.wait(lambda: acquirer.sales()["approved"] > before["approved"], "the acquirer's approval")
    world.bench.wifi(False)
    until(world, "outcome.unknown", "screen.unknown_sale", seconds=120)
    until(world, "status.offline")
    world.bench.remove()
    acquirer.clear()
    assert acquirer.sales()["reversed"] == before["reversed"]
    world.bench.wifi(True)
    until(world, "screen.reversed", seconds=300)
    world.key("OK")
    until(world, "screen.idle")
    after = acquirer.sales()
    assert (after["reversed"] - before["reversed"], after["amount"]) == (1, before["amount"])
    sell(world)


def test_it_drops_before_the_request(world, air):
    """Nothing has left; the terminal cannot know that, so it is unknown, and reversed all the same."""
    acquirer = world.acquirer
    before = acquirer.sales()
    key_amount(world, "9")
    start = world.bench.now_us()
    world.bench.tap("visa")
    world.bench.wait(
        lambda: any(who == "nfc" and text[:2] == "=>" for _, who, text in world.bench.trace(start)), "APDU"
    )
    world.bench.wifi(False)
    until(world, "outcome.unknown", seconds=120)
    world.bench.remove()
    world.key("OK")
    until(world, "screen.reversing")
    refused_while_open(world)
    world.bench.wifi(True)
    until(world, "screen.reversed", seconds=300)
    world.key("OK")
    until(world, "screen.idle")
    after = acquirer.sales()
    # The network may have kept the request and delivered it late: approved then, and reversed, or refused.
    assert after["amount"] == before["amount"]
    assert after["approved"] - before["approved"] == after["reversed"] - before["reversed"]
    sell(world)


def test_a_short_gap_costs_nothing(world, air):
    """Shorter than what the station notices: the connection carries on, and the sale is approved."""
    acquirer = world.acquirer
    before = acquirer.sales()
    key_amount(world, "9")
    acquirer.slow(500)
    world.bench.tap("visa")
    world.bench.wait(lambda: acquirer.sales()["approved"] > before["approved"], "the acquirer's approval")
    world.bench.wifi(False)
    gap = world.bench.now_us()
    world.bench.wait(lambda: world.bench.now_us() - gap > 3e6, "three seconds")
    assert not world.shows(*texts("outcome.approved"))
    world.bench.wifi(True)
    until(world, "outcome.approved")
    world.bench.remove()
    world.key("OK")
    until(world, "screen.idle")
    assert acquirer.sales()["amount"] == before["amount"] + 9


def refused_while_open(world) -> None:
    """While a reversal is open no sale begins."""
    world.key("9", "OK")
    until(world, "error.pending_reversals")
    world.key("OK")


def set_networks(world, networks: list[list[str]]) -> None:
    """Over the console; the person at the keypad agrees."""
    number = world.console.send("wifi", networks=networks)
    until(world, "screen.wifi_change")
    world.key("OK")
    assert world.console.answer(number)["ok"]
    until(world, "screen.idle")
