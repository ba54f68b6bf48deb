"""The firmware's symmetric cryptography on the Unix port against `cryptography`, over random inputs."""

import hashlib
import hmac
import struct
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.port import Port, PortRaised

SOURCE = """
from till.crypto.cmac import CMAC
from till.crypto.dukpt import Dukpt
from till.crypto.hmac import equal, hmac_sha256
from till.crypto.siv import open_sealed, seal

def cmac(key, parts):
    return CMAC(key).mac(*parts)

def load(ikid, key):
    return Dukpt.load(ikid, key).state()

def burn(state, times):
    dukpt = Dukpt(state)
    out = []
    for _ in range(times):
        t = dukpt.burn()
        out.append([t.counter, t.ksn, t.mac_key(), t.data_key(), t.pin_key()])
    return [out, dukpt.state()]
"""
MANY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def port():
    with Port(SOURCE, heap="1M") as port:
        yield port


def keys(*lengths: int):
    return st.sampled_from(lengths).flatmap(lambda n: st.binary(min_size=n, max_size=n))


@MANY
@given(st.binary(max_size=200), st.lists(st.binary(max_size=300), max_size=4))
def test_hmac(port, key, parts):
    assert port.call("hmac_sha256", key, *parts) == hmac.new(key, b"".join(parts), hashlib.sha256).digest()


@MANY
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_equal(port, a, b):
    assert port.call("equal", a, b) == (a == b)
    assert port.call("equal", a, a)


@MANY
@given(keys(16, 32), st.lists(st.binary(max_size=400), max_size=4))
def test_cmac(port, key, parts):
    other = CMAC(algorithms.AES(key))
    other.update(b"".join(parts))
    assert port.call("cmac", key, parts) == other.finalize()


@MANY
@given(keys(32, 64), st.lists(st.binary(max_size=60), max_size=5), st.binary(min_size=1, max_size=1200))
def test_siv_both_ways(port, key, associated, plaintext):
    sealed = AESSIV(key).encrypt(plaintext, associated)
    assert port.call("seal", key, associated, plaintext) == sealed
    assert port.call("open_sealed", key, associated, sealed) == plaintext


@MANY
@given(keys(32, 64), st.binary(min_size=17, max_size=600), st.data())
def test_siv_refuses_what_the_other_refuses(port, key, blob, data):
    bad = bytearray(AESSIV(key).encrypt(blob, [b"ad"]))
    bad[data.draw(st.integers(0, len(bad) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(PortRaised) as raised:
        port.call("open_sealed", key, [b"ad"], bytes(bad))
    assert raised.value.names[0] == "CryptoError"


# DUKPT from the receiving side (X9.24-3 §6.1, §6.3): from the initial key down the one bits of the counter.


def derive(key: bytes, usage: int, algorithm: int, ikid: bytes, counter: int) -> bytes:
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return b"".join(
        ecb.update(
            struct.pack(">BBHHH", 1, block, usage, algorithm, 8 * len(key)) + ikid[4:] + struct.pack(">I", counter)
        )
        for block in range(1, len(key) // 16 + 1)
    )


def intermediate(initial: bytes, ikid: bytes, counter: int) -> bytes:
    key, done = initial, 0
    for bit in reversed(range(32)):
        if counter >> bit & 1:
            done |= 1 << bit
            key = derive(key, 0x8000, len(key) // 8, ikid, done)
    return key


def state_at(initial: bytes, ikid: bytes, counter: int) -> bytes:
    registers = b""
    for bit in range(32):
        above = counter >> bit << bit
        needed = not counter >> bit & 1 and above.bit_count() < 16
        registers += intermediate(initial, ikid, above | 1 << bit) if needed else bytes(len(initial))
    return bytes([1, len(initial) // 8]) + ikid + struct.pack(">I", counter) + registers


counters = st.lists(st.integers(0, 31), max_size=16, unique=True).map(lambda bits: sum(1 << bit for bit in bits))


@settings(MANY, max_examples=60)
@given(keys(16, 32), st.binary(min_size=8, max_size=8), counters.filter(lambda c: c < 0xFFFF0000), st.integers(1, 12))
def test_dukpt_from_any_counter(port, initial, ikid, start, steps):
    state = port.call("load", ikid, initial) if start == 0 else state_at(initial, ikid, start)
    try:
        burned, state = port.call("burn", state, steps)
    except PortRaised as e:
        assert e.names[:2] == ["KeysExhausted", "CryptoError"]
        assert start > 0xFFF00000
        return
    for counter, ksn, mac, data, pin in burned:
        key = intermediate(initial, ikid, counter)
        assert counter.bit_count() <= 16
        assert ksn == ikid + struct.pack(">I", counter)
        assert mac == derive(key, 0x2001, 5, ikid, counter)
        assert data == derive(key, 0x3000, len(key) // 8, ikid, counter)
        assert pin == derive(key, 0x1000, len(key) // 8, ikid, counter)
    taken = [start] + [counter for counter, *_ in burned]
    for before, after in pairwise(taken):
        assert all(n.bit_count() > 16 for n in range(before + 1, min(after, before + 1000)))
    assert state == state_at(initial, ikid, taken[-1])


def test_dukpt_thousand_transactions_from_a_new_key(port):
    initial, ikid = bytes(range(32)), bytes(range(8))
    state, seen = port.call("load", ikid, initial), set()
    for first in range(1, 1001, 100):
        burned, state = port.call("burn", state, 100)
        assert [counter for counter, *_ in burned] == list(range(first, first + 100))
        assert burned[-1][3] == derive(intermediate(initial, ikid, first + 99), 0x3000, 4, ikid, first + 99)
        seen |= {key for transaction in burned for key in transaction[2:]}
    assert len(seen) == 3000
