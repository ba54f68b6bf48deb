"""Terminals for whole-flow tests: one provisioned world is kept for each test worker and lent to test after test."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator

import pytest
from microtill.bench.client import Bench, BenchError
from microtill.cli.sim import prepare
from microtill.simulator.script import WAIT_SPEED
from microtill.simulator.world import World
from support.worlds import sign_ons

REFERENCE = "TILL_ESP32S3"

_outcome = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[_outcome] = report.passed
    return report


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    """Takes the benches that a test starts: at its end no chip may have been used wrongly, and each is stopped."""
    started: list[Bench] = []
    yield started
    try:
        for bench in started:
            assert bench.violations() == []
    finally:
        for bench in started:
            bench.stop()


@pytest.fixture(scope="session")
def worlds():
    """The worlds that nobody uses just now, by board."""
    kept: dict[str, list[World]] = defaultdict(list)
    yield kept
    for worlds in kept.values():
        while worlds:
            worlds.pop().stop()


@pytest.fixture
def world(worlds, request, tmp_path):
    """A provisioned terminal at rest, in Chinese, just restarted; of another board by indirect parametrisation.

    Its panel is saved when the test fails, and what it leaves then is not used again.
    """
    board = getattr(request, "param", REFERENCE)
    free = worlds[board]
    world = free.pop() if free else World(board=board)
    try:
        if world.acquirer:
            world.acquirer.clear()
            world.acquirer.up()
        world.bench.wifi(True)
        world.bench.remove()
        before = sign_ons(world)
        world.bench.reset()
        world.bench.set_speed(WAIT_SPEED)
        prepare(world, "zh")
        world.bench.wait(lambda: sign_ons(world) > before, "the sign-on of a start")
        world.bench.set_speed(1.0)
        broken = len(world.bench.violations())
        yield world
        assert world.bench.violations()[broken:] == []
        if request.node.stash.get(_outcome, False):
            free.append(world)
            return
        with contextlib.suppress(BenchError):
            world.save_screen(tmp_path / "failed.png")
    except BaseException:
        world.stop()
        raise
    world.stop()
