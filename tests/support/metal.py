"""Flash under NVS whose power goes at an operation that a test chooses."""

from microtill.bench.chips.flash import NorFlash


class Gone(Exception):
    """The power."""


class Metal:
    """A flash whose `cut`-th operation from now the power does not outlive (0: none)."""

    def __init__(self, flash: NorFlash, cut: int = 0):
        self.flash = flash
        self.read = flash.read
        self.cut = cut
        self.erased = 0

    def _over(self) -> bool:
        self.cut -= 1
        return self.cut == 0

    def burn(self, address: int, data: bytes) -> None:
        if self._over():
            (self.flash.tear_word if len(data) == 4 else self.flash.tear_program)(address, data)
            raise Gone
        self.flash.burn(address, data)

    def blank(self, sector: int) -> None:
        if self._over():
            self.flash.tear_erase(sector)
            raise Gone
        self.flash.blank(sector)
        self.erased += 1
