"""A P-256 public key from its private key (one multiple of the base point): ours beside utinyec's."""

import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from figure import Figure, port_run

_SOURCE = """
import time
from till.crypto import p256
import utinyec.registry as registry

class Rng:
    def bytes(self, n):
        return bytes((i * 73 + 11) & 255 for i in range(n))

rng = Rng()
D = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
curve = registry.get_curve("secp256r1")
theirs = D * curve.g
assert (theirs.x, theirs.y) == p256.public_key(D, rng)

def best(call, rounds):
    least = None
    for _ in range(rounds):
        start = time.ticks_us()
        call()
        took = time.ticks_diff(time.ticks_us(), start)
        least = took if least is None or took < least else least
    return least

print(best(lambda: p256.public_key(D, rng), 20), best(lambda: D * curve.g, 3))
"""


def measure() -> list[Figure]:
    spec = find_spec("utinyec")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the peer utinyec is not installed: make setup")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(spec.submodule_search_locations[0], Path(folder) / "utinyec")
        ours, peer = (float(x) for x in port_run(_SOURCE, heap="1M", extra_path=folder).split())
    return [Figure("p256_key", ours, peer, "utinyec", peer / ours, "µs", "a public key from its private key")]
