"""AES DUKPT as a host sees it: every key again from the base derivation key (ANSI X9.24-3:2017 §6.3).

Annex B's derivation data: version 01, block counter, key usage, algorithm, length in bits, then the initial key ID
(for the initial key) or its last 4 bytes and the transaction counter.
"""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

# Key usages (X9.24-3 §6.3.2 Table 2).
USAGE_INITIAL = 0x8001
USAGE_DERIVATION = 0x8000
USAGE_PIN = 0x1000
USAGE_MAC_GENERATION = 0x2000
USAGE_MAC_VERIFICATION = 0x2001
USAGE_DATA_ENCRYPTION = 0x3000

# Algorithms (ibid., Table 3).
AES128 = 0x0002
AES256 = 0x0004
HMAC = 0x0005

IKID_BYTES = 8
KSN_BYTES = 12
COUNTER_BITS_MAX = 16

_AES = {16: AES128, 32: AES256}


def counter_valid(counter: int) -> bool:
    """Counters with more than 16 one-bits are never used (§6.3.1), nor is zero."""
    return 0 < counter < 2**32 and counter.bit_count() <= COUNTER_BITS_MAX


def next_counter(counter: int) -> int:
    """The counter that a unit uses after `counter`."""
    counter += 1
    while counter.bit_count() > COUNTER_BITS_MAX:
        counter += counter & -counter  # the next with fewer one-bits
    return counter


def _derive(key: bytes, usage: int, algorithm: int, bits: int, tail: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    fields = usage.to_bytes(2, "big") + algorithm.to_bytes(2, "big") + bits.to_bytes(2, "big") + tail
    blocks = b"".join(bytes([1, i]) + fields for i in range(1, (bits + 127) // 128 + 1))
    return encryptor.update(blocks)[: bits // 8]


def initial_key(bdk: bytes, ikid: bytes) -> bytes:
    """The initial key of `ikid` (8 bytes: BDK ID 4, derivation ID 4), as long as the BDK (16 or 32 bytes)."""
    if len(ikid) != IKID_BYTES:
        raise ValueError("initial key ID is 8 bytes")
    return _derive(bdk, USAGE_INITIAL, _AES[len(bdk)], 8 * len(bdk), ikid)


def transaction_key(initial: bytes, ikid: bytes, counter: int) -> bytes:
    """The derivation key of `counter`: one step for each one-bit, from the most significant."""
    if not counter_valid(counter):
        raise ValueError("transaction counter")
    key, walked = initial, 0
    for position in range(31, -1, -1):
        bit = 1 << position
        if counter & bit:
            walked |= bit
            tail = ikid[4:] + walked.to_bytes(4, "big")
            key = _derive(key, USAGE_DERIVATION, _AES[len(initial)], 8 * len(initial), tail)
    return key


def working_key(key: bytes, ikid: bytes, counter: int, usage: int, algorithm: int, bits: int) -> bytes:
    """The working key for `usage` of the transaction whose derivation key is `key`."""
    return _derive(key, usage, algorithm, bits, ikid[4:] + counter.to_bytes(4, "big"))


class Transaction:
    """The keys of one KSN (12 bytes: initial key ID 8, counter 4), derived from an AES-256 BDK."""

    def __init__(self, bdk: bytes, ksn: bytes):
        if len(bdk) != 32 or len(ksn) != KSN_BYTES:
            raise ValueError("AES-256 BDK and 12-byte KSN")
        self.ikid, self.counter = ksn[:IKID_BYTES], int.from_bytes(ksn[IKID_BYTES:], "big")
        self._key = transaction_key(initial_key(bdk, self.ikid), self.ikid, self.counter)

    def mac_key(self) -> bytes:
        """HMAC-SHA-256 key of the answer (usage 2001: the terminal verifies)."""
        return working_key(self._key, self.ikid, self.counter, USAGE_MAC_VERIFICATION, HMAC, 256)

    def data_key(self) -> bytes:
        """Key of the card data (usage 3000: the terminal encrypts)."""
        return working_key(self._key, self.ikid, self.counter, USAGE_DATA_ENCRYPTION, AES256, 256)

    def pin_key(self) -> bytes:
        """AES-256 key of PIN blocks (usage 1000)."""
        return working_key(self._key, self.ikid, self.counter, USAGE_PIN, AES256, 256)
