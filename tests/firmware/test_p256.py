# P-256 by the standards' vectors and at its edges; tests/host/test_p256_cross.py checks it against `cryptography`.
import os
from hashlib import sha256

from till.core.errors import CryptoError
from till.crypto import p256
from till.crypto.p256 import G, N, P

# RFC 6979 A.2.5
D = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
PUBLIC = (
    0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6,
    0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299,
)
RFC6979 = (
    (
        b"sample",
        0xA6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60,
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    ),
    (
        b"test",
        0xD16B6AE827F17175E040871A1C7EC3500192C4C92677336EC2537ACAEE0008E0,
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    ),
)
SQUARE_ROOT_OF_B = 0x66485C780E2F83D72433BD5D84A06BB6541C2AF31DAE871728BF856A174F93F4


class System:
    def bytes(self, n):
        return os.urandom(n)


class Fixed:
    """The same bytes for ever: a broken random source."""

    def __init__(self, octet=7):
        self.octet = octet
        self.calls = 0

    def bytes(self, n):
        self.calls += 1
        return bytes((self.octet,)) * n


def refused(function, *args):
    try:
        function(*args)
    except CryptoError:
        return True
    return False


def octets(*numbers):
    return b"".join([n.to_bytes(32, "big") for n in numbers])


def digest_of(number):
    return number.to_bytes(32, "big")


def signature(u1, u2, r):
    """`(digest, signature)` that verification reads as these u1 and u2, or None when s comes out high."""
    s = r * p256._invert(u2, N) % N
    return (digest_of(u1 * s % N), octets(r, s)) if 0 < s <= N >> 1 else None


def test_nonce_by_rfc_6979():
    for message, k, _, _ in RFC6979:
        assert p256._nonce(D, sha256(message).digest()) == k
        assert p256._nonce(D, sha256(message).digest(), bytes(32)) != k
    for number in (0, 1, 5):  # bits2octets
        assert p256._nonce(D, digest_of(N + number)) == p256._nonce(D, digest_of(number))


def test_sign_by_rfc_6979_with_low_s():
    for message, k, r, s in RFC6979:
        digest = sha256(message).digest()
        prepared = p256.Prepared(k, p256._Blinds(os.urandom(32)))
        expected = octets(r, min(s, N - s))
        assert p256.sign(D, digest, System(), prepared) == expected
        assert p256.verify(PUBLIC, digest, expected)
        assert not p256.verify(PUBLIC, digest, octets(r, max(s, N - s)))


def test_sign_is_hedged():
    digest = sha256(b"sample").digest()
    signatures = set()
    for _ in range(3):
        made = p256.sign(D, digest, System())
        assert p256.verify(PUBLIC, digest, made)
        assert int.from_bytes(made[32:], "big") <= N >> 1
        signatures.add(made)
    assert len(signatures) == 3


def test_sign_with_a_broken_random_source_repeats_no_nonce():
    made = [p256.sign(D, sha256(m).digest(), Fixed())[:32] for m in (b"a", b"b")]
    assert made[0] != made[1]
    made.append(p256.sign(D + 1, sha256(b"a").digest(), Fixed())[:32])
    assert made[2] not in made[:2]


def test_sign_checks_its_arguments():
    for d in (0, -1, N, N + 1):
        assert refused(p256.sign, d, bytes(32), System()), d
    for digest in (b"", bytes(31), bytes(33)):
        assert refused(p256.sign, D, digest, System()), digest
    for d in (1, 2, N - 1):
        for digest in (bytes(32), digest_of(N), b"\xff" * 32):
            made = p256.sign(d, digest, System())
            assert p256.verify(p256.public_key(d), digest, made)
    assert p256.verify(PUBLIC, bytes(32), p256.sign(D, bytearray(32), System()))
    assert p256.verify(PUBLIC, memoryview(bytes(32)), bytearray(p256.sign(D, memoryview(bytes(32)), System())))


def test_prepared_signs_once():
    digest = sha256(b"sample").digest()
    prepared = p256.prepare(System())
    made = p256.sign(D, digest, System(), prepared)
    assert p256.verify(PUBLIC, digest, made)
    assert refused(p256.sign, D, digest, System(), prepared)
    assert refused(p256.sign, D, sha256(b"test").digest(), System(), prepared)
    for value in prepared.__dict__.values():
        assert value is None


