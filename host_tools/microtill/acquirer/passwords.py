"""Passwords, kept as salted scrypt hashes (RFC 7914) that carry their own cost."""

import base64
import secrets
import threading
import unicodedata

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

SHORTEST, LONGEST = 12, 128

# N = 2^15, r = 8, p = 3: 32 MB for a fifth of a second; one of the sets that OWASP recommends.
COST = (15, 8, 3)
CHEAP = (10, 8, 1)  # for accounts of tests, whose passwords are random

# Each derivation takes its memory; more of them at a time would be a way to exhaust it.
_at_a_time = threading.Semaphore(2)


def generate() -> str:
    """A random password of 120 bits in groups that can be read out."""
    letters = base64.b32encode(secrets.token_bytes(15)).decode().lower()
    return "-".join(letters[i : i + 6] for i in range(0, 24, 6))


def _derive(cost: tuple[int, int, int], salt: bytes) -> Scrypt:
    n, r, p = cost
    return Scrypt(salt, 32, 1 << n, r, p)


def _octets(password: str) -> bytes:
    # However a keyboard composes it, it is the same password (NIST SP 800-63B §5.1.1.2).
    return unicodedata.normalize("NFKC", password).encode()


def kept(password: str, cost: tuple[int, int, int] = COST) -> str:
    """What is kept of a password."""
    salt = secrets.token_bytes(16)
    with _at_a_time:
        key = _derive(cost, salt).derive(_octets(password))
    return "$".join(["scrypt", *map(str, cost), salt.hex(), key.hex()])


def matches(password: str, hashed: str) -> bool:
    """Whether `hashed` was made from `password`."""
    _, n, r, p, salt, key = hashed.split("$")
    with _at_a_time:
        try:
            _derive((int(n), int(r), int(p)), bytes.fromhex(salt)).verify(_octets(password), bytes.fromhex(key))
        except InvalidKey:
            return False
    return True


# Compared with when there is no such account, so that this takes as long.
NOBODY = "$".join(["scrypt", *map(str, COST), bytes(16).hex(), bytes(32).hex()])
