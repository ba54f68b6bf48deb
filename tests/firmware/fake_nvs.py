"""NVS as ESP-IDF promises it: only a commit is sure. A cut keeps any prefix of what was set or erased since."""


class PowerCut(BaseException):
    """The power went during an NVS operation."""


class FakeNvs:
    """As esp32.NVS. `cut_at`: the operation (counted from 0) that the power does not survive."""

    def __init__(self, values=None, cut_at=-1):
        self.durable = dict(values or {})
        self.pending = []
        self.cut_at = cut_at
        self.off = False
        self.operations = 0
        self.commits = 0
        self.trace = []  # every change, in order

    def _step(self, change=None):
        if self.off:
            raise PowerCut()
        if change:
            self.pending.append(change)
            self.trace.append(change)
        if self.operations == self.cut_at:
            self.off = True
            raise PowerCut()
        self.operations += 1

    def _now(self, changes=None):
        values = dict(self.durable)
        for key, value in self.pending if changes is None else changes:
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        return values

    def leftovers(self):
        """Every content that a power cut now may leave."""
        return [self._now(self.pending[:n]) for n in range(len(self.pending) + 1)]

    def _get(self, key, kind):
        assert 0 < len(key) <= 15
        value = self._now().get(key)
        if not isinstance(value, kind):
            raise OSError(-0x1102)
        return value

    def get_blob(self, key, buffer):
        value = self._get(key, bytes)
        if len(value) > len(buffer):
            raise OSError(-0x110C)
        buffer[: len(value)] = value
        return len(value)

    def get_i32(self, key):
        return self._get(key, int)

    def set_blob(self, key, value):
        assert 0 < len(key) <= 15 and len(value)
        self._step((key, bytes(value)))

    def set_i32(self, key, value):
        assert 0 < len(key) <= 15 and isinstance(value, int)
        self._step((key, value))

    def erase_key(self, key):
        if key not in self._now():
            raise OSError(-0x1102)
        self._step((key, None))

    def commit(self):
        self._step()
        self.durable = self._now()
        self.pending = []
        self.commits += 1
