"""Time-based one-time passwords (RFC 6238): six digits, SHA-1 and 30 seconds, as every authenticator app expects."""

import base64
import secrets
from urllib.parse import parse_qs, quote, urlsplit

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

STEP_S = 30
SECRET_LENGTH = 20  # RFC 4226 §4 R6 recommends 160 bits
_DIGITS = 6
_EITHER_SIDE = 1  # a code is good one step before and after: a person types, and clocks differ


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_LENGTH)


def code(secret: bytes, now: float) -> str:
    """What the authenticator shows at `now`, Unix seconds."""
    return _at(secret, int(now) // STEP_S)


def _at(secret: bytes, step: int) -> str:
    return HOTP(secret, _DIGITS, SHA1()).generate(step).decode()


def matching_step(secret: bytes, said: str, now: float, after: int) -> int | None:
    """The step whose code was said, if it is one of now and later than step `after`; else None."""
    current = int(now) // STEP_S
    found = None
    for step in range(current - _EITHER_SIDE, current + _EITHER_SIDE + 1):
        if secrets.compare_digest(_at(secret, step).encode(), said.encode()) and step > after:
            found = step
    return found


def uri(secret: bytes, name: str, issuer: str) -> str:
    """The otpauth address that an authenticator app reads from a QR code; what every app assumes is left out."""
    label, shown = f"{quote(issuer)}:{quote(name)}", base64.b32encode(secret).decode().rstrip("=")
    return f"otpauth://totp/{label}?secret={shown}&issuer={quote(issuer)}"


def secret_of(address: str) -> bytes:
    """The secret in an otpauth address. Raises ValueError."""
    said = parse_qs(urlsplit(address).query).get("secret")
    if not said:
        raise ValueError("no secret in the address")
    return base64.b32decode(said[0] + "=" * (-len(said[0]) % 8))
