"""P-256 (FIPS 186-5, SP 800-186): ECDSA with RFC 6979 nonces, prepared nonces, and ECDH.

On a port with the native emitter, field arithmetic, inversion and every choice from a table take the same time and
touch the same memory whatever the secret (core/fast_viper.py). Products modulo the group order are Python integers,
which promise nothing: there a secret that lasts only meets numbers that are random and used once. Scalars are
blinded by a multiple of the order, points by a random Z. An integer cannot be wiped from the heap; where that
matters, a secure element signs.
"""

from hashlib import sha256

from micropython import const

from till.core.errors import CryptoError
from till.core.fast import (
    modular_inverse,
    p256_get,
    p256_pick,
    p256_put,
    p256_registers,
    p256_row,
    p256_run,
)
from till.crypto.hmac import hmac_sha256
from till.crypto.p256_table import TABLE

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_HALF = N >> 1
_CHECK = const(1073741789)  # 2^30 - 35, a prime
_CHECK_N = N % _CHECK
_INFINITY = (0, 0)  # affine; it is not on the curve

# Field registers: the accumulator, the point to add, temporaries.
_ZERO = const(0)
_X = const(4)
_Y = const(5)
_Z = const(6)
_PX = const(7)
_PY = const(8)
_PZ = const(9)
_T = const(10)
_U = const(11)
_V = const(12)
_W = const(13)
_S = const(14)
_H = const(15)
_REGISTERS = const(16)

# Operations: 0 multiplies, 16 + k adds the right side k times. The octet at 0 of the three programs that take in a
# point is its sign, which p256_pick returns.
_MUL = const(0)
_ADD = const(17)
_SUB = const(15)

# Built from lists, which are let go: a tuple of constants would stay in the heap beside the bytes.
# fmt: off
_DOUBLE = bytes([  # Jacobian, a = -3: dbl-2001-b of the Explicit-Formulas Database, its alpha negated
    _MUL, _T, _Z, _Z,
    _MUL, _U, _Y, _Y,
    _MUL, _V, _X, _U,
    _SUB, _W, _T, _X,
    _ADD, _S, _T, _X,
    18, _W, _W, _W,
    _MUL, _W, _W, _S,
    _MUL, _S, _Y, _Z,
    _ADD, _Z, _S, _S,
    _MUL, _X, _W, _W,
    8, _X, _X, _V,
    12, _S, _X, _V,
    _MUL, _S, _W, _S,
    _MUL, _U, _U, _U,
    8, _Y, _S, _U,
])
_FIRST = bytes([  # the point to add becomes the accumulator, its Z times the random one there
    _ADD, _PY, _ZERO, _PY,
    _MUL, _T, _Z, _Z,
    _MUL, _X, _PX, _T,
    _MUL, _T, _T, _Z,
    _MUL, _Y, _PY, _T,
    _MUL, _Z, _PZ, _Z,
])
_ADD_AFFINE = bytes([  # Jacobian plus affine: madd. Equal, opposite or infinite points leave Z = 0 for good
    _ADD, _PY, _ZERO, _PY,
    _MUL, _T, _Z, _Z,
    _MUL, _U, _PX, _T,
    _MUL, _T, _T, _Z,
    _MUL, _V, _PY, _T,
    _SUB, _U, _U, _X,
    _SUB, _V, _V, _Y,
    _MUL, _Z, _Z, _U,
    _MUL, _W, _U, _U,
    _MUL, _S, _U, _W,
    _MUL, _W, _X, _W,
    _MUL, _X, _V, _V,
    _SUB, _X, _X, _S,
    14, _X, _X, _W,
    _SUB, _W, _W, _X,
    _MUL, _W, _V, _W,
    _MUL, _S, _Y, _S,
    _SUB, _Y, _W, _S,
])
_ADD_JACOBIAN = bytes([  # Jacobian plus Jacobian; the same holds
    _ADD, _PY, _ZERO, _PY,
    _MUL, _T, _Z, _Z,
    _MUL, _U, _PZ, _PZ,
    _MUL, _V, _X, _U,
    _MUL, _W, _PX, _T,
    _MUL, _U, _U, _PZ,
    _MUL, _U, _Y, _U,
    _MUL, _T, _T, _Z,
    _MUL, _T, _PY, _T,
    _SUB, _W, _W, _V,
    _SUB, _T, _T, _U,
    _MUL, _Z, _Z, _PZ,
    _MUL, _Z, _Z, _W,
    _MUL, _S, _W, _W,
    _MUL, _H, _W, _S,
    _MUL, _S, _V, _S,
    _MUL, _X, _T, _T,
    _SUB, _X, _X, _H,
    14, _X, _X, _S,
    _SUB, _S, _S, _X,
    _MUL, _S, _T, _S,
    _MUL, _U, _U, _H,
    _SUB, _Y, _S, _U,
])
# fmt: on

