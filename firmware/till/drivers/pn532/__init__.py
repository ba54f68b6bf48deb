"""NXP PN532 reader: frames, the bus they travel on, and what the reader does, each in its own module."""

from till.drivers.pn532.reader import PN532, Target
from till.drivers.pn532.spi import SPITransport

__all__ = ("PN532", "SPITransport", "Target")
