import os

from till.core.errors import CryptoError
from till.crypto import p256, selftest
from till.crypto.rng import Rng

HEAP = "512K"


def failing(rng=None):
    """What the self-test says is broken, or None."""
    try:
        selftest.run(rng or Rng(os.urandom))
    except CryptoError as e:
        return e.detail
    return None


def replaced(module, name, fake):
    """What the self-test says when `module.name` is `fake`."""
    real = getattr(module, name)
    setattr(module, name, fake)
    try:
        return failing()
    finally:
        setattr(module, name, real)


def wrong(real):
    """`real` with the last bit of its result turned."""

    def fake(*args):
        out = bytearray(real(*args))
        out[-1] ^= 1
        return bytes(out)

    return fake


def test_selftest_passes():
    assert failing() is None


def test_selftest_names_the_symmetric_primitive():
    class WrongHash:
        def digest(self):
            return bytes(32)

    class WrongCmac:
        def __init__(self, key):
            pass

        def mac(self, *parts):
            return bytes(16)

    class WrongDukpt:
        @staticmethod
        def load(ikid, key):
            raise CryptoError("x")

    class WrongAes:
        def __init__(self, *args):
            pass

        def encrypt(self, block):
            return block

    for name, fake, says in (
        ("sha256", lambda data: WrongHash(), "SHA-256"),
        ("hmac_sha256", wrong(selftest.hmac_sha256), "HMAC-SHA256"),
        ("equal", lambda a, b: True, "HMAC-SHA256"),
        ("aes", WrongAes, "AES"),
        ("CMAC", WrongCmac, "AES-CMAC"),
        ("seal", wrong(selftest.seal), "AES-SIV"),
        ("open_sealed", wrong(selftest.open_sealed), "AES-SIV"),
        ("Dukpt", WrongDukpt, "AES DUKPT (CryptoError)"),
        ("concat_kdf", wrong(selftest.concat_kdf), "Concat KDF"),
    ):
        assert replaced(selftest, name, fake) == "self-test: " + says, name


def test_selftest_names_what_fails_in_p256():
    for name, fake, says in (
        ("verify", lambda *a: True, "P-256 verify"),
        ("verify", lambda *a: False, "P-256 verify"),
        ("sign", wrong(p256.sign), "P-256 sign"),
        ("ecdh", wrong(p256.ecdh), "P-256 ECDH"),
        ("ecdh", lambda *a: 1 // 0, "P-256 ECDH (ZeroDivisionError)"),
    ):
        assert replaced(p256, name, fake) == "self-test: " + says, name


def test_selftest_names_the_random_source():
    class Stuck:
        def self_test(self):
            return None

        def bytes(self, n):
            return bytes(n)

    assert failing(Stuck()) == "self-test: random source"
    rng = Rng(os.urandom)
    rng._source = lambda n: bytes(n)
    assert failing(rng) == "self-test: random source (CryptoError)"