# The comb for G (crypto/p256_table.py): bit c + 12·(6t + j) of the scalar is tooth j of table t in column c.
_COMB_TABLES = const(4)
_COMB_TEETH = const(6)
_COMB_COLUMNS = const(12)
_COMB_BITS = const(288)
_ENTRY = const(80)
_COMB_ROW = const(2560)
# A known key's table is one comb of 6 teeth, and any other key's the odd multiples 1 … 31 for windows of 5 bits.
_KNOWN_COLUMNS = const(44)
_KNOWN_BITS = const(264)
_WINDOW = const(5)
_WINDOW_BITS = const(290)  # room for a blinded scalar
_WINDOW_BITS_PUBLIC = const(260)
_TRIES = const(16)


def generate(rng) -> int:
    """A private key, 1 … n - 1, by rejection sampling; `rng.bytes(n)` gives random bytes."""
    for _ in range(_TRIES):
        d = int.from_bytes(rng.bytes(32), "big")
        if 0 < d < N:
            return d
    raise CryptoError("random source")


def public_key(d: int, rng=None) -> tuple:
    """The public key `(x, y)` of the private key `d`; without `rng` the blinding is derived from `d`."""
    _check_scalar(d)
    return _base_point(d, _Blinds(_seed(rng, d, b"public")))


def check_public(x: int, y: int) -> None:
    """CryptoError unless (x, y) is a point of the curve with both coordinates in 0 … p - 1 (SP 800-56A §5.6.2.3.3)."""
    if not 0 <= x < P or not 0 <= y < P or (y * y - (x * x - 3) * x - B) % P:
        raise CryptoError("public key")


def encode_public(public: tuple) -> bytes:
    """64 bytes, x then y, of a checked public key."""
    x, y = public
    check_public(x, y)
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")


def decode_public(octets: bytes | bytearray | memoryview) -> tuple:
    """The public key `(x, y)` in 64 bytes; CryptoError unless it is a point of the curve."""
    if len(octets) != 64:
        raise CryptoError("public key")
    octets = bytes(octets)
    x = int.from_bytes(octets[:32], "big")
    y = int.from_bytes(octets[32:], "big")
    check_public(x, y)
    return x, y


class Prepared:
    """A nonce k made ahead for one signature, as r, 1/k and r/k modulo n. `prepare` makes it; using it clears it."""

    def __init__(self, k: int, blinds):
        self._values = None
        r = _base_point(k, blinds)[0] % N
        blind = blinds.scalar()
        inverse = _invert(k * blind % N, N) * blind % N
        if not r or k * inverse % N != 1:
            raise CryptoError("nonce")
        ratio = r * inverse % N
        self._values = (r.to_bytes(32, "big"), inverse, ratio, inverse % _CHECK, ratio % _CHECK)

    def take(self) -> tuple:
        """`(32 bytes of r, 1/k, r/k)`, then the check residues of the latter two. CryptoError the second time."""
        values = self._values
        if values is None:
            raise CryptoError("nonce was used")
        self._values = None
        return values


def prepare(rng, hedge: bytes = b"") -> Prepared:
    """A nonce for one later `sign`, made while there is time; never store it.

    k comes from an HMAC_DRBG over 64 bytes of `rng` and `hedge`, which should hold what never repeats (a counter)
    and what nobody knows (a secret): then a repeated state of the random source repeats no nonce.
    """
    seed = rng.bytes(64)
    return Prepared(_candidate(seed + hedge), _Blinds(rng.bytes(32)))


