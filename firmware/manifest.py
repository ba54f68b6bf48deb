"""What a build of MicroPython freezes for any terminal: its start, and what the port itself keeps in Python.

The terminal's own code is not here: it comes as the release image (`make image`) in the `romfs` partition, where its
bytecode and tables are used in place, and one image has one hash in the simulation and on a board. A board's own
manifest includes this one.
"""

# ruff: noqa: F821 - the functions are those of MicroPython's manifest files
# pyright: reportUndefinedVariable=false

# Frozen, or MicroPython would look for them in a file system and not in the image.
module("boot.py", opt=2)
module("main.py", opt=2)
include("$(MPY_DIR)/extmod/asyncio")
