"""NXP PN532 reader: frames, the bus they travel on, and what the reader does, each in its own module.

A board imports its link from the link's own module (`spi`, `i2c`, `uart`), so that only that one is loaded.
"""

from till.drivers.pn532.reader import PN532, Target

__all__ = ("PN532", "Target")
