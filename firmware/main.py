"""Opens the board and runs the terminal on it."""

from board import Board  # pyright: ignore[reportMissingImports] - boards/<NAME>/board.py, in every image
from till.app import run

run(Board())
