"""Wiping a unit: the flash of NVS and of the journal is erased block by block, so that no byte of what it held is left.

Erasing NVS records one by one is not enough: NVS only marks them, and their bytes stay until their page is used again.

From the first step on a mark says that a wipe is on, and whatever the power interrupts goes on at the next start: first
a number in NVS, then, because NVS itself is erased, a mark in the first block of the journal, which goes last.

A vault that does not open any more can be forgotten alone: its records are erased in NVS, and the journal says what is
owed to whom. That is no wipe: old bytes stay in the flash.
"""

from micropython import const

from till.core.errors import StorageError

_KEY = "/wiping"
_EVERYTHING = const(1)
_VAULT = const(2)
# The root first: without it the rest is nobody's.
_VAULT_KEYS = ("/root", "/marker.0", "/marker.1")
_RECORDS = ("device", "pending", "ticket", "dukpt", "trust", "session", "wifi")
_MARK = b"microtill wipe 1"
_NOT_FOUND = const(-0x1102)  # ESP_ERR_NVS_NOT_FOUND
_STEP = const(64)


class Wipe:
    """`nvs`: as esp32.NVS; `nvs_flash`, `journal_flash`: as esp32.Partition, the partition that NVS lies in and the
    journal's. After `run` only a restart may follow: the system's own view of NVS is no longer true."""

    def __init__(self, nvs, nvs_flash, journal_flash):
        self._nvs = nvs
        self._nvs_flash = nvs_flash
        self._journal_flash = journal_flash

    @property
    def begun(self) -> bool:
        """Whether a wipe was begun and not ended: `run` must go on before anything else is read."""
        mark = bytearray(len(_MARK))
        self._journal_flash.readblocks(0, mark, 0)
        if mark == _MARK:
            return True
        return self._noted() != 0

    def run(self, watchdog, vault_only: bool = False) -> None:
        """Erase everything and read it back; StorageError when a block does not come out blank.

        `watchdog.feed()` is called for each block: an erase takes up to 0.4 s. `vault_only`: forget the vault, and keep
        settings and journal.
        """
        nvs, journal = self._nvs_flash, self._journal_flash
        if not self._marked():
            vault_only = vault_only or self._noted() == _VAULT
            try:
                self._nvs.set_i32(_KEY, _VAULT if vault_only else _EVERYTHING)
                self._nvs.commit()
                if vault_only:
                    self._forget_vault()
                    return
            except OSError as e:
                raise StorageError("nvs %s" % e.errno)
            journal.ioctl(6, 0)
            journal.writeblocks(0, _MARK, 0)
            if not self._marked():
                raise StorageError("wipe mark")
        # The keys first.
        for block in range(nvs.ioctl(4, 0)):
            watchdog.feed()
            _erase(nvs, block)
        for block in range(journal.ioctl(4, 0) - 1, -1, -1):
            watchdog.feed()
            _erase(journal, block)

    def _noted(self) -> int:
        """What NVS says was begun, 0 for nothing."""
        try:
            return self._nvs.get_i32(_KEY)
        except OSError as e:
            if e.errno != _NOT_FOUND:
                raise StorageError("nvs %s" % e.errno)
            return 0

    def _forget_vault(self) -> None:
        for key in _VAULT_KEYS:
            self._forget(key)
        for name in _RECORDS:
            self._forget(name + ".0")
            self._forget(name + ".1")
        self._nvs.commit()
        self._forget(_KEY)
        self._nvs.commit()

    def _forget(self, key: str) -> None:
        try:
            self._nvs.erase_key(key)
        except OSError as e:
            if e.errno != _NOT_FOUND:
                raise

    def _marked(self) -> bool:
        mark = bytearray(len(_MARK))
        self._journal_flash.readblocks(0, mark, 0)
        return mark == _MARK


def _erase(flash, block: int) -> None:
    flash.ioctl(6, block)
    piece = bytearray(_STEP)
    blank = b"\xff" * _STEP
    for at in range(0, flash.ioctl(5, 0), _STEP):
        flash.readblocks(block, piece, at)
        if piece != blank:
            raise StorageError("erase")
