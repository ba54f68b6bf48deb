"""Runs first of all where the terminal is frozen into the build: nothing is imported from anywhere else.

At the root is what the build holds of data, read-only: the font is looked up in the folder of the module that asks.
MicroPython runs this file with Ctrl-C switched off. Whatever fails in it, it never returns to where the prompt begins.
"""

import sys

sys.path[:] = [".frozen"]

import machine  # noqa: E402 - now that no file of that name can take its place

try:
    import vfs
    from till_data import IMAGE  # pyright: ignore[reportMissingImports] - made by microtill.release.frozen

    vfs.mount(vfs.VfsRom(memoryview(IMAGE)), "/")  # pyright: ignore[reportAttributeAccessIssue] - newer than the stubs

    import boot  # noqa: F401 - it is run
    import main  # noqa: F401 - it is run, and ends only when the terminal cannot go on
finally:
    machine.reset()
