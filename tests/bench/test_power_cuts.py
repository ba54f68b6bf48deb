"""The power goes at every flash and NVS operation: of a sale, of a sale whose answer is lost, of provisioning."""

import itertools
import os

import pytest
from microtill.acquirer.process import AcquirerProcess
from microtill.bench import reading
from microtill.bench.client import BenchError
from microtill.device.console import Console
from microtill.simulator.texts import texts
from microtill.simulator.world import World
from support.worlds import sign_ons

AMOUNT = 7
SPEED = 8.0  # bench seconds a second while nobody presses a key
NEVER = 1_000_000
PARTS = 3  # in which provisioning is tried, side by side where there are processors for it
# A unit for each cut takes long, and what a cut leaves in NVS is tried for every one of them in a moment
# (tests/host/test_enrolment_tickets.py): here each third, each of them when asked for.
EVERY = 1 if os.environ.get("MICROTILL_ALL_CUTS") else 3
PANELS = {
    "approved": "outcome.approved",
    "declined": "outcome.declined",
    "unknown": "outcome.unknown",
    "reversed": "screen.reversed",
    "present": "screen.present",
    "idle": "screen.idle",
}


class Cashier:
    """Stands at the terminal and remembers the outcomes that were on the panel."""

    def __init__(self, world: World):
        self.world = world
        self.bench = world.bench
        self.seen: list[str] = []
        self.sign_ons = -1  # there were so many when the power came back

    def look(self) -> str:
        """Which of PANELS there is, "dark" without power, "" for anything else."""
        if not self.bench.state()["powered"]:
            return "dark"
        frame = self.bench.frame()
        pixels = frame.tobytes()
        for name, key in PANELS.items():
            if any(reading.contains(pixels, text, frame.width) for text in texts(key)):
                if name in ("approved", "declined", "unknown", "reversed") and self.seen[-1:] != [name]:
                    self.seen.append(name)
                return name
        return ""

    def wait(self, *wanted: str) -> str:
        """Until one of `wanted` is on the panel, or it is dark."""
        return str(self.bench.wait(lambda: (name := self.look()) in (*wanted, "dark") and name, f"{wanted}", 40))

    def power_on(self) -> None:
        self.bench.remove()
        self.sign_ons = sign_ons(self.world)
        self.bench.power_on()

    def sell(self) -> None:
        """A sale as a person makes it, until it has ended or the panel is dark."""
        self.world.key(str(AMOUNT), "OK")
        if self.wait("present") == "dark":
            return
        self.bench.tap("visa")
        outcome = self.wait("approved", "unknown")
        self.bench.remove()
        if self.world.acquirer:
            self.world.acquirer.clear()
        if outcome != "dark":
            self.world.key("OK")
            self.rest()

    def rest(self) -> None:
        """Confirm whatever comes up, until the terminal is idle and owes nothing, or the panel is dark."""
        while True:
            name = self.wait("idle", "approved", "reversed", "declined", "unknown")
            if name == "dark":
                return
            if name == "idle":
                try:
                    status = self.world.console.wait_ready()
                except BenchError:
                    continue  # dark since we looked
                signed_on = sign_ons(self.world) > self.sign_ons
                if signed_on and status["online"] and not status["pending"] and not status["unseen"]:
                    return
            elif name != "unknown":
                self.world.key("OK")


def check(seen: list[str], before: dict, after: dict, sales: list[dict]) -> None:
    """What a person has seen against what the acquirer holds of the one sale that was tried."""
    assert len(sales) <= 1, sales
    charged = after["amount"] - before["amount"]
    assert charged == (AMOUNT if sales and sales[0]["outcome"] == "approved" and not sales[0]["reversed"] else 0)
    if charged:
        assert "approved" in seen and "reversed" not in seen, seen
    else:
        assert "approved" not in seen, seen
        if sales and sales[0]["outcome"] == "approved":
            assert seen[-1:] == ["reversed"], seen


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "unanswered"])
def test_a_sale_cut_off_anywhere(world, answered, record_property):
    """After the power is back the person has been told the truth, and the terminal sells.

    Where the answer is lost the power goes once more while the terminal makes up for it.
    """
    bench, acquirer = world.bench, world.acquirer
    bench.set_speed(SPEED)
    endings = set()
    for n in itertools.count(1):
        before, known = acquirer.sales(), len(acquirer.transactions())
        cashier = Cashier(world)
        if not answered:
            acquirer.drop_response(close=True)
        bench.power_cut(after=n)
        cashier.sell()
        dark = cashier.look() == "dark"
        acquirer.clear()
        again = not answered
        while cashier.look() == "dark":
            cashier.power_on()
            if again:
                bench.power_cut(after=1 + n * 5 % 23)
                again = False
            cashier.rest()
        bench.power_cut(after=NEVER)
        sales = [t for t in acquirer.transactions()[known:] if t["type"] == "sale"]
        check(cashier.seen, before, acquirer.sales(), sales)
        endings.add(cashier.seen[-1] if cashier.seen else "nothing")
        if not dark:
            break
        # It sells, and with a sector of the journal that no cut has touched every cut falls where it did not before.
        after = Cashier(world)
        after.sell()
        assert after.seen == ["approved"]
    record_property("cuts", n - 1)
    assert n > 10, "the power never went"
    assert endings >= {"nothing", "approved" if answered else "reversed"}, endings


class PowerFailed(Exception):
    """The panel is dark."""


@pytest.mark.parametrize("part", range(PARTS))
def test_provisioning_cut_off_anywhere(part, record_property):
    """Whatever the power interrupts, the unit is blank, trusted or provisioned, and provisioning it (again) works."""
    found = []
    with AcquirerProcess() as acquirer:
        for n in itertools.count(1 + part * EVERY, PARTS * EVERY):
            acquirer.tid = acquirer.add_terminal(str(20000000 + n))["tid"]
            with World(acquirer=acquirer, unique_id=f"02005e{n:06x}") as world:
                world.console = Console(world.bench.console_write, lambda: console_lines(world))
                world.bench.power_cut(after=n)
                try:
                    bring_up(world)
                    break
                except (PowerFailed, BenchError):
                    assert not world.bench.state()["powered"]
                world.bench.power_on()
                found.append(world.console.wait_ready()["state"])
                bring_up(world)
                assert world.bench.violations() == []
    record_property("cuts", len(found))
    assert set(found) == {"blank", "trusted", "provisioned"}, found


def bring_up(world: World) -> None:
    """Provision the terminal if it needs it, and wait for its first sign-on: the acquirer knows its keys."""
    world.bench.set_speed(1.0)
    if world.console.wait_ready()["state"] != "provisioned":
        world.provision()
    world.bench.set_speed(SPEED)
    world.bench.wait(lambda: console_lines(world) and sign_ons(world, world.acquirer.tid), "the first sign-on")


def console_lines(world: World) -> list[str]:
    """What the terminal printed; PowerFailed instead of waiting for more from a dead one."""
    if not world.bench.state()["powered"]:
        raise PowerFailed
    return world.bench.console_lines()
