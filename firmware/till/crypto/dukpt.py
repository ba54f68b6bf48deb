"""AES DUKPT on the terminal's side (ANSI X9.24-3-2017 §6): a fresh set of keys for each transaction.

The state holds 32 intermediate derivation keys and no initial key, so nothing in it leads back to a key already used.
"""

from struct import pack_into

from cryptolib import aes
from micropython import const

from till.core.errors import CryptoError, KeysExhausted

# X9.24-3 §6.3.2, table 2: usage of the derived key
_PIN_ENCRYPTION = const(0x1000)
_MAC_VERIFICATION = const(0x2001)
_DATA_ENCRYPTION = const(0x3000)
_KEY_DERIVATION = const(0x8000)
# X9.24-3 §6.3.2, table 3: algorithm of the derived key
_AES128 = const(2)
_AES256 = const(4)
_HMAC = const(5)

_ECB = const(1)
_REGISTERS = const(32)
_MAX_ONES = const(16)  # §6.1: counters with more one bits are skipped, so no key is more than 16 derivations away

# State record: version, algorithm of the derivation keys, initial key id, counter last burned, registers.
_VERSION = const(1)
_COUNTER = const(10)
_HEADER = const(14)


def _ones(n: int) -> int:
    count = 0
    while n:
        n &= n - 1
        count += 1
    return count


def next_counter(counter: int) -> int:
    """The transaction counter after `counter` that has at most 16 one bits; KeysExhausted after 0xFFFF0000."""
    counter += 1
    while _ones(counter) > _MAX_ONES:
        counter += counter & -counter
    if counter >> 32:
        raise KeysExhausted("DUKPT counter")
    return counter


def _put(data, at: int, key_len: int, usage: int, algorithm: int, ikid, counter: int) -> int:
    """Write the derivation data (§6.3.2) of one key of `key_len` bytes, a block for each 16 of them; return the end."""
    for block in range(1, key_len // 16 + 1):
        pack_into(">BBHHH4sI", data, at, 1, block, usage, algorithm, 8 * key_len, bytes(ikid[4:]), counter)
        at += 16
    return at


def _wipe(buffer) -> None:
    buffer[:] = bytes(len(buffer))


class Transaction:
    """The working keys of one transaction. `ksn`: 12 bytes, initial key id and counter; `counter`: int."""

    def __init__(self, ksn: bytes, counter: int, keys: memoryview):
        self.ksn = ksn
        self.counter = counter
        self._keys = keys
        self._erased = False

    def _key(self, index: int) -> bytes:
        if self._erased:
            raise CryptoError("keys were erased")
        n = len(self._keys) // 3
        return bytes(self._keys[index * n : index * n + n])

    def mac_key(self) -> bytes:
        """Verifies the acquirer's answer: usage 2001, HMAC, as long as the derivation key (32 bytes for AES-256)."""
        return self._key(0)

    def data_key(self) -> bytes:
        """Encrypts card data to the acquirer: usage 3000, AES, as long as the derivation key."""
        return self._key(1)

    def pin_key(self) -> bytes:
        """Encrypts a PIN block: usage 1000, AES, as long as the derivation key."""
        return self._key(2)

    def erase(self) -> None:
        """Overwrite the keys; from now on asking for one is a CryptoError."""
        _wipe(self._keys)
        self._erased = True


class Dukpt:
    """Terminal state over one record: `Dukpt(record)` continues, `Dukpt.load` begins, `state()` gives the record."""

    def __init__(self, state: bytes | bytearray | memoryview):
        """`state`: what `state()` gave; CryptoError when it is not such a record. Its integrity is the vault's."""
        if len(state) < _HEADER or state[0] != _VERSION or state[1] not in (_AES128, _AES256):
            raise CryptoError("DUKPT state")
        self._algorithm = state[1]
        self._key_len = 8 * state[1]
        if len(state) != _HEADER + _REGISTERS * self._key_len:
            raise CryptoError("DUKPT state")
        self._state = memoryview(bytearray(state))
        if _ones(self.counter) > _MAX_ONES:
            raise CryptoError("DUKPT state")

    @staticmethod
    def load(ikid: bytes | bytearray | memoryview, initial_key: bytes | bytearray | memoryview) -> "Dukpt":
        """State before the first transaction. `ikid`: 8 bytes; `initial_key`: 32 bytes (AES-256 DUKPT) or 16
        (AES-128). The caller forgets `initial_key`; the state does not hold it. CryptoError for other lengths."""
        if len(ikid) != 8 or len(initial_key) not in (16, 32):
            raise CryptoError("DUKPT initial key")
        n = len(initial_key)
        state = bytearray(_HEADER + _REGISTERS * n)
        state[0] = _VERSION
        state[1] = n // 8
        state[2:_COUNTER] = ikid
        dukpt = Dukpt(state)
        dukpt._derive(initial_key, 0, _REGISTERS, 0)
        return dukpt

    @property
    def ikid(self) -> bytes:
        """Initial key id, 8 bytes."""
        return bytes(self._state[2:_COUNTER])

    @property
    def counter(self) -> int:
        """The counter burned last; 0 before the first transaction."""
        return int.from_bytes(self._state[_COUNTER:_HEADER], "big")

    def state(self) -> bytes:
        """The record to keep sealed: 1038 bytes for AES-256, 526 for AES-128."""
        return bytes(self._state)

    def burn(self) -> Transaction:
        """Take the next transaction: its keys leave the state for good. Persist `state()` durably before the first
        use of what is returned, or a power cut brings the same keys a second time. KeysExhausted at the end."""
        counter = next_counter(self.counter)
        lowest = counter & -counter
        index = _ones(lowest - 1)
        key_at = _HEADER + index * self._key_len
        register = self._state[key_at : key_at + self._key_len]
        if not any(register):
            raise CryptoError("DUKPT register was used")
        # With 16 one bits there is nothing below: every further counter has another lowest bit (§6.1).
        below = index if _ones(counter) < _MAX_ONES else 0
        keys = self._derive(register, counter, below, 3)
        _wipe(register)
        self._state[_COUNTER:_HEADER] = counter.to_bytes(4, "big")
        return Transaction(bytes(self._state[2:_HEADER]), counter, keys)

    def _derive(self, key, counter: int, registers: int, working: int) -> memoryview:
        """Fill the lowest `registers` registers with the children of `key` and return its working keys, all from one
        ECB call (§6.3.1: each 16 bytes of a derived key encrypt their own derivation data)."""
        n = self._key_len
        ikid = self._state[2:_COUNTER]
        blocks = memoryview(bytearray((registers + working) * n))
        at = 0
        for i in range(registers):
            at = _put(blocks, at, n, _KEY_DERIVATION, self._algorithm, ikid, counter | 1 << i)
        if working:
            at = _put(blocks, at, n, _MAC_VERIFICATION, _HMAC, ikid, counter)
            at = _put(blocks, at, n, _DATA_ENCRYPTION, self._algorithm, ikid, counter)
            at = _put(blocks, at, n, _PIN_ENCRYPTION, self._algorithm, ikid, counter)
        aes(key, _ECB).encrypt(blocks, blocks)
        self._state[_HEADER : _HEADER + registers * n] = blocks[: registers * n]
        keys = bytearray(blocks[registers * n :])
        _wipe(blocks)
        return memoryview(keys)
