"""What a build of MicroPython for this board freezes: make -C ports/esp32 BOARD_DIR=… FROZEN_MANIFEST=this file."""

# ruff: noqa: F821 - the functions are those of MicroPython's manifest files
# pyright: reportUndefinedVariable=false

include("../../firmware/manifest.py")
# In place of the port's own _boot.py, which would mount a file system and import from it.
module("_boot.py", opt=2)
require("neopixel")
