"""Every scenario in tests/scenarios, on the real firmware from its release image."""

from pathlib import Path

import pytest
from microtill.simulator.script import Player, parse

SCENARIOS = Path(__file__).parents[1] / "scenarios"


@pytest.mark.parametrize("script", sorted(SCENARIOS.glob("*.till")), ids=lambda path: path.stem)
def test_scenario(script, world, tmp_path):
    Player(world, tmp_path, script.parent).play(parse(script.read_text("utf-8"), script.name))