def sign(d: int, digest: bytes | bytearray | memoryview, rng, prepared: Prepared | None = None) -> bytes:
    """The ECDSA signature of a 32-byte digest under the private key `d`: 64 bytes, r then s, s ≤ n / 2.

    Without `prepared` the nonce is RFC 6979's with 32 fresh random bytes (§3.6, additional data k').

    No signature leaves before it is checked. When the nonce was made, its point was computed twice under two
    blindings, and 1/k was multiplied out. Here s = digest·(1/k) + (r/k)·d is checked modulo a prime of 30 bits,
    with residues of 1/k and r/k kept since then. Together these say that the signature verifies under the key that
    belongs to `d`; a `d` that was damaged before the call is not noticed. CryptoError if a check fails.
    """
    # d is only ever multiplied by r/k, which is random, secret and used once.
    if not 0 < d < N:
        raise CryptoError("private key")
    if len(digest) != 32:
        raise CryptoError("digest length")
    if prepared is None:
        fresh = rng.bytes(64)
        prepared = Prepared(_nonce(d, digest, fresh[:32]), _Blinds(fresh[32:]))
    r, inverse, ratio, inverse_check, ratio_check = prepared.take()
    z = int.from_bytes(digest, "big")
    quotient, s = divmod(z * inverse + ratio * d, N)
    check = z % _CHECK * inverse_check + d % _CHECK * ratio_check - quotient % _CHECK * _CHECK_N
    if (check - s) % _CHECK or not s:
        raise CryptoError("signature check")
    if s > _HALF:
        s = N - s
    return r + s.to_bytes(32, "big")


def verify(
    public: tuple,
    digest: bytes | bytearray | memoryview,
    signature: bytes | bytearray | memoryview,
    table: "KnownKey | None" = None,
) -> bool:
    """Whether `signature` (r then s, 32 bytes each, s ≤ n / 2) of a 32-byte digest verifies under `public`.

    `table` is `verify_table(public)`. CryptoError when the key, the digest's length or the table is unusable.
    """
    check_public(public[0], public[1])
    if len(digest) != 32:
        raise CryptoError("digest length")
    if table is not None and table.public != public:
        raise CryptoError("table of another key")
    if len(signature) != 64:
        return False
    signature = bytes(signature)
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if not 0 < r < N or not 0 < s <= _HALF:
        return False
    w = _invert(s, N)
    u1 = int.from_bytes(digest, "big") * w % N
    u2 = r * w % N
    if table is None:
        terms = [_window(_multiples(public, 1), u2, 0, _WINDOW_BITS_PUBLIC)]
    else:
        bits = _signed_bits(u2, 0, _KNOWN_BITS)
        terms = [(_KNOWN_COLUMNS, 1, bits, 0, _KNOWN_COLUMNS, _COMB_TEETH, table.row, 2)]
    if u1:
        terms.extend(_comb(u1, 0))
    registers = _multiply(terms, 1)
    z = p256_get(registers, _Z)
    if z:
        zz = z * z % P
        x = p256_get(registers, _X)
    else:  # infinity, or equal points met on the way: only a signature made for it gets here
        point = _affine_sum(_affine_multiple(u1, G), _affine_multiple(u2, public))
        if point == _INFINITY:
            return False
        zz = 1
        x = point[0]
    return (r * zz - x) % P == 0 or (r + N < P and ((r + N) * zz - x) % P == 0)


class KnownKey:
    """A public key and its comb, 2.5 KB. `verify_table` makes it."""

    def __init__(self, public: tuple, row: bytearray):
        self.public = public
        self.row = row


def verify_table(public: tuple) -> KnownKey:
    """What lets `verify` take less than half the time for this key; making it takes as long as a verification."""
    check_public(public[0], public[1])
    registers = p256_registers(_REGISTERS)
    teeth = _teeth(public)
    lowest = teeth.pop()
    for x, y in teeth:
        lowest = _affine_sum(lowest, (x, P - y))
    steps = [_affine_sum(tooth, tooth) for tooth in teeth]
    entries = []
    row = bytearray()
    for i in range(1 << (_COMB_TEETH - 1)):
        entry = lowest
        if i:
            highest = 0
            while i >> highest > 1:
                highest += 1
            entry = _affine_sum(entries[i - (1 << highest)], steps[highest])
        entries.append(entry)
        p256_put(registers, _X, entry[0])
        p256_put(registers, _Y, entry[1])
        row.extend(p256_row(registers, _X, 2))
    return KnownKey(public, row)


def ecdh(d: int, public: tuple, rng=None) -> bytes:
    """The 32-byte x-coordinate of d·public (SP 800-56A §5.7.1.2); CryptoError unless `public` is on the curve.

    Without `rng` the blinding is derived from `d` and `public`.
    """
    _check_scalar(d)
    blinds = _Blinds(_seed(rng, d, encode_public(public)))
    row = _multiples(public, blinds.element())
    x, y = _affine(_blinded(lambda blind: [_window(row, d, blind, _WINDOW_BITS)], blinds))
    check_public(x, y)
    return x.to_bytes(32, "big")


