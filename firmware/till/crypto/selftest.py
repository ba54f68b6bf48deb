"""Known-answer tests at start-up: a terminal whose cryptography computes wrongly must not take money."""

from binascii import unhexlify as h
from hashlib import sha256

from cryptolib import aes
from micropython import const

from till.core.errors import CryptoError
from till.crypto import p256
from till.crypto.cmac import CMAC
from till.crypto.dukpt import Dukpt
from till.crypto.hmac import equal, hmac_sha256
from till.crypto.jose import concat_kdf
from till.crypto.siv import open_sealed, seal

_ECB = const(1)
_CBC = const(2)


def _sha256(rng) -> bool:  # FIPS 180-4, "abc"
    return sha256(b"abc").digest() == h(b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def _hmac(rng) -> bool:  # RFC 4231 §4.3
    tag = hmac_sha256(b"Jefe", b"what do ya want ", b"for nothing?")
    good = h(b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    return equal(tag, good) and not equal(tag, good[:-1] + b"\x00")


def _aes(rng) -> bool:  # FIPS 197 C.3; SP 800-38A F.2.1 and F.2.2
    key, plain = bytes(range(32)), h(b"00112233445566778899aabbccddeeff")
    cipher = aes(key, _ECB).encrypt(plain)
    if cipher != h(b"8ea2b7ca516745bfeafc49904b496089") or aes(key, _ECB).decrypt(cipher) != plain:
        return False
    key, iv, plain = h(b"2b7e151628aed2a6abf7158809cf4f3c"), bytes(range(16)), h(b"6bc1bee22e409f96e93d7e117393172a")
    cipher = aes(key, _CBC, iv).encrypt(plain)
    return cipher == h(b"7649abac8119b246cee98e9b12e9197d") and aes(key, _CBC, iv).decrypt(cipher) == plain


def _cmac(rng) -> bool:  # SP 800-38B, AES-256, 40 bytes
    cmac = CMAC(h(b"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"))
    message = h(b"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411")
    return cmac.mac(message) == h(b"aaf3d8f1de5640c232f5b169b9c911e6")


def _siv(rng) -> bool:  # RFC 5297 A.1
    key = h(b"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    associated = [h(b"101112131415161718191a1b1c1d1e1f2021222324252627")]
    plain = h(b"112233445566778899aabbccddee")
    sealed = h(b"85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c")
    return seal(key, associated, plain) == sealed and open_sealed(key, associated, sealed) == plain


def _dukpt(rng) -> bool:  # supplement to X9.24-3-2017, AES-256, counter 1
    initial = h(b"ce9ce0c101d1138f97fb6cad4df045a7083d4eae2d35a31789d01ccf0949550f")
    key = Dukpt.load(h(b"1234567890123456"), initial).burn().data_key()
    return key == h(b"71eb36c9a6b7f801d1d1700c29741fc5a5c4e9b45d742da7af6992b8aa29af58")


def _kdf(rng) -> bool:  # RFC 7518 appendix C
    return concat_kdf(h(_Z), b"A128GCM", 128, b"Alice", b"Bob") == h(b"56aa8deaf8236d205c2228cd71a7101a")


# RFC 7518 appendix C: Alice's public key, Bob's private key and what they share.
_ALICE = (
    b"808d060082c176eed3e776a4ac598cc8672c1779f974eecc9b03411ca5b9495d"
    b"48b5bfc527dfce53d6ac7115237d031ccff87a0570b77350a9e503ee7305a69b"
)
_BOB = 0x5449836690D75CAF29F0DD029DDB31B3DDB8ABA9D2D515C5012465E817D4A9DC
_Z = b"9e56d91d817135d372834283bf84269cfb316ea3da806a48f6daa7798cfe90c4"
# RFC 6979 A.2.5: the key, and its signature of "sample" under SHA-256 with s moved to the lower half.
_PRIVATE = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
_PUBLIC = (
    b"60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    b"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
_SIGNATURE = (
    b"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    b"0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9"
)


def _p256_verify(rng) -> bool:
    public = p256.decode_public(h(_PUBLIC))
    signature = h(_SIGNATURE)
    return p256.verify(public, sha256(b"sample").digest(), signature) and not p256.verify(
        public, sha256(b"Sample").digest(), signature
    )


def _p256_sign(rng) -> bool:  # hedged, so not a known signature but a known key that verifies it
    digest = sha256(b"test").digest()
    return p256.verify(p256.decode_public(h(_PUBLIC)), digest, p256.sign(_PRIVATE, digest, rng))


def _p256_ecdh(rng) -> bool:
    return p256.ecdh(_BOB, p256.decode_public(h(_ALICE))) == h(_Z)


def _random(rng) -> bool:
    rng.self_test()
    return rng.bytes(32) != rng.bytes(32)


TESTS = (
    ("SHA-256", _sha256),
    ("HMAC-SHA256", _hmac),
    ("AES", _aes),
    ("AES-CMAC", _cmac),
    ("AES-SIV", _siv),
    ("AES DUKPT", _dukpt),
    ("Concat KDF", _kdf),
    ("random source", _random),
    ("P-256 verify", _p256_verify),
    ("P-256 sign", _p256_sign),
    ("P-256 ECDH", _p256_ecdh),
)


def run(rng) -> None:
    """Run every test; CryptoError names the primitive that fails first. `rng`: till.crypto.rng.Rng."""
    for name, test in TESTS:
        check(name, test, rng)


def check(name: str, test, rng) -> None:
    """Run one of TESTS; CryptoError when it fails."""
    try:
        passed = test(rng)
    except Exception as e:  # noqa: BLE001 - a broken primitive may raise anything; it becomes one error
        raise CryptoError("self-test: %s (%s)" % (name, type(e).__name__))
    if not passed:
        raise CryptoError("self-test: " + name)
