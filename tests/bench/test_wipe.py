"""`microtill wipe` on a virtual board: what was there is gone from the raw flash, and what is left is found."""

import json
import threading
from pathlib import Path

import pytest
from microtill.acquirer import issuers
from microtill.acquirer.process import AcquirerProcess
from microtill.bench.chips.flash import NorFlash
from microtill.bench.nvs import Nvs
from microtill.device.errors import Refused, Unplugged, UsageError, VerificationFailed
from microtill.device.ports import Port, ask
from microtill.device.repl import Repl
from microtill.device.wiping import Proof, _look, wipe
from microtill.release import boards
from microtill.simulator.board import VirtualBoard
from microtill.simulator.texts import texts
from microtill.simulator.world import PASSWORD
from support.flash_board import BOARD, installed, microtill, release
from support.port import Port as OnPort
from support.serial_board import mpremote
from support.worlds import sell

SERIAL = "02005E100001"
WORDS = f"wipe {SERIAL}"
LOSE = f"{WORDS} and lose its sales"

# Opens a vault with the firmware's own code: what a thief would do who has the flash.
OPEN_VAULT = """
from till.storage.vault import Vault
class Nvs:
    def __init__(self, values):
        self.values = values
    def get_blob(self, key, buffer):
        if key not in self.values:
            raise OSError(-0x1102)
        value = self.values[key]
        buffer[:len(value)] = value
        return len(value)
    def get_i32(self, key):
        raise OSError(-0x1102)
    def set_blob(self, key, value):
        raise OSError(1)
    def erase_key(self, key):
        raise OSError(-0x1102)
    def commit(self):
        return None
def opened(values, serial):
    vault = Vault(Nvs(values), serial, None)
    return [[name, vault.get(name)] for name in vault.names()]
"""


def partition(state: Path, label: str) -> bytes:
    part = next(p for p in boards.kind(BOARD).partitions if p.label == label)
    return (state / "flash.bin").read_bytes()[part.offset : part.end]


def nvs_values(state: Path) -> dict[str, bytes]:
    """The blobs of the firmware, read from the raw partition."""
    raw = partition(state, "nvs")
    chip = NorFlash(len(raw))
    chip.program(0, raw)
    values = Nvs(chip, 0, len(raw)).values
    return {key: value for (space, key), value in values.items() if space == "till" and isinstance(value, bytes)}


