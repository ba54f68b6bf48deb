from binascii import unhexlify as h
from hashlib import sha256

from cryptolib import aes
from till.core.errors import CryptoError, InvalidValue
from till.crypto import jose, p256
from till.crypto.hmac import hmac_sha256
from till.crypto.rng import Rng

HEAP = "512K"
KEY = bytes(range(32))
KID = "123456789012345600000001"

# RFC 7515 appendices A.1 and A.3.
PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
A1_HEADER = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
A1_KEY = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
A1_TAG = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
A3_HEADER = "eyJhbGciOiJFUzI1NiJ9"
A3_JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
A3_D = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
A3_SIGNATURE = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

# RFC 7518 appendix C: Alice's ephemeral and Bob's static key, Z and the derived key.
ALICE = {
    "kty": "EC",
    "crv": "P-256",
    "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
    "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
}
ALICE_D = "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"
BOB = {
    "kty": "EC",
    "crv": "P-256",
    "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
}
BOB_D = "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"
Z = bytes(
    (158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156)
    + (251, 49, 110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196)
)


class Counting:
    """Not random: the tests below are about what is built from it."""

    def __init__(self):
        self.n = 0

    def bytes(self, n):
        self.n += 1
        return sha256(b"%d" % self.n).digest()[:n]


def number(text):
    return int.from_bytes(jose.unb64url(text), "big")


def raised(call, *args):
    """Which of the two errors, or None; any other exception goes through."""
    try:
        call(*args)
    except CryptoError:
        return CryptoError
    except InvalidValue:
        return InvalidValue
    return None


def token_of(header, payload=b"{}", key=KEY):
    text = jose.b64url(header) + "." + jose.b64url(payload)
    return text + "." + jose.b64url(hmac_sha256(key, text.encode()))


def test_base64url():
    # RFC 4648 §10 without padding, and the two characters that differ from base64
    for octets, text in ((b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"foob", "Zm9vYg")):
        assert jose.b64url(octets) == text
        assert jose.unb64url(text) == octets
    assert jose.b64url(b"\xfb\xff\xbf") == "-_-_"
    assert jose.unb64url("-_-_") == b"\xfb\xff\xbf"
    for n in (382, 383, 384, 385, 511, 512, 513, 767, 768, 769, 3000):
        octets = bytes(i * 31 & 255 for i in range(n))
        assert jose.unb64url(jose.b64url(octets)) == octets, n


def test_base64url_is_strict():
    for text in (
        "A",
        "AAAAA",
        "Zg==",
        "Zm8=",
        "Zg=",
        "Zh",
        "Zm9",
        "Zm+v",
        "Zm/v",
        "Zm9v\n",
        " Zm9v",
        "Zm 9",
        "Zm9v.",
        "Zé",
    ):
        assert raised(jose.unb64url, text) is InvalidValue, text
    assert raised(jose.unb64url, "A" * 513 + "\n" + "AA") is InvalidValue
    assert raised(jose.unb64url, "\n" * 4) is InvalidValue
    for value in (None, 5, ["Zg"], {}):
        assert raised(jose.unb64url, value) is InvalidValue


def test_rfc_7515_a1_hs256():
    text = (A1_HEADER + "." + PAYLOAD).encode()
    assert jose.b64url(hmac_sha256(jose.unb64url(A1_KEY), text)) == A1_TAG
    # a good signature over a header that is not ours
    assert raised(jose.verify_hs256, text + b"." + A1_TAG.encode(), "mt-ans", KID, jose.unb64url(A1_KEY)) is CryptoError


def test_rfc_7515_a3_es256_only_with_low_s():
    public = jose.public_from_jwk(A3_JWK)
    assert p256.public_key(number(A3_D)) == public
    digest = sha256((A3_HEADER + "." + PAYLOAD).encode()).digest()
    signature = jose.unb64url(A3_SIGNATURE)
    s = int.from_bytes(signature[32:], "big")
    assert s > N // 2
    assert not p256.verify(public, digest, signature)
    assert p256.verify(public, digest, signature[:32] + (N - s).to_bytes(32, "big"))


