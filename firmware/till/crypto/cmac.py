"""AES-CMAC (NIST SP 800-38B, RFC 4493) by CBC over whole buffers: the port has no CMAC and Python loops are slow."""

from cryptolib import aes
from micropython import const

from till.core.errors import CryptoError

_ECB = const(1)
_CBC = const(2)
_BLOCK = const(16)
_BUFFER = const(256)
_ZERO = bytes(_BLOCK)
_MASK = (1 << 128) - 1


def double(value: int) -> int:
    """`value` (128 bits) times x in GF(2^128): the `dbl` of RFC 5297 §2.3 and the subkey step of RFC 4493 §2.3."""
    return ((value << 1) & _MASK) ^ (0x87 if value >> 127 else 0)


class CMAC:
    """One key, many messages. Holds the key, both subkeys and a working buffer; not for two users at once."""

    def __init__(self, key: bytes | bytearray | memoryview):
        """`key`: 16 or 32 bytes; anything else is a CryptoError."""
        if len(key) not in (16, 32):
            raise CryptoError("CMAC key length")
        self._buffer = memoryview(bytearray(_BUFFER))
        self._key = bytes(key)
        subkey = double(int.from_bytes(aes(self._key, _ECB).encrypt(_ZERO), "big"))
        self._whole = subkey
        self._padded = double(subkey)

    def mac(self, *parts: bytes | bytearray | memoryview) -> bytes:
        """16 bytes: the tag over `parts`, as if they were one message of any length."""
        # Made anew each time: a CBC object keeps its IV, which carries the chain from buffer to buffer here
        # and would leak into the next message.
        cbc = aes(self._key, _CBC, _ZERO)
        buffer = self._buffer
        fill = 0
        for part in parts:
            rest = len(part)
            at = 0
            view = memoryview(part)
            while rest:
                if fill == _BUFFER:  # more follows, so this is not the last block
                    cbc.encrypt(buffer, buffer)
                    fill = 0
                n = min(rest, _BUFFER - fill)
                buffer[fill : fill + n] = view[at : at + n]
                fill += n
                at += n
                rest -= n
        end = (fill + 15) & ~15 or _BLOCK
        last = buffer[end - _BLOCK : end]
        if fill == end:
            subkey = self._whole
        else:
            subkey = self._padded
            buffer[fill:end] = (1 << (8 * (end - fill) - 1)).to_bytes(end - fill, "big")
        last[:] = (int.from_bytes(last, "big") ^ subkey).to_bytes(_BLOCK, "big")
        cbc.encrypt(buffer[:end], buffer[:end])
        return bytes(last)