def test_prepared_is_not_spent_on_a_refused_request():
    prepared = p256.prepare(System())
    assert refused(p256.sign, 0, bytes(32), System(), prepared)
    assert refused(p256.sign, D, bytes(31), System(), prepared)
    assert p256.verify(PUBLIC, bytes(32), p256.sign(D, bytes(32), System(), prepared))


def test_prepared_uses_no_randomness_online():
    rng = Fixed()
    prepared = p256.prepare(rng)
    rng.calls = 0
    p256.sign(D, bytes(32), rng, prepared)
    assert rng.calls == 0


def test_prepare_hedges_a_broken_random_source():
    def r(hedge):
        return p256.sign(D, bytes(32), Fixed(), p256.prepare(Fixed(), hedge))[:32]

    assert r(b"1") != r(b"2")
    assert r(b"1") == r(b"1")  # which is why the hedge must never repeat


def test_sign_lets_no_faulty_signature_out():
    digest = sha256(b"sample").digest()
    for i in range(1, 5):  # 1/k, r/k and the residues
        for flip in (1, 1 << 17, 1 << 100, 1 << 255):
            if i > 2 and flip >> 30:
                continue
            prepared = p256.prepare(System())
            values = list(prepared._values)
            values[i] ^= flip
            prepared._values = tuple(values)
            assert refused(p256.sign, D, digest, System(), prepared), (i, flip)


def test_prepare_lets_no_faulty_point_out():
    genuine = p256.p256_run
    calls = 0

    def faulty(registers, end, start, program):
        nonlocal calls
        genuine(registers, end, start, program)
        calls += 1
        if calls == 40:  # once, in the middle of the first multiplication
            p256.p256_put(registers, 4, p256.p256_get(registers, 4) ^ 1)

    p256.p256_run = faulty
    try:
        assert refused(p256.prepare, System())
    finally:
        p256.p256_run = genuine
    assert calls > 40


def test_generate_rejects_what_is_out_of_range():
    class Sequence:
        def __init__(self, *numbers):
            self.numbers = list(numbers)

        def bytes(self, n):
            assert n == 32
            return digest_of(self.numbers.pop(0))

    assert p256.generate(Sequence(0, N, N + 1, (1 << 256) - 1, N - 1)) == N - 1
    assert p256.generate(Sequence(1)) == 1
    assert refused(p256.generate, Fixed(0))
    assert refused(p256.generate, Fixed(255))
    keys = {p256.generate(System()) for _ in range(4)}
    assert len(keys) == 4


def test_public_key_by_known_multiples():
    # The point multiplication vectors that go with NIST's curves: k = 1, 2, n - 1, and RFC 6979's key
    assert p256.public_key(1) == G
    assert p256.public_key(2) == (
        0x7CF27B188D034F7E8A52380304B51AC3C08969E277F21B35A60B48FC47669978,
        0x07775510DB8ED040293D9AC69F7430DBBA7DADE63CE982299E04B79D227873D1,
    )
    assert p256.public_key(N - 1) == (G[0], P - G[1])
    assert p256.public_key(D) == PUBLIC
    assert p256.public_key(D, System()) == PUBLIC
    for d in (0, N, -1, 1 << 256):
        assert refused(p256.public_key, d), d


def test_public_key_by_the_plain_way():
    assert p256._affine_multiple(N, G) == p256._INFINITY
    for bit in (0, 11, 12, 71, 72, 73, 143, 144, 215, 216, 255):
        for k in ((1 << bit) - 1, 1 << bit, (1 << bit) + 1):
            if 0 < k < N:
                assert p256.public_key(k) == p256._affine_multiple(k, G), k


def test_check_public_refuses_what_is_no_point():
    x, y = PUBLIC
    for bad in (
        (0, 0),
        (x, 0),
        (0, y),
        (x, y ^ 1),
        (x ^ 1, y),
        (y, x),
        (x + P, y),
        (x, y + P),
        (-x, y),
        (x, -y),
        (x, y - P),
        (P, SQUARE_ROOT_OF_B),
        (0, P),
        (1 << 256, y),
    ):
        assert refused(p256.check_public, *bad), bad
    p256.check_public(x, y)
    p256.check_public(x, P - y)
    p256.check_public(0, SQUARE_ROOT_OF_B)


