"""A strict NOR flash: programming clears bits, erasing sets a whole sector, a power cut leaves either half done."""

_SECTOR = 4096


class PowerCut(BaseException):
    """The power went during a flash operation."""


class Nor:
    """As esp32.Partition's extended block device. `before(operation, block, offset, data)` runs ahead of each write."""

    def __init__(self, blocks, image=None):
        self.blocks = blocks
        self.memory = bytearray(b"\xff" * (blocks * _SECTOR)) if image is None else image
        self.before = None
        self.reads = self.read_bytes = self.erases = self.programs = self.programmed_bytes = 0
        self.broken = ()  # (block, offset) of bytes that read as 0xFF, whatever they hold

    def readblocks(self, block, buffer, offset=0):
        assert 0 <= block < self.blocks and offset >= 0 and offset + len(buffer) <= _SECTOR
        at = block * _SECTOR + offset
        buffer[:] = self.memory[at : at + len(buffer)]
        for b, o in self.broken:
            if b == block and offset <= o < offset + len(buffer):
                buffer[o - offset] = 0xFF
        self.reads += 1
        self.read_bytes += len(buffer)

    def writeblocks(self, block, data, offset):
        assert 0 <= block < self.blocks and offset >= 0 and offset + len(data) <= _SECTOR
        if self.before:
            self.before("program", block, offset, data)
        at = block * _SECTOR + offset
        memory = self.memory
        for i in range(len(data)):
            # A program that would need an erase is a bug, not something to paper over.
            assert memory[at + i] & data[i] == data[i], "programs a bit that was not erased"
            memory[at + i] &= data[i]
        self.programs += 1
        self.programmed_bytes += len(data)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.blocks
        if operation == 5:
            return _SECTOR
        if operation in (1, 2, 3):  # a file system's start, stop and sync
            return 0
        assert operation == 6 and 0 <= argument < self.blocks
        if self.before:
            self.before("erase", argument, 0, None)
        at = argument * _SECTOR
        self.memory[at : at + _SECTOR] = b"\xff" * _SECTOR
        self.erases += 1
        return 0


class Overlay(Nor):
    """What the flash would hold had the power gone in one operation; the flash below stays as it is."""

    def __init__(self, below):
        super().__init__(below.blocks, below.memory)
        self.changed = {}

    def readblocks(self, block, buffer, offset=0):
        if block in self.changed:
            buffer[:] = self.changed[block][offset : offset + len(buffer)]
        else:
            at = block * _SECTOR + offset
            buffer[:] = self.memory[at : at + len(buffer)]
        self.reads += 1

    def _sector(self, block):
        if block not in self.changed:
            self.changed[block] = self.memory[block * _SECTOR : block * _SECTOR + _SECTOR]
        return self.changed[block]

    def writeblocks(self, block, data, offset):
        if self.before:
            self.before("program", block, offset, data)
        sector = self._sector(block)
        for i in range(len(data)):
            assert sector[offset + i] & data[i] == data[i], "programs a bit that was not erased"
            sector[offset + i] &= data[i]
        self.programs += 1

    def ioctl(self, operation, argument):
        if operation != 6:
            return super().ioctl(operation, argument)
        if self.before:
            self.before("erase", argument, 0, None)
        self._sector(argument)[:] = b"\xff" * _SECTOR
        return 0

    def tear(self, pattern, operation, block, offset, data):
        """Do `operation` as far as `pattern` says: one of PATTERNS."""
        sector = self._sector(block)
        if operation == "erase":
            offset, data = 0, b"\xff" * _SECTOR
        n = len(data)
        first, last, step, mask = {
            "nothing": (0, 0, 1, 0),
            "one byte": (0, 1, 1, 0xFF),
            "half": (0, n // 2, 1, 0xFF),
            "all but one byte": (0, n - 1, 1, 0xFF),
            "all": (0, n, 1, 0xFF),
            "the end": (n - n // 2, n, 1, 0xFF),
            "every other byte": (0, n, 2, 0xFF),
            "weak bits": (0, n, 1, 0x5A),
        }[pattern]
        for i in range(first, last, step):
            if operation == "erase":
                sector[i] |= mask
            else:
                sector[offset + i] &= data[i] | (mask ^ 0xFF)


PATTERNS = ("nothing", "one byte", "half", "all but one byte", "all", "the end", "every other byte", "weak bits")
