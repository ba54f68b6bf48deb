"""What a build of MicroPython for this board freezes: make -C ports/esp32 BOARD_DIR=… (the board names this file)."""

# ruff: noqa: F821 - the functions are those of MicroPython's manifest files
# pyright: reportUndefinedVariable=false

include("../frozen_manifest.py")
module("_boot.py", opt=2)
module("board.py", opt=2)
