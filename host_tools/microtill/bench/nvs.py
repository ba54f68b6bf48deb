"""Non-volatile storage in its flash partition, in the format of ESP-IDF (pages, entries, blobs in chunks).

Only a commit is sure: ESP-IDF writes at `set` and promises at `commit`. Firmware may rely on the promise alone, so the
model keeps sets pending, shows them to reads, and lets a seeded die decide how many of them (a prefix) a cut or reset
leaves. What was replaced or erased stays in the flash, marked, until its page is erased: as on the chip.
"""

import random
import struct
import zlib

from microtill.bench.chips.flash import SECTOR, NorFlash

NOT_FOUND = 0x1102
NOT_ENOUGH_SPACE = 0x1105
INVALID_NAME = 0x1106
KEY_TOO_LONG = 0x1109

_KEY = 15
_ENTRY = 32
_ENTRIES_A_PAGE = 126
_FIRST = 64  # entries come after the page's header and its map
_ACTIVE, _FULL = 0xFFFFFFFE, 0xFFFFFFFC
_VERSION = 0xFE
_WRITTEN, _ERASED = 0b10, 0b00
_U8, _I32, _BLOB_DATA, _BLOB_INDEX = 0x01, 0x14, 0x42, 0x48
_NO_CHUNK = 0xFF
_OTHER_GENERATION = 0x80  # of a blob's chunks: the new ones are written before the old ones are marked
_NAMESPACES = 0

Value = int | bytes
Where = tuple[str, str]
Place = tuple[int, int, int]  # page, its entry, how many entries


class NvsError(Exception):
    """An ESP-IDF error; `code` as in nvs.h, positive."""

    def __init__(self, code: int):
        super().__init__(f"{code:#x}")
        self.code = code


