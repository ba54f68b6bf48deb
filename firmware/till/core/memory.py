"""Keeping the heap small and in one piece."""

import gc
import sys


def collect_often() -> None:
    """Collect now, and then whenever a sixth of what is free has been used up: what lives long is laid close to what
    lives longer, and what is free stays in large pieces."""
    gc.collect()
    gc.threshold(gc.mem_free() // 6)


def collect_seldom() -> None:
    """Collect now, and then only when half of what is free has been used up: a card is about to be presented, and on
    the device a collection takes milliseconds."""
    gc.collect()
    gc.threshold(gc.mem_free() // 2)


def forget(*names: str) -> None:
    """Drop the modules `names` (dotted, each in a package), which were wanted for a moment; imports load them anew.

    What is still referred to, a class by its objects say, stays in the heap.
    """
    for name in names:
        if sys.modules.pop(name, None) is not None:
            package, _, leaf = name.rpartition(".")
            delattr(sys.modules[package], leaf)
