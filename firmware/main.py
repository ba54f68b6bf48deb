"""Opens the board and runs the terminal on it, until MicroPython's prompt is asked for at its service console."""

import micropython

# As in boot.py: MicroPython switches it on again for each of the two.
micropython.kbd_intr(-1)

from board import Board  # noqa: E402 # pyright: ignore[reportMissingImports] - boards/<NAME>/board.py, in every image
from till.app import run  # noqa: E402

board = Board()
try:
    run(board)
finally:
    board.watchdog.relax()  # nobody feeds it at the prompt
