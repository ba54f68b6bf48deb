"""What tests ask of a world beside what the simulator offers."""

from microtill.simulator.world import World


def sign_ons(world: World, tid: str | None = None) -> int:
    """How many sign-ons the acquirer has approved: a terminal makes one in the background after each start."""
    assert world.acquirer
    messages = world.acquirer.transactions(tid)
    return sum(t["type"] == "sign_on" and t["outcome"] == "approved" for t in messages)
