"""JOSE, the one profile the wire has: compact JWS (ES256, HS256) and JWE (A128CBC-HS256 under dir or ECDH-ES).

The caller says which algorithm, type and key id a token must have; its header has exactly the members the profile
names and chooses nothing. RFC 7515, 7516, 7518, 7638. InvalidValue: malformed; CryptoError: does not verify.
"""

from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from struct import pack

from cryptolib import aes
from micropython import const

from till.core.errors import CryptoError, InvalidValue
from till.crypto import p256
from till.crypto.hmac import equal, hmac_sha256
from till.crypto.strict_json import parse_json

_CBC = const(2)
_RAW = const(384)  # octets encoded at a time: tokens are worked on in place, in pieces of this size
_TEXT = const(512)  # the same in characters
_MAX_HEADER = const(512)
_MAX_KID = const(64)
PAGED = const(16384)  # `limit` for the types that come in pages
_ENC = "A128CBC-HS256"

# The types of token there are, and the size of each.
_LIMITS = {
    "mt-req": 8192,
    "mt-ans": 4096,
    "mt-ticket": 8192,
    "mt-keyreq": 4096,
    "mt-trust": 16384,
    "mt-seal": 4096,
}


# Base64url (RFC 4648 §5, RFC 7515 §2)


def _encoded(n: int) -> int:
    return (4 * n + 2) // 3


def _encode(octets) -> bytes:
    return b2a_base64(octets, newline=False).replace(b"+", b"-").replace(b"/", b"_")


def _put_b64(out, at: int, octets) -> int:
    """Write the base64url of `octets` into `out` at `at`; the position after it."""
    octets = memoryview(octets)
    for i in range(0, len(octets), _RAW):
        part = octets[i : i + _RAW]
        n = _encoded(len(part))
        out[at : at + n] = memoryview(_encode(part))[:n]
        at += n
    return at