def test_rfc_7518_b1_a128cbc_hs256():
    plaintext = (
        b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy "
        b"without inconvenience"
    )
    iv = h("1af38c2dc2b96ffdd86694092341bc04")
    padded = plaintext + bytes([16 - len(plaintext) % 16]) * (16 - len(plaintext) % 16)
    ciphertext = aes(KEY[16:], 2, iv).encrypt(padded)
    assert ciphertext[:16] == h("c80edfa32ddf39d5ef00c0b468834279")
    tag = jose._tag(KEY, b"The second principle of Auguste Kerckhoffs", iv, ciphertext)
    assert tag == h("652c3fa36b0a7c5b3219fab3a30bc1c4")


def test_rfc_7518_c_ecdh_es():
    assert p256.ecdh(number(ALICE_D), jose.public_from_jwk(BOB)) == Z
    assert p256.ecdh(number(BOB_D), jose.public_from_jwk(ALICE)) == Z
    assert jose.b64url(jose.concat_kdf(Z, b"A128GCM", 128, b"Alice", b"Bob")) == "VqqN6vgjbSBcIijNcacQGg"


def test_thumbprint_and_jwk():
    # RFC 9449 §6.1: the jkt of its example key
    key = {
        "kty": "EC",
        "crv": "P-256",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    }
    public = jose.public_from_jwk(key)
    assert jose.thumbprint(public) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    assert jose.jwk(public) == key
    for name, value in (
        ("kty", "RSA"),
        ("crv", "P-384"),
        ("x", key["y"]),
        ("x", key["x"][:-1]),
        ("x", key["x"] + "A"),
        ("x", 5),
        ("y", None),
        ("kid", "a"),
        ("d", A3_D),
    ):
        bad = dict(key)
        bad[name] = value
        assert raised(jose.public_from_jwk, bad), (name, value)
    octets = jose.unb64url(key["x"]) + jose.unb64url(key["y"])  # the same 64, cut elsewhere
    bad = dict(key)
    bad["x"] = jose.b64url(octets[:31])
    bad["y"] = jose.b64url(octets[31:])
    assert raised(jose.public_from_jwk, bad) is InvalidValue
    for bad in (None, [], "", {}, {"kty": "EC", "crv": "P-256", "x": key["x"]}):
        assert raised(jose.public_from_jwk, bad)


def test_jws_es256_signs_and_verifies():
    d = number(A3_D)
    public = p256.public_key(d)
    rng = Counting()
    kid = jose.thumbprint(public)
    payload = b'{"amount":1234}'
    token = jose.sign_es256(payload, "mt-req", kid, lambda digest: p256.sign(d, digest, rng))
    head = jose.unb64url(bytes(token).split(b".")[0].decode())
    assert head == b'{"alg":"ES256","kid":"%s","typ":"mt-req"}' % kid.encode()
    assert jose.peek_kid(token, "mt-req") == kid
    for form in (token, bytes(token), token.decode(), memoryview(token)):
        assert jose.verify_es256(form, "mt-req", kid, public) == payload
    other = p256.public_key(d + 1)
    assert raised(jose.verify_es256, token, "mt-req", kid, other) is CryptoError
    high = bytearray(jose.unb64url(token.decode().split(".")[2]))
    high[32:] = (N - int.from_bytes(high[32:], "big")).to_bytes(32, "big")
    bad = token.decode().rsplit(".", 1)[0] + "." + jose.b64url(high)
    assert raised(jose.verify_es256, bad, "mt-req", kid, public) is CryptoError
    for signature in (b"", high[:63], bytes(high) + b"\x00", bytes(64)):
        bad = token.decode().rsplit(".", 1)[0] + "." + jose.b64url(signature)
        assert raised(jose.verify_es256, bad, "mt-req", kid, public) is CryptoError


