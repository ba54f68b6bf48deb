"""P-256: signing, signing with a nonce made ahead, and verifying; against embit's curve arithmetic on the same port.

embit has P-256's group law (its curve takes p, a and b) and ECDSA for secp256k1; the peer below is that ECDSA, step by
step as embit's key.py does it, over the same curve arithmetic with P-256's parameters.
"""

import json
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from figure import Figure, port_instructions, port_run

_SOURCE = """
import os, sys, time
from hashlib import sha256
from till.crypto import hmac as ours_hmac, p256

class hmac:
    # embit's key.py imports the hmac of CPython's library, which the port has not: it gets our faster one.
    class new:
        def __init__(self, key, message, name):
            self._digest = ours_hmac.hmac_sha256(key, message)
        def digest(self):
            return self._digest

sys.modules["hmac"] = hmac
from embit.util import key as embit

curve = embit.EllipticCurve(p256.P, -3, p256.B)
g = p256.G + (1,)
embit.SECP256K1_ORDER = p256.N
D = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
DIGEST = sha256(b"sample").digest()

class System:
    def bytes(self, n):
        return os.urandom(n)

rng = System()
public = p256.public_key(D)
peer_public = public + (1,)
signature = p256.sign(D, DIGEST, rng)
table = p256.verify_table(public)

def sign():
    p256.sign(D, DIGEST, rng)

def verify():
    assert p256.verify(public, DIGEST, signature)

def verify_known():
    assert p256.verify(public, DIGEST, signature, table)

def peer_sign():
    z = int.from_bytes(DIGEST, "big")
    k = embit.deterministic_k(D, z)
    r = curve.affine(curve.mul([(g, k)]))[0] % p256.N
    s = embit.modinv(k, p256.N) * (z + D * r) % p256.N
    if s > p256.N // 2:
        s = p256.N - s
    return r, s

def peer_verify():
    z = int.from_bytes(DIGEST, "big")
    r = int.from_bytes(signature[:32], "big")
    w = embit.modinv(int.from_bytes(signature[32:], "big"), p256.N)
    point = curve.affine(curve.mul([(g, z * w % p256.N), (peer_public, r * w % p256.N)]))
    assert point[0] % p256.N == r

r, s = peer_sign()
assert p256.verify(public, DIGEST, r.to_bytes(32, "big") + s.to_bytes(32, "big"))

def took(work):
    start = time.ticks_us()
    work()
    return time.ticks_diff(time.ticks_us(), start)
"""

# One after the other in each round, so that a busy machine slows both; the least of the rounds counts. A single
# signature online is too short for the clock: 20 in a row, each with a nonce of its own.
_TIMED = """
import gc
works = (sign, verify, verify_known, peer_sign, peer_verify)
least = [1 << 30] * 6
for _ in range(15):
    for i in range(5):
        gc.collect()
        least[i] = min(least[i], took(works[i]))
    nonces = [p256.prepare(rng) for _ in range(20)]
    gc.collect()
    start = time.ticks_us()
    for nonce in nonces:
        p256.sign(D, DIGEST, rng, nonce)
    least[5] = min(least[5], time.ticks_diff(time.ticks_us(), start) / 20)
print(least)
"""


def _instructions(source: str, body: str, before: str, rounds: int) -> float | None:
    """Instructions of one `body`, the start of the port taken off; None without valgrind."""
    counts = [
        port_instructions(f"{source}\n{before.format(n=3 * rounds)}\nfor i in range({n}):\n    {body}\n", "512K")
        for n in (rounds, 3 * rounds)
    ]
    return None if None in counts else (counts[1] - counts[0]) / (2 * rounds)


def measure() -> list[Figure]:
    spec = find_spec("embit")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the peer embit is not installed: make setup")
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "embit" / "util"
        package.mkdir(parents=True)
        (package.parent / "__init__.py").touch()
        (package / "__init__.py").touch()
        shutil.copy(Path(spec.submodule_search_locations[0]) / "util" / "key.py", package)
        source = f"import sys\nsys.path.insert(0, {folder!r})\n{_SOURCE}"
        sign, verify, known, peer_sign, peer_verify, online = json.loads(port_run(source + _TIMED, "512K"))
        ahead = "nonces = [p256.prepare(rng) for _ in range({n})]"
        counted = {
            "p256_sign": _instructions(source, "sign()", "", 2),
            "p256_sign_online": _instructions(source, "p256.sign(D, DIGEST, rng, nonces[i])", ahead, 5),
            "p256_verify": _instructions(source, "verify()", "", 2),
            "p256_verify_known": _instructions(source, "verify_known()", "", 2),
        }
        theirs = {
            "sign": _instructions(source, "peer_sign()", "", 2),
            "verify": _instructions(source, "peer_verify()", "", 2),
        }
    figures = []
    for area, ours, peer, what in (
        ("p256_sign", sign, peer_sign, "hedged, each nonce's point computed twice and compared"),
        ("p256_sign_online", online, peer_sign, "with a nonce made ahead"),
        ("p256_verify", verify, peer_verify, "a key never seen before"),
        ("p256_verify_known", known, peer_verify, "with the key's 2.5 KB table"),
    ):
        note = what
        instructions, peer_instructions = counted[area], theirs["verify" if "verify" in area else "sign"]
        if instructions and peer_instructions:
            note += f"; {peer_instructions / instructions:.1f} by instructions"
        figures.append(Figure(area, ours, peer, "embit's curve arithmetic, P-256 parameters", peer / ours, "µs", note))
    return figures
