"""The strict JOSE and JSON profile of the wire: compact tokens with exact headers, low-s ES256, canonical base64url.

A general JOSE library accepts more than the profile does (any `typ`, embedded keys, `zip`, duplicate members, floats),
so tokens are taken apart here and only the primitives come from a library. RFC 7515, 7516, 7517, 7518, 7638, 8725.
"""

import base64
import hashlib
import hmac
import json
import os
import re
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

MAX_DEPTH = 6
MAX_INT = 2**53 - 1

# Order of the P-256 base point (SEC 2 §2.4.2).
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_B64URL = re.compile(r"[A-Za-z0-9_-]*\Z")
_CURVE = ec.SECP256R1()
_JWK_MEMBERS = {"crv", "kty", "x", "y"}

PublicKey = ec.EllipticCurvePublicKey
PrivateKey = ec.EllipticCurvePrivateKey


class JoseError(ValueError):
    """A token, key or JSON text that the profile refuses. The text never holds a value, only what is wrong."""


def b64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """Strict inverse of `b64url`: no padding, no whitespace, unused bits zero. Raises JoseError."""
    if not _B64URL.match(text) or len(text) % 4 == 1:
        raise JoseError("base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64url(data) != text:
        raise JoseError("base64url is not canonical")
    return data


def compact(value: dict) -> bytes:
    """JSON without spaces, members in the given order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JoseError("duplicate member")
    return members


def _no_float(_text: str) -> Any:
    raise JoseError("number is not an integer")


def _bounded_int(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INT:
        raise JoseError("integer out of range")
    return int(text)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        # An escaped lone surrogate parses but is no text, and U+0000 is not storable everywhere.
        if "\0" in value or not (value.isascii() or _is_text(value)):
            raise JoseError("string")
        return
    if not isinstance(value, dict | list):
        return
    if depth == 0:
        raise JoseError("nested too deep")
    if isinstance(value, dict):
        for name in value:
            _check(name, depth)
        value = list(value.values())
    for item in value:
        _check(item, depth - 1)


def parse_json(data: bytes, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The JSON object in `data` (UTF-8). Raises JoseError.

    Refused: duplicate members, floats, NaN and infinities, integers beyond ±(2⁵³−1), depth over `max_depth`, anything
    that is not an object.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_members,
            parse_float=_no_float,
            parse_int=_bounded_int,
            parse_constant=_no_float,
        )
    except JoseError:
        raise
    except (ValueError, RecursionError):
        raise JoseError("not JSON") from None
    if not isinstance(value, dict):
        raise JoseError("not a JSON object")
    _check(value, max_depth)
    return value


def jwk(key: PublicKey) -> dict[str, str]:
    """The public JWK, members in the order RFC 7638 hashes them."""
    numbers = key.public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": b64url(numbers.x.to_bytes(32, "big")),
        "y": b64url(numbers.y.to_bytes(32, "big")),
    }


def public_from_jwk(value: Any) -> PublicKey:
    """The P-256 key of a JWK with exactly the members crv, kty, x, y. Raises JoseError, also off the curve."""
    if not isinstance(value, dict) or set(value) != _JWK_MEMBERS or not all(isinstance(v, str) for v in value.values()):
        raise JoseError("JWK members")
    if value["kty"] != "EC" or value["crv"] != "P-256":
        raise JoseError("JWK type")
    x, y = unb64url(value["x"]), unb64url(value["y"])
    if len(x) != 32 or len(y) != 32:
        raise JoseError("JWK coordinate length")
    return public_from_bytes(x + y)


def public_from_bytes(xy: bytes) -> PublicKey:
    """The key whose coordinates are the 64 bytes x‖y. Raises JoseError when it is no point of the curve."""
    try:
        # The library checks range and curve equation; the point at infinity has no such encoding.
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, b"\x04" + xy)
    except ValueError:
        raise JoseError("not a point of P-256") from None


def public_bytes(key: PublicKey) -> bytes:
    """x‖y, 64 bytes."""
    numbers = key.public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def thumbprint(key: PublicKey) -> str:
    """RFC 7638 SHA-256 thumbprint, base64url."""
    return b64url(hashlib.sha256(compact(jwk(key))).digest())


def _text(token: bytes | str) -> str:
    try:
        return token if isinstance(token, str) else token.decode("ascii")
    except UnicodeDecodeError:
        raise JoseError("token is not ASCII") from None


def _header(segment: str, names: set[str], alg: str, typ: str) -> dict[str, Any]:
    header = parse_json(unb64url(segment))
    if set(header) != names:
        raise JoseError("header members")
    if header["alg"] != alg or header["typ"] != typ:
        raise JoseError("header alg or typ")
    kid = header["kid"]
    if not isinstance(kid, str) or not 1 <= len(kid) <= 64:
        raise JoseError("header kid")
    return header


@dataclass(frozen=True)
class Jws:
    """A JWS taken apart; nothing is verified yet but its form."""

    kid: str
    payload: bytes
    signing_input: bytes
    signature: bytes


def parse_jws(token: bytes | str, alg: str, typ: str) -> Jws:
    """Take a compact JWS with the header members alg, kid, typ apart. Raises JoseError."""
    parts = _text(token).split(".")
    if len(parts) != 3:
        raise JoseError("not a compact JWS")
    header = _header(parts[0], {"alg", "kid", "typ"}, alg, typ)
    signature = unb64url(parts[2])
    return Jws(header["kid"], unb64url(parts[1]), f"{parts[0]}.{parts[1]}".encode(), signature)


def verify_es256(jws: Jws, key: PublicKey) -> bytes:
    """The payload, when the signature is right and its s in the lower half. Raises JoseError."""
    if len(jws.signature) != 64:
        raise JoseError("signature length")
    r, s = int.from_bytes(jws.signature[:32], "big"), int.from_bytes(jws.signature[32:], "big")
    if not 0 < r < _N or not 0 < s < _N:
        raise JoseError("signature range")
    if s > _N // 2:
        raise JoseError("signature is not low-s")
    try:
        key.verify(encode_dss_signature(r, s), jws.signing_input, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise JoseError("signature") from None
    return jws.payload


def verify_hs256(jws: Jws, key: bytes) -> bytes:
    """The payload, when the HMAC is right. Raises JoseError."""
    if not hmac.compare_digest(hmac.digest(key, jws.signing_input, "sha256"), jws.signature):
        raise JoseError("HMAC")
    return jws.payload


def _signing_input(payload: bytes, alg: str, typ: str, kid: str) -> str:
    return f"{b64url(compact({'alg': alg, 'kid': kid, 'typ': typ}))}.{b64url(payload)}"


def sign_es256(payload: bytes, typ: str, kid: str, key: PrivateKey) -> str:
    """Compact JWS, ES256, low-s."""
    head = _signing_input(payload, "ES256", typ, kid)
    r, s = decode_dss_signature(key.sign(head.encode(), ec.ECDSA(hashes.SHA256())))
    s = min(s, _N - s)
    return f"{head}.{b64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def sign_hs256(payload: bytes, typ: str, kid: str, key: bytes) -> str:
    """Compact JWS, HS256."""
    head = _signing_input(payload, "HS256", typ, kid)
    return f"{head}.{b64url(hmac.digest(key, head.encode(), 'sha256'))}"


def _cbc_hs256_tag(mac_key: bytes, aad: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    # RFC 7518 §5.2.2.1: AAD, IV, ciphertext and the AAD's length in bits, cut to 128 bits.
    return hmac.digest(mac_key, aad + iv + ciphertext + (8 * len(aad)).to_bytes(8, "big"), "sha256")[:16]


def _seal(header: dict, plaintext: bytes, key: bytes) -> str:
    protected, iv = b64url(compact(header)), os.urandom(16)
    pad = 16 - len(plaintext) % 16
    encryptor = Cipher(algorithms.AES128(key[16:]), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(plaintext + bytes([pad]) * pad) + encryptor.finalize()
    tag = _cbc_hs256_tag(key[:16], protected.encode(), iv, ciphertext)
    return f"{protected}..{b64url(iv)}.{b64url(ciphertext)}.{b64url(tag)}"


def _open(parts: list[str], key: bytes) -> bytes:
    iv, ciphertext, tag = unb64url(parts[2]), unb64url(parts[3]), unb64url(parts[4])
    if len(iv) != 16 or not ciphertext or len(ciphertext) % 16:
        raise JoseError("JWE length")
    if not hmac.compare_digest(_cbc_hs256_tag(key[:16], parts[0].encode(), iv, ciphertext), tag):
        raise JoseError("JWE tag")
    decryptor = Cipher(algorithms.AES128(key[16:]), modes.CBC(iv)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    pad = padded[-1]
    if not 1 <= pad <= 16 or padded[-pad:] != bytes([pad]) * pad:
        raise JoseError("JWE padding")
    return padded[:-pad]


def _jwe_parts(token: bytes | str) -> list[str]:
    parts = _text(token).split(".")
    if len(parts) != 5 or parts[1]:
        raise JoseError("not a compact JWE with a direct key")
    return parts


def encrypt_dir(plaintext: bytes, typ: str, kid: str, key: bytes) -> str:
    """Compact JWE, `dir` and A128CBC-HS256; `key` is 32 bytes (16 MAC, 16 AES)."""
    return _seal({"alg": "dir", "enc": "A128CBC-HS256", "kid": kid, "typ": typ}, plaintext, key)


def decrypt_dir(token: bytes | str, typ: str, kid: str, key: bytes) -> bytes:
    """The plaintext of a `dir` A128CBC-HS256 JWE under `kid`. Raises JoseError."""
    parts = _jwe_parts(token)
    header = _header(parts[0], {"alg", "enc", "kid", "typ"}, "dir", typ)
    if header["enc"] != "A128CBC-HS256" or header["kid"] != kid:
        raise JoseError("JWE enc or kid")
    return _open(parts, key)


def _agree(private: PrivateKey, public: PublicKey) -> bytes:
    # RFC 7518 §4.6.2: AlgorithmID is `enc` for direct agreement; PartyU and PartyV are empty; 256 bits.
    info = b"\0\0\0\x0dA128CBC-HS256" + b"\0\0\0\0" + b"\0\0\0\0" + (256).to_bytes(4, "big")
    return ConcatKDFHash(hashes.SHA256(), 32, info).derive(private.exchange(ec.ECDH(), public))


def encrypt_ecdh_es(plaintext: bytes, typ: str, kid: str, public: PublicKey) -> str:
    """Compact JWE, ECDH-ES direct to `public`, A128CBC-HS256."""
    ephemeral = ec.generate_private_key(_CURVE)
    header = {
        "alg": "ECDH-ES",
        "enc": "A128CBC-HS256",
        "epk": jwk(ephemeral.public_key()),
        "kid": kid,
        "typ": typ,
    }
    return _seal(header, plaintext, _agree(ephemeral, public))


def decrypt_ecdh_es(token: bytes | str, typ: str, kid: str, private: PrivateKey) -> bytes:
    """The plaintext of an ECDH-ES JWE to `private`. Raises JoseError."""
    parts = _jwe_parts(token)
    header = _header(parts[0], {"alg", "enc", "epk", "kid", "typ"}, "ECDH-ES", typ)
    if header["enc"] != "A128CBC-HS256" or header["kid"] != kid:
        raise JoseError("JWE enc or kid")
    return _open(parts, _agree(private, public_from_jwk(header["epk"])))
