"""Runs first: room for a traceback when memory is full, even inside an interrupt."""

import micropython

micropython.alloc_emergency_exception_buf(200)
