"""AES-SIV (RFC 5297): sealing that survives a repeated nonce, because the tag is the nonce."""

from struct import pack_into

from cryptolib import aes
from micropython import const

from till.core.errors import CryptoError
from till.crypto.cmac import CMAC, double
from till.crypto.hmac import equal

_ECB = const(1)
_BLOCK = const(16)
_CHUNK = const(512)  # key stream made by one ECB call
_MAX_PARTS = const(126)  # RFC 5297 §7: S2V takes at most 127 components, one is the plaintext


def _s2v(key, associated, plaintext) -> bytes:
    """RFC 5297 §2.4."""
    if len(associated) > _MAX_PARTS:
        raise CryptoError("SIV components")
    cmac = CMAC(key)
    d = int.from_bytes(cmac.mac(bytes(_BLOCK)), "big")
    for part in associated:
        d = double(d) ^ int.from_bytes(cmac.mac(part), "big")
    n = len(plaintext)
    if n >= _BLOCK:
        plaintext = memoryview(plaintext)
        d ^= int.from_bytes(plaintext[n - _BLOCK :], "big")
        return cmac.mac(plaintext[: n - _BLOCK], d.to_bytes(_BLOCK, "big"))
    padded = (int.from_bytes(plaintext, "big") << 8 | 0x80) << (8 * (_BLOCK - 1 - n))
    return cmac.mac((double(d) ^ padded).to_bytes(_BLOCK, "big"))


def _ctr(key, v, source, target) -> None:
    """XOR `source` into `target` with the key stream that starts at `v`. The port has no CTR mode: all counter
    blocks of a chunk go through one ECB call. RFC 5297 §2.5 clears bits 31 and 63, so nothing carries past 32 bits."""
    ecb = aes(key, _ECB)
    n = len(source)
    first = int.from_bytes(v[12:], "big") & 0x7FFFFFFF
    stream = memoryview(bytearray(min((n + 15) & ~15, _CHUNK)))
    prefix = bytes(v[:8]) + bytes((v[8] & 0x7F,)) + bytes(v[9:12])
    for at in range(0, n, _CHUNK):
        end = min(at + _CHUNK, n)
        blocks = stream[: (end - at + 15) & ~15]
        for i in range(0, len(blocks), _BLOCK):
            blocks[i : i + 12] = prefix
            pack_into(">I", blocks, i + 12, first + ((at + i) >> 4))
        ecb.encrypt(blocks, blocks)
        x = int.from_bytes(blocks[: end - at], "big") ^ int.from_bytes(source[at:end], "big")
        target[at:end] = x.to_bytes(end - at, "big")


def _halves(key):
    if len(key) not in (32, 64):
        raise CryptoError("SIV key length")
    half = len(key) // 2
    key = memoryview(key)
    return key[:half], key[half:]


def seal(
    key: bytes | bytearray | memoryview, associated: list | tuple, plaintext: bytes | bytearray | memoryview
) -> bytes:
    """`V ‖ C`, 16 bytes longer than `plaintext`. `key`: 32 or 64 bytes; `associated`: up to 126 bytes-like values,
    bound in their order and by their bounds."""
    k1, k2 = _halves(key)
    v = _s2v(k1, associated, plaintext)
    out = bytearray(_BLOCK + len(plaintext))
    out[:_BLOCK] = v
    _ctr(k2, v, memoryview(plaintext), memoryview(out)[_BLOCK:])
    return bytes(out)


def open_sealed(
    key: bytes | bytearray | memoryview, associated: list | tuple, blob: bytes | bytearray | memoryview
) -> bytes:
    """The plaintext of `blob` (as `seal` made it), or CryptoError when key, data or associated data differ."""
    k1, k2 = _halves(key)
    if len(blob) < _BLOCK:
        raise CryptoError("SIV length")
    sealed = memoryview(blob)
    plaintext = bytearray(len(blob) - _BLOCK)
    _ctr(k2, sealed[:_BLOCK], sealed[_BLOCK:], memoryview(plaintext))
    if not equal(_s2v(k1, associated, plaintext), sealed[:_BLOCK]):
        for i in range(len(plaintext)):
            plaintext[i] = 0
        raise CryptoError("SIV tag")
    return bytes(plaintext)
