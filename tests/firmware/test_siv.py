from binascii import unhexlify as h
from hashlib import sha256

from till.core.errors import CryptoError
from till.crypto.siv import open_sealed, seal

# RFC 5297 appendix A: key, associated data, plaintext, output.
VECTORS = (
    (
        "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        ("101112131415161718191a1b1c1d1e1f2021222324252627",),
        "112233445566778899aabbccddee",
        "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c",
    ),
    (
        "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
        (
            "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
            "102030405060708090a0",
            "09f911029d74e35bd84156c5635688c0",
        ),
        "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17"
        "dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d",
    ),
)


def refused(key, associated, blob):
    try:
        open_sealed(key, associated, blob)
    except CryptoError:
        return True
    return False


def test_siv_rfc_5297():
    for key, associated, plaintext, sealed in VECTORS:
        associated = [h(a) for a in associated]
        assert seal(h(key), associated, h(plaintext)) == h(sealed)
        assert open_sealed(h(key), associated, memoryview(bytearray(h(sealed)))) == h(plaintext)


def test_siv_opens_what_it_sealed_at_every_length():
    key = bytes(range(64))
    long = bytes(i * 7 & 255 for i in range(1600))
    for length in (0, 1, 15, 16, 17, 31, 32, 511, 512, 513, 1038, 1600):
        blob = seal(key, [b"name", b"", b"unit"], long[:length])
        assert len(blob) == length + 16
        assert open_sealed(key, (b"name", b"", b"unit"), blob) == long[:length], length
    # the hash of what python-cryptography seals from the same
    assert sha256(blob).digest() == h("a4835b260056e99a481c1c6e6990b55d7a2c3aeb610a94752f404f5ef9b25726")


def test_siv_binds_every_part():
    key = bytes(range(32))
    blob = seal(key, [b"ab", b"c"], b"sealed value of some length")
    for associated in ([b"a", b"bc"], [b"abc"], [b"c", b"ab"], [b"ab", b"c", b""], []):
        assert refused(key, associated, blob), associated
    for i in range(len(blob)):
        bad = bytearray(blob)
        bad[i] ^= 0x80
        assert refused(key, [b"ab", b"c"], bad), i
    for bad in (b"", blob[:15], blob[:-1], blob + b"\x00"):
        assert refused(key, [b"ab", b"c"], bad), len(bad)
    assert refused(bytes(32), [b"ab", b"c"], blob)


def test_siv_refuses_other_key_lengths_and_too_many_parts():
    for length in (0, 16, 31, 33, 48, 128):
        try:
            seal(bytes(length), [], b"")
        except CryptoError:
            continue
        raise AssertionError(length)
    assert seal(bytes(32), [b""] * 126, b"")
    try:
        seal(bytes(32), [b""] * 127, b"")
    except CryptoError:
        return
    raise AssertionError("127 components")