def test_jws_hs256_binds_type_key_id_and_every_character():
    token = jose.sign_hs256(b'{"outcome":"approved"}', "mt-ans", KID, KEY)
    assert jose.verify_hs256(token, "mt-ans", KID, KEY) == b'{"outcome":"approved"}'
    assert raised(jose.verify_hs256, token, "mt-req", KID, KEY) is CryptoError
    assert raised(jose.verify_hs256, token, "mt-ans", KID[:-1] + "2", KEY) is CryptoError
    assert raised(jose.verify_hs256, token, "mt-ans", KID, bytes(32)) is CryptoError
    for i in range(len(token)):
        bad = bytearray(token)
        bad[i] = 0x41 if bad[i] != 0x41 else 0x42
        assert raised(jose.verify_hs256, bad, "mt-ans", KID, KEY), i
    for bad in (b"", b".", b"..", b"...", token + b".", b"." + token, token + b"=", token + b"\n", token[:-1]):
        assert raised(jose.verify_hs256, bad, "mt-ans", KID, KEY), bad
    for bad in (None, 5, [], {"a": 1}):
        assert raised(jose.verify_hs256, bad, "mt-ans", KID, KEY) is InvalidValue


def test_jws_header_is_exactly_the_profile():
    good = b'{"alg":"HS256","kid":"%s","typ":"mt-ans"}' % KID.encode()
    assert jose.verify_hs256(token_of(good), "mt-ans", KID, KEY) == b"{}"
    spaced = good.replace(b",", b" ,\r\n ")
    assert jose.verify_hs256(token_of(spaced), "mt-ans", KID, KEY) == b"{}"
    turned = b'{"typ":"mt-ans","kid":"%s","alg":"HS256"}' % KID.encode()
    assert jose.verify_hs256(token_of(turned), "mt-ans", KID, KEY) == b"{}"
    for header in (
        good.replace(b"HS256", b"none"),
        good.replace(b"HS256", b"hs256"),
        good.replace(b"HS256", b"HS512"),
        good.replace(b"HS256", b"ES256"),
        good.replace(b'"HS256"', b'["HS256"]'),
        good.replace(b'"HS256"', b"null"),
        good.replace(b"mt-ans", b"MT-ANS"),
        good.replace(b"mt-ans", b"JWT"),
        good.replace(b"}", b',"crit":["b64"],"b64":false}'),
        good.replace(b"}", b',"zip":"DEF"}'),
        good.replace(b"}", b',"jku":"https://a"}'),
        good.replace(b"}", b',"jwk":{"kty":"oct","k":"AA"}}'),
        good.replace(b"}", b',"alg":"HS256"}'),
        good.replace(b"}", b',"cty":"JWT"}'),
        good.replace(b'"typ"', b'"cty"'),
        b'{"alg":"HS256","kid":"%s"}' % KID.encode(),
        b"{}",
        b"",
        b"[]",
        b'"HS256"',
        good + b" x",
        good[:-1],
        good.replace(b"}", b" " * 400 + b"}"),
    ):
        assert raised(jose.verify_hs256, token_of(header), "mt-ans", KID, KEY), header


def test_token_types_and_sizes_are_bounded():
    for typ in ("JWT", "", "mt-other", "mt-req "):
        assert raised(jose.sign_hs256, b"{}", typ, KID, KEY) is InvalidValue
        assert raised(jose.verify_hs256, b"a.b.c", typ, KID, KEY) is InvalidValue
    for kid in ("", "a" * 65, 'a"b', "a b", "é"):
        assert raised(jose.sign_hs256, b"{}", "mt-ans", kid, KEY) is InvalidValue
    assert len(jose.sign_hs256(bytes(2900), "mt-ans", KID, KEY)) <= 4096
    assert raised(jose.sign_hs256, bytes(3100), "mt-ans", KID, KEY) is InvalidValue
    paged = jose.sign_hs256(bytes(9000), "mt-ans", KID, KEY, jose.PAGED)
    assert raised(jose.verify_hs256, paged, "mt-ans", KID, KEY) is InvalidValue
    assert len(jose.verify_hs256(paged, "mt-ans", KID, KEY, jose.PAGED)) == 9000
    del paged
    assert raised(jose.sign_hs256, bytes(12300), "mt-ans", KID, KEY, 1 << 20) is InvalidValue


