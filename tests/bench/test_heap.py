"""The terminal starts, is provisioned, sells and reverses in a heap of 256 KiB beside its image, and goes on so."""

import os
from pathlib import Path

import pytest
from microtill.cli.sim import prepare
from microtill.device.provisioning import Acquirer
from microtill.simulator.script import WAIT_SPEED, Player, parse
from microtill.simulator.texts import texts
from microtill.simulator.world import World

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SALES = int(os.environ.get("MICROTILL_HEAP_SALES", "10"))
# Bytes that are free at rest: provisioned, connected, collected. A sale needs some 24 KB of them.
FLOOR = 40_000
FLOOR_BLANK = 90_000
# What one count may differ from the next: the collector takes any word on the stack for a pointer.
NOISE = 1_500


def free(world: World) -> int:
    """Bytes of heap free at rest; the most of a few counts."""
    return max(world.console.request("status")["free"] for _ in range(5))


def memory_errors(world: World) -> list[str]:
    return [line for line in world.bench.console_lines() if "memory" in line.lower()]


@pytest.fixture
def play(world, tmp_path):
    """Play a scenario without its questions to the acquirer: worlds are lent from test to test."""
    player = Player(world, tmp_path, SCENARIOS)
    before = len(memory_errors(world))

    def play(name: str) -> None:
        lines = (SCENARIOS / f"{name}.till").read_text("utf-8").splitlines()
        player.play(parse("\n".join(line for line in lines if not line.startswith("acquirer"))))

    yield play
    assert memory_errors(world)[before:] == []


def test_a_blank_terminal_has_room_and_can_be_provisioned():
    with World() as world:
        assert world.console.wait_ready()["state"] == "blank"
        assert free(world) >= FLOOR_BLANK
        prepare(world, "zh")
        assert memory_errors(world) == []


def test_a_terminal_at_rest_has_room_for_a_sale(world, play):
    play("approved")
    world.wait_at_rest()
    assert free(world) >= FLOOR


def sell(world: World) -> None:
    """A sale as a person makes it, as fast as it goes."""
    bench = world.bench
    world.key("7", "OK")
    bench.wait(lambda: world.shows(*texts("screen.present")), "the prompt for a card")
    bench.tap("visa")
    bench.wait(lambda: world.shows(*texts("outcome.approved")), "the approval")
    bench.remove()
    world.key("OK")
    world.wait_at_rest()


def test_sales_leave_nothing_behind(world):
    world.bench.set_speed(WAIT_SPEED)
    for _ in range(3):  # until the glyphs of these screens have been kept once
        sell(world)
    before, resets = free(world), len(world.bench.state()["resets"])
    for _ in range(SALES):
        sell(world)
    assert before - free(world) <= NOISE
    assert len(world.bench.state()["resets"]) == resets
    assert memory_errors(world) == []


def test_what_else_takes_memory_gives_it_back(world, play):
    for name in ("lost-answer", "declined", "two-cards", "english"):
        play(name)
    world.set_language("zh")
    world.wait_at_rest()
    assert free(world) >= FLOOR


def test_a_merchants_terminal_takes_a_new_ticket(world, play):
    home = world.acquirer.home
    desk = Acquirer(
        f"https://127.0.0.1:{world.acquirer.port}",
        home.ca.certificate_pem.decode(),
        world.acquirer.session,
        home.config.hosts[0],
    )
    ticket = desk.ticket(world.console.request("key_request")["token"], world.acquirer.tid)
    number = world.console.send("ticket", token=ticket)
    world.bench.wait(lambda: world.shows(*texts("screen.ticket")), "the question")
    while world.console.poll(number) is None:
        world.key("OK")
    world.bench.wait(lambda: world.bench.state()["resets"][-1:] == [2], "the restart")
    world.wait_at_rest()
    play("approved")
