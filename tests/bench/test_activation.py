"""An activation code at the keypad: Wi-Fi and code typed, the ticket fetched over TLS, the merchant confirmed."""

from pathlib import Path

import pytest
from microtill.acquirer.activation import with_check_digits
from microtill.acquirer.process import DEMO_MID, AcquirerProcess
from microtill.device.console import ConsoleError
from microtill.simulator.texts import texts
from microtill.simulator.world import NETWORK, PASSWORD, World
from support.technician import run
from support.worlds import sell, sign_ons, until


@pytest.fixture
def acquirer():
    with AcquirerProcess() as process:
        yield process


def test_an_image_that_trusts_its_acquirer_needs_no_laptop(acquirer, tmp_path):
    """Wi-Fi and code at the keypad are all; whom it trusts is on the panel, and stays when another image comes."""
    file = tmp_path / "trust.jws"
    file.write_text(acquirer.trust)
    told = run("image", "--trust", file, language=None).lines
    digits = told[2].rpartition("fingerprint ")[2]
    state = tmp_path / "state"
    with World(acquirer=acquirer, image=Path(told[0]), state=state) as world:
        until(world, "screen.not_provisioned")
        assert world.shows(digits)
        status = world.console.wait_ready()
        assert (status["state"], status["fingerprints"]) == ("trusted", [digits])
        assert world.console.request("status")["version"]["trust"] == 1
        world.console.request("wifi", networks=[[NETWORK, PASSWORD]])
        code = acquirer.new_code(status["serial"])
        begin(world)
        type_code(world, code)
        until_bound(world)
    with World(acquirer=acquirer, state=state) as world:
        world.wait_at_rest()
        assert world.console.request("status")["fingerprints"] == [digits]
        assert world.bench.violations() == []


@pytest.fixture
def trusted(acquirer):
    """A unit that trusts the acquirer and is on the Wi-Fi, and has no merchant."""
    with World(acquirer=acquirer) as world:
        world.console.wait_ready()
        number = world.console.send("trust", token=acquirer.trust)
        until(world, "screen.trust")
        world.key("OK")
        while world.console.poll(number) is None:
            world.key("OK")
        world.console.request("wifi", networks=[[NETWORK, PASSWORD]])
        until(world, "screen.not_provisioned")
        yield world
        assert world.bench.violations() == []


def serial(world: World) -> str:
    return world.console.request("status")["serial"]


def begin(world: World) -> None:
    until(world, "screen.not_provisioned")
    world.key("MENU")
    until(world, "menu.activate")
    world.key("1")
    until(world, "screen.activation_code")


def type_code(world: World, code: str) -> None:
    until(world, "screen.activation_code")
    world.key(*code, "OK")


def until_bound(world: World) -> None:
    """Whose terminal it becomes is read to its end and agreed to; then it starts anew and signs on."""
    until(world, "screen.ticket", seconds=120)
    resets = len(world.bench.state()["resets"])
    world.bench.wait(lambda: world.shows(*texts("label.merchant")), "the merchant")
    while world.shows(*texts("screen.ticket")):
        world.key("OK")
    world.bench.wait(lambda: len(world.bench.state()["resets"]) > resets, "the restart")
    world.wait_at_rest()
    world.bench.wait(lambda: sign_ons(world), "the first sign-on")


def test_a_code_makes_it_a_merchants_terminal_that_sells(trusted, acquirer):
    code = acquirer.new_code(serial(trusted))
    begin(trusted)
    type_code(trusted, code)
    until(trusted, "screen.ticket", seconds=120)
    rows = trusted.read_screen()
    assert DEMO_MID in rows, "the whole MID is read before it is agreed to"
    for part in (DEMO_MID[:3], DEMO_MID[3:7], DEMO_MID[7:11], DEMO_MID[11:]):
        assert part in rows
    until_bound(trusted)
    status = trusted.console.request("status")
    assert (status["state"], status["version"]["ticket"]) == ("provisioned", acquirer.terminal()["version"])
    sell(trusted)
    # The code is spent, and nothing that was typed stands on the console or in the acquirer's log.
    assert not any(code in line for line in trusted.bench.console_lines())
    assert code not in str(acquirer.log_lines())


