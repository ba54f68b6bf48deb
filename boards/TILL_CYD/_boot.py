"""MicroPython looks for this name first; nothing but the terminal is started."""

import frozen_boot  # noqa: F401 - it runs the terminal
