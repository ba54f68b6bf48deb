"""Keeping the heap small and in one piece."""

import gc
import sys

from micropython import const

# Octets allocated between two collections. Often: what lives long is laid close to what lives longer, and what is free
# stays in large pieces. Seldom: more than a sale takes, for a collection takes milliseconds on the device.
_OFTEN = const(8 * 1024)
_SELDOM = const(64 * 1024)


def collect_often() -> None:
    """From now on; for whenever nobody waits."""
    gc.threshold(_OFTEN)


def collect_seldom() -> None:
    """Collect now, and then not for a while: a card is about to be presented."""
    gc.collect()
    gc.threshold(_SELDOM)


def forget(*names: str) -> None:
    """Drop the modules `names` (dotted, each in a package), which were wanted for a moment; imports load them anew.

    What is still referred to, a class by its objects say, stays in the heap.
    """
    for name in names:
        if sys.modules.pop(name, None) is not None:
            package, _, leaf = name.rpartition(".")
            delattr(sys.modules[package], leaf)
