"""Runs first: collect garbage early and often, so that the heap stays in one piece over weeks."""

import gc

gc.threshold(48 * 1024)
