"""Whole sales on the plain ESP32: mono panel, and the reader on its UART. The scripts are those of the colour panel."""

from pathlib import Path

import pytest
from microtill.cli.sim import prepare
from microtill.simulator.script import Player, parse
from microtill.simulator.world import World

SCENARIOS = Path(__file__).parents[1] / "scenarios"


@pytest.mark.parametrize("name", ["approved", "pulled-away", "two-cards", "lost-answer"])
def test_a_plain_esp32_sells(tmp_path, name):
    with World(board="TILL_ESP32") as world:
        prepare(world, "zh")
        Player(world, tmp_path, SCENARIOS).play(parse((SCENARIOS / f"{name}.till").read_text("utf-8")))
        assert world.bench.violations() == []
