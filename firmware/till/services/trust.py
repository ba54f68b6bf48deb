"""Whom this unit believes: the acquirer's certificates for TLS and the provisioning keys that sign tickets."""

from binascii import hexlify

from micropython import const

from till.core.errors import CryptoError, InvalidValue, TicketError
from till.core.fields import check_url, integer, text
from till.crypto import jose

_RECORD = "trust"
_CA_MAX = const(2048)
_VERSION_MAX = const(0x7FFFFFFF)


class Trust:
    """A verified mt-trust: `version`, `name`, `url`, `ca` (1–3 certificates, DER), `keys` ({kid: public key}, 1–2)."""

    def __init__(self, payload: bytes | bytearray):
        data = jose.parse_json(payload)
        integer(data.get("v"), 1, 1, "v")
        self.version = integer(data.get("version"), 1, _VERSION_MAX, "version")
        self.name = text(data.get("name"), 40, "name")
        self.url = check_url(data.get("url"))
        self.ca = [_certificate(der) for der in _list(data.get("ca"), 3, "ca")]
        self.keys = {}
        for key in _list(data.get("keys"), 2, "keys"):
            public = jose.public_from_jwk(key)
            self.keys[jose.thumbprint(public)] = public


def load_trust(vault) -> "Trust | None":
    """What this unit trusts: as it was told, else as its image was made; None when it was neither."""
    payload = vault.get(_RECORD) or _frozen()
    return None if payload is None else Trust(payload)


def keep_trust(vault) -> None:
    """From here on this unit trusts whom it trusts now, whatever the next image was made with."""
    if vault.get(_RECORD) is None:
        vault.put(_RECORD, _frozen())


def _frozen() -> "bytes | None":
    """The payload of the mt-trust that this image was made with, if it was (`microtill image --trust`)."""
    try:
        from till.frozen_trust import PAYLOAD  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return PAYLOAD


def examine_trust(vault, token) -> tuple:
    """`(Trust, payload)` of the mt-trust `token` if this unit may take it; nothing is changed.

    A unit that was told of none takes one signed by a key that it holds itself, also in place of its image's: show
    `fingerprint(kid_of(token))` to the person first.
    Later ones must be signed by a key trusted now and have a higher version; the same again is no change.
    TicketError says what is wrong with it.
    """
    try:
        held = vault.get(_RECORD)
        current = None if held is None else Trust(held)
        kid = jose.peek_kid(token, "mt-trust")
        # On a blank unit the key comes with the text, unverified as yet: it must then verify this very text.
        signer = (current or Trust(jose.unb64url(_payload_part(token)))).keys.get(kid)
        if signer is None:
            raise InvalidValue("not signed by a trusted key")
        payload = bytes(jose.verify_es256(token, "mt-trust", kid, signer))
        offered = Trust(payload)
        if current is not None and payload != held and offered.version <= current.version:
            raise InvalidValue("version is not newer")
        return offered, payload
    except (InvalidValue, CryptoError) as e:
        raise TicketError("trust: " + e.detail)


def accept_trust(vault, token) -> Trust:
    """Take the mt-trust `token`, durably, and return what is trusted from now on. Errors as `examine_trust`."""
    offered, payload = examine_trust(vault, token)
    if payload != vault.get(_RECORD):
        vault.put(_RECORD, payload)
    return offered


def kid_of(token) -> str:
    """Key id that an mt-trust claims, to show its fingerprint before it is accepted."""
    try:
        return jose.peek_kid(token, "mt-trust")
    except (InvalidValue, CryptoError) as e:
        raise TicketError("trust: " + e.detail)


def fingerprint(kid: str) -> str:
    """What a person compares: the first 16 hex digits of a key's SHA-256 thumbprint, `ABCD 0123 4567 89EF`."""
    digits = hexlify(jose.unb64url(kid)[:8]).decode().upper()
    return " ".join([digits[i : i + 4] for i in range(0, len(digits), 4)])


def _payload_part(token) -> str:
    if not isinstance(token, str):
        try:
            token = bytes(token).decode()
        except ValueError:
            raise InvalidValue("token")
    return token.split(".")[1]


def _list(value: object, most: int, name: str) -> list:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise InvalidValue(name)
    return value


def _certificate(value: object) -> bytes:
    der = jose.unb64url(text(value, (_CA_MAX * 4 + 2) // 3, "ca"))
    # A SEQUENCE in long form (X.690 §8.1.3.5) and nothing after it; TLS itself reads the rest.
    if len(der) < 256 or der[:2] != b"\x30\x82" or (der[2] << 8 | der[3]) + 4 != len(der):
        raise InvalidValue("ca")
    return der
