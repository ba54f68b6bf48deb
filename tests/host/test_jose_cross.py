"""The firmware's JOSE on the Unix port against joserfc and `cryptography`, both ways; its JSON against CPython's."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from support.port import Port, PortRaised

SOURCE = """
import os
from till.crypto import jose, p256
from till.crypto.jose import b64url, unb64url, thumbprint, jwk, public_from_jwk, parse_json
from till.crypto.jose import peek_kid, sign_hs256, verify_hs256, decrypt_dir, decrypt_ecdh_es
from till.crypto.rng import Rng

RNG = Rng(os.urandom)

def sign_es256(payload, typ, kid, d):
    return jose.sign_es256(payload, typ, kid, lambda digest: p256.sign(d, digest, RNG))

def verify_es256(token, typ, kid, x, y):
    return jose.verify_es256(token, typ, kid, (x, y))

def encrypt_dir(payload, typ, kid, key):
    return jose.encrypt_dir(payload, typ, kid, key, RNG)

def thumbprint_of(x, y):
    return thumbprint((x, y))

def jwk_of(x, y):
    return jwk((x, y))
"""
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FEW = settings(MANY, max_examples=40)
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
TYPES = st.sampled_from(["mt-req", "mt-ans", "mt-ticket", "mt-keyreq", "mt-trust", "mt-seal"])
KIDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
SECRETS = st.binary(min_size=32, max_size=32)
PAYLOADS = st.binary(max_size=1500)
SCALARS = st.integers(1, N - 1)


@pytest.fixture(scope="module")
def port():
    with Port(SOURCE, heap="1M") as port:
        yield port


def key_of(d: int) -> tuple[ECKey, int, int]:
    private = ec.derive_private_key(d, ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    return ECKey.import_key(private), numbers.x, numbers.y


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@FEW
@given(PAYLOADS, TYPES, KIDS, SCALARS)
def test_es256_from_the_port(port, payload, typ, kid, d):
    key, x, y = key_of(d)
    token = port.call("sign_es256", payload, typ, kid, d).decode()
    theirs = jws.deserialize_compact(token, key, algorithms=["ES256"])
    assert theirs.payload == payload
    assert list(theirs.headers().items()) == [("alg", "ES256"), ("kid", kid), ("typ", typ)]
    assert 0 < int.from_bytes(unb64(token.split(".")[2])[32:], "big") <= N // 2
    assert port.call("verify_es256", token, typ, kid, x, y) == payload
    assert port.call("peek_kid", token, typ) == kid


@FEW
@given(PAYLOADS, TYPES, KIDS, SCALARS)
def test_es256_to_the_port_only_with_low_s(port, payload, typ, kid, d):
    key, x, y = key_of(d)
    token = jws.serialize_compact({"typ": typ, "kid": kid, "alg": "ES256"}, payload, key, algorithms=["ES256"])
    head, signature = token.rsplit(".", 1)
    r, s = unb64(signature)[:32], int.from_bytes(unb64(signature)[32:], "big")
    low, high = (head + "." + b64(r + n.to_bytes(32, "big")) for n in sorted((s, N - s)))
    assert port.call("verify_es256", low, typ, kid, x, y) == payload
    with pytest.raises(PortRaised, match="signature"):
        port.call("verify_es256", high, typ, kid, x, y)


@MANY
@given(PAYLOADS, TYPES, KIDS, SECRETS)
def test_hs256_both_ways(port, payload, typ, kid, secret):
    key = OctKey.import_key(secret)
    ours = port.call("sign_hs256", payload, typ, kid, secret).decode()
    assert jws.deserialize_compact(ours, key, algorithms=["HS256"]).payload == payload
    theirs = jws.serialize_compact({"alg": "HS256", "kid": kid, "typ": typ}, payload, key, algorithms=["HS256"])
    assert theirs == ours
    assert port.call("verify_hs256", theirs, typ, kid, secret) == payload


@MANY
@given(PAYLOADS, TYPES, KIDS, SECRETS)
def test_jwe_dir_both_ways(port, payload, typ, kid, secret):
    key, algorithms = OctKey.import_key(secret), ["dir", "A128CBC-HS256"]
    ours = port.call("encrypt_dir", payload, typ, kid, secret).decode()
    assert jwe.decrypt_compact(ours, key, algorithms=algorithms).plaintext == payload
    header = {"typ": typ, "alg": "dir", "enc": "A128CBC-HS256", "kid": kid}
    theirs = jwe.encrypt_compact(header, payload, key, algorithms=algorithms)
    assert port.call("decrypt_dir", theirs, typ, kid, secret) == payload
    with pytest.raises(PortRaised, match="CryptoError: JWE tag"):
        port.call("decrypt_dir", theirs, typ, kid, bytes(b ^ 1 for b in secret))


# Keys as they are generated: multiples by 1, 2, 3 are the curve's own tests' business.
@FEW
@given(st.binary(max_size=200), TYPES, KIDS, st.integers(1 << 128, N - (1 << 128)))
def test_jwe_ecdh_es_to_the_port(port, payload, typ, kid, d):
    key, _, _ = key_of(d)
    header = {"alg": "ECDH-ES", "enc": "A128CBC-HS256", "kid": kid, "typ": typ}
    theirs = jwe.encrypt_compact(header, payload, key, algorithms=["ECDH-ES", "A128CBC-HS256"])
    assert port.call("decrypt_ecdh_es", theirs, typ, kid, d) == payload


@FEW
@given(PAYLOADS, SCALARS, st.data())
def test_both_sides_refuse_an_altered_token(port, payload, d, data):
    key, x, y = key_of(d)
    token = bytearray(port.call("sign_es256", payload, "mt-req", "k", d))
    # never the last character: joserfc takes unused bits there, and the port does not
    at = data.draw(st.integers(0, len(token) - 2))
    token[at] = data.draw(st.sampled_from([c for c in b"AQgw059-_" if c != token[at]]))
    with pytest.raises(PortRaised) as raised:
        port.call("verify_es256", bytes(token), "mt-req", "k", x, y)
    assert raised.value.names[0] in ("CryptoError", "InvalidValue")
    with pytest.raises((JoseError, ValueError)):
        jws.deserialize_compact(token.decode(), key, algorithms=["ES256"])


@FEW
@given(SCALARS)
def test_thumbprint_and_jwk(port, d):
    key, x, y = key_of(d)
    assert port.call("thumbprint_of", x, y) == key.thumbprint()
    public = key.as_dict(private=False)
    ours = port.call("jwk_of", x, y)
    assert ours == {name: public[name] for name in ("kty", "crv", "x", "y")}
    assert port.call("public_from_jwk", ours) == [x, y]


@MANY
@given(st.binary(max_size=1200))
def test_base64url(port, octets):
    assert port.call("b64url", octets) == b64(octets)
    assert port.call("unb64url", b64(octets)) == octets


@MANY
@given(st.text(alphabet="AQgwZz09-_+/= \n.é", max_size=12))
def test_base64url_takes_only_the_canonical_text(port, text):
    try:
        octets = port.call("unb64url", text)
    except PortRaised as e:
        assert e.names[0] == "InvalidValue"
        octets = None
    canonical = None
    if set(text) <= set("AQgwZz09-_") and len(text) % 4 != 1 and b64(unb64(text)) == text:
        canonical = unb64(text)
    assert octets == canonical


# JSON


class Refused(Exception):
    pass


def reference(octets: bytes, max_depth: int = 6) -> dict:
    """The same profile on top of CPython's parser."""

    def members(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise Refused
        return dict(pairs)

    def no(text):
        raise Refused

    def bounded(text):
        if len(text.lstrip("-")) > 16 or abs(int(text)) > 2**53 - 1:
            raise Refused
        return int(text)

    def check(value, depth) -> int:
        if isinstance(value, str):
            value.encode()
        if not isinstance(value, dict | list):
            return 1
        if depth == max_depth:
            raise Refused
        inner = list(value.values()) if isinstance(value, dict) else value
        for name in value if isinstance(value, dict) else ():
            name.encode()
        return 1 + sum(check(v, depth + 1) for v in inner)

    try:
        value = json.loads(
            octets.decode(), object_pairs_hook=members, parse_float=no, parse_constant=no, parse_int=bounded
        )
        if not isinstance(value, dict) or check(value, 0) > 513:
            raise Refused
    except (ValueError, RecursionError):
        raise Refused from None
    return value


def agree(port, octets: bytes) -> None:
    try:
        expected = reference(octets)
    except Refused:
        with pytest.raises(PortRaised) as raised:
            port.call("parse_json", octets)
        assert raised.value.names[0] == "InvalidValue"
        return
    # ints come back from the port's harness as they are, and True is not 1 here
    assert json.dumps(port.call("parse_json", octets), sort_keys=True) == json.dumps(expected, sort_keys=True)


SAFE_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = SAFE_TEXT.filter(lambda s: s not in ("$b", "$i"))  # the harness's own marks
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**54), 2**54) | SAFE_TEXT | st.floats(allow_nan=True),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@MANY
@given(st.dictionaries(NAMES, VALUES, max_size=5), st.booleans(), st.sampled_from([None, 1]))
def test_json_agrees_on_documents(port, value, ascii_only, indent):
    agree(port, json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode())


FRAGMENTS = '{"a": { } [ ] , : " "a" 1 - 0 01 1.5 1e2 9999999999999999 true NaN \\ \\u00 "\\ud83d\\ude00" "\\ud83d" é'


@settings(MANY, max_examples=400)
@given(st.lists(st.sampled_from([*FRAGMENTS.split(), " ", "\n", "\x01", "\x00", "\ufeff"]), max_size=10).map("".join))
def test_json_agrees_on_fragments(port, text):
    agree(port, text.encode())
    agree(port, ('{"a":' + text + "}").encode())


@settings(MANY, max_examples=300)
@given(st.binary(max_size=6), st.booleans())
def test_json_agrees_on_octets_in_strings(port, octets, in_name):
    agree(port, b'{"' + octets + b'":1}' if in_name else b'{"a":"' + octets + b'"}')


def test_hash_binds_the_decoded_octets(port):
    """What `req` carries is the hash of the payload's octets, the same on both sides."""
    payload = b'{"v":1,"tid":"0000A001"}'
    token = port.call("sign_hs256", payload, "mt-req", "k", bytes(32))
    got = port.call("verify_hs256", token, "mt-req", "k", bytes(32))
    assert hashlib.sha256(got).digest() == hashlib.sha256(payload).digest()
