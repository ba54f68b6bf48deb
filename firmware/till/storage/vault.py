"""The vault: sealed records in NVS. A commit changes all of its records or none, whenever the power goes.

Every record is AES-SIV (RFC 5297) under a key derived from a random root, bound to its name, its generation and this
unit. A record has two slots; the marker, itself sealed and in two slots, says which slot of which record counts. So
writing the marker is the commit; what it replaced is erased after that.

The root is 32 random bytes beside the records: it is as secret as the NVS partition (encrypted by the chip where the
board can). On a board that cannot, reading out the flash opens the vault.
"""

import json

from micropython import const

from till.core.errors import CryptoError, InvalidValue, StorageError, Tampered
from till.crypto.hmac import hmac_sha256
from till.crypto.siv import open_sealed, seal

_DOMAIN = b"microtill vault 1"
_ROOT = "/root"
_MARKER = "/marker"  # "/" is in no record's name
_MARKER_MAX = const(1200)
_NAME_MAX = const(13)  # NVS keys have at most 15 characters
_RECORDS_MAX = const(24)
_NOT_FOUND = const(-0x1102)  # ESP_ERR_NVS_NOT_FOUND, as the port raises it
_INVALID_LENGTH = const(-0x110C)  # ESP_ERR_NVS_INVALID_LENGTH: longer than the buffer
_GENERATION_MAX = const(0x7FFFFFFF)

RECORD_MAX = const(8192)
# Of what the records hold, all of them together; storage/migrations.py leads from one to the next.
SCHEMA = const(2)


