"""Runs first: no Ctrl-C from here on, and garbage is collected often while the terminal starts, so that what stays lies
together, without holes."""

import micropython

micropython.kbd_intr(-1)

import gc  # noqa: E402 - nothing is worth a moment in which Ctrl-C works

gc.threshold(gc.mem_free() // 32)
