"""ESP-IDF's non-volatile storage in its flash partition: its format, the order of its writes, and how it recovers.

A value is written when it is set, behind what is there; then what it replaces is marked. So old octets stay in the
flash until their page is moved together and erased. Format and order as documented in ESP-IDF, "Non-Volatile Storage
Library", and in its nvs_page, nvs_pagemanager and nvs_storage; blobs are of the second version (chunks and an index).
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

PAGE = 4096
NOT_FOUND = 0x1102
NOT_ENOUGH_SPACE = 0x1105
INVALID_NAME = 0x1106
KEY_TOO_LONG = 0x1109
NO_FREE_PAGES = 0x110D
VALUE_TOO_LONG = 0x110E

_NAME = 15  # characters of a key or a namespace
_ENTRY = 32
_ENTRIES = 126
_TABLE = 32  # two bits an entry
_FIRST = 64
_CHUNK = (_ENTRIES - 1) * _ENTRY  # octets of a blob that a page takes
_VERSION = 0xFE

# States of a page: bits are only cleared. _BROKEN stands for everything that is none of them.
_FREE, _ACTIVE, _FULL, _FREEING, _BROKEN = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFF8, 0
_EMPTY, _WRITTEN, _ERASED = 3, 2, 0  # of an entry

_U8, _I32, _STRING, _OLD_BLOB, _BLOB_DATA, _BLOB_INDEX = 0x01, 0x14, 0x21, 0x41, 0x42, 0x48
_WITH_DATA = (_STRING, _OLD_BLOB, _BLOB_DATA)
_ANY_CHUNK = 0xFF
_NAMESPACES = 0  # the namespace of the namespaces' names
_LAST_NAMESPACE = 254
_SECOND = 0x80  # chunks of a blob are numbered from 0 or from here, in turns: old and new ones differ

Value = int | bytes


class NvsError(Exception):
    """An ESP-IDF error; `code` as in nvs.h, positive."""

    def __init__(self, code: int):
        super().__init__(f"{code:#x}")
        self.code = code


class Flash(Protocol):
    """Where the partition lies: `burn` clears bits, `blank` erases a sector; either may raise when the power goes."""

    def read(self, address: int, n: int) -> bytes: ...

    def burn(self, address: int, data: bytes) -> object: ...

    def blank(self, sector: int) -> None: ...


@dataclass(frozen=True)
class _Item:
    space: int
    kind: int
    span: int
    chunk: int
    key: str
    data: bytes

    @property
    def name(self) -> tuple[int, str, int]:
        """Two items of one name are the same value, the later one counts."""
        return self.space, self.key, self.chunk

    @property
    def length(self) -> int:
        return struct.unpack_from("<H", self.data)[0]

    @property
    def blob(self) -> tuple[int, int, int]:
        """Of an index: size, number of chunks, the first one's."""
        return struct.unpack_from("<IBB", self.data)

    def encode(self) -> bytes:
        head = bytes((self.space, self.kind, self.span, self.chunk))
        tail = self.key.encode().ljust(16, b"\0") + self.data.ljust(8, b"\xff")
        return head + struct.pack("<I", _crc(head + tail)) + tail

    @staticmethod
    def decode(raw: bytes) -> "_Item | None":
        """None when its check does not hold."""
        if struct.unpack_from("<I", raw, 4)[0] != _crc(raw[:4] + raw[8:]):
            return None
        key = raw[8:24].partition(b"\0")[0].decode("utf-8", "replace")
        return _Item(raw[0], raw[1], max(raw[2], 1), raw[3], key, raw[24:32])