class Vault:
    """`nvs`: as esp32.NVS; `serial`: the unit's serial number; `rng`: makes the root at the first `put`.

    Tampered when what is there does not open on this unit, StorageError when NVS fails.
    """

    def __init__(self, nvs, serial: str, rng):
        self._nvs = nvs
        self._unit = serial.encode()
        self._rng = rng
        self._key = b""
        self._generation = 0
        self._records = {}  # name -> (generation, slot, length)
        self.schema = SCHEMA  # of what is there; an older one wants to be migrated before anything else
        # In a transaction: name -> the same, or None for a deleted one. (): NVS failed at a marker.
        self._changes = None
        self._open()

    # Reading.

    @property
    def generation(self) -> int:
        """Rises with every commit."""
        return self._generation

    def names(self) -> list:
        """Names of the records there are, sorted."""
        return sorted(self._records)

    def get(self, name: str) -> "bytes | None":
        """The record `name`, or None when there is none; in a transaction, as it will be."""
        entry = self._entry(name)
        if entry is None:
            return None
        generation, slot, length = entry
        sealed = self._read(_slot(name, slot), length)
        if sealed is None or len(sealed) != length:
            raise Tampered("vault record " + name)
        return self._unseal(name, generation, sealed)

    # Writing.

    def begin(self) -> None:
        """Start a transaction: what follows takes effect together at `commit`, or not at all."""
        if self._changes is not None:
            raise StorageError("vault transaction")
        self._changes = {}

    def put(self, name: str, data: bytes) -> None:
        """Set record `name` (1–13 of a–z, 0–9, `_`) to `data`, at most 8 KiB; outside a transaction, durably."""
        _check_name(name)
        if len(data) > RECORD_MAX:
            raise InvalidValue("vault record size")
        if type(self._changes) is not dict:
            self._alone(self.put, name, data)
            return
        if name not in self._records and len(self._records) + len(self._changes) >= _RECORDS_MAX:
            raise InvalidValue("vault records")
        if not self._key:
            self._make_root()
        generation = self._generation + 1
        before = self._records.get(name)
        slot = 1 - before[1] if before else 0
        sealed = seal(self._key, self._associated(name, generation), data)
        self._set(_slot(name, slot), sealed)
        self._changes[name] = (generation, slot, len(sealed))

    def delete(self, name: str) -> None:
        """Remove record `name`, if it is there; outside a transaction, durably."""
        _check_name(name)
        if type(self._changes) is not dict:
            self._alone(self.delete, name)
        elif name in self._records:
            self._changes[name] = None
        elif name in self._changes:
            del self._changes[name]

    def commit(self, schema: int = 0) -> None:
        """Make the transaction durable; with `schema`, what is there has that one from then on."""
        if type(self._changes) is not dict:
            raise StorageError("vault commit without begin")
        changes = self._changes
        schema = schema or self.schema
        if not changes and schema == self.schema:
            self._changes = None
            return
        after = dict(self._records)
        for name, entry in changes.items():
            if entry:
                after[name] = entry
            else:
                del after[name]
        gone = [name for name in changes if not changes[name]]
        generation = self._generation + 1
        if generation > _GENERATION_MAX:
            raise StorageError("vault generation")
        # The records must be there before the marker names them.
        self._nvs_commit()
        body = json.dumps({"v": schema, "r": after, "x": gone}, separators=(",", ":")).encode()
        sealed = seal(self._key, self._associated(_MARKER, generation), body)
        if len(sealed) + 4 > _MARKER_MAX:
            raise StorageError("vault marker size")
        # Should NVS fail now, only a start can tell which marker counts: nothing more is written or erased before it.
        self._changes = ()
        self._set(_slot(_MARKER, generation & 1), generation.to_bytes(4, "big") + sealed)
        self._nvs_commit()
        if self._marker(generation & 1) != (generation, after, gone, schema):
            raise StorageError("vault marker")
        self.schema = schema
        self._generation, self._records, self._changes = generation, after, None
        self._sweep(changes, gone)

    def abort(self) -> None:
        """Forget the transaction. Harmless when there is none."""
        changes = self._changes
        if changes == ():
            return
        self._changes = None
        if changes:
            made = [name for name in changes if name not in self._records]
            self._sweep([name for name in changes if name in self._records], made)

    # Inside.

    def _alone(self, call, *args) -> None:
        self.begin()
        try:
            call(*args)
            self.commit()
        finally:
            self.abort()

    def _entry(self, name: str) -> "tuple | None":
        if type(self._changes) is dict and name in self._changes:
            return self._changes[name]
        return self._records.get(name)

    def _associated(self, name: str, generation: int) -> tuple:
        return _DOMAIN, name.encode(), generation.to_bytes(4, "big"), self._unit

    def _unseal(self, name: str, generation: int, sealed) -> bytes:
        try:
            return open_sealed(self._key, self._associated(name, generation), sealed)
        except CryptoError:
            raise Tampered("vault record " + name)

    def _open(self) -> None:
        root = self._read(_ROOT, 32)
        blobs = [self._read(_slot(_MARKER, slot), _MARKER_MAX) for slot in (0, 1)]
        if root is None:
            if blobs != [None, None]:
                raise Tampered("vault root")
            return
        if len(root) != 32:
            raise Tampered("vault root")
        self._derive(root)
        markers = [self._marker(slot) for slot in (0, 1)]
        if None in [m for m, blob in zip(markers, blobs) if blob]:
            # NVS keeps a value whole or not at all, so no power cut leaves half a marker.
            raise Tampered("vault marker")
        best = max([m for m in markers if m] or [None], key=lambda m: m[0] if m else 0)
        if best is None:
            return
        self._generation, self._records, gone, self.schema = best
        if self.schema > SCHEMA:
            raise StorageError("vault schema %d" % self.schema, key="error.newer")
        self._sweep(self._records, gone)

    def _derive(self, root) -> None:
        self._key = hmac_sha256(root, _DOMAIN, self._unit, b"\x01") + hmac_sha256(root, _DOMAIN, self._unit, b"\x02")

    def _make_root(self) -> None:
        root = self._rng.bytes(32)
        self._set(_ROOT, root)
        self._nvs_commit()
        if self._read(_ROOT, 32) != root:
            raise StorageError("vault root")
        self._derive(root)

    def _marker(self, slot: int) -> "tuple | None":
        """`(generation, records, names gone, schema)` of the marker in that slot; None: there is none that opens."""
        blob = self._read(_slot(_MARKER, slot), _MARKER_MAX)
        if blob is None or len(blob) < 4:
            return None
        generation = int.from_bytes(blob[:4], "big")
        if generation & 1 != slot or not 0 < generation <= _GENERATION_MAX:
            return None
        try:
            body = json.loads(self._unseal(_MARKER, generation, blob[4:]))
        except Tampered:
            return None
        schema = body.get("v")
        if not isinstance(schema, int) or schema < 1:
            return None
        if schema > SCHEMA:  # what else it says may have another form
            return generation, {}, [], schema
        return generation, {name: tuple(entry) for name, entry in body["r"].items()}, body["x"], schema

    def _sweep(self, names, gone) -> None:
        """Erase what no longer counts: the other slot of `names`, and both of those `gone`."""
        erased = False
        for name in names:
            if name not in gone:
                erased |= self._erase(_slot(name, 1 - self._records[name][1]))
        for name in gone:
            if name not in self._records:
                erased |= self._erase(_slot(name, 0)) | self._erase(_slot(name, 1))
        if erased:
            self._nvs_commit()

    # NVS, its errors as ours.

    def _read(self, key: str, most: int) -> "bytes | None":
        buffer = bytearray(most)
        try:
            length = self._nvs.get_blob(key, buffer)
        except OSError as e:
            if e.errno == _INVALID_LENGTH:
                raise Tampered("vault length")
            if e.errno != _NOT_FOUND:
                raise StorageError("nvs %s" % e.errno)
            return None
        return bytes(memoryview(buffer)[:length])

    def _set(self, key: str, value: bytes) -> None:
        try:
            self._nvs.set_blob(key, value)
        except OSError as e:
            raise StorageError("nvs %s" % e.errno)

    def _erase(self, key: str) -> bool:
        """Erase `key`; False when it was not there."""
        try:
            self._nvs.erase_key(key)
        except OSError as e:
            if e.errno != _NOT_FOUND:
                raise StorageError("nvs %s" % e.errno)
            return False
        return True

    def _nvs_commit(self) -> None:
        try:
            self._nvs.commit()
        except OSError as e:
            raise StorageError("nvs %s" % e.errno)


def _slot(name: str, slot: int) -> str:
    return name + ".1" if slot else name + ".0"


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_MAX:
        raise InvalidValue("vault name")
    for c in name:
        if not ("a" <= c <= "z" or "0" <= c <= "9" or c == "_"):
            raise InvalidValue("vault name")
