"""Every scenario in tests/scenarios, on the real firmware from its release image. One world serves a test worker."""

from pathlib import Path

import pytest
from microtill.cli.sim import prepare
from microtill.simulator.script import Player, parse
from microtill.simulator.world import World

SCENARIOS = Path(__file__).parents[1] / "scenarios"

_kept: list[World] = []


@pytest.fixture(scope="session")
def worlds():
    yield _kept
    while _kept:
        _kept.pop().stop()


@pytest.fixture
def world(worlds):
    """A provisioned terminal at rest, in Chinese, just restarted; what a failed scenario leaves is not used again."""
    world = worlds.pop() if worlds else World()
    try:
        if world.acquirer:
            world.acquirer.clear()
            world.acquirer.up()
        world.bench.remove()
        world.bench.reset()
        prepare(world, "zh")
        yield world
    except BaseException:
        world.stop()
        raise


@pytest.mark.parametrize("script", sorted(SCENARIOS.glob("*.till")), ids=lambda path: path.stem)
def test_scenario(script, world, worlds, tmp_path):
    try:
        Player(world, tmp_path, script.parent).play(parse(script.read_text("utf-8"), script.name))
    except BaseException:
        world.save_screen(tmp_path / "failed.png")
        world.stop()
        raise
    worlds.append(world)
