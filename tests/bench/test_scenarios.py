"""Every scenario in tests/scenarios, on the real firmware from its release image; on the other boards, some of them."""

import os
from pathlib import Path

import pytest
from microtill.release.boards import names
from microtill.simulator.script import Player, parse

from tests.bench.conftest import REFERENCE

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SCRIPTS = sorted(SCENARIOS.glob("*.till"))
# Keys short and held, a sale, and one that is reversed. MICROTILL_ALL_BOARDS=1 plays all on every board.
FEW = {"approved", "cancel", "lost-answer"}
ALL = bool(os.environ.get("MICROTILL_ALL_BOARDS"))
PLAYED = [
    pytest.param(board, script, id=script.stem if board == REFERENCE else f"{board}-{script.stem}")
    for board in (REFERENCE, *(name for name in names() if name != REFERENCE))
    for script in SCRIPTS
    if board == REFERENCE or ALL or script.stem in FEW
]


@pytest.mark.parametrize(("world", "script"), PLAYED, indirect=["world"])
def test_scenario(script, world, tmp_path):
    Player(world, tmp_path, script.parent).play(parse(script.read_text("utf-8"), script.name))
