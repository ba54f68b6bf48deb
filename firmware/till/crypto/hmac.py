"""HMAC-SHA256 (FIPS 198-1) and a comparison that never stops early."""

from hashlib import sha256

from micropython import const

_BLOCK = const(64)
_IPAD = int.from_bytes(b"\x36" * _BLOCK, "big")
_OPAD = int.from_bytes(b"\x5c" * _BLOCK, "big")


def hmac_sha256(key: bytes | bytearray | memoryview, *parts: bytes | bytearray | memoryview) -> bytes:
    """32 bytes: the HMAC-SHA256 under `key` (any length) of `parts`, as if they were one message."""
    if len(key) > _BLOCK:
        key = sha256(key).digest()
    # One XOR of two integers a pad: the port's hash objects have no copy() that could keep the padded state.
    padded = int.from_bytes(key, "big") << (8 * (_BLOCK - len(key)))
    inner = sha256((padded ^ _IPAD).to_bytes(_BLOCK, "big"))
    for part in parts:
        inner.update(part)
    outer = sha256((padded ^ _OPAD).to_bytes(_BLOCK, "big"))
    outer.update(inner.digest())
    return outer.digest()


def equal(a: bytes | bytearray | memoryview, b: bytes | bytearray | memoryview) -> bool:
    """Whether `a` and `b` hold the same bytes, looking at every byte; only the length may show in the time."""
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0
