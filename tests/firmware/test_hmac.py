from binascii import unhexlify as h

from till.crypto.hmac import equal, hmac_sha256

# RFC 4231 §4: key, data, HMAC-SHA-256 (case 5 truncated to 128 bits).
VECTORS = (
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (b"\x0c" * 20, b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
)


def test_hmac_rfc_4231():
    for key, data, tag in VECTORS:
        assert hmac_sha256(key, data)[: len(tag) // 2] == h(tag), data
    # a key as long as the block is not hashed; the value is CPython's
    tag = hmac_sha256(bytes(range(64)), b"a key of one block")
    assert tag == h("091107fcc025b917f5abc0e67da0c8de73c139dcfe930d1d80c4e16ecc763b25")


def test_hmac_of_parts_is_hmac_of_the_whole():
    for key, data, tag in VECTORS:
        view = memoryview(bytearray(data))
        got = hmac_sha256(memoryview(key), b"", view[:1], view[1:9], view[9:])
        assert got[: len(tag) // 2] == h(tag), data


def test_equal_compares_every_byte():
    assert equal(b"", b"")
    assert equal(b"abc", memoryview(bytearray(b"abc")))
    for other in (b"abd", b"bbc", b"ab", b"abcd", b""):
        assert not equal(b"abc", other), other