class Nvs:
    """The partition of `size` bytes at `start` of `flash`."""

    def __init__(self, flash: NorFlash, start: int, size: int, seed: int = 1):
        self._pages = _Pages(flash, start, size // SECTOR)
        self._entries = (size // SECTOR - 1) * (_ENTRIES_A_PAGE - 1)  # one page stays free to move into
        self._random = random.Random(seed)
        self._pending: list[tuple[Where, Value | None]] = []
        self.commits = 0

    def reload(self) -> None:
        """Somebody else wrote to the partition, or the chip restarted: what stands there counts."""
        self._pages.load()

    def get(self, namespace: str, key: str, kind: type[int] | type[bytes]) -> Value:
        value = self._now().get((namespace, key))
        if value is None or not isinstance(value, kind):
            raise NvsError(NOT_FOUND)
        return value

    def holds(self, namespace: str, key: str) -> bool:
        """Whether there is a value of either type."""
        return (namespace, key) in self._now()

    @property
    def pending(self) -> int:
        """Changes that a commit would make sure."""
        return len(self._pending)

    def set(self, namespace: str, key: str, value: Value) -> None:
        if not key or not namespace or len(namespace) > _KEY:
            raise NvsError(INVALID_NAME)
        if len(key) > _KEY:
            raise NvsError(KEY_TOO_LONG)
        after = self._now() | {(namespace, key): value}
        if sum(_weight(v) for v in after.values()) + len({n for n, _ in after}) > self._entries:
            raise NvsError(NOT_ENOUGH_SPACE)
        self._pending.append(((namespace, key), value))

    def erase(self, namespace: str, key: str) -> None:
        if (namespace, key) not in self._now():
            raise NvsError(NOT_FOUND)
        self._pending.append(((namespace, key), None))

    def commit(self) -> None:
        self.commits += 1
        self._keep(len(self._pending))

    def stop(self) -> int:
        """Power cut or reset: some prefix of what is pending is kept. Returns how many were lost."""
        kept = self._random.randint(0, len(self._pending))
        lost = len(self._pending) - kept
        self._keep(kept)
        return lost

    def _keep(self, n: int) -> None:
        for where, value in self._pending[:n]:
            if value is None:
                self._pages.erase(where)
            else:
                self._pages.write(where, value)
        self._pending.clear()

    def _now(self) -> dict[Where, Value]:
        values = self._pages.values
        return _applied(values, self._pending) if self._pending else values


class _Pages:
    """`values`: what the pages hold, kept beside them so that a read need not parse."""

    def __init__(self, flash: NorFlash, start: int, count: int):
        self._flash = flash
        self._start = start
        self._count = count
        self.load()

    def load(self) -> None:
        self.values: dict[Where, Value] = {}
        self._places: dict[Where, list[Place]] = {}
        self._spaces: dict[str, int] = {}
        self._used = [0] * self._count  # entries that are not empty any more
        self._sequences = [0] * self._count  # 0: the page is free
        entries: list[tuple[int, Place, bytes]] = []
        for page in range(self._count):
            header = self._flash.read(self._at(page), _ENTRY)
            _, sequence, crc = *struct.unpack_from("<II", header), struct.unpack_from("<I", header, 28)[0]
            if crc == _crc(header[4:28]) and header[8] == _VERSION:
                self._sequences[page] = sequence + 1
                entries += self._entries(page)
            elif self._flash.read(self._at(page), SECTOR).strip(b"\xff"):
                self._flash.blank(self._at(page) // SECTOR)  # half an erase: ESP-IDF does not use it either
        names: dict[int, str] = {}
        chunks: dict[tuple[int, str, int], tuple[Place, bytes]] = {}
        for _, place, raw in sorted(entries, key=lambda found: found[0]):
            space, kind, _, chunk = raw[:4]
            key, data = raw[8:24].rstrip(b"\0").decode(), raw[24:32]
            if space == _NAMESPACES and kind == _U8:
                names[data[0]] = key
                self._spaces[key] = data[0]
            elif kind == _BLOB_DATA:
                length, _, crc = struct.unpack("<HHI", data)
                if _crc(raw[32 : 32 + length]) == crc:
                    chunks[space, key, chunk] = place, raw[32 : 32 + length]
        for _, place, raw in sorted(entries, key=lambda found: found[0]):
            space, kind = raw[:2]
            where = names.get(space, ""), raw[8:24].rstrip(b"\0").decode()
            if kind == _I32:
                self.values[where] = struct.unpack_from("<i", raw, 24)[0]
                self._places[where] = [place]
            elif kind == _BLOB_INDEX:
                size, count, first = struct.unpack_from("<IBB", raw, 24)
                found = [chunks.get((space, where[1], first + n)) for n in range(count)]
                whole = b"".join(part[1] for part in found if part)
                if None not in found and len(whole) == size:
                    self.values[where] = whole
                    self._places[where] = [place, *(part[0] for part in found if part)]

    def write(self, where: Where, value: Value) -> None:
        namespace, key = where
        if namespace not in self._spaces:
            number = max(self._spaces.values(), default=0) + 1
            self._append(_NAMESPACES, _U8, namespace, bytes((number,)))
            self._spaces[namespace] = number
        space = self._spaces[namespace]
        old = self._places.pop(where, [])
        # Moved pages must find what is being replaced, too: it counts until the new value stands.
        self._places[where] = old
        if isinstance(value, int):
            new = [self._append(space, _I32, key, struct.pack("<i", value))]
        else:
            first = self._other_generation(where)
            new, count = [], 0
            rest = value
            while rest or not count:
                room = max(self._room() - 1, 0) * _ENTRY
                if room < _ENTRY:
                    self._next_page()
                    continue
                part, rest = rest[:room], rest[room:]
                data = struct.pack("<HHI", len(part), 0xFFFF, _crc(part))
                new.append(self._append(space, _BLOB_DATA, key, data, first + count, part))
                count += 1
            head = struct.pack("<IBBH", len(value), count, first, 0xFFFF)
            new.insert(0, self._append(space, _BLOB_INDEX, key, head))
        for place in self._places[where]:
            self._mark(place, _ERASED)
        self._places[where] = new
        self.values[where] = value

    def erase(self, where: Where) -> None:
        for place in self._places.pop(where):
            self._mark(place, _ERASED)
        del self.values[where]

    def _other_generation(self, where: Where) -> int:
        for page, entry, _ in self._places[where]:
            raw = self._flash.read(self._entry(page, entry), _ENTRY)
            if raw[1] == _BLOB_INDEX:
                return _OTHER_GENERATION ^ (raw[29] & _OTHER_GENERATION)
        return 0

    def _append(self, space: int, kind: int, key: str, data: bytes, chunk: int = _NO_CHUNK, rest: bytes = b"") -> Place:
        span = 1 + -(-len(rest) // _ENTRY)
        if self._room() < span:
            self._next_page()
        head = bytes((space, kind, span, chunk))
        tail = key.encode().ljust(16, b"\0") + data.ljust(8, b"\xff")
        raw = head + struct.pack("<I", _crc(head + tail)) + tail + rest
        return self._put(self._active(), raw, span)

    def _put(self, page: int, raw: bytes, span: int) -> Place:
        place = page, self._used[page], span
        self._flash.burn(self._entry(page, place[1]), raw)
        self._mark(place, _WRITTEN)
        self._used[page] += span
        return place

    def _room(self) -> int:
        active = self._active()
        return _ENTRIES_A_PAGE - self._used[active] if active >= 0 else 0

    def _active(self) -> int:
        """The page that is being filled: the newest; -1 when there is none."""
        newest = max(range(self._count), key=lambda page: self._sequences[page])
        return newest if self._sequences[newest] else -1

    def _next_page(self) -> None:
        active = self._active()
        if active >= 0:
            self._flash.burn(self._at(active), struct.pack("<I", _FULL))
        free = [page for page in range(self._count) if not self._sequences[page]]
        fresh = free[0]
        sequence = max(self._sequences)
        head = struct.pack("<IB", sequence, _VERSION).ljust(24, b"\xff")
        self._flash.burn(self._at(fresh), struct.pack("<I", _ACTIVE) + head + struct.pack("<I", _crc(head)))
        self._sequences[fresh] = sequence + 1
        self._used[fresh] = 0
        if len(free) == 1:
            self._move_into(fresh)

    def _move_into(self, fresh: int) -> None:
        """The last free page was taken: free the one with the most that no longer counts."""

        def lost(page: int) -> int:
            return self._used[page] - sum(place[2] for _, place, _ in self._entries(page))

        old = max((page for page in range(self._count) if page != fresh), key=lost)
        if not lost(old):
            raise NvsError(NOT_ENOUGH_SPACE)
        moved = {place: self._put(fresh, raw, place[2]) for _, place, raw in self._entries(old)}
        for places in self._places.values():
            places[:] = [moved.get(place, place) for place in places]
        self._flash.blank(self._at(old) // SECTOR)
        self._sequences[old] = 0
        self._used[old] = 0

    def _entries(self, page: int) -> list[tuple[int, Place, bytes]]:
        """`(order, place, octets)` of every entry of the page that counts and whose check holds."""
        found = []
        bits = self._flash.read(self._at(page) + _ENTRY, _ENTRY)
        entry = 0
        while entry < _ENTRIES_A_PAGE:
            state = bits[entry // 4] >> entry % 4 * 2 & 3
            raw = self._flash.read(self._entry(page, entry), _ENTRY)
            span = raw[2]
            checked = struct.unpack_from("<I", raw, 4)[0] == _crc(raw[:4] + raw[8:])
            sound = checked and 0 < span <= _ENTRIES_A_PAGE - entry
            if state != 3:
                self._used[page] = max(self._used[page], entry + (span if sound else 1))
            if state == _WRITTEN and sound:
                raw = self._flash.read(self._entry(page, entry), span * _ENTRY)
                found.append((self._sequences[page] << 8 | entry, (page, entry, span), raw))
            entry += span if state == _WRITTEN and sound else 1
        return found

    def _mark(self, place: Place, state: int) -> None:
        page, entry, span = place
        bits = bytearray(b"\xff" * _ENTRY)
        for n in range(entry, entry + span):
            bits[n // 4] &= ~((3 ^ state) << n % 4 * 2)
        self._flash.burn(self._at(page) + _ENTRY, bytes(bits))

    def _at(self, page: int) -> int:
        return self._start + page * SECTOR

    def _entry(self, page: int, entry: int) -> int:
        return self._at(page) + _FIRST + entry * _ENTRY


def _crc(data: bytes) -> int:
    return zlib.crc32(data, 0xFFFFFFFF)


def _applied(values: dict, changes: list) -> dict:
    result = dict(values)
    for where, value in changes:
        if value is None:
            result.pop(where, None)
        else:
            result[where] = value
    return result


def _weight(value: Value) -> int:
    """Entries of 32 bytes that a value takes: one for an integer; for a blob its index, its header and its data."""
    return 1 if isinstance(value, int) else 2 + -(-len(value) // _ENTRY)
