"""Putting the firmware on a board that runs MicroPython: compare, copy what differs, check, restart, ask who answers.

Nothing but our own files is touched: vault, settings and journal lie in partitions of their own, and other people's
files are left alone. New files get their names only when all of them are whole, and main.py, without which nothing
starts, comes last. So a run that is cut off leaves the old firmware, the new one, or a board that waits at its prompt
for the next run; that one goes on where this one stopped.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from microtill.device import flashing_texts as _texts  # noqa: F401 - what it says
from microtill.device import trust as trust_file
from microtill.device.comeback import BACK_SECONDS, wait_for
from microtill.device.errors import (
    DeviceError,
    NoAnswer,
    NoFirmware,
    NoSuchPort,
    PortBusy,
    Refused,
    Unplugged,
    UsageError,
    VerificationFailed,
)
from microtill.device.installed import (
    MAIN,
    MANIFEST,
    NEW,
    Installed,
    Plan,
    Release,
    free_blocks,
    manifest,
    plan,
    read_manifest,
    release_for,
    room_beside,
    room_short,
)
from microtill.device.line import Line
from microtill.device.ports import Port
from microtill.device.probe import STARTING_SECONDS, Unit, probe
from microtill.device.repl import Facts, Repl
from microtill.device.watch import Quiet, Watch
from microtill.release import boards
from microtill.release.architecture import UnknownArchitecture, target
from microtill.release.image import ImageError

CONSENT_SECONDS = 120.0
RESTART_SECONDS = 45.0

UNSETTLED_WORDS = ("I accept unsettled sales", "我接受未结算的交易")
_PSRAM_HEAP = 1 << 20  # a heap this large is not in the chip's own memory
_HASHED_AT_ONCE = 16
_TRIES = 8
_QUICK_SECONDS = 1.5
_PROMPT_SECONDS = 3.0
_ERROR_LINE = re.compile(r"[A-Za-z_.]*(Error|Exception|Interrupt)\b.*")


@dataclass(frozen=True)
class Wishes:
    """`board`: must be that kind; `words`: to flash in spite of unsettled sales; `trust`: an mt-trust for a blank unit;
    `back`: seconds to wait for an unplugged board; `dry_run`: change nothing."""

    board: str | None = None
    words: str | None = None
    trust: str | None = None
    back: float = BACK_SECONDS
    dry_run: bool = False

    def check(self) -> None:
        """UsageError for what could never be."""
        if self.board is not None and self.board not in boards.names():
            raise UsageError("error.unknown_board", board=self.board, known=", ".join(boards.names()))
        if self.words is not None and self.words not in UNSETTLED_WORDS:
            raise UsageError("error.words", words=UNSETTLED_WORDS[0])
        if self.trust is not None:
            trust_file.read(self.trust)


@dataclass
class Outcome:
    """What was done to one board."""

    port: str
    board: str = ""
    serial: str = ""
    tid: str = ""
    state: str = ""
    version: str = ""
    hash: str = ""
    architecture: str | None = None
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    bytes: int = 0
    copied: int = 0  # of those bytes, by this run: the rest was there from one that was cut off
    unchanged: int = 0
    foreign: list[str] = field(default_factory=list)
    resumed: int = 0
    selftest: str = ""
    fingerprint: str = ""
    dry_run: bool = False
    seconds: float = 0.0


def flash(port: Port, wishes: Wishes, watch: Watch | None = None) -> Outcome:
    """Put the firmware on the board at `port` and see it answer. DeviceError tells what stands in the way."""
    wishes.check()
    return _Flashing(port, wishes, watch or Quiet()).run()


class _Flashing:
    def __init__(self, port: Port, wishes: Wishes, watch: Watch):
        self._port = port
        self._wishes = wishes
        self._watch = watch
        self._unique_id = ""
        self.outcome = Outcome(port.path, dry_run=wishes.dry_run)

    def run(self) -> Outcome:
        started = time.monotonic()
        tries = 0
        while True:
            try:
                self._once()
                break
            except Unplugged:
                tries += 1
                if tries >= _TRIES:
                    raise
                self._watch.ask("flash.waiting")
                self._port = wait_for(self._port, self._wishes.back)
                self.outcome.resumed = tries
        self.outcome.seconds = round(time.monotonic() - started, 2)
        return self.outcome

    def _once(self) -> None:
        self._watch.stage("flash.looking")
        with self._port.line() as line:
            unit = running(line)
            if unit:
                self._check_unit(unit)
                if self._wishes.dry_run and unit.state not in ("blank", "trusted"):
                    self._dry_run_by_word(unit)
                    return
                give_prompt(line, unit, self._watch)
            with Repl(line) as repl:
                try:
                    self._install(repl, unit)
                finally:
                    # Whatever happened, the board is not left at its prompt while it can run.
                    if line.there:
                        self._watch.stage("flash.restarting")
                        repl.restart()
            if self._wishes.dry_run:
                return
            self._check_start(line)

    # Before anything is changed.

    def _check_unit(self, unit: Unit) -> None:
        wishes, outcome = self._wishes, self.outcome
        outcome.serial, outcome.tid, outcome.state = unit.serial, unit.tid, unit.state
        if wishes.board and unit.board != wishes.board:
            raise Refused("error.other_board", found=unit.board or "?", wanted=wishes.board)
        if unit.board not in boards.names():
            raise Refused("error.unknown_board", board=unit.board or "?", known=", ".join(boards.names()))
        if wishes.trust and unit.state == "provisioned":
            raise Refused("error.trust_provisioned")
        left = unsettled(unit)
        if left and not wishes.words:
            raise Refused("error.unsettled", what=left, words=UNSETTLED_WORDS[0])

    def _dry_run_by_word(self, unit: Unit) -> None:
        """What a merchant's terminal says of itself; to look at its files would need the person at the keypad."""
        self.outcome.board = unit.board
        self.outcome.version = unit.fw
        self.outcome.hash = str(unit.status.get("files") or "")

    def _install(self, repl: Repl, unit: Unit | None) -> None:
        self._watch.stage("flash.comparing")
        facts = repl.facts(MANIFEST)
        if self._unique_id and facts.unique_id != self._unique_id:
            raise Refused("error.other_unit", found=_hex(facts.unique_id), wanted=_hex(self._unique_id))
        self._unique_id = facts.unique_id
        before = read_manifest(facts.manifest)
        kind = self._board_of(facts, unit, before)
        release = _release(kind.name, facts)
        there = repl.files()
        alike = [path for path, data in release.files.items() if there.get(path) in (len(data), -1)]
        self._watch.total(sum(len(release.files[path]) for path in alike))
        sums = self._hashes(repl, release, alike)
        steps = plan(release, there, sums, before)
        self._tell(release, steps, facts, unit)
        free = free_blocks(there, facts.free_blocks, facts.blocks, facts.block)
        missing = room_short(release, steps, there, free, facts.block) if steps.changes else 0
        if missing:
            raise Refused(
                "error.no_room",
                missing=missing * facts.block // 1024,
                free=max(free, 0) * facts.block // 1024,
                foreign=", ".join(steps.foreign) or "-",
            )
        if self._wishes.dry_run:
            return
        if steps.changes:
            copying = _Copying(repl, release, steps, there, facts, before, self._watch)
            try:
                copying.run()
            finally:
                self.outcome.copied += copying.copied
        elif before.hash != release.hash or set(before.files) != set(release.files):
            _put_manifest(repl, manifest(release, release.sums))

    def _board_of(self, facts: Facts, unit: Unit | None, before: Installed) -> boards.BoardKind:
        """The kind of board this is. What it says of itself must agree with chip, partitions and memory."""
        known = ", ".join(boards.names())
        name = (unit.board if unit else None) or self._wishes.board or self._guess(facts, before)
        if name is None:
            raise UsageError("error.which_board", found=_clean(facts.machine), known=known)
        kind = boards.kind(name)
        if _chip_of(facts) not in ("", kind.mcu):
            raise Refused("error.other_board", found=_clean(facts.machine), wanted=name)
        if facts.partitions is not None:
            lacking = kind.table - set(facts.partitions)
            if lacking:
                raise Refused("error.other_table", board=name, found=", ".join(sorted(row[4] for row in lacking)))
        if kind.psram_bytes and facts.heap < _PSRAM_HEAP:
            raise Refused("error.no_psram", board=name, kilobytes=facts.heap // 1024)
        return kind

    def _guess(self, facts: Facts, before: Installed) -> str | None:
        if before.board in boards.names():
            return before.board
        named = facts.machine.split(" ")[0]
        if named in boards.names():  # a MicroPython that was built for it
            return named
        kinds = [boards.kind(name) for name in boards.names()] if facts.partitions is not None else []
        fits = [kind.name for kind in kinds if kind.table <= set(facts.partitions or ())]
        fits = [name for name in fits if _chip_of(facts) in ("", boards.kind(name).mcu)]
        return fits[0] if len(fits) == 1 else None

    def _hashes(self, repl: Repl, release: Release, paths: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for at in range(0, len(paths), _HASHED_AT_ONCE):
            some = paths[at : at + _HASHED_AT_ONCE]
            found |= repl.hashes(some)
            self._watch.step(sum(len(release.files.get(path, b"")) for path in some))
        return found

    def _tell(self, release: Release, steps: Plan, facts: Facts, unit: Unit | None) -> None:
        outcome = self.outcome
        outcome.board, outcome.version, outcome.hash = release.board, release.version, release.hash
        outcome.architecture = release.architecture
        if not outcome.resumed:  # after an unplug: all that this run wrote
            outcome.written = list(steps.write)
            outcome.removed = list(steps.remove)
            outcome.bytes = sum(len(release.files[path]) for path in steps.write)
            outcome.unchanged = len(steps.same)
        outcome.foreign = list(steps.foreign)
        if not unit:
            outcome.serial = _hex(facts.unique_id)

    # After it.

    def _check_start(self, line: Line) -> None:
        self._watch.stage("flash.checking")
        outcome = self.outcome
        line, unit = restarted(self._port, line)
        try:
            outcome.serial, outcome.tid, outcome.state = unit.serial, unit.tid, unit.state
            if unit.state == "fault":
                raise VerificationFailed(
                    "error.fault", detail=f"{unit.status.get('error')} {unit.status.get('detail')}"
                )
            if unit.fw != outcome.version:
                raise VerificationFailed("error.other_version", found=unit.fw, wanted=outcome.version)
            said = unit.status.get("files")
            if said and said != outcome.hash:
                raise VerificationFailed("error.other_version", found=str(said)[:16], wanted=outcome.hash[:16])
            outcome.selftest = str(unit.status.get("selftest") or "ok")
            if outcome.selftest != "ok":
                raise VerificationFailed("error.selftest", detail=outcome.selftest)
            if self._wishes.trust:
                outcome.fingerprint = self._deliver_trust(line, self._wishes.trust)
                outcome.state = "trusted"
        finally:
            line.close()

    def _deliver_trust(self, line: Line, token: str) -> str:
        fingerprint = trust_file.read(token).fingerprint
        self._watch.ask("flash.trusting", fingerprint=fingerprint)
        answer = line.console.request("trust", timeout=CONSENT_SECONDS, token=token)
        if answer.get("fingerprint") != fingerprint:
            raise VerificationFailed(detail=f"{answer.get('fingerprint')} / {fingerprint}")
        return fingerprint


class _Copying:
    """From the old firmware to the new one."""

    def __init__(
        self,
        repl: Repl,
        release: Release,
        steps: Plan,
        there: dict[str, int],
        facts: Facts,
        before: Installed,
        watch: Watch,
    ):
        self._repl = repl
        self._release = release
        self._steps = steps
        self._there = there
        self._facts = facts
        self._before = before
        self._watch = watch
        self._free = free_blocks(there, facts.free_blocks, facts.blocks, facts.block)
        self._main_gone = MAIN not in there
        self._beside = True
        self.copied = 0

    def run(self) -> None:
        release, steps = self._release, self._steps
        self._watch.stage("flash.copying")
        self._watch.total(sum(len(release.files[path]) for path in steps.write))
        # From now on the board knows which files are ours, also when this ends in the middle.
        _put_manifest(self._repl, manifest(release, {**self._before.files, **release.sums}))
        self._beside = room_beside(release, steps, self._there, self._free, self._facts.block)
        if not self._beside:
            self._take_old_away()
        begun = self._begun()
        waiting: list[str] = []
        for path in steps.write:
            if not self._beside and not self._fits(path):
                self._name(waiting)
                waiting = []
                if path in self._there and not self._fits(path):
                    self._repl.remove([path])
                    self._look_again()
            if path in begun:
                self._watch.step(len(release.files[path]))
            else:
                self._write(path)
            waiting.append(path)
        self._take_old_away()
        self._name(waiting[:-1])
        # Only main.py is left, and with it the board starts.
        _put_manifest(self._repl, manifest(release, release.sums))
        self._name(waiting[-1:])
        wrong = self._differs(steps.write)
        if wrong:
            raise VerificationFailed("error.copy", path=wrong)

    def _begun(self) -> set[str]:
        """What an earlier run copied whole, and did not get to name."""
        sums = self._release.sums
        begun = [path + NEW for path in self._steps.write if path + NEW in self._there]
        found = self._repl.hashes(begun)
        return {path for path in self._steps.write if found.get(path + NEW) == sums[path]}

    def _write(self, path: str) -> None:
        data = self._release.files[path]
        digest = self._repl.put(path + NEW, data, self._watch.step)
        if digest != self._release.sums[path]:
            raise VerificationFailed("error.copy", path=path)
        self.copied += len(data)
        self._free -= -(-len(data) // self._facts.block) or 1

    def _fits(self, path: str) -> bool:
        return -(-len(self._release.files[path]) // self._facts.block) + 4 <= self._free

    def _take_old_away(self) -> None:
        """main.py first: what is left then does not start, and is not a mixture that does."""
        if not self._main_gone:
            self._repl.remove([MAIN])
            self._main_gone = True
        self._repl.remove(self._steps.remove)
        self._look_again()

    def _name(self, paths: Sequence[str]) -> None:
        if paths:
            self._repl.move([(path + NEW, path) for path in paths])
            self._look_again()

    def _look_again(self) -> None:
        if not self._beside:
            told = self._repl.facts(MANIFEST).free_blocks
            self._free = free_blocks(self._repl.files(), told, self._facts.blocks, self._facts.block)

    def _differs(self, paths: Sequence[str]) -> str | None:
        for at in range(0, len(paths), _HASHED_AT_ONCE):
            found = self._repl.hashes(paths[at : at + _HASHED_AT_ONCE])
            for path in paths[at : at + _HASHED_AT_ONCE]:
                if found.get(path) != self._release.sums[path]:
                    return path
        return None


def _put_manifest(repl: Repl, content: bytes) -> None:
    repl.put(MANIFEST + NEW, content)
    repl.move([(MANIFEST + NEW, MANIFEST)])


def _release(board: str, facts: Facts) -> Release:
    try:
        return release_for(board, target(facts.mpy))
    except UnknownArchitecture as e:
        raise Refused("error.architecture", detail=str(e)) from e
    except ImageError as e:
        raise UsageError("error.compile", detail=str(e)) from e
    except OSError as e:
        raise UsageError("error.laptop_disk", detail=e.strerror or str(e)) from e


def running(line: Line) -> Unit | None:
    """The terminal that runs on this line; None at a prompt, or where whatever runs gives no answer."""
    try:
        return probe(line, _QUICK_SECONDS)
    except NoFirmware as e:
        if e.key == "error.bare_chip":
            raise
    except Unplugged:
        raise
    except NoAnswer:
        pass  # not a terminal that answers: perhaps its prompt does
    return None


def give_prompt(line: Line, unit: Unit, watch: Watch) -> None:
    """Ask the running terminal for MicroPython's prompt; a merchant's asks the person at its keypad."""
    if unit.state not in ("blank", "trusted"):
        watch.ask("flash.consent")
    line.console.request("repl", timeout=CONSENT_SECONDS)
    for _ in line.wait(_PROMPT_SECONDS):  # until the app has ended: what is sent before goes to it
        if line.rest.endswith(">>> "):
            return


def unsettled(unit: Unit) -> str:
    """What a terminal still owes, in its own words; empty when nothing. One that has lost its vault may owe, too."""
    status = unit.status
    owed = [f"{name} {status[name]}" for name in ("unsent", "pending") if status.get(name)]
    owed += [name for name in ("open_batch", "unseen") if status.get(name)]
    if unit.state == "provisioned" and ("unsent" not in status or "open_batch" not in status):
        owed.append("?")  # a firmware that cannot tell
    return ", ".join(owed)


def restarted(port: Port, line: Line, seconds: float = RESTART_SECONDS) -> tuple[Line, Unit]:
    """The terminal after its restart: the line it is on (another one when its port went and came back), and its status.

    Raises VerificationFailed when it ends at a prompt, NoAnswer when nothing comes.
    """
    deadline = time.monotonic() + seconds
    _, since = line.follow()
    while True:
        try:
            return line, probe(line, STARTING_SECONDS)
        except NoFirmware as e:
            raise VerificationFailed("error.does_not_start", detail=_last_error(line, since)) from e
        except (Unplugged, NoSuchPort, PortBusy):
            # The chip's own USB goes away with a restart, and comes back.
            if time.monotonic() > deadline:
                raise
            line.close()
            port = wait_for(port, deadline - time.monotonic())
            line = port.line()
            line.open()
            since = 0
        except NoAnswer:
            if time.monotonic() > deadline:
                raise


def _last_error(line: Line, since: int) -> str:
    try:
        lines, _ = line.follow(since)
    except DeviceError:
        lines = []
    said = [text for text in lines if _ERROR_LINE.fullmatch(text.strip())]
    return _clean(said[-1]) if said else "MicroPython"


def _chip_of(facts: Facts) -> str:
    """The chip that a MicroPython says it runs on, as esptool names it ("… with ESP32S3"); empty when it says none."""
    found = re.search(r"\bESP32(-?[A-Z]\d+)?$", facts.machine)
    return found[0].replace("-", "").lower() if found else ""


def _hex(unique_id: str) -> str:
    import base64

    return base64.b64decode(unique_id).hex().upper()


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:120]