def test_public_key_octets():
    assert p256.encode_public(PUBLIC) == octets(*PUBLIC)
    assert p256.decode_public(octets(*PUBLIC)) == PUBLIC
    assert p256.decode_public(memoryview(bytearray(octets(*PUBLIC)))) == PUBLIC
    for bad in (
        b"",
        octets(*PUBLIC)[:63],
        octets(*PUBLIC) + b"\0",
        b"\x04" + octets(*PUBLIC),
        octets(0, 0),
        b"\xff" * 64,
    ):
        assert refused(p256.decode_public, bad), bad
    assert refused(p256.encode_public, (1, 1))


def test_verify_refuses_what_is_out_of_range():
    digest = sha256(b"sample").digest()
    _, _, r, s = RFC6979[0]
    s = min(s, N - s)
    good = octets(r, s)
    assert p256.verify(PUBLIC, digest, good)
    top = (1 << 256) - 1
    for bad in ((0, s), (r, 0), (0, 0), (N, s), (r, N), (N, N), (top, s), (r, top), (r, N - s), (r + 1, s), (r, s - 1)):
        assert not p256.verify(PUBLIC, digest, octets(*bad)), bad
    for bad in (b"", good[:63], good + b"\0", good + good):
        assert not p256.verify(PUBLIC, digest, bad)
    assert not p256.verify((PUBLIC[0], P - PUBLIC[1]), digest, good)
    assert not p256.verify(PUBLIC, sha256(b"test").digest(), good)
    for i in range(0, 64, 9):
        bad = bytearray(good)
        bad[i] ^= 1 << (i % 8)
        assert not p256.verify(PUBLIC, digest, bad)
    for bad in (b"", digest[:31], digest + b"\0"):
        assert refused(p256.verify, PUBLIC, bad, good)
    for bad in ((0, 0), (PUBLIC[0], PUBLIC[1] ^ 1), (PUBLIC[0] + P, PUBLIC[1])):
        assert refused(p256.verify, bad, digest, good)


