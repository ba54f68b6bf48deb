"""The device's signing key, behind what a secure element would offer too: a key id, and signatures."""

from till.core.errors import CryptoError
from till.crypto import p256


class Signer:
    """Signs with the P-256 key `private`; `kid` is its public key's thumbprint. The private key does not leave."""

    def __init__(self, private: int, kid: str, rng):
        self.kid = kid
        self._private = private
        self._rng = rng
        self._prepared = None
        self._made = 0

    @property
    def prepared(self) -> bool:
        """Whether the next signature is all but made."""
        return self._prepared is not None

    def prepare(self) -> None:
        """Do now, while idle, what the next signature needs and its message does not change."""
        if self._prepared is None:
            self._made += 1
            # The hedge: secret, and never twice the same since power-on, whatever the random source does.
            hedge = self._private.to_bytes(32, "big") + self._made.to_bytes(4, "big")
            self._prepared = p256.prepare(self._rng, hedge)

    def sign(self, digest: bytes) -> bytes:
        """Signature (r then s, 64 bytes, low s) of a 32-byte SHA-256 digest."""
        prepared, self._prepared = self._prepared, None
        return p256.sign(self._private, digest, self._rng, prepared)


def device_signer(vault, kid: str, rng) -> Signer:
    """Signer with the key in `vault`; CryptoError when there is none."""
    record = vault.get("device")
    if record is None or len(record) != 33 or record[0] != 1:
        raise CryptoError("device key")
    return Signer(int.from_bytes(record[1:], "big"), kid, rng)