def test_peek_kid_is_for_signed_tokens_of_the_type():
    token = jose.sign_hs256(b"{}", "mt-ticket", KID, KEY)
    assert jose.peek_kid(token, "mt-ticket") == KID
    assert raised(jose.peek_kid, token, "mt-trust") is CryptoError
    assert raised(jose.peek_kid, jose.encrypt_dir(b"", "mt-req", KID, KEY, Counting()), "mt-req") is InvalidValue
    none = token_of(b'{"alg":"none","kid":"a","typ":"mt-ticket"}')
    assert raised(jose.peek_kid, none, "mt-ticket") is CryptoError


def test_jwe_dir():
    rng = Counting()
    for n in (0, 1, 15, 16, 17, 32, 500):
        payload = bytes(range(256))[: n & 255] if n < 256 else bytes(n)
        token = jose.encrypt_dir(payload, "mt-req", KID, KEY, rng)
        for form in (token, token.decode(), memoryview(token)):
            assert jose.decrypt_dir(form, "mt-req", KID, KEY) == payload, n
    head = jose.unb64url(token.decode().split(".")[0])
    assert head == b'{"alg":"dir","enc":"A128CBC-HS256","kid":"%s","typ":"mt-req"}' % KID.encode()
    again = jose.encrypt_dir(payload, "mt-req", KID, KEY, rng)
    assert token.decode().split(".")[2:] != again.decode().split(".")[2:]
    assert raised(jose.decrypt_dir, token, "mt-ticket", KID, KEY) is CryptoError
    assert raised(jose.decrypt_dir, token, "mt-req", KID[1:], KEY) is CryptoError
    assert raised(jose.decrypt_dir, token, "mt-req", KID, bytes(32)) is CryptoError
    for key in (b"", bytes(16), bytes(31), bytes(64)):
        assert raised(jose.decrypt_dir, token, "mt-req", KID, key) is CryptoError
        assert raised(jose.encrypt_dir, b"", "mt-req", KID, key, rng) is CryptoError
    assert raised(jose.encrypt_dir, bytes(8000), "mt-req", KID, KEY, rng) is InvalidValue


def test_jwe_binds_every_character_and_part():
    token = jose.encrypt_dir(b"secret", "mt-req", KID, KEY, Counting())
    for i in range(len(token)):
        bad = bytearray(token)
        bad[i] = 0x41 if bad[i] != 0x41 else 0x42
        assert raised(jose.decrypt_dir, bad, "mt-req", KID, KEY), i
    head, none, iv, text, tag = token.decode().split(".")
    assert none == ""
    for parts in (
        (head, "AAAA", iv, text, tag),
        (head, "", "", text, tag),
        (head, "", iv[:-3], text, tag),
        (head, "", iv, "", tag),
        (head, "", iv, text[:-4], tag),
        (head, "", iv, text, tag[:-4]),
        (head, "", iv, text, ""),
        (head, "", iv, text),
        (head, "", iv, text, tag, ""),
    ):
        assert raised(jose.decrypt_dir, ".".join(parts), "mt-req", KID, KEY), parts


def jwe_with(plaintext_blocks, iv=bytes(16), enc=b"A128CBC-HS256"):
    """A JWE with a good tag over whatever the caller wants in it."""
    header = b'{"alg":"dir","enc":"%s","kid":"%s","typ":"mt-req"}' % (enc, KID.encode())
    head = jose.b64url(header)
    text = aes(KEY[16:], 2, bytes(16)).encrypt(plaintext_blocks)
    tag = jose._tag(KEY, head.encode(), iv, text)
    return ".".join((head, "", jose.b64url(iv), jose.b64url(text), jose.b64url(tag)))


def test_jwe_with_a_good_tag_must_still_be_of_the_profile():
    block = b"x" * 15 + b"\x01"
    assert jose.decrypt_dir(jwe_with(block), "mt-req", KID, KEY) == b"x" * 15
    for enc in (b"A256CBC-HS512", b"A128GCM", b""):
        assert raised(jose.decrypt_dir, jwe_with(block, enc=enc), "mt-req", KID, KEY) is CryptoError
    for iv in (b"", bytes(12), bytes(15), bytes(17)):
        assert raised(jose.decrypt_dir, jwe_with(block, iv=iv), "mt-req", KID, KEY) is InvalidValue
    assert raised(jose.decrypt_dir, jwe_with(b""), "mt-req", KID, KEY) is InvalidValue


