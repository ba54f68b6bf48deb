"""What tests ask of a world beside what the simulator offers."""

from microtill.bench.client import Timeout
from microtill.simulator.script import WAIT_SPEED
from microtill.simulator.texts import texts
from microtill.simulator.world import World


def sign_ons(world: World, tid: str | None = None) -> int:
    """How many sign-ons the acquirer has approved: a terminal makes one in the background after each start."""
    assert world.acquirer
    messages = world.acquirer.transactions(tid)
    return sum(t["type"] == "sign_on" and t["outcome"] == "approved" for t in messages)


def until(world: World, *keys: str, seconds: float = 60) -> None:
    """Wait until the text of each catalogue key is on the panel, in either language; `seconds` on the bench's clock."""
    world.bench.set_speed(WAIT_SPEED)
    try:
        shown = lambda: all(world.shows(*texts(key)) for key in keys)  # noqa: E731
        world.bench.wait(shown, " and ".join(keys), seconds / WAIT_SPEED)
    except Timeout as e:
        raise AssertionError(f"{e}; the panel says {world.read_screen()}") from None
    finally:
        world.bench.set_speed(1.0)


def key_amount(world: World, *digits: str) -> None:
    """Key an amount and OK; the terminal asks for a card then."""
    world.key(*digits, "OK")
    until(world, "screen.present")


def sell(world: World, amount: str = "1", card: str = "visa") -> None:
    """A sale that is approved, from idle to idle."""
    key_amount(world, *amount)
    world.bench.tap(card)
    until(world, "outcome.approved")
    world.bench.remove()
    world.key("OK")
    until(world, "screen.idle")
