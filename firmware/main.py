"""Opens the board and runs the terminal on it."""

from board import Board
from till.app import run

run(Board())
