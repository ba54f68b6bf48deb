"""The strict profile: what it makes another library reads, and what it must refuse."""

import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey
from microtill.acquirer import jose
from support.fuzz import examples
from support.terminal import N, b64, compact, es256, rs, unb64

KEY = ec.generate_private_key(ec.SECP256R1())
KID = jose.thumbprint(KEY.public_key())
OTHER = ECKey.generate_key("P-256")
LAX = jws.JWSRegistry(algorithms=["ES256", "HS256"], strict_check_header=False)
HEAD = {"alg": "ES256", "kid": OTHER.thumbprint(), "typ": "mt-req"}


def public(key: ECKey) -> jose.PublicKey:
    members = key.as_dict(private=False)
    return jose.public_from_jwk({n: members[n] for n in ("crv", "kty", "x", "y")})


def read(token: str, key: ECKey = OTHER) -> bytes:
    return jose.verify_es256(jose.parse_jws(token, "ES256", "mt-req"), public(key))


def test_es256_both_ways():
    token = jose.sign_es256(b'{"a":1}', "mt-ticket", KID, KEY)
    key = ECKey.import_key(jose.jwk(KEY.public_key()))
    opened = jws.deserialize_compact(token, key, registry=LAX)
    assert opened.payload == b'{"a":1}'
    assert opened.protected == {"alg": "ES256", "kid": key.thumbprint(), "typ": "mt-ticket"}
    assert read(es256(b"x", HEAD, OTHER)) == b"x"