def _decode(text) -> bytearray:
    """Octets of base64url `text`, a memoryview."""
    n = len(text)
    out = bytearray(n * 3 // 4)
    at = 0
    for i in range(0, n, _TEXT):
        part = bytes(text[i : i + _TEXT])
        padding = b"==="[: -len(part) % 4]
        try:
            octets = a2b_base64(part.replace(b"-", b"+").replace(b"_", b"/") + padding)
        except ValueError:
            raise InvalidValue("base64url")
        # The port's decoder skips what it does not know; only the canonical text encodes back to itself. The length
        # tells padding of ours from padding that came with the text.
        if len(octets) != len(part) * 3 // 4 or _encode(octets) != part + padding:
            raise InvalidValue("base64url")
        out[at : at + len(octets)] = octets
        at += len(octets)
    return out


def b64url(octets: bytes | bytearray | memoryview) -> str:
    """Base64url without padding."""
    out = bytearray(_encoded(len(octets)))
    _put_b64(out, 0, octets)
    return out.decode()


def unb64url(text: str) -> bytes:
    """Octets of base64url `text`: no padding, no white space, unused bits zero; anything else is InvalidValue."""
    return bytes(_decode(_view(text, PAGED)))


# Keys


def jwk(public: tuple) -> dict:
    """JWK (RFC 7517, RFC 7518 §6.2.1) of the P-256 key `(x, y)`."""
    x, y = public
    return {"kty": "EC", "crv": "P-256", "x": b64url(x.to_bytes(32, "big")), "y": b64url(y.to_bytes(32, "big"))}


def public_from_jwk(key: dict) -> tuple:
    """`(x, y)`, checked to be on P-256, of a JWK with exactly `kty`, `crv`, `x` and `y`."""
    if not isinstance(key, dict) or len(key) != 4 or key.get("kty") != "EC" or key.get("crv") != "P-256":
        raise InvalidValue("JWK")
    x = unb64url(key.get("x", ""))
    y = unb64url(key.get("y", ""))
    if len(x) != 32 or len(y) != 32:
        raise InvalidValue("JWK")
    return p256.decode_public(x + y)


def thumbprint(public: tuple) -> str:
    """RFC 7638 thumbprint (SHA-256, base64url, 43 characters) of the P-256 key `(x, y)`: its `kid`."""
    key = jwk(public)
    return b64url(sha256(('{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' % (key["x"], key["y"])).encode()).digest())


# Tokens in general


def _view(token, limit: int) -> memoryview:
    if isinstance(token, str):
        token = token.encode()
    elif not isinstance(token, (bytes, bytearray, memoryview)):
        raise InvalidValue("token")
    if len(token) > limit:
        raise InvalidValue("token size")
    return memoryview(token)


def _limit(typ: str, limit: int) -> int:
    if typ not in _LIMITS:
        raise InvalidValue("token type")
    return min(limit or _LIMITS[typ], PAGED)


def _dots(view, count: int) -> list:
    """Where the dots are; InvalidValue unless there are `count`."""
    dots = []
    for at in range(0, len(view), _TEXT):
        piece = bytes(view[at : at + _TEXT])
        i = piece.find(b".")
        while i >= 0:
            if len(dots) == count:
                raise InvalidValue("token parts")
            dots.append(at + i)
            i = piece.find(b".", i + 1)
    if len(dots) != count:
        raise InvalidValue("token parts")
    return dots


def _header(alg: str, typ: str, kid: str, enc: str = "") -> bytes:
    if not 0 < len(kid) <= _MAX_KID:
        raise InvalidValue("kid")
    for c in kid:
        if not ("0" <= c <= "9" or "A" <= c <= "Z" or "a" <= c <= "z" or c in "-_"):
            raise InvalidValue("kid")
    return ('{"alg":"%s",%s"kid":"%s","typ":"%s"}' % (alg, enc, kid, typ)).encode()


def _parse_header(view, members: tuple) -> dict:
    """The header, with exactly `members` in it, each a str (but for `epk`)."""
    if len(view) > _MAX_HEADER:
        raise InvalidValue("header size")
    header = parse_json(_decode(view), 2)
    if len(header) != len(members):
        raise CryptoError("header members")
    for name in members:
        if name not in header:
            raise CryptoError("header members")
        if name != "epk" and not isinstance(header[name], str):
            raise CryptoError("header values")
    return header


def _check_header(view, members: tuple, alg: str, typ: str, kid: str) -> dict:
    header = _parse_header(view, members)
    if header["alg"] != alg or header.get("enc", _ENC) != _ENC:
        raise CryptoError("algorithm")
    if header["typ"] != typ:
        raise CryptoError("token type")
    if header["kid"] != kid:
        raise CryptoError("key id")
    return header


# JWS

_JWS = ("alg", "kid", "typ")


def _sign(payload, alg: str, typ: str, kid: str, limit: int, length: int, signer) -> bytearray:
    header = _header(alg, typ, kid)
    limit = _limit(typ, limit)
    size = _encoded(len(header)) + 1 + _encoded(len(payload)) + 1 + _encoded(length)
    if size > limit:
        raise InvalidValue("token size")
    token = bytearray(size)
    at = _put_b64(token, 0, header)
    token[at] = 0x2E
    at = _put_b64(token, at + 1, payload)
    token[at] = 0x2E
    _put_b64(token, at + 1, signer(memoryview(token)[:at]))
    return token


def _verify(token, alg: str, typ: str, kid: str, limit: int, check) -> bytearray:
    view = _view(token, _limit(typ, limit))
    first, second = _dots(view, 2)
    _check_header(view[:first], _JWS, alg, typ, kid)
    if not check(view[:second], _decode(view[second + 1 :])):
        raise CryptoError("signature")
    return _decode(view[first + 1 : second])


def sign_es256(payload: bytes | bytearray | memoryview, typ: str, kid: str, signer, limit: int = 0) -> bytearray:
    """JWS over `payload`. `signer(digest)` gives the 64-byte low-s signature of a SHA-256 digest. `limit`: octets the
    token may have where the type's own bound is not meant (PAGED)."""
    return _sign(payload, "ES256", typ, kid, limit, 64, lambda text: signer(sha256(text).digest()))


def verify_es256(token, typ: str, kid: str, public: tuple, limit: int = 0) -> bytearray:
    """Payload of `token` (str or bytes-like), signed by `public` = `(x, y)`. CryptoError if it is not, or if `s` is
    in the upper half."""

    def check(text, signature) -> bool:
        return len(signature) == 64 and p256.verify(public, sha256(text).digest(), bytes(signature))

    return _verify(token, "ES256", typ, kid, limit, check)


def sign_hs256(payload: bytes | bytearray | memoryview, typ: str, kid: str, key, limit: int = 0) -> bytearray:
    """JWS over `payload` under `key`, at least 32 bytes (RFC 7518 §3.2)."""
    if len(key) < 32:
        raise CryptoError("HS256 key length")
    return _sign(payload, "HS256", typ, kid, limit, 32, lambda text: hmac_sha256(key, text))


def verify_hs256(token, typ: str, kid: str, key, limit: int = 0) -> bytearray:
    """Payload of `token` (str or bytes-like), authenticated under `key` (at least 32 bytes), else CryptoError."""
    if len(key) < 32:
        raise CryptoError("HS256 key length")
    return _verify(token, "HS256", typ, kid, limit, lambda text, tag: equal(hmac_sha256(key, text), tag))


def peek_kid(token, typ: str, limit: int = 0) -> str:
    """Key id a JWS of type `typ` claims, to choose the key by. Nothing is verified."""
    view = _view(token, _limit(typ, limit))
    header = _parse_header(view[: _dots(view, 2)[0]], _JWS)
    if header["typ"] != typ or header["alg"] not in ("ES256", "HS256"):
        raise CryptoError("token type")
    return header["kid"]


# JWE


def _tag(key, aad, iv, ciphertext) -> bytes:
    """RFC 7518 §5.2.2.1: half of HMAC-SHA256 under the first half of the key."""
    return hmac_sha256(key[:16], aad, iv, ciphertext, pack(">Q", 8 * len(aad)))[:16]


def encrypt_dir(
    payload: bytes | bytearray | memoryview, typ: str, kid: str, key: bytes | bytearray | memoryview, rng
) -> bytearray:
    """JWE of `payload` under the shared `key` (32 bytes): `dir`, A128CBC-HS256."""
    if len(key) != 32:
        raise CryptoError("A128CBC-HS256 key length")
    header = _header("dir", typ, kid, '"enc":"%s",' % _ENC)
    n = len(payload)
    padded = (n & ~15) + 16
    head = _encoded(len(header))
    size = head + 2 + _encoded(16) + 1 + _encoded(padded) + 1 + _encoded(16)
    if size > _limit(typ, 0):
        raise InvalidValue("token size")
    text = memoryview(bytearray(padded))
    text[:n] = payload
    text[n:] = bytes((padded - n,)) * (padded - n)  # PKCS #7
    iv = rng.bytes(16)
    aes(key[16:], _CBC, iv).encrypt(text, text)
    token = bytearray(size)
    _put_b64(token, 0, header)
    tag = _tag(key, memoryview(token)[:head], iv, text)
    token[head : head + 2] = b".."  # no encrypted key: the key is agreed on
    at = _put_b64(token, head + 2, iv)
    token[at] = 0x2E
    at = _put_b64(token, at + 1, text)
    token[at] = 0x2E
    _put_b64(token, at + 1, tag)
    return token


def _decrypt(view, dots, key) -> bytes:
    if dots[1] != dots[0] + 1:
        raise InvalidValue("encrypted key")
    iv = _decode(view[dots[1] + 1 : dots[2]])
    tag = _decode(view[dots[3] + 1 :])
    text = memoryview(_decode(view[dots[2] + 1 : dots[3]]))
    if len(iv) != 16 or len(tag) != 16 or not len(text) or len(text) % 16:
        raise InvalidValue("JWE lengths")
    if not equal(_tag(key, view[: dots[0]], iv, text), tag):
        raise CryptoError("JWE tag")
    aes(key[16:], _CBC, iv).decrypt(text, text)
    # Only a text whose tag verified comes here, so this tells an attacker nothing (no padding oracle).
    n = len(text) - text[-1]
    if not 1 <= text[-1] <= 16 or bytes(text[n:]) != bytes((text[-1],)) * text[-1]:
        raise CryptoError("JWE padding")
    payload = bytes(text[:n])
    text[:] = bytes(len(text))
    return payload


def decrypt_dir(token, typ: str, kid: str, key: bytes | bytearray | memoryview, limit: int = 0) -> bytes:
    """Plaintext of the JWE `token` (str or bytes-like) under the shared `key` (32 bytes)."""
    if len(key) != 32:
        raise CryptoError("A128CBC-HS256 key length")
    view = _view(token, _limit(typ, limit))
    dots = _dots(view, 4)
    _check_header(view[: dots[0]], ("alg", "enc", "kid", "typ"), "dir", typ, kid)
    return _decrypt(view, dots, key)


def concat_kdf(z: bytes, algorithm: bytes, bits: int, apu: bytes = b"", apv: bytes = b"") -> bytes:
    """`bits` / 8 bytes (at most 32) derived from the shared secret `z`: RFC 7518 §4.6.2 with SHA-256."""
    h = sha256(b"\x00\x00\x00\x01")
    h.update(z)
    for info in (algorithm, apu, apv):
        h.update(pack(">I", len(info)))
        h.update(info)
    h.update(pack(">I", bits))
    return h.digest()[: bits // 8]


def decrypt_ecdh_es(token, typ: str, kid: str, private: int, limit: int = 0) -> bytes:
    """Plaintext of the JWE `token` (str or bytes-like), encrypted to the P-256 key of `private`: ECDH-ES with direct
    key agreement, A128CBC-HS256, the sender's key in `epk`."""
    view = _view(token, _limit(typ, limit))
    dots = _dots(view, 4)
    header = _check_header(view[: dots[0]], ("alg", "enc", "epk", "kid", "typ"), "ECDH-ES", typ, kid)
    z = p256.ecdh(private, public_from_jwk(header["epk"]))
    return _decrypt(view, dots, concat_kdf(z, _ENC.encode(), 256))