def test_jwe_padding_is_checked_after_the_tag():
    assert jose.decrypt_dir(jwe_with(b"x" * 15 + b"\x01"), "mt-req", KID, KEY) == b"x" * 15
    assert jose.decrypt_dir(jwe_with(b"\x10" * 16), "mt-req", KID, KEY) == b""
    for block in (bytes(16), b"x" * 15 + b"\x11", b"x" * 14 + b"\x01\x02", b"x" * 15 + b"\xff", b"\x0f" + b"\x10" * 15):
        try:
            jose.decrypt_dir(jwe_with(block), "mt-req", KID, KEY)
        except CryptoError as e:
            assert e.detail == "JWE padding"
            continue
        raise AssertionError(block)
    bad = jwe_with(bytes(16))[:-2] + "AA"
    try:
        jose.decrypt_dir(bad, "mt-req", KID, KEY)
    except (CryptoError, InvalidValue) as e:
        assert e.detail != "JWE padding"


def ecdh_es_token(epk_json, z, typ="mt-ticket", kid="1234567890123456", plaintext=KEY):
    header = b'{"alg":"ECDH-ES","enc":"A128CBC-HS256","epk":%s,"kid":"%s","typ":"%s"}' % (
        epk_json,
        kid.encode(),
        typ.encode(),
    )
    key = jose.concat_kdf(z, b"A128CBC-HS256", 256)
    head = jose.b64url(header)
    iv = bytes(16)
    text = aes(key[16:], 2, iv).encrypt(plaintext + b"\x10" * 16)
    tag = jose._tag(key, head.encode(), iv, text)
    return ".".join((head, "", jose.b64url(iv), jose.b64url(text), jose.b64url(tag)))


def test_jwe_ecdh_es():
    epk = '{"kty":"EC","crv":"P-256","x":"%s","y":"%s"}' % (ALICE["x"], ALICE["y"])
    token = ecdh_es_token(epk.encode(), Z)
    assert jose.decrypt_ecdh_es(token, "mt-ticket", "1234567890123456", number(BOB_D)) == KEY
    assert raised(jose.decrypt_ecdh_es, token, "mt-ticket", "1234567890123457", number(BOB_D)) is CryptoError
    assert raised(jose.decrypt_ecdh_es, token, "mt-req", "1234567890123456", number(BOB_D)) is CryptoError
    assert raised(jose.decrypt_ecdh_es, token, "mt-ticket", "1234567890123456", number(ALICE_D)) is CryptoError
    assert raised(jose.decrypt_dir, token, "mt-ticket", "1234567890123456", KEY) is CryptoError
    for bad in (
        b"null",
        b"[]",
        b'"a"',
        b"{}",
        epk.replace("P-256", "P-384").encode(),
        epk.replace("}", ',"kid":"a"}').encode(),
        epk.replace(ALICE["x"], ALICE["y"]).encode(),  # not on the curve
        epk.replace(ALICE["x"], "A" * 43).replace(ALICE["y"], "A" * 43).encode(),
    ):
        token = ecdh_es_token(bad, Z)
        assert raised(jose.decrypt_ecdh_es, token, "mt-ticket", "1234567890123456", number(BOB_D)), bad


def test_signing_3_kb_allocates_little():
    """Everything that signing a 3 KB payload allocates, garbage included, with collection off."""
    import gc

    payload = bytes(3000)
    signature = bytes(64)
    jose.sign_es256(b"{}", "mt-req", KID, lambda digest: signature)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    token = jose.sign_es256(payload, "mt-req", KID, lambda digest: signature)
    used = gc.mem_alloc() - before
    gc.enable()
    print("sign: token %d bytes, allocated %d" % (len(token), used))
    assert used < 5 * len(token), used
    gc.collect()
    kept = gc.mem_alloc() - before
    assert kept < len(token) + 1024, kept


def test_real_random_source_works():
    import os

    rng = Rng(os.urandom)
    token = jose.encrypt_dir(b"{}", "mt-req", KID, KEY, rng)
    assert jose.decrypt_dir(token, "mt-req", KID, KEY) == b"{}"
