"""P-256 of the firmware, on the Unix port, against `cryptography`: both twins, both ways, on random and edge inputs."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from microtill.release import p256_table
from support.fuzz import examples
from support.port import Port, PortRaised

SOURCE = """
import os
from till.crypto import p256

class System:
    def bytes(self, n):
        return os.urandom(n)

RNG = System()
TABLES = {}

def sign(d, digest):
    return p256.sign(d, digest, RNG)

def sign_prepared(d, digest):
    return p256.sign(d, digest, RNG, p256.prepare(RNG, digest))

def public_key(d):
    return p256.public_key(d, RNG)

def verify(public, digest, signature):
    return p256.verify(tuple(public), digest, signature)

def verify_known(public, digest, signature):
    public = tuple(public)
    if public not in TABLES:
        TABLES.clear()
        TABLES[public] = p256.verify_table(public)
    return p256.verify(public, digest, signature, TABLES[public])

def ecdh(d, public):
    return p256.ecdh(d, tuple(public), RNG)

def decode(octets):
    return p256.decode_public(octets)

def encode(public):
    return p256.encode_public(tuple(public))
"""
PLAIN = """
import sys
from till.core import fast_plain
sys.modules["till.core.fast"] = fast_plain
"""
P = p256_table.P
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ALGORITHM = ec.ECDSA(Prehashed(SHA256()))
EDGES = [1, 2, 3, N - 1, N - 2, N >> 1, (N >> 1) + 1, 1 << 255, (1 << 128) - 1]
scalars = st.one_of(st.sampled_from(EDGES), st.integers(1, N - 1))
digests = st.one_of(
    st.sampled_from([bytes(32), N.to_bytes(32, "big"), (N - 1).to_bytes(32, "big"), b"\xff" * 32]),
    st.binary(min_size=32, max_size=32),
)
few = settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module", params=["", PLAIN], ids=["fast", "plain"])
def port(request):
    with Port(request.param + SOURCE) as port:
        yield port


def key(d: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(d, ec.SECP256R1())


def point(d: int) -> list[int]:
    numbers = key(d).public_key().public_numbers()
    return [numbers.x, numbers.y]


def joined(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verifies(public: list[int], digest: bytes, signature: bytes) -> bool:
    """What `cryptography` says, held to the profile: a low s, 32 bytes each."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if s > N >> 1:
        return False
    try:
        theirs = ec.EllipticCurvePublicNumbers(*public, ec.SECP256R1()).public_key()
        theirs.verify(encode_dss_signature(r, s), digest, ALGORITHM)
    except InvalidSignature:
        return False
    return True


@given(scalars, digests, st.booleans())
@few
def test_what_the_firmware_signs_verifies(port, d, digest, ahead):
    signature = port.call("sign_prepared" if ahead else "sign", d, digest)
    assert verifies(point(d), digest, signature)


@given(scalars, digests, st.booleans())
@few
def test_the_firmware_verifies_what_others_sign(port, d, digest, known):
    r, s = decode_dss_signature(key(d).sign(digest, ALGORITHM))
    name = "verify_known" if known else "verify"
    assert port.call(name, point(d), digest, joined(r, min(s, N - s))) is True
    assert port.call(name, point(d), digest, joined(r, max(s, N - s))) is False


@given(scalars)
@few
def test_public_keys_agree(port, d):
    assert port.call("public_key", d) == point(d)


@given(scalars, scalars)
@few
def test_shared_secrets_agree(port, d, other):
    theirs = key(d).exchange(ec.ECDH(), key(other).public_key())
    assert port.call("ecdh", d, point(other)) == theirs


@given(scalars, digests, st.integers(0, 511), st.sampled_from(["r", "s", "digest"]))
@few
def test_fuzz_a_changed_signature_verifies_nowhere(port, d, digest, bit, where):
    r, s = decode_dss_signature(key(d).sign(digest, ALGORITHM))
    s = min(s, N - s)
    flip = 1 << bit % 256
    if where == "digest":
        digest = (int.from_bytes(digest, "big") ^ flip).to_bytes(32, "big")
    signature = joined(r ^ flip if where == "r" else r, s ^ flip if where == "s" else s)
    assert port.call("verify", point(d), digest, signature) is verifies(point(d), digest, signature)


@given(scalars, digests, st.one_of(st.sampled_from(EDGES), st.integers(0, 2**256 - 1)), st.integers(0, 2**256 - 1))
@few
def test_fuzz_arbitrary_signatures_are_judged_alike(port, d, digest, r, s):
    signature = joined(r, s)
    expected = 0 < r < N and 0 < s < N and verifies(point(d), digest, signature)
    assert port.call("verify", point(d), digest, signature) is expected


@given(scalars, st.binary(max_size=70), st.binary(max_size=70))
@many
def test_fuzz_verify_of_any_bytes_is_an_answer_or_a_crypto_error(port, d, digest, signature):
    try:
        assert port.call("verify", point(d), digest, signature) is False
        assert len(digest) == 32
    except PortRaised as e:
        assert e.names[0] == "CryptoError" and len(digest) != 32


@st.composite
def almost_points(draw):
    """64 bytes or about as many: random ones, points, and points with a coordinate changed or moved by p."""
    x, y = point(draw(scalars))
    how = draw(st.integers(0, 5))
    if how == 0:
        return draw(st.binary(max_size=70))
    if how == 1:
        return draw(st.binary(min_size=64, max_size=64))
    if how == 2:
        y = P - y
    elif how == 3:
        x ^= 1 << draw(st.integers(0, 255))
    elif how == 4:
        y ^= 1 << draw(st.integers(0, 255))
    elif x + P < 2**256:
        x += P
    return joined(x, y)


@given(almost_points())
@many
def test_fuzz_decoded_public_keys_are_points(port, octets):
    try:
        ours = port.call("decode", octets)
    except PortRaised as e:
        assert e.names[0] == "CryptoError"
        ours = None
    try:
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + octets).public_numbers()
        theirs = [theirs.x, theirs.y]
    except ValueError:
        theirs = None
    assert ours == theirs
    if ours:
        assert port.call("encode", ours) == octets


@given(st.integers(0, 40))
@few
def test_points_with_a_small_x_coordinate(port, offset):
    """x near 0, near the order and near p: limbs of zeros and ones."""
    for start in (0, N, P - 50):
        x = start + offset
        try:
            octets = b"\x02" + x.to_bytes(32, "big")
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets)
        except ValueError:
            continue
        numbers = public.public_numbers()
        for d in (1, 2, N - 1, 0x1234567890ABCDEF << 128):
            shared = port.call("ecdh", d, [numbers.x, numbers.y])
            assert shared == key(d).exchange(ec.ECDH(), public)


def test_the_committed_table_is_the_generated_one():
    assert p256_table.TABLE.read_text("utf-8") == p256_table.source()


def test_the_table_is_the_comb_it_says():
    """Against `cryptography`: entries as multiples of G, out of Montgomery form."""
    octets = p256_table.table()
    for t in range(p256_table.TABLES):
        for entry in (0, 1, 21, 31):
            k = 0
            for j in range(p256_table.TEETH):
                plus = j == p256_table.TEETH - 1 or entry >> j & 1
                k += (1 if plus else -1) << p256_table.COLUMNS * (p256_table.TEETH * t + j)
            at = 80 * (32 * t + entry)
            numbers = [
                sum(int.from_bytes(octets[i + 2 * j : i + 2 * j + 2], "little") << 13 * j for j in range(20))
                for i in (at, at + 40)
            ]
            assert [n * pow(2, -260, P) % P for n in numbers] == point(k % N)