def test_verify_takes_an_x_coordinate_beyond_the_order():
    # R with n <= x < p: r is x - n, and only r + n, not r, is the x-coordinate of R.
    x = N
    while True:
        square = (x * x * x - 3 * x + p256.B) % P
        y = pow(square, (P + 1) // 4, P)
        if y * y % P == square:
            break
        x += 1
    r = x - N
    assert r > 0 and x < P
    digest = sha256(b"wrap").digest()
    s = 0x1234567890ABCDEF << 190
    assert s <= N >> 1
    # Q = (s·R - z·G) / r
    z = int.from_bytes(digest, "big")
    inverse = p256._invert(r, N)
    public = p256._affine_sum(
        p256._affine_multiple(s * inverse % N, (x, y)), p256._affine_multiple((N - z) * inverse % N, G)
    )
    assert p256.verify(public, digest, octets(r, s))
    assert p256.verify(public, digest, octets(r, s), p256.verify_table(public))
    assert not p256.verify(public, digest, octets(r + N, s))  # the x-coordinate itself is out of range


def test_verify_takes_no_x_coordinate_beyond_p():
    # R has a small x; r = x + p - n is below n, and r + n is x modulo p all the same.
    x = 5
    r = x + P - N
    y = pow((x * x * x - 3 * x + p256.B) % P, (P + 1) // 4, P)
    p256.check_public(x, y)
    digest = sha256(b"wrap").digest()
    z = int.from_bytes(digest, "big")
    s = 0x1234567890ABCDEF << 190
    inverse = p256._invert(r, N)
    public = p256._affine_sum(
        p256._affine_multiple(s * inverse % N, (x, y)), p256._affine_multiple((N - z) * inverse % N, G)
    )
    assert not p256.verify(public, digest, octets(r, s))
    assert not p256.verify(public, digest, octets(r, s), p256.verify_table(public))


def test_verify_where_points_meet():
    # The last comb point to be added is T = t·G, known from u1; u2 makes the sum so far ±T: a doubling, then infinity.
    key = 5
    public = p256.public_key(key)
    table = p256.verify_table(public)
    doubled = vanished = u1 = plainly = 0
    genuine = p256._affine_multiple

    def counted(k, point):
        nonlocal plainly
        plainly += 1
        return genuine(k, point)

    while not doubled or not vanished:
        u1 += 0x0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
        u1 %= N
        bits = p256._signed_bits(u1, 0, 288)
        t = 0
        for j in range(6):
            at = 12 * (18 + j)
            t += (1 << at) * (1 if bits[at >> 3] >> (at & 7) & 1 else -1)
        inverse = p256._invert(key, N)
        total = 2 * t % N
        r = p256._affine_multiple(total, G)[0] % N
        made = signature(u1, (total - u1) * inverse % N, r)
        if made:
            doubled += 1
            p256._affine_multiple = counted
            assert p256.verify(public, *made) and plainly == 2
            p256._affine_multiple = genuine
            plainly = 0
            assert p256.verify(public, made[0], made[1], table)
            assert not p256.verify(public, made[0], made[1][:31] + bytes((made[1][31] ^ 1,)) + made[1][32:])
        made = signature(u1, -u1 * inverse % N, r)
        if made:
            vanished += 1
            assert not p256.verify(public, *made)
            assert not p256.verify(public, made[0], made[1], table)


def test_verify_of_digest_zero_and_of_the_order():
    for digest in (bytes(32), digest_of(N)):  # u1 = 0: nothing of G in the sum
        made = p256.sign(D, digest, System())
        assert p256.verify(PUBLIC, digest, made)
        assert p256.verify(PUBLIC, digest, made, p256.verify_table(PUBLIC))
    assert p256.verify(PUBLIC, bytes(32), p256.sign(D, digest_of(N), System()))


def test_verify_with_a_table():
    digest = sha256(b"sample").digest()
    made = p256.sign(D, digest, System())
    table = p256.verify_table(PUBLIC)
    assert p256.verify(PUBLIC, digest, made, table)
    assert not p256.verify(PUBLIC, sha256(b"test").digest(), made, table)
    assert refused(p256.verify, p256.public_key(7), digest, made, table)
    assert refused(p256.verify_table, (1, 1))
    for key in (1, 2, N - 1):  # Q = ±G: the two combs meet everywhere
        public = p256.public_key(key)
        made = p256.sign(key, digest, System())
        assert p256.verify(public, digest, made, p256.verify_table(public))


def test_ecdh_by_vectors():
    # NIST CAVP, KAS ECC CDH primitive, P-256, count 0
    assert p256.ecdh(
        0x7D7DC5F71EB29DDAF80D6214632EEAE03D9058AF1FB6D22ED80BADB62BC1A534,
        (
            0x700C48F77F56584C5CC632CA65640DB91B6BACCE3A4DF6B42CE7CC838833D287,
            0xDB71E509E3FD9B060DDB20BA5C51DCC5948D46FBF640DFE0441782CAB85FA4AC,
        ),
    ) == digest_of(0x46FC62106420FF012E54A434FBDD2D25CCC5852060561E68040DD7778997BD7B)
    # RFC 5903 §8.1, both ways
    i = 0xC88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433
    r = 0xC6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53
    public_i = (
        0xDAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180,
        0x5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3,
    )
    public_r = (
        0xD12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63,
        0x56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB,
    )
    shared = digest_of(0xD6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE)
    assert p256.public_key(i) == public_i and p256.public_key(r) == public_r
    assert p256.ecdh(i, public_r) == shared
    assert p256.ecdh(r, public_i, System()) == shared


def test_ecdh_at_the_edges():
    for d in (1, 2, 3, 31, 32, 33, N - 2, N - 1):
        assert p256.ecdh(d, PUBLIC) == digest_of(p256._affine_multiple(d, PUBLIC)[0]), d
    for _ in range(100):  # with one blinding in 16 the sum is infinite before its last step
        assert p256.ecdh(1, PUBLIC, System()) == digest_of(PUBLIC[0])
    assert p256.ecdh(N - 1, (0, SQUARE_ROOT_OF_B)) == bytes(32)
    for d in (0, N, -1):
        assert refused(p256.ecdh, d, PUBLIC), d
    for bad in ((0, 0), (PUBLIC[0], PUBLIC[1] ^ 1), (PUBLIC[0] + P, PUBLIC[1]), (1, 1)):
        assert refused(p256.ecdh, D, bad), bad


def test_no_inverse_of_zero():
    assert refused(p256._invert, 0, N)
