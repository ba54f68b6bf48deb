"""Runs first of all where the terminal is frozen into the build: nothing is imported from anywhere else.

At the root is what the build holds of data, read-only: the font is looked up in the folder of the module that asks.
MicroPython runs this file with Ctrl-C switched off, and it never returns to where the prompt would begin.
"""

import sys

import vfs
from till_data import IMAGE  # pyright: ignore[reportMissingImports] - made by microtill.release.frozen

sys.path[:] = [".frozen"]
vfs.mount(vfs.VfsRom(memoryview(IMAGE)), "/")  # pyright: ignore[reportAttributeAccessIssue] - newer than the stubs

try:
    import boot  # noqa: F401 - it is run
    import main  # noqa: F401 - it is run, and ends only when the terminal cannot go on
finally:
    import machine

    machine.reset()
