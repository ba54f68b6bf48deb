from fake_nvs import FakeNvs
from fake_nvs import PowerCut as NvsCut
from nor import PATTERNS, Nor, Overlay, PowerCut
from till.core.errors import StorageError
from till.storage.journal import Journal
from till.storage.records import EVENT
from till.storage.settings import Settings
from till.storage.vault import Vault
from till.storage.wipe import Wipe

HEAP = "2M"
SECRET = b"a secret of the vault"
NVS_PAGES = 3
JOURNAL_BLOCKS = 16


class Rng:
    def bytes(self, n):
        return bytes(range(n))


class Watchdog:
    fed = 0

    def feed(self):
        self.fed += 1


def wipe(nvs, nvs_flash, journal_flash):
    return Wipe(nvs, nvs_flash, journal_flash)


class Unit:
    """A unit that holds something. NVS keeps its values in pages: one that is erased takes them with it.

    `flag_page`: the page on which the mark in NVS happens to lie.
    """

    def __init__(self, flag_page=0):
        self.nvs = FakeNvs()
        self.nvs_flash = Nor(NVS_PAGES)
        self.journal_flash = Nor(JOURNAL_BLOCKS)
        self.flag_page = flag_page
        Vault(self.nvs, "SIM-1", Rng()).put("device", SECRET)
        Settings(self.nvs).set("language", "en")
        for page in range(NVS_PAGES):
            self.nvs_flash.writeblocks(page, SECRET, 100)
        journal = Journal(self.journal_flash)
        for _ in range(300):
            journal.append(EVENT, b'{"secret":"a secret of the journal"}', 1)

    def restart(self):
        """NVS as it reads its pages anew."""
        values = dict(self.nvs.durable)
        gone = [not any(b != 0xFF for b in self.page(page)) for page in range(NVS_PAGES)]
        if gone[self.flag_page]:
            values.pop("/wiping", None)
        if gone[1]:
            values = {name: value for name, value in values.items() if name == "/wiping"}
        self.nvs = FakeNvs(values)

    def page(self, page):
        return self.nvs_flash.memory[page * 4096 : page * 4096 + 4096]

    def blank(self):
        return not any(b != 0xFF for b in self.nvs_flash.memory) and not any(
            b != 0xFF for b in self.journal_flash.memory
        )


def test_everything_is_erased_and_read_back():
    unit = Unit()
    watchdog = Watchdog()
    assert not wipe(unit.nvs, unit.nvs_flash, unit.journal_flash).begun
    wipe(unit.nvs, unit.nvs_flash, unit.journal_flash).run(watchdog)
    assert unit.blank() and watchdog.fed == NVS_PAGES + JOURNAL_BLOCKS
    unit.restart()
    assert not wipe(unit.nvs, unit.nvs_flash, unit.journal_flash).begun
    assert Vault(unit.nvs, "SIM-1", Rng()).names() == [] and Journal(unit.journal_flash).count == 0


def operations(unit):
    """How many flash operations a whole wipe makes."""
    count = [0]

    def before(*_):
        count[0] += 1

    unit.nvs_flash.before = unit.journal_flash.before = before
    wipe(unit.nvs, unit.nvs_flash, unit.journal_flash).run(Watchdog())
    return count[0]


def cut(unit, at, pattern):
    """The power goes in flash operation `at` of a wipe, which gets as far as `pattern` says."""
    left = [at]

    def stop(flash):
        def before(operation, block, offset, data):
            if left[0] == 0:
                torn = Overlay(flash)
                torn.tear(pattern, operation, block, offset, data)
                for changed, sector in torn.changed.items():
                    flash.memory[changed * 4096 : changed * 4096 + 4096] = sector
                raise PowerCut()
            left[0] -= 1

        return before

    unit.nvs_flash.before, unit.journal_flash.before = stop(unit.nvs_flash), stop(unit.journal_flash)
    try:
        wipe(unit.nvs, unit.nvs_flash, unit.journal_flash).run(Watchdog())
        raise AssertionError("no cut")
    except PowerCut:
        unit.nvs_flash.before = unit.journal_flash.before = None


