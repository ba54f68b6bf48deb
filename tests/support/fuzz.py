"""How many examples a fuzz test runs: a fixed number in `make test`, more under `make fuzz`."""

import os


def examples(n: int) -> int:
    """`n`, or ten thousand examples for each 600 s of MICROTILL_FUZZ_SECONDS (never fewer than `n`)."""
    seconds = int(os.environ.get("MICROTILL_FUZZ_SECONDS", "0"))
    return max(n, seconds * 10_000 // 600)
