"""Modules that are wanted for a moment only: the heap they took is given back."""

import sys


def forget(*names: str) -> None:
    """Drop the modules `names` (dotted, each in a package); the next import loads them anew.

    What is still referred to, a class by its objects say, stays in the heap.
    """
    for name in names:
        if sys.modules.pop(name, None) is not None:
            package, _, leaf = name.rpartition(".")
            delattr(sys.modules[package], leaf)
