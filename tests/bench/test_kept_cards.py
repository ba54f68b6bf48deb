"""The cards' counters outlive the bench: an acquirer that is kept takes no card for one that was used twice."""

import subprocess
import sys

from microtill.acquirer.process import AcquirerProcess
from microtill.bench.cards import Counters
from microtill.simulator.world import World
from support.worlds import sell

ADVANCE = """
import sys
from pathlib import Path
from microtill.bench.cards import Counters
counters = Counters(Path(sys.argv[1]))
print(*(counters.advance("card") for _ in range(200)))
"""


def test_two_benches_one_after_the_other_sell_to_one_acquirer(tmp_path):
    with AcquirerProcess() as acquirer:
        for run in range(2):
            with World(acquirer=acquirer, state=tmp_path / "state") as world:
                if run == 0:
                    world.provision()
                world.wait_at_rest()
                sell(world)
        assert acquirer.sales()["approved"] == 2


def test_two_terminals_side_by_side_hold_the_same_card(tmp_path):
    """Two benches that share the file share the card."""
    file = tmp_path / "cards.json"
    command = [sys.executable, "-c", ADVANCE, str(file)]
    pair = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    taken = [int(n) for each in pair for n in each.communicate(timeout=60)[0].split()]
    assert sorted(taken) == list(range(1, 401))
    assert Counters(file).last("card") == 400


def test_the_file_holds_no_card_number(tmp_path):
    counters = Counters(tmp_path / "cards.json")
    assert counters.advance("4761739001010119" + "01") == 1
    assert "4761739001010119" not in (tmp_path / "cards.json").read_text()