def test_a_slip_of_the_finger_is_found_without_the_network(trusted, acquirer):
    acquirer.down()
    code = acquirer.new_code(serial(trusted))
    begin(trusted)
    slip = code[:3] + str((int(code[3]) + 1) % 10) + code[4:]
    swapped = code[1] + code[0] + code[2:] if code[0] != code[1] else code[:-1] + str((int(code[-1]) + 1) % 10)
    for wrong in (slip, swapped, "0000000000"):
        type_code(trusted, wrong)
        until(trusted, "error.activation_code")
        trusted.key("OK")
    until(trusted, "screen.activation_code")
    trusted.key("CANCEL")
    until(trusted, "screen.not_provisioned")


def test_a_code_that_is_not_this_units_or_none_at_all(trusted, acquirer):
    others = acquirer.new_code("ANOTHER-UNIT")
    begin(trusted)
    for wrong in (others, with_check_digits("12345678")):
        type_code(trusted, wrong)
        until(trusted, "error.activation_refused", seconds=60)
        trusted.key("OK")
    # The right one still works: the wrong ones were somebody else's, or nobody's.
    type_code(trusted, acquirer.new_code(serial(trusted)))
    until(trusted, "screen.ticket", seconds=120)
    trusted.key("CANCEL")
    until(trusted, "screen.not_provisioned")
    assert trusted.console.request("status")["state"] == "trusted", "nobody agreed"


def test_five_wrong_ones_burn_the_code(trusted, acquirer):
    code = acquirer.new_code(serial(trusted))
    begin(trusted)
    for n in range(5):
        type_code(trusted, with_check_digits(f"{n:08d}"))
        until(trusted, "error.activation_refused", seconds=60)
        trusted.key("OK")
    type_code(trusted, code)
    trusted.bench.wait(
        lambda: trusted.shows(*texts("error.activation_refused"), *texts("error.activation_wait")), "the refusal", 60
    )
    assert trusted.console.request("status")["state"] == "trusted"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda a: a.down(), "reason.closed"),
        (lambda a: a.drop_response(close=True), "reason.closed"),
        (lambda a: a.captive(), "reason.malformed"),
        (lambda a: a.status(503), "reason.http_status"),
    ],
    ids=["down", "answer lost", "captive portal", "server fault"],
)
def test_when_the_acquirer_is_not_reached_the_same_code_goes_again(trusted, acquirer, fault, reason):
    code = acquirer.new_code(serial(trusted))
    fault(acquirer)
    begin(trusted)
    type_code(trusted, code)
    until(trusted, "error.link", reason, seconds=120)
    acquirer.clear()
    acquirer.up()
    trusted.key("OK")  # nothing has to be typed again
    until_bound(trusted)


def test_without_wifi_it_says_so(trusted, acquirer):
    trusted.bench.wifi(False)
    begin(trusted)
    type_code(trusted, with_check_digits("12345678"))
    until(trusted, "error.link", seconds=120)
    trusted.key("CANCEL")
    until(trusted, "screen.not_provisioned")


def test_a_unit_that_trusts_nobody_asks_nobody():
    with World(acquirer=False) as world:
        world.console.wait_ready()
        begin(world)
        type_code(world, with_check_digits("12345678"))
        until(world, "error.no_trust")
        world.key("CANCEL")
        until(world, "screen.not_provisioned")


def test_a_certificate_of_tomorrow_asks_for_the_date(trusted, acquirer):
    acquirer.set_certificate("not_yet_valid")
    begin(trusted)
    type_code(trusted, acquirer.new_code(serial(trusted)))
    until(trusted, "screen.date", seconds=120)
    trusted.key(*"20261340", "OK")
    until(trusted, "error.invalid_value")
    trusted.key("OK")
    until(trusted, "screen.date")
    acquirer.set_certificate("good")
    trusted.key(*"20261123", "OK")
    until(trusted, "screen.ticket", seconds=120)


def test_the_laptop_waits_while_somebody_types(trusted):
    begin(trusted)
    with pytest.raises(ConsoleError) as e:
        trusted.console.request("key_request")
    assert e.value.error == "error.busy"
    assert trusted.console.request("status")["idle"] is False
    trusted.key("CANCEL")
    until(trusted, "screen.not_provisioned")
    assert trusted.console.request("status")["idle"] is True