def _check_scalar(d) -> None:
    if not 0 < d < N:
        raise CryptoError("private key")


# Randomness for blinding ------------------------------------------------------------------------------------------


class _Blinds:
    """Blinding values from a 32-byte seed: SHA-256 in counter mode."""

    def __init__(self, seed):
        self._seed = seed
        self._count = 0

    def _next(self) -> int:
        self._count += 1
        return int.from_bytes(sha256(self._seed + self._count.to_bytes(4, "big")).digest(), "big")

    def word(self) -> int:
        """31 bits."""
        return self._next() >> 225

    def element(self) -> int:
        return self._next() % (P - 1) + 1

    def scalar(self) -> int:
        return self._next() % (N - 1) + 1


def _seed(rng, d: int, label: bytes) -> bytes:
    return hmac_sha256(d.to_bytes(32, "big"), label) if rng is None else rng.bytes(32)


# RFC 6979 ---------------------------------------------------------------------------------------------------------


def _nonce(d: int, digest, extra: bytes = b"") -> int:
    """k of RFC 6979 §3.2, with the additional data of §3.6 unless `extra` is empty."""
    h = int.from_bytes(digest, "big") % N
    return _candidate(d.to_bytes(32, "big") + h.to_bytes(32, "big") + extra)


def _candidate(material: bytes) -> int:
    """The first number in 1 … n - 1 from HMAC_DRBG seeded with `material` (RFC 6979 §3.2 b to h)."""
    v = b"\x01" * 32
    key = hmac_sha256(bytes(32), v, b"\x00", material)
    v = hmac_sha256(key, v)
    key = hmac_sha256(key, v, b"\x01", material)
    v = hmac_sha256(key, v)
    while True:
        v = hmac_sha256(key, v)
        k = int.from_bytes(v, "big")
        if 0 < k < N:
            return k
        key = hmac_sha256(key, v, b"\x00")
        v = hmac_sha256(key, v)


# Points -----------------------------------------------------------------------------------------------------------


def _signed_bits(scalar: int, blind: int, length: int) -> bytes:
    """An odd number congruent to `scalar` as `length` digits ±1: bit i of the result is 1 where digit i is +1.

    `blind`, 0 … 2^31 - 1, adds twice itself times n.
    """
    odd = scalar + (2 * blind + 1 - (scalar & 1)) * N
    return ((odd + (1 << length) - 1) >> 1).to_bytes(37, "little")


# A term is one summand of a multiplication: which bits of a scalar choose which entry of a row, at which positions.
# (end and step of the positions, bits, offset and spacing of the teeth, how many, row, coordinates an entry)


def _comb(scalar: int, blind: int) -> list:
    """The terms of scalar·G."""
    bits = _signed_bits(scalar, blind, _COMB_BITS)
    table = memoryview(TABLE)
    terms = []
    for t in range(_COMB_TABLES):
        row = table[t * _COMB_ROW : (t + 1) * _COMB_ROW]
        offset = t * _COMB_TEETH * _COMB_COLUMNS
        terms.append((_COMB_COLUMNS, 1, bits, offset, _COMB_COLUMNS, _COMB_TEETH, row, 2))
    return terms


def _window(row: bytearray, scalar: int, blind: int, length: int) -> tuple:
    """The term of scalar·Q, `row` the odd multiples of Q."""
    return length, _WINDOW, _signed_bits(scalar, blind, length), 0, 1, _WINDOW, row, 3


def _multiply(terms: list, z: int):
    """Registers with the sum of `terms` in X, Y, Z (Jacobian), started from a random `z`.

    Z is 0 at infinity, and when two points met that the addition formulas do not know.
    """
    registers = p256_registers(_REGISTERS)
    p256_put(registers, _Z, z)
    p256_put(registers, _PZ, 1)
    first = bytearray(_FIRST)
    add_affine = bytearray(_ADD_AFFINE)
    add_jacobian = bytearray(_ADD_JACOBIAN)
    aligned = bytearray(_COMB_ROW)  # TABLE may start anywhere in a ROM file system
    for position in range(max([term[0] for term in terms]) - 1, -1, -1):
        if not first:
            p256_run(registers, len(_DOUBLE), 0, _DOUBLE)
        for end, step, bits, offset, spacing, teeth, row, coordinates in terms:
            if position >= end or position % step:
                continue
            if isinstance(row, memoryview):
                aligned[:] = row
                row = aligned
            program = first or (add_affine if coordinates == 2 else add_jacobian)
            first = None
            program[0] = p256_pick(registers, _PX, row, bits, position + offset, spacing, teeth, coordinates)
            p256_run(registers, len(program), 0, program)
    return registers