def test_a_cut_at_every_flash_operation_does_not_stop_it():
    total = operations(Unit())
    assert total == 2 + NVS_PAGES + JOURNAL_BLOCKS
    for at in range(total):
        for pattern in PATTERNS if at in (0, 1, 2, total - 1) else ("nothing", "half", "all"):
            unit = Unit(at % NVS_PAGES)
            cut(unit, at, pattern)
            unit.restart()
            again = wipe(unit.nvs, unit.nvs_flash, unit.journal_flash)
            if at + 1 < total:
                assert again.begun, (at, pattern)
            if again.begun:
                again.run(Watchdog())
                assert unit.blank(), (at, pattern)
            # In the very last operation only what is left of the mark may stand: no secret, and the unit is blank.
            assert SECRET not in unit.nvs_flash.memory and b"journal" not in unit.journal_flash.memory
            unit.restart()
            assert Vault(unit.nvs, "SIM-1", Rng()).names() == [] and Journal(unit.journal_flash).count == 0


def test_a_cut_in_nvs_leaves_everything_or_goes_on():
    for cut_at in (0, 1):
        unit = Unit()
        unit.nvs = FakeNvs(unit.nvs.durable, cut_at)
        try:
            wipe(unit.nvs, unit.nvs_flash, unit.journal_flash).run(Watchdog())
            raise AssertionError("no cut")
        except NvsCut:
            for left in unit.nvs.leftovers():
                unit.nvs = FakeNvs(left)
                if not wipe(unit.nvs, unit.nvs_flash, unit.journal_flash).begun:
                    assert Vault(unit.nvs, "SIM-1", Rng()).get("device") == SECRET
                    assert Journal(unit.journal_flash).verify() > 300


def test_a_vault_is_forgotten_and_the_journal_kept_whenever_the_power_goes():
    whole = Unit()
    whole.nvs = FakeNvs(whole.nvs.durable)
    wipe(whole.nvs, whole.nvs_flash, whole.journal_flash).run(Watchdog(), True)
    assert sorted(whole.nvs.durable) == ["settings/1"] and not whole.blank()
    for cut_at in range(whole.nvs.operations):
        unit = Unit()
        unit.nvs = FakeNvs(unit.nvs.durable, cut_at)
        try:
            wipe(unit.nvs, unit.nvs_flash, unit.journal_flash).run(Watchdog(), True)
            raise AssertionError("no cut")
        except NvsCut:
            for left in unit.nvs.leftovers():
                unit.nvs = FakeNvs(left)
                again = wipe(unit.nvs, unit.nvs_flash, unit.journal_flash)
                if again.begun:
                    again.run(Watchdog())
                elif "/root" in left:
                    assert Vault(unit.nvs, "SIM-1", Rng()).get("device") == SECRET
                    continue
                vault = Vault(unit.nvs, "SIM-1", Rng())
                assert vault.names() == [] and Settings(unit.nvs).get("language") == "en"
                vault.put("device", b"another")
                assert Vault(unit.nvs, "SIM-1", Rng()).get("device") == b"another"
                assert Journal(unit.journal_flash).verify() > 300


def test_a_block_that_does_not_come_out_blank_is_said():
    class Stuck(Nor):
        def ioctl(self, operation, argument):
            done = super().ioctl(operation, argument)
            if operation == 6 and argument == 1:
                self.memory[4096 + 77] = 0xFE
            return done

    unit = Unit()
    unit.nvs_flash = Stuck(NVS_PAGES)
    try:
        wipe(unit.nvs, unit.nvs_flash, unit.journal_flash).run(Watchdog())
    except StorageError as e:
        assert e.detail == "erase" and wipe(unit.nvs, unit.nvs_flash, unit.journal_flash).begun
        return
    raise AssertionError("no error")
