"""What the hardened build freezes: everything, because only the app's own flash is covered by its signature."""

# ruff: noqa: F821 - the functions are those of MicroPython's manifest files
# pyright: reportUndefinedVariable=false

include("../frozen_manifest.py")
module("_boot.py", base_path="hardened", opt=2)
module("board.py", opt=2)
