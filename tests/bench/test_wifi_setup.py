"""Wi-Fi at the keypad: what is on the air, the password by telephone letters, trying it at once."""

import pytest
from microtill.simulator.texts import texts
from microtill.simulator.world import NETWORK, PASSWORD, World
from support.typing import type_text
from support.worlds import until

AIR = [
    {"ssid": NETWORK, "password": PASSWORD, "rssi": -55},
    {"ssid": NETWORK, "password": PASSWORD, "rssi": -75, "bssid": "02005e9000ff"},
    {"ssid": "海河大学第一食堂", "password": "shi-tang-001", "rssi": -65},
    {"ssid": "open", "rssi": -85},
    {"ssid": "unseen", "password": "unseen-unseen", "hidden": True, "rssi": -40},
    {"ssid": "no-address", "password": "abcdefgh", "address": False, "rssi": -90},
]


@pytest.fixture
def blank():
    with World(acquirer=False) as world:
        world.bench.access_points(AIR)
        world.console.wait_ready()
        yield world
        assert world.bench.violations() == []
        assert max(clicks(world)) < 1000, "the radio's scan takes two seconds: a key's tone has ended before"


def clicks(world: World) -> list[int]:
    """How long each key's tone was, in milliseconds."""
    tones = (text.split() for _, chip, text in world.bench.trace() if chip == "buzzer")
    return [int(words[3]) for words in tones if words[0] == "2000"]


def lines(world: World) -> str:
    return "\n".join(world.read_screen())


def choose(world: World, number: str) -> None:
    """From the install screen: the menu, Wi-Fi, the network with that number."""
    world.key("MENU")
    until(world, "menu.wifi")
    world.key("2")
    until(world, "screen.wifi_list")
    world.key(number)


def wait_for(world: World, *keys: str) -> None:
    until(world, *keys, seconds=120)


def test_the_list_has_names_and_locks_the_strongest_first_and_leaves_out_what_has_no_name(blank):
    blank.key("MENU")
    until(blank, "menu.wifi")
    blank.key("2")
    until(blank, "screen.wifi_list")
    blank.bench.wait(lambda: "no-address" in lines(blank), "the last item")
    shown = blank.read_screen()
    items = shown[shown.index("1") :]
    assert items[:8] == ["1", f"*{NETWORK}", "2", "*海河大学第一食堂", "3", "open", "4", "*no-address"]
    assert "5" not in items
    blank.key("CANCEL")
    until(blank, "screen.not_provisioned")


def test_a_password_is_typed_in_dots_shown_while_held_and_joined_at_once(blank):
    choose(blank, "1")
    until(blank, "screen.wifi_password")
    type_text(blank, PASSWORD[:-1])
    blank.key("DOWN")
    assert "•" in lines(blank) and PASSWORD[:8] not in lines(blank)
    blank.key(*"33")  # d, and then e: it is still being chosen
    blank.bench.wait(lambda: "•e" in lines(blank), "the letter being typed")
    blank.key("CLEAR")
    type_text(blank, PASSWORD[-1])
    blank.key("DOWN")
    blank.bench.press("MENU")
    blank.bench.wait(lambda: PASSWORD[:8] in lines(blank), "the password while MENU is held")
    blank.bench.release("MENU")
    blank.bench.wait(lambda: PASSWORD[:8] not in lines(blank), "dots again")
    blank.key("OK")
    wait_for(blank, "screen.wifi_joined")
    blank.key("OK")
    until(blank, "screen.not_provisioned")
    assert blank.console.request("status")["wifi"] == ""
    # Kept over a restart, in the vault.
    blank.bench.power_cut()
    blank.bench.power_on()
    blank.console.wait_ready()
    blank.bench.wait(lambda: blank.console.request("status")["wifi"] == "", "the network after a restart", 60)


@pytest.mark.parametrize(
    ("number", "typed", "reason"),
    [("1", "1111 1111", "reason.wifi_password"), ("4", "abcdefgh", "reason.wifi_no_address")],
    ids=["wrong password", "no address"],
)
def test_why_it_did_not_work_is_said_and_tried_again(blank, number, typed, reason):
    choose(blank, number)
    until(blank, "screen.wifi_password")
    type_text(blank, typed)
    blank.key("OK")
    wait_for(blank, "error.wifi", reason)
    blank.key("OK")
    until(blank, "screen.wifi_password")
    blank.key("CANCEL")
    until(blank, "screen.wifi_list")
    blank.key("CANCEL")
    until(blank, "screen.not_provisioned")
    assert blank.console.request("status")["wifi"] != ""


def test_a_network_that_went_away_meanwhile(blank):
    choose(blank, "3")  # open: no password is asked for
    wait_for(blank, "screen.wifi_joined")
    blank.key("OK")
    until(blank, "screen.not_provisioned")
    choose(blank, "2")
    until(blank, "screen.wifi_password")
    blank.bench.access_points(AIR[:1] + AIR[3:])
    type_text(blank, "shi-tang-001")
    blank.key("OK")
    wait_for(blank, "error.wifi", "reason.wifi_not_found")
    blank.key("CANCEL")
    until(blank, "screen.wifi_list")
    blank.key("CANCEL")
    # What worked is gone back to.
    blank.bench.wait(lambda: blank.console.request("status")["wifi"] == "", "the network it knows", 60)


def test_a_short_password_is_not_tried(blank):
    choose(blank, "1")
    until(blank, "screen.wifi_password")
    type_text(blank, "short")
    blank.key("OK")
    assert blank.shows(*texts("screen.wifi_password"))


def test_a_merchants_terminal_changes_its_network(world):
    world.bench.access_points([*AIR, {"ssid": "another", "password": "another-password", "rssi": -45}])
    world.key("MENU")
    until(world, "menu.wifi")
    world.key("4")
    until(world, "screen.wifi_list")
    world.key("1")
    until(world, "screen.wifi_password")
    type_text(world, "another-password")
    world.key("OK")
    wait_for(world, "screen.wifi_joined")
    world.key("OK")
    until(world, "screen.idle", "status.online")
    assert world.bench.state()["wlan"]["ssid"] == "another"
    # The old one is kept as the second.
    world.bench.access_points(AIR)
    wait_for(world, "status.online")
    world.bench.wait(lambda: world.bench.state()["wlan"]["ssid"] == NETWORK, "the old network", 60)
    until(world, "screen.idle", "status.online")
