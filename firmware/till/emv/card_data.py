"""What a card has said during one reading: its answers in one fixed buffer, and an index of their tags."""

from till.core.errors import CardOther
from till.emv import tlv

# A reading with two certificates of 1984 bits is about 1.2 KB; nothing that a card sends can make this grow.
SIZE = 2048


class CardData:
    """The buffer is allocated once, reused by every reading and wiped after each: it holds the PAN."""

    def __init__(self, size: int = SIZE):
        self.view = memoryview(bytearray(size))
        self.length = 0
        self._used = 0
        self.commands = 0
        self._index = {}

    def clear(self) -> None:
        """Forget everything, octets included."""
        self.view[: self._used] = bytes(self._used)
        self.length = self._used = 0
        self.commands = 0
        self._index.clear()

    def append(self, octets) -> None:
        """Keep `octets` of an answer. Raises CardOther when the card has said more than the buffer holds."""
        end = self.length + len(octets)
        if end > len(self.view):
            raise CardOther("card sends too much")
        self.view[self.length : end] = octets
        self.length = end
        if end > self._used:
            self._used = end

    def forget_to(self, length: int) -> None:
        """Back to an earlier `length`, and to no tags: another application begins."""
        self.length = length
        self._index.clear()

    def index(self, position: int) -> None:
        """Index the primitive tags under `position`. Raises TlvError."""
        start = position >> 12
        tlv.index(self.view, start, start + (position & 0xFFF), self._index)

    def put(self, tag: int, position: int) -> None:
        """Let `tag` be found at `position`."""
        self._index[tag] = position

    def split(self, position: int, parts) -> None:
        """A format 1 answer: values one after the other, without tags. `parts`: `(tag, length)`, the last one's None.

        Raises CardOther when it is too short; an empty last part is a tag that the card has not sent.
        """
        start = position >> 12
        left = position & 0xFFF
        for tag, length in parts:
            if length is None:
                length = left
            if length > left:
                raise CardOther("format 1 answer too short")
            if length:
                self._index[tag] = start << 12 | length
            start += length
            left -= length

    def get(self, tag: int):
        """The value of `tag` as a memoryview, valid until `clear` or `forget_to`; None if the card has not sent it."""
        position = self._index.get(tag)
        return None if position is None else tlv.slice_of(self.view, position)

    def need(self, tag: int, shortest: int, longest: int):
        """The value of a mandatory `tag`, `shortest`…`longest` octets. Raises CardOther."""
        value = self.get(tag)
        if value is None:
            raise CardOther("no tag %X" % tag)
        if not shortest <= len(value) <= longest:
            raise CardOther("tag %X: %d octets" % (tag, len(value)))
        return value