def test_signatures_are_low_s():
    assert all(rs(jose.sign_es256(b"%d" % i, "mt-req", KID, KEY))[1] <= N // 2 for i in range(20))


def test_hs256_both_ways():
    key = bytes(range(32))
    token = jose.sign_hs256(b"{}", "mt-ans", "00", key)
    assert jws.deserialize_compact(token, OctKey.import_key(key), registry=LAX).payload == b"{}"
    assert jose.verify_hs256(jose.parse_jws(token, "HS256", "mt-ans"), key) == b"{}"
    with pytest.raises(jose.JoseError):
        jose.verify_hs256(jose.parse_jws(token, "HS256", "mt-ans"), bytes(32))


def test_dir_both_ways():
    key = bytes(range(32))
    token = jose.encrypt_dir(b"secret", "mt-req", "K", key)
    registry = jwe.JWERegistry(algorithms=["dir", "A128CBC-HS256"])
    assert jwe.decrypt_compact(token, OctKey.import_key(key), registry=registry).plaintext == b"secret"
    head = {"alg": "dir", "enc": "A128CBC-HS256", "kid": "K", "typ": "mt-req"}
    made = jwe.encrypt_compact(head, b"other way", OctKey.import_key(key), registry=registry)
    assert jose.decrypt_dir(made, "mt-req", "K", key) == b"other way"


def test_ecdh_es_both_ways():
    token = jose.encrypt_ecdh_es(bytes(32), "mt-ticket", "I", public(OTHER))
    registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A128CBC-HS256"])
    assert jwe.decrypt_compact(token, OTHER, registry=registry).plaintext == bytes(32)
    head = {"alg": "ECDH-ES", "enc": "A128CBC-HS256", "kid": "I", "typ": "mt-ticket"}
    made = jwe.encrypt_compact(head, b"x", ECKey.import_key(jose.jwk(KEY.public_key())), registry=registry)
    assert jose.decrypt_ecdh_es(made, "mt-ticket", "I", KEY) == b"x"


def test_ecdh_es_key_agreement_sample():
    """RFC 7518 Appendix C: the same agreement, there for A128GCM with names for both parties."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

    alice = {
        "kty": "EC",
        "crv": "P-256",
        "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
        "d": "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
    }
    bob = {
        "kty": "EC",
        "crv": "P-256",
        "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    }
    private = ec.derive_private_key(int.from_bytes(jose.unb64url(alice["d"]), "big"), ec.SECP256R1())
    assert jose.jwk(private.public_key()) == {n: alice[n] for n in ("crv", "kty", "x", "y")}
    shared = private.exchange(ec.ECDH(), jose.public_from_jwk(bob))
    info = b"\0\0\0\7A128GCM" + b"\0\0\0\5Alice" + b"\0\0\0\3Bob" + (128).to_bytes(4, "big")
    assert b64(ConcatKDFHash(hashes.SHA256(), 16, info).derive(shared)) == "VqqN6vgjbSBcIijNcacQGg"


@pytest.mark.parametrize(
    "head",
    [
        HEAD | {"typ": "mt-ans"},
        HEAD | {"typ": "JWT"},
        HEAD | {"jwk": {}},
        HEAD | {"cty": "x"},
        HEAD | {"zip": "DEF"},
        HEAD | {"crit": ["x"]},
        HEAD | {"kid": 7},
        HEAD | {"kid": ""},
        HEAD | {"kid": "k" * 65},
        {"alg": "ES256", "kid": "k"},
        {"alg": "ES256", "typ": "mt-req"},
    ],
)
def test_headers_are_exact(head):
    body = f"{b64(compact(head))}.{b64(b'{}')}"
    with pytest.raises(jose.JoseError, match="header"):
        jose.parse_jws(f"{body}.{b64(bytes(64))}", "ES256", "mt-req")


def test_algorithm_is_not_the_tokens_choice():
    head = b64(compact({"alg": "none", "kid": "k", "typ": "mt-req"}))
    with pytest.raises(jose.JoseError, match="alg"):
        jose.parse_jws(f"{head}.e30.", "ES256", "mt-req")


def test_duplicate_header_member():
    head = b64(b'{"alg":"ES256","kid":"k","typ":"mt-req","typ":"mt-req"}')
    with pytest.raises(jose.JoseError, match="duplicate"):
        jose.parse_jws(f"{head}.e30.{b64(bytes(64))}", "ES256", "mt-req")


def test_signature_faults():
    good = es256(b"{}", HEAD, OTHER)
    assert read(good) == b"{}"
    head, _, signature = good.rpartition(".")
    r, s = rs(good)

    def with_rs(r: int, s: int) -> str:
        return f"{head}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    for bad, why in (
        (with_rs(r, N - s), "low-s"),
        (with_rs(0, s), "range"),
        (with_rs(r, 0), "range"),
        (with_rs(N, s), "range"),
        (with_rs(r, N), "range"),
        (with_rs(r ^ 1, s), "signature"),
        (f"{head}.{b64(unb64(signature)[:-1])}", "length"),
        (f"{head}.{b64(unb64(signature) + b'0')}", "length"),
    ):
        with pytest.raises(jose.JoseError, match=why):
            read(bad)
    with pytest.raises(jose.JoseError):
        read(good, ECKey.generate_key("P-256"))


@pytest.mark.parametrize("text", ["A", "AA=", "AA==", "AB", "AAB", "A A", "AA\n", "A+/A", "AAé", "AAAAA"])
def test_base64url_is_canonical(text):
    with pytest.raises(jose.JoseError):
        jose.unb64url(text)


@given(st.binary(max_size=64))
def test_base64url_round_trip(data):
    assert jose.unb64url(jose.b64url(data)) == data == unb64(jose.b64url(data))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"1",
        b"{} x",
        b'{"a":1,"a":1}',
        b'{"b":{"a":1,"a":2}}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}}',
        b'{"a":[[[[[[]]]]]]}',
        b"[" * 4000 + b"]" * 4000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'{"a":"\\ud800"}',
        b'{"a":"\\u0000"}',
        b'{"\\u0000":1}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":[1 2]}',
    ],
)
def test_json_that_is_refused(text):
    with pytest.raises(jose.JoseError):
        jose.parse_json(text)


def test_json_that_is_taken():
    assert jose.parse_json('{"a":{"b":{"c":{"d":{"e":{"f":"店"}}}}},"n":-9007199254740991,"t":[true,null]}'.encode())


def test_jwk_faults():
    good = jose.jwk(KEY.public_key())
    assert jose.thumbprint(jose.public_from_jwk(good)) == KID == ECKey.import_key(good).thumbprint()
    x = jose.unb64url(good["x"])
    for bad in (
        None,
        [],
        {k: v for k, v in good.items() if k != "y"},
        good | {"d": "AA"},
        good | {"kid": "x"},
        good | {"kty": "OKP"},
        good | {"crv": "P-384"},
        good | {"x": 7},
        good | {"x": good["y"]},
        good | {"x": b64(x[:-1])},
        good | {"x": b64(b"\0" + x)},
        good | {"x": good["x"] + "="},
        good | {"x": b64(bytes(32)), "y": b64(bytes(32))},
        good | {"x": b64((2**256 - 1).to_bytes(32, "big"))},
    ):
        with pytest.raises(jose.JoseError):
            jose.public_from_jwk(bad)


def test_jwe_faults():
    key = bytes(range(32))
    good = jose.encrypt_dir(b"x" * 20, "mt-req", "K", key)
    parts = good.split(".")
    heads = {"alg": "dir", "enc": "A128CBC-HS256", "kid": "K", "typ": "mt-req"}

    def head(**change) -> str:
        return ".".join([b64(compact(heads | change)), *parts[1:]])

    bad = [
        ".".join(parts[:4]),
        ".".join([parts[0], "AA", *parts[2:]]),
        head(zip="DEF"),
        head(enc="A256GCM"),
        head(alg="A128KW"),
        head(typ="mt-ans"),
        head(kid="L"),
        ".".join([*parts[:2], b64(bytes(15)), *parts[3:]]),
        ".".join([*parts[:3], "", parts[4]]),
        ".".join([*parts[:3], b64(unb64(parts[3])[:-1]), parts[4]]),
        ".".join([*parts[:3], b64(bytes(len(unb64(parts[3])))), parts[4]]),
        ".".join([*parts[:4], b64(unb64(parts[4])[:8])]),
        ".".join([*parts[:4], b64(bytes(16))]),
    ]
    for token in bad:
        with pytest.raises(jose.JoseError):
            jose.decrypt_dir(token, "mt-req", "K", key)
    with pytest.raises(jose.JoseError):
        jose.decrypt_dir(good, "mt-req", "K", bytes(32))


@pytest.mark.parametrize("pad", [b"\0", b"\x11", b"\2\3\3", b"\1" * 15 + b"\x10"])
def test_jwe_padding(pad):
    """A right tag over wrong padding, as only a holder of the key can make."""
    key = bytes(range(32))
    clear = b"x" * (-len(pad) % 16) + pad
    head, iv = b64(compact({"alg": "dir", "enc": "A128CBC-HS256", "kid": "K", "typ": "mt-req"})), bytes(16)
    sealed = Cipher(algorithms.AES(key[16:]), modes.CBC(iv)).encryptor().update(clear)
    length = (8 * len(head)).to_bytes(8, "big")
    tag = hmac.digest(key[:16], head.encode() + iv + sealed + length, "sha256")[:16]
    with pytest.raises(jose.JoseError, match="padding"):
        jose.decrypt_dir(f"{head}..{b64(iv)}.{b64(sealed)}.{b64(tag)}", "mt-req", "K", key)


_text = st.text(st.sampled_from('abcXYZ019-_.=+/ {}[]":,\\\n'), max_size=60)


@settings(max_examples=examples(300), deadline=None)
@given(st.one_of(_text, st.binary(max_size=80), st.lists(_text, min_size=3, max_size=5).map(".".join)))
def test_fuzz_tokens_raise_nothing_else(token):
    for call in (
        lambda: jose.parse_jws(token, "ES256", "mt-req"),
        lambda: jose.decrypt_dir(token, "mt-req", "K", bytes(32)),
        lambda: jose.decrypt_ecdh_es(token, "mt-ticket", "K", KEY),
        lambda: jose.parse_json(token if isinstance(token, bytes) else token.encode()),
    ):
        with pytest.raises(jose.JoseError):
            call()


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


def _depth(value) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _all(value):
    yield value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _all(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _all(inner)


@settings(max_examples=examples(300), deadline=None)
@given(_json)
def test_fuzz_json_agrees_with_the_rules(value):
    ok = isinstance(value, dict) and _depth(value) <= 6
    for inner in _all(value):
        if isinstance(inner, int) and abs(inner) > 2**53 - 1:
            ok = False
        if isinstance(inner, str) and ("\0" in inner or any(0xD800 <= ord(c) <= 0xDFFF for c in inner)):
            ok = False
    octets = json.dumps(value).encode()
    if ok:
        assert jose.parse_json(octets) == value
    else:
        with pytest.raises(jose.JoseError):
            jose.parse_json(octets)
