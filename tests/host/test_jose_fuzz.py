"""Malformed tokens into the firmware's JOSE on the Unix port: one of two errors comes out, and nothing verifies."""

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fuzz import examples
from support.port import Port, PortRaised

SOURCE = """
import os
from till.crypto import jose, p256
from till.crypto.rng import Rng

RNG = Rng(os.urandom)
KID = "123456789012345600000001"
KEY = bytes(range(32))
D = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
PUBLIC = p256.public_key(D)

def tokens():
    payload = b'{"tid":"0000A001","outcome":"approved"}'
    return [
        jose.sign_es256(payload, "mt-ticket", KID, lambda digest: p256.sign(D, digest, RNG)),
        jose.sign_hs256(payload, "mt-ans", KID, KEY),
        jose.encrypt_dir(payload, "mt-req", KID, KEY, RNG),
    ]

def es256(token):
    return jose.verify_es256(token, "mt-ticket", KID, PUBLIC)

def hs256(token):
    return jose.verify_hs256(token, "mt-ans", KID, KEY)

def direct(token):
    return jose.decrypt_dir(token, "mt-req", KID, KEY)

def ecdh_es(token):
    return jose.decrypt_ecdh_es(token, "mt-ticket", KID, D)

def peek(token):
    return jose.peek_kid(token, "mt-ticket")

def parse(octets):
    return jose.parse_json(octets)

def key(value):
    return jose.public_from_jwk(value)
"""
KID = "123456789012345600000001"
KEY = bytes(range(32))
# A good ECDH-ES token to the public key of D (RFC 6979 A.2.5), made with joserfc.
PUBLIC_JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y",
    "y": "eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk",
}
FUZZ = settings(max_examples=examples(1000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SLOW = settings(FUZZ, max_examples=examples(200))


@pytest.fixture(scope="module")
def port():
    with Port(SOURCE, heap="1M") as port:
        yield port


@pytest.fixture(scope="module")
def good(port):
    from joserfc import jwe
    from joserfc.jwk import ECKey

    es256, hs256, direct = (bytes(token) for token in port.call("tokens"))
    header = {"alg": "ECDH-ES", "enc": "A128CBC-HS256", "kid": KID, "typ": "mt-ticket"}
    ecdh_es = jwe.encrypt_compact(
        header, KEY, ECKey.import_key(PUBLIC_JWK), algorithms=["ECDH-ES", "A128CBC-HS256"]
    ).encode()
    tokens = {"es256": es256, "hs256": hs256, "direct": direct, "ecdh_es": ecdh_es}
    for name, token in tokens.items():
        assert port.call(name, token)
    return tokens


def refused(port, name: str, value) -> str:
    """The port must refuse `value`, with one of the two errors."""
    with pytest.raises(PortRaised) as raised:
        port.call(name, value)
    assert raised.value.names[0] in ("CryptoError", "InvalidValue"), raised.value
    return raised.value.text


def b64(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


ANY = st.binary(max_size=200)
NAMES = st.text(max_size=5).filter(lambda name: name[:1] != "$")  # the harness's own marks
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
PART = st.one_of(
    ANY,
    ANY.map(b64),
    JSON.map(lambda v: b64(json.dumps(v).encode())),
    st.sampled_from([b"", b"=", b"AA==", b"e30", b"bnVsbA", b"W10", b"AAAA", b"A", b"\x00", b"\xff" * 4, b"." * 9]),
)
ALPHABET = b'ABCabc019-_.=+/ \n\x00\xff"{}'


@st.composite
def altered(draw, token: bytes) -> bytes:
    """`token` after one to three alterations of any kind."""
    out = token
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(out) - 1, 0)))
        length = draw(st.integers(0, 12))
        kind = draw(st.sampled_from(["put", "flip", "cut", "repeat", "drop", "part", "swap", "grow", "header"]))
        parts = out.split(b".")
        which = draw(st.integers(0, len(parts) - 1))
        if kind == "put":
            out = out[:at] + bytes([draw(st.sampled_from(ALPHABET))]) + out[at + draw(st.integers(0, 1)) :]
        elif kind == "flip" and out:
            out = out[:at] + bytes([out[at] ^ 1 << draw(st.integers(0, 7))]) + out[at + 1 :]
        elif kind == "cut":
            out = out[:at]
        elif kind == "repeat":
            out = out[: at + length] + out[at:]
        elif kind == "drop":
            out = out[:at] + out[at + length :]
        elif kind == "part":
            parts[which] = draw(PART)
            out = b".".join(parts)
        elif kind == "swap":
            other = draw(st.integers(0, len(parts) - 1))
            parts[which], parts[other] = parts[other], parts[which]
            out = b".".join(parts)
        elif kind == "grow":
            out += draw(st.sampled_from([b".", b"..", b"=", b"\n", b"A", b"AAAA", out, b"A" * 9000]))
        elif kind == "header":
            parts[0] = draw(headers(parts[0]))
            out = b".".join(parts)
    return out