class _Page:
    def __init__(self, flash: Flash, address: int):
        self._flash = flash
        self._address = address
        self.sequence = -1
        self.next = _ENTRIES  # the first entry that was never used
        self.states = [_EMPTY] * _ENTRIES
        self.items: dict[int, _Item] = {}
        self.state = self._load_header()
        if self.state == _ACTIVE:
            self._load_active()
        elif self.state in (_FULL, _FREEING):
            self._load_items(_ENTRIES)

    # As it stands in the flash

    def _load_header(self) -> int:
        header = self._flash.read(self._address, _ENTRY)
        state, sequence, version = struct.unpack_from("<IIB", header)
        if state == _FREE:
            return _FREE if not self._flash.read(self._address, PAGE).strip(b"\xff") else _BROKEN
        if struct.unpack_from("<I", header, 28)[0] != _crc(header[4:28]) or version != _VERSION:
            return _BROKEN
        if state not in (_ACTIVE, _FULL, _FREEING):
            return _BROKEN
        self.sequence = sequence
        table = self._flash.read(self._address + _TABLE, _TABLE)
        self.states = [table[n // 4] >> n % 4 * 2 & 3 for n in range(_ENTRIES)]
        return state

    def _load_active(self) -> None:
        self.next = self.states.index(_EMPTY) if _EMPTY in self.states else _ENTRIES
        while self.next < _ENTRIES and self.raw(self.next)[:4] != b"\xff" * 4:
            self.mark(self.next, 1, _ERASED)  # it was being written
            self.next += 1
        self._load_items(self.next)

    def _load_items(self, end: int) -> None:
        found: dict[tuple[int, str, int], int] = {}
        n = 0
        while n < end:
            if self.states[n] in (_ERASED, _EMPTY):
                n += 1
                continue
            item = _Item.decode(self.raw(n)) if self.states[n] == _WRITTEN else None
            if item is None:
                self.mark(n, 1, _ERASED)
                n += 1
                continue
            span = min(item.span, _ENTRIES - n) if item.kind in _WITH_DATA else 1
            self.items[n] = item
            if any(state != _WRITTEN for state in self.states[n : n + span]):
                self.erase(n)  # its data was being written, or marked
            else:
                if self.state == _ACTIVE and item.name in found:
                    self.erase(found[item.name])
                found[item.name] = n
            n += span

    def raw(self, n: int, count: int = 1) -> bytes:
        return self._flash.read(self._address + _FIRST + n * _ENTRY, count * _ENTRY)

    @property
    def used(self) -> int:
        return self.states.count(_WRITTEN)

    @property
    def room(self) -> int:
        """Octets of a blob's chunk that still go in."""
        if self.state == _FREE:
            return _CHUNK
        return max(_ENTRIES - self.next - 1, 0) * _ENTRY if self.state == _ACTIVE else 0

    # What is written

    def activate(self, sequence: int) -> None:
        """Of a page that is blank, or broken. Its header is written with its first entry."""
        if self.state == _BROKEN:
            self.blank()
        self.sequence = sequence

    def _begin(self) -> None:
        if self.state == _FREE:
            body = struct.pack("<IB", self.sequence, _VERSION).ljust(24, b"\xff")
            self._flash.burn(self._address, struct.pack("<I", _ACTIVE) + body + struct.pack("<I", _crc(body)))
            self.state, self.next = _ACTIVE, 0

    def fits(self, span: int) -> bool:
        return self.state == _FREE or (self.state == _ACTIVE and self.next + span <= _ENTRIES)

    def write(self, item: _Item, data: bytes = b"") -> None:
        """Behind what is there: the item, the whole entries of its data, the rest; each is followed by its state."""
        self._begin()
        self.items[self.next] = item
        whole = len(data) // _ENTRY * _ENTRY
        for part in (item.encode(), data[:whole], data[whole:]):
            if part:
                self._put(part.ljust(-(-len(part) // _ENTRY) * _ENTRY, b"\xff"))

    def _put(self, raw: bytes) -> None:
        self._flash.burn(self._address + _FIRST + self.next * _ENTRY, raw)
        count = len(raw) // _ENTRY
        self.mark(self.next, count, _WRITTEN)
        self.next += count

    def copy(self, other: "_Page") -> None:
        """Everything that counts, to a page that is free."""
        for n in sorted(self.items):
            item = self.items[n]
            other._begin()
            other.items[other.next] = item
            for entry in range(n, n + (item.span if item.kind in _WITH_DATA else 1)):
                other._put(self.raw(entry))

    def erase(self, n: int) -> None:
        """Mark an item, and the entries of its data, as erased."""
        item = self.items.pop(n)
        span = min(item.span, _ENTRIES - n) if item.kind in _WITH_DATA else 1
        self.mark(n, span, _ERASED)
        if self.state == _ACTIVE:
            self.next = max(self.next, n + span)

    def mark(self, n: int, count: int, state: int) -> None:
        """From the last entry to the first; the table is written word by word."""
        for entry in range(n + count - 1, n - 1, -1):
            self.states[entry] = state
            if entry % 16 == 0 or entry == n:
                word = entry // 16
                states = [*self.states, _EMPTY, _EMPTY][word * 16 : word * 16 + 16]
                bits = sum(s << i * 2 for i, s in enumerate(states))
                self._flash.burn(self._address + _TABLE + word * 4, struct.pack("<I", bits))

    def turn(self, state: int) -> None:
        self._flash.burn(self._address, struct.pack("<I", state))
        self.state = state

    def blank(self) -> None:
        self._flash.blank(self._address // PAGE)
        self.state, self.next, self.states, self.items = _FREE, _ENTRIES, [_EMPTY] * _ENTRIES, {}


class Nvs:
    """The partition of `size` bytes at `start` of `flash`. Loading it repairs what a power cut has left."""

    def __init__(self, flash: Flash, start: int, size: int):
        self._flash = flash
        self._start = start
        self._size = size
        self.load()

    # Loading

    def load(self) -> None:
        """Take what stands in the flash, as at the chip's start; what was being changed becomes the old or the new."""
        pages = [_Page(self._flash, self._start + at) for at in range(0, self._size, PAGE)]
        self._free = [page for page in pages if page.state in (_FREE, _BROKEN)]
        self._pages = sorted((page for page in pages if page not in self._free), key=lambda page: page.sequence)
        self._sequence = self._pages[-1].sequence + 1 if self._pages else 0
        if not self._pages:
            self._activate()
        self._end_replacement()
        self._end_freeing()
        if not self._free:
            raise NvsError(NO_FREE_PAGES)
        self._spaces = {
            item.key: item.data[0] for _, _, item in self._items() if item.space == _NAMESPACES and item.kind == _U8
        }
        self._drop_half_blobs()

    def _end_replacement(self) -> None:
        """The power may have gone after a new value was written and before the old one was marked."""
        *earlier, last = self._pages
        if not last.items:
            return
        newest = last.items[max(last.items)]
        for page in earlier:
            if page.state != _FREEING:
                for n, item in list(page.items.items()):
                    if item.name == newest.name and item.kind == newest.kind:
                        page.erase(n)
                        return

    def _end_freeing(self) -> None:
        """The power may have gone while a page was moved to another."""
        for page in self._pages:
            if page.state == _FREEING:
                if self._pages[-1].state == _ACTIVE:
                    half = self._pages.pop()
                    half.blank()
                    self._free.append(half)
                page.copy(self._activate())
                page.blank()
                self._pages.remove(page)
                self._free.append(page)
                return

    def _drop_half_blobs(self) -> None:
        """Chunks without an index, and an index without its chunks."""
        chunks: dict[tuple[int, str, int], int] = {}
        for _, _, item in self._items(_BLOB_DATA):
            chunks[item.name] = item.length
        owned = set()
        for page, n, item in list(self._items(_BLOB_INDEX)):
            size, count, first = item.blob
            names = [(item.space, item.key, first + i) for i in range(count)]
            if sum(chunks.get(name, -1) for name in names) == size and all(name in chunks for name in names):
                owned.update(names)
            else:
                page.erase(n)
        for page, n, item in list(self._items(_BLOB_DATA)):
            if item.name not in owned:
                page.erase(n)

    # Values

    @property
    def values(self) -> dict[tuple[str, str], Value]:
        """Everything there is, by namespace and key."""
        names = {number: name for name, number in self._spaces.items()}
        found: dict[tuple[str, str], Value] = {}
        for _, _, item in self._items():
            if item.kind in (_I32, _BLOB_INDEX) and item.space in names:
                where = names[item.space], item.key
                found[where] = self.get(*where, int if item.kind == _I32 else bytes)
        return found

    def open(self, namespace: str) -> None:
        """Make the namespace, if there is none of that name."""
        if not namespace or len(namespace.encode()) > _NAME:
            raise NvsError(INVALID_NAME)
        if namespace not in self._spaces:
            number = next((n for n in range(1, _LAST_NAMESPACE + 1) if n not in self._spaces.values()), None)
            if number is None:
                raise NvsError(NOT_ENOUGH_SPACE)
            self._write(_Item(_NAMESPACES, _U8, 1, _ANY_CHUNK, namespace, bytes((number,))))
            self._spaces[namespace] = number

    def get(self, namespace: str, key: str, kind: type[int] | type[bytes]) -> Value:
        page, n, item = self._require(namespace, key, _I32 if kind is int else _BLOB_INDEX)
        if kind is int:
            return struct.unpack_from("<i", item.data)[0]
        size, count, first = item.blob
        parts = []
        for chunk in range(first, first + count):
            page, n, item = self._require(namespace, key, _BLOB_DATA, chunk)
            data = page.raw(n + 1, item.span - 1)[: item.length]
            if _crc(data) != struct.unpack_from("<I", item.data, 4)[0]:
                raise NvsError(NOT_FOUND)
            parts.append(data)
        return b"".join(parts)[:size]

    def holds(self, namespace: str, key: str) -> bool:
        """Whether there is a value of any type."""
        return self._find(namespace, key) is not None

    def set(self, namespace: str, key: str, value: Value) -> None:
        """Written at once; nothing is, when it is what stands there."""
        if not key:
            raise NvsError(INVALID_NAME)
        if len(key.encode()) > _NAME:
            raise NvsError(KEY_TOO_LONG)
        self.open(namespace)
        old = self._find(namespace, key)
        kind = _I32 if isinstance(value, int) else _BLOB_INDEX
        if old and old[2].kind == kind and self._is(namespace, key, value):
            return
        if isinstance(value, int):
            self._write(_Item(self._spaces[namespace], _I32, 1, _ANY_CHUNK, key, struct.pack("<i", value)))
        else:
            self._write_blob(namespace, key, value, _SECOND - old[2].blob[2] if old and old[2].kind == kind else 0)
        if old:
            self._erase_item(old[2])

    def erase(self, namespace: str, key: str) -> None:
        old = self._find(namespace, key)
        if old is None:
            raise NvsError(NOT_FOUND)
        self._erase_item(old[2])

    def _is(self, namespace: str, key: str, value: Value) -> bool:
        try:
            return self.get(namespace, key, type(value)) == value
        except NvsError:
            return False

    def _find(self, namespace: str, key: str) -> tuple[_Page, int, _Item] | None:
        return self._find_item(self._spaces.get(namespace, -1), key)

    def _find_item(self, space: int, key: str, kind: int | None = None, chunk: int = _ANY_CHUNK):
        for page in self._pages:
            for n, item in page.items.items():
                if item.name == (space, key, chunk) and kind in (None, item.kind):
                    return page, n, item
        return None

    def _require(self, namespace: str, key: str, kind: int, chunk: int = _ANY_CHUNK) -> tuple[_Page, int, _Item]:
        found = self._find_item(self._spaces.get(namespace, -1), key, kind, chunk)
        if found is None:
            raise NvsError(NOT_FOUND)
        return found

    def _items(self, kind: int | None = None) -> Iterator[tuple[_Page, int, _Item]]:
        for page in self._pages:
            for n, item in page.items.items():
                if kind in (None, item.kind):
                    yield page, n, item

    # Writing

    def _write(self, item: _Item) -> None:
        if not self._pages[-1].fits(item.span):
            self._next_page()
            if not self._pages[-1].fits(item.span):
                raise NvsError(NOT_ENOUGH_SPACE)
        self._pages[-1].write(item)

    def _write_blob(self, namespace: str, key: str, value: bytes, first: int) -> None:
        if len(value) > (self._size // PAGE - 1) * _CHUNK:
            raise NvsError(VALUE_TOO_LONG)
        space = self._spaces[namespace]
        rest, count = value, 0
        try:
            while rest or not count:
                room = self._pages[-1].room
                if not count and room < _CHUNK // 10 and (room < len(value) or not room):
                    self._next_page()  # rather a fresh page than a chunk that is very small
                    if self._pages[-1].room == room:
                        raise NvsError(NOT_ENOUGH_SPACE)
                    continue
                if not room:
                    raise NvsError(NOT_ENOUGH_SPACE)
                part, rest = rest[:room], rest[room:]
                head = struct.pack("<HHI", len(part), 0xFFFF, _crc(part))
                span = 1 + -(-len(part) // _ENTRY)
                self._pages[-1].write(_Item(space, _BLOB_DATA, span, first + count, key, head), part)
                count += 1
                if rest or room - len(part) < _ENTRY:
                    self._next_page()  # so that the index goes in, too
        except NvsError:
            for chunk in range(first, first + count):
                found = self._find_item(space, key, _BLOB_DATA, chunk)
                if found:
                    found[0].erase(found[1])
            raise
        index = struct.pack("<IBBH", len(value), count, first, 0xFFFF)
        self._write(_Item(space, _BLOB_INDEX, 1, _ANY_CHUNK, key, index))

    def _erase_item(self, item: _Item) -> None:
        """The item itself, which may have been moved, and then a blob's chunks."""
        names = [(item.kind, _ANY_CHUNK, item.data)]
        if item.kind == _BLOB_INDEX:
            _, count, first = item.blob
            names += [(_BLOB_DATA, first + n, None) for n in range(count)]
        for kind, chunk, data in names:
            for page, n, other in list(self._items(kind)):
                if other.name == (item.space, item.key, chunk) and data in (None, other.data):
                    page.erase(n)
                    break

    def _next_page(self) -> None:
        current = self._pages[-1]
        if current.state == _ACTIVE:
            current.turn(_FULL)
        if len(self._free) >= 2:
            self._activate()
            return
        old = min(self._pages, key=lambda page: page.used)
        if old.used == _ENTRIES:
            raise NvsError(NOT_ENOUGH_SPACE)
        old.turn(_FREEING)
        old.copy(self._activate())
        old.blank()
        self._pages.remove(old)
        self._free.append(old)

    def _activate(self) -> _Page:
        if not self._free:
            raise NvsError(NOT_ENOUGH_SPACE)
        page = self._free.pop(0)
        page.activate(self._sequence)
        self._sequence += 1
        self._pages.append(page)
        return page


def _crc(data: bytes) -> int:
    return zlib.crc32(data, 0xFFFFFFFF)