def windows(data: bytes, size: int = 16) -> list[bytes]:
    """Pieces of `data` that are long enough and varied enough to be no accident; a blob may lie in several chunks."""
    pieces = [data[at : at + size] for at in range(0, len(data) - size + 1, size)]
    return [piece for piece in pieces if len(set(piece)) > size // 2]


def standing(pieces: dict[str, list[bytes]], flash: bytes) -> set[str]:
    """The names of those of which a piece stands in the flash."""
    return {name for name, some in pieces.items() if any(piece in flash for piece in some)}


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        yield process


@pytest.fixture(scope="module")
def wanted():
    return release()


def with_person(vb: VirtualBoard, key: str, words: str) -> Proof:
    """Wipe, with somebody at the keypad who answers by `key`."""
    result: list = []

    def run() -> None:
        try:
            result.append(wipe(Port(vb.port), words))
        except Exception as e:  # noqa: BLE001 - told to the test
            result.append(e)

    worker = threading.Thread(target=run)
    worker.start()
    try:
        vb.bench.wait(
            lambda: bool(result) or vb.world.shows(*texts("screen.wipe"), *texts("screen.erase_keys")),
            "the question",
            60,
        )
        if not result:
            vb.world.key(key)
    finally:
        worker.join()
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


def test_a_merchants_terminal_forgets_everything(tmp_path, wanted, acquirer):
    state = tmp_path / "state"
    installed(state, wanted, {})
    with VirtualBoard(state, acquirer=acquirer) as vb:
        vb.world.provision()
        vb.world.wait_at_rest()
        sell(vb.world)
        flash = (state / "flash.bin").read_bytes()
        values = nvs_values(state)
        with OnPort(OPEN_VAULT) as port:
            records = {name: bytes(data) for name, data in port.call("opened", values, SERIAL)}
        assert {"device", "dukpt", "wifi"} <= records.keys()
        assert PASSWORD.encode() in records["wifi"]
        clear = {name: windows(records[name]) for name in ("device", "dukpt", "wifi")}
        clear["Wi-Fi password"] = [PASSWORD.encode()]
        clear |= {pan[-4:]: [pan.encode(), bytes.fromhex(pan[: len(pan) // 2 * 2])] for pan in (issuers.VISA_PAN,)}
        sealed = {key: windows(value) for key, value in values.items() if not key.startswith("settings/")}
        # Before: sealed records and their root are there, and nothing in clear.
        assert standing(clear, flash) == set()
        assert standing(sealed, flash) == sealed.keys()
        assert "/root" in sealed
        assert b"10000001" in partition(state, "journal")

        # Its sales are not settled: not without the words, and not without the person.
        tid = ask(Port(vb.port)).tid
        for words in (None, WORDS):
            with pytest.raises(Refused) as e:
                wipe(Port(vb.port), words)
            assert (e.value.key, e.value.exit_code) == ("error.wipe_unsettled", 6)
            assert LOSE in e.value.next
        with pytest.raises(UsageError):
            wipe(Port(vb.port), "wipe 02005E100002 and lose its sales")
        with pytest.raises(Refused):
            with_person(vb, "CANCEL", LOSE)
        assert ask(Port(vb.port)).tid == tid
        assert standing(sealed, (state / "flash.bin").read_bytes()) == sealed.keys()

        proof = with_person(vb, "OK", LOSE)
        assert (proof.serial, proof.tid, proof.state, proof.by) == (SERIAL, tid, "blank", "terminal")
        assert (proof.nvs_blocks, proof.nvs_blank, proof.left) == (20, 19, [])
        assert (proof.journal_blocks, proof.journal_blank) == (256, 256)
        flash = (state / "flash.bin").read_bytes()
        assert standing(clear | sealed, flash) == set()
        assert partition(state, "journal").strip(b"\xff") == b""
        # What has started since has made its namespace anew: a page's head, its table and one entry.
        nvs = partition(state, "nvs")
        assert (len(nvs.rstrip(b"\xff")), nvs.count(b"till"), nvs_values(state)) == (3 * 32 - 7, 1, {})
        assert vb.bench.violations() == []


def test_of_a_terminal_that_was_altered_the_sales_are_kept(tmp_path, wanted, acquirer):
    state = tmp_path / "state"
    installed(state, wanted, {})
    words = "wipe 02005E100009"
    keep, lose = f"{words} and keep its sales", f"{words} and lose its sales"
    before, acquirer.tid = acquirer.tid, acquirer.add_terminal("70000001")["tid"]
    with VirtualBoard(state, acquirer=acquirer, unique_id="02005e100009") as vb:
        vb.world.provision()
        acquirer.tid = before
        vb.world.wait_at_rest()
        sell(vb.world)
        vb.bench.power_cut()
        part = next(p for p in boards.kind(BOARD).partitions if p.label == "nvs")
        chip = NorFlash((state / "flash.bin").stat().st_size, state / "flash.bin")
        nvs = Nvs(chip, part.offset, part.size)
        for (space, key), value in nvs.values.items():
            if key.startswith("dukpt"):
                nvs.set(space, key, bytes([value[0] ^ 1]) + value[1:])
        chip.close()
        vb.bench.power_on()
        journal = partition(state, "journal")
        with pytest.raises(Refused) as e:
            wipe(Port(vb.port), words)
        assert e.value.key == "error.wipe_keep" and keep in e.value.next and lose in e.value.next
        proof = with_person(vb, "OK", keep)
        assert (proof.kept, proof.state) == (True, "blank")
        assert {key for key in nvs_values(state) if not key.startswith("settings/")} == set()
        assert partition(state, "journal") == journal
        # Nobody's now, it owes what it owed.
        with pytest.raises(Refused):
            wipe(Port(vb.port), words)
        assert wipe(Port(vb.port), lose).left == []


def test_the_command_wants_words_and_tells_what_it_found(tmp_path, wanted):
    installed(tmp_path / "state", wanted, {})
    with VirtualBoard(tmp_path / "state", link=tmp_path / "port") as vb:
        ask(Port(vb.port))
        port = ("--port", str(tmp_path / "port"))
        done = microtill("wipe", *port)
        assert done.returncode == 2
        assert WORDS in done.stderr
        done = microtill("wipe", *port, "--dry-run")
        assert done.returncode == 0, done.stderr
        done = microtill("wipe", *port, "--json", "--words", WORDS)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["ok"], told["state"], told["left"]) == (True, "blank", [])
        assert told["journal_blank"] == told["journal_blocks"] == 256


PLANT = """
import esp32
n = esp32.NVS("till")
n.set_blob("/root", b"r" * 32)
n.set_blob("settings/0", b"s" * 40)
n.commit()
n.erase_key("/root")
n.commit()
m = esp32.NVS("phy")
m.set_blob("cal_data", b"c" * 100)
m.commit()
p = esp32.Partition.find(1, label="journal")[0]
p.writeblocks(77, b"INTENT", 100)
"""


def test_what_is_left_is_found_by_name_and_its_value_stays_there(tmp_path):
    with VirtualBoard(tmp_path / "state", blank=True) as vb:
        mpremote(vb.port, "exec", PLANT)
        proof = Proof(vb.port)
        from microtill.device.watch import Quiet

        with Port(vb.port).line() as line, Repl(line) as repl, pytest.raises(VerificationFailed) as e:
            _look(repl, proof, Quiet())
        assert e.value.exit_code == 5
        assert proof.left == ["journal block 77: 6 bytes", "nvs till:/root (erased, its bytes are there)"]
        assert set(proof.fresh) == {"till:settings/0", "phy:cal_data"}
        assert "rrrr" not in e.value.what


def test_a_board_without_running_firmware_is_wiped_at_its_prompt(tmp_path):
    state = tmp_path / "state"
    with VirtualBoard(state, blank=True) as vb:
        mpremote(vb.port, "exec", PLANT)
        assert b"r" * 32 in partition(state, "nvs")
        with pytest.raises(UsageError) as e:
            wipe(Port(vb.port), WORDS)
        assert LOSE in e.value.next
        assert b"r" * 32 in partition(state, "nvs")
        proof = wipe(Port(vb.port), LOSE)
        assert (proof.by, proof.left) == ("prompt", [])
        for label in ("nvs", "journal"):
            assert partition(state, label).strip(b"\xff") == b""


def test_a_cable_that_is_pulled_in_the_middle(tmp_path, wanted):
    installed(tmp_path / "state", wanted, {})
    with VirtualBoard(tmp_path / "state", link=tmp_path / "port") as vb:
        ask(Port(vb.port))
        files = partition(tmp_path / "state", "vfs")
        for sent in (60, 400, 3000):
            vb.unplug(after_bytes=sent)
            with pytest.raises(Unplugged):
                wipe(Port(vb.port), WORDS)
            vb.plug()
        proof = wipe(Port(vb.port), WORDS)
        assert (proof.state, proof.left) == ("blank", [])
        assert partition(tmp_path / "state", "vfs") == files  # the firmware stays