@st.composite
def headers(draw, encoded: bytes) -> bytes:
    """The header with one member changed, added, doubled or gone."""
    try:
        members = json.loads(base64.urlsafe_b64decode(encoded + b"=="))
        pairs = list(members.items())
    except (ValueError, AttributeError):
        return encoded
    kind = draw(st.sampled_from(["change", "add", "double", "drop", "turn"]))
    at = draw(st.integers(0, max(len(pairs) - 1, 0)))
    name = draw(st.sampled_from(["alg", "typ", "kid", "enc", "epk", "zip", "crit", "jwk", "x5c", "b64", "p2c", "apu"]))
    value = draw(
        st.one_of(
            JSON, st.sampled_from(["none", "HS256", "ES256", "dir", "ECDH-ES", "A128KW", "mt-ans", "JWT", PUBLIC_JWK])
        )
    )
    if kind == "change" and pairs:
        pairs[at] = (pairs[at][0], value)
    elif kind == "add":
        pairs.insert(at, (name, value))
    elif kind == "double" and pairs:
        pairs.append((pairs[at][0], value))
    elif kind == "drop" and pairs:
        del pairs[at]
    elif kind == "turn":
        pairs.reverse()
    return b64(("{" + ",".join(f"{json.dumps(n)}:{json.dumps(v)}" for n, v in pairs) + "}").encode())


def expect(port, good, name: str, token: bytes) -> None:
    """Any text that is not the very token must be refused; the same text again is the same token."""
    if token == good[name]:
        assert port.call(name, token)
    else:
        refused(port, name, token)


@FUZZ
@given(st.data())
def test_fuzz_hs256(port, good, data):
    expect(port, good, "hs256", data.draw(altered(good["hs256"])))


@FUZZ
@given(st.data())
def test_fuzz_jwe_dir(port, good, data):
    expect(port, good, "direct", data.draw(altered(good["direct"])))


@SLOW
@given(st.data())
def test_fuzz_es256(port, good, data):
    expect(port, good, "es256", data.draw(altered(good["es256"])))


@SLOW
@given(st.data())
def test_fuzz_ecdh_es(port, good, data):
    expect(port, good, "ecdh_es", data.draw(altered(good["ecdh_es"])))


@FUZZ
@given(st.sampled_from(["es256", "hs256", "direct", "ecdh_es", "peek"]), st.lists(PART, max_size=6).map(b".".join))
def test_fuzz_tokens_from_nothing(port, name, token):
    refused(port, name, token)


@FUZZ
@given(headers(b64(json.dumps({"alg": "HS256", "kid": KID, "typ": "mt-ans"}).encode())), ANY)
def test_fuzz_well_tagged_headers(port, header, payload):
    """The tag is right each time, so only the header decides."""
    text = header + b"." + b64(payload)
    token = text + b"." + b64(hmac.digest(KEY, text, "sha256"))
    members = json.loads(base64.urlsafe_b64decode(header + b"=="))
    pairs = json.loads(base64.urlsafe_b64decode(header + b"=="), object_pairs_hook=list)
    if len(pairs) == 3 and members == {"alg": "HS256", "kid": KID, "typ": "mt-ans"}:
        assert port.call("hs256", token) == payload
    else:
        refused(port, "hs256", token)


@FUZZ
@given(st.data())
def test_fuzz_peek_kid_never_breaks(port, good, data):
    token = data.draw(altered(data.draw(st.sampled_from(list(good.values())))))
    try:
        kid = port.call("peek", token)
    except PortRaised as e:
        assert e.names[0] in ("CryptoError", "InvalidValue")
    else:
        assert isinstance(kid, str)


@FUZZ
@given(st.one_of(ANY, JSON.map(lambda v: json.dumps(v).encode())), st.data())
def test_fuzz_json_never_breaks(port, octets, data):
    at = data.draw(st.integers(0, len(octets)))
    octets = octets[:at] + data.draw(st.binary(max_size=3)) + octets[at:]
    for text in (octets, b'{"a":' + octets + b"}", b'{"a":"' + octets + b'"}'):
        try:
            port.call("parse", text)
        except PortRaised as e:
            assert e.names[0] == "InvalidValue"


@SLOW
@given(st.one_of(JSON, st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "d"]), JSON, max_size=5)), st.data())
def test_fuzz_jwk_never_breaks(port, value, data):
    if data.draw(st.booleans()):
        name = data.draw(st.sampled_from(["kty", "crv", "x", "y"]))
        value = {
            **PUBLIC_JWK,
            name: data.draw(st.one_of(JSON, st.binary(min_size=32, max_size=32).map(lambda b: b64(b).decode()))),
        }
    if value != PUBLIC_JWK:
        refused(port, "key", value)


def test_fuzz_hostile_sizes(port):
    """Long and deep texts are refused in a heap of 1 MB, quickly."""
    for text in (b"A" * 20000, b"." * 20000, b"A." * 8000, b"\xff" * 16384, hashlib.sha256().digest() * 600):
        for name in ("es256", "hs256", "direct", "ecdh_es", "peek"):
            refused(port, name, text)
    for text in (b"[" * 16000, b'{"a":' * 3000, b'{"a":[' + b"[]," * 5000 + b"1]}", b'{"a":' + b"9" * 16000 + b"}"):
        refused(port, "parse", text)