def _multiples(public: tuple, z: int) -> bytearray:
    """The odd multiples 1 … 31 of a point, Jacobian, begun with `z`."""
    x, y = public
    registers = p256_registers(_REGISTERS)
    p256_put(registers, _PX, x)
    p256_put(registers, _PY, y)
    p256_put(registers, _PZ, 1)
    p256_put(registers, _Z, z)
    p256_run(registers, len(_FIRST), 0, _FIRST)
    row = bytearray(p256_row(registers, _X, 3))
    p256_run(registers, len(_DOUBLE), 0, _DOUBLE)
    # The double becomes the point to add, and the accumulator the point itself again.
    copy = bytes((_ADD, _PX, _X, _ZERO, _ADD, _PY, _Y, _ZERO, _ADD, _PZ, _Z, _ZERO))
    p256_run(registers, len(copy), 0, copy)
    p256_pick(registers, _X, row, b"\x01", 0, 1, 1, 3)
    for _ in range((1 << (_WINDOW - 1)) - 1):
        p256_run(registers, len(_ADD_JACOBIAN), 0, _ADD_JACOBIAN)
        row.extend(p256_row(registers, _X, 3))
    return row


def _teeth(public: tuple) -> list:
    """The points 2^(44 j)·public for j = 0 … 5, affine."""
    registers = p256_registers(_REGISTERS)
    p256_put(registers, _X, public[0])
    p256_put(registers, _Y, public[1])
    p256_put(registers, _Z, 1)
    teeth = [public]
    for _ in range(_COMB_TEETH - 1):
        for _ in range(_KNOWN_COLUMNS):
            p256_run(registers, len(_DOUBLE), 0, _DOUBLE)
        teeth.append(_affine(registers))
    return teeth


def _affine(registers) -> tuple:
    """(x, y) of the accumulator; CryptoError at infinity."""
    inverse = _invert(p256_get(registers, _Z), P)
    square = inverse * inverse % P
    return p256_get(registers, _X) * square % P, p256_get(registers, _Y) * square * inverse % P


def _blinded(terms, blinds: _Blinds):
    """Registers with the sum of `terms(blind)`, which is not infinity.

    A scalar close to 0 or n can lead to points that the addition formulas do not know; another blinding does not.
    """
    for _ in range(_TRIES):
        registers = _multiply(terms(blinds.word()), blinds.element())
        if p256_get(registers, _Z):
            return registers
    raise CryptoError("point at infinity")


def _base_point(k: int, blinds: _Blinds) -> tuple:
    """k·G, computed twice under different blindings; CryptoError when the two differ."""
    x, y = _affine(_blinded(lambda blind: _comb(k, blind), blinds))
    again = _blinded(lambda blind: _comb(k, blind), blinds)
    z = p256_get(again, _Z)
    zz = z * z % P
    if (x * zz - p256_get(again, _X)) % P or (y * zz * z - p256_get(again, _Y)) % P:
        raise CryptoError("point check")
    return x, y


def _invert(a: int, m: int) -> int:
    """1/a modulo the prime m; CryptoError when there is none."""
    inverse = modular_inverse(a, m)
    if not inverse:
        raise CryptoError("no inverse")
    return inverse


# The plain way, for tables and for what the formulas above do not know --------------------------------------------


def _affine_sum(a: tuple, b: tuple) -> tuple:
    """a + b, whatever they are."""
    if a == _INFINITY:
        return b
    if b == _INFINITY:
        return a
    x, y = a
    if x != b[0]:
        slope = (b[1] - y) * _invert((b[0] - x) % P, P) % P
    elif y == b[1]:
        slope = 3 * (x * x - 1) * _invert(2 * y % P, P) % P
    else:
        return _INFINITY
    x3 = (slope * slope - x - b[0]) % P
    return x3, (slope * (x - x3) - y) % P


def _affine_multiple(k: int, point: tuple) -> tuple:
    total = _INFINITY
    while k:
        if k & 1:
            total = _affine_sum(total, point)
        point = _affine_sum(point, point)
        k >>= 1
    return total
