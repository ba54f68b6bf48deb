"""The board's own panel, driven over the bench's bus, shows the golden screens."""

import pytest
from microtill.bench.client import Bench
from microtill.bench.reading import contains

from tests.ui.golden import golden, same
from tests.ui.panel import HERE

SCRIPT = """
import asyncio
from board import Board
from till.ui.screen import Screen
board = Board()
screen = Screen(board.display, "{language}")
scope = {{}}
exec(open("{screens}").read(), scope)
draw = dict(scope["SCREENS"])
async def main():
    board.keypad.start()
    draw["idle"](screen)
    for name in ("idle", "present", "declined", "unknown", "ticket"):
        draw[name](screen)
        print("drawn", name)
        while await board.keypad.read() != ("OK", True):
            pass
    print("done")
asyncio.run(main())
"""


@pytest.mark.parametrize(("language", "word"), [("zh", "结果未知"), ("en", "UNKNOWN")])
def test_the_board_shows_the_golden_screens(tmp_path, language, word):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(language=language, screens=HERE / "screens.py"), "utf-8")
    with Bench(script=script, speed=4) as bench:
        for name in ("idle", "present", "declined", "unknown", "ticket"):
            bench.wait_line(f"drawn {name}")
            picture = bench.frame()
            assert same(golden(language, name), picture.convert("RGB")), name
            if name == "unknown":
                assert contains(picture, word) and contains(picture, "¥123.45")
            bench.key("OK", hold_ms=400)  # at this speed 80 ms would be shorter than a busy machine looks away
        bench.wait_line("done")
        assert bench.violations() == []
