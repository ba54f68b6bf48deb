"""Wiping a terminal, and the proof: its raw flash, looked at block by block on the board itself, holds nothing more.

The terminal does it (its `wipe` request): it knows whether sales are unsettled, asks the person at its keypad, and
erases NVS and journal. What then counts is not its word: both partitions are read over MicroPython's prompt, which a
blank unit gives to anybody. Only counts and names of keys come to the laptop.
"""

import time
from dataclasses import dataclass, field

from microtill.device.errors import NoFirmware, Refused, UsageError, VerificationFailed
from microtill.device.flashing import give_prompt, restarted, running, unsettled
from microtill.device.installed import MAIN
from microtill.device.line import Line
from microtill.device.ports import Port
from microtill.device.probe import STARTING_SECONDS, Unit, probe
from microtill.device.repl import Repl
from microtill.device.texts import add
from microtill.device.watch import Quiet, Watch

CONSENT_SECONDS = 150.0
ERASE_SECONDS = 300.0
"""An erase takes up to 0.4 s a block."""

NVS = "nvs"
JOURNAL = "journal"
_NAMESPACE = "till"
_EMPTY = ("blank", "trusted")  # of no merchant; after a wipe it trusts only whom its image was made with
# What a blank terminal itself keeps: nobody needs to hide it.
_OPEN_KEYS = ("settings/",)

add(
    {
        "help.wipe": (
            "清除一台终端的全部密钥、设置和流水，并逐块检查闪存作为证明",
            "Erase all keys, settings and the journal of a terminal, and prove it by reading its raw flash.",
        ),
        "option.words": (
            "确认用的字：wipe 序列号；有未结算交易时再加 and lose its sales",
            'what confirms it: "wipe SERIAL", and with unsettled sales "wipe SERIAL and lose its sales"',
        ),
        "wipe.looking": ("查看", "looking"),
        "wipe.consent": ("请在终端键盘上确认清除", "confirm the wipe at the terminal's keypad"),
        "wipe.erasing": ("擦除", "erasing"),
        "wipe.proving": ("逐块检查", "looking at every block"),
        "wipe.done": (
            "已清除：NVS {nvs_blank}/{nvs_blocks} 块全空，日志 {journal_blank}/{journal_blocks} 块全空；没有任何密钥",
            "wiped: {nvs_blank} of {nvs_blocks} blocks of NVS and {journal_blank} of {journal_blocks} of the journal "
            "are blank; no secret is left",
        ),
        "wipe.fresh": ("清除后由系统新写入：{names}", "written since by the system itself: {names}"),
        "wipe.would": (
            "将清除 {serial}（{state}）：NVS 与日志两个分区；要写的字是 {words}",
            "would wipe {serial} ({state}): the partitions of NVS and of the journal; the words are: {words}",
        ),
        "wipe.ask": ("输入 {words} 以清除", "type {words} to wipe it"),
        "error.wipe_words": (
            '清除须写明|加 --words "{words}"',
            'a wipe wants its words|add --words "{words}"',
        ),
        "error.wipe_unsettled": (
            '终端有未上送或未结算的交易（{what}），清除后无法找回|先在终端上结算；若确实要清除，加 --words "{words}"',
            "the terminal has sales that are unsent or not settled ({what}), and a wipe loses them|settle at the "
            'terminal first; to wipe it all the same, add --words "{words}"',
        ),
        "wipe.kept": (
            "密钥已清除，流水保留，状态 {state}；接着用 microtill provision --mode recover 恢复绑定，"
            "未决交易随后自动冲正",
            "its keys are forgotten, its sales kept; it is {state} now: bind it again by microtill provision --mode "
            "recover, and what is open is reversed",
        ),
        "error.wipe_keep": (
            '终端启动不了，仍有未上送或未结算的交易（{what}）|加 --words "{keep}" 清除密钥、保留流水，'
            '再用 provision --mode recover 恢复绑定；若确实要全部清除，加 --words "{words}"',
            "the terminal cannot start, and has sales that are unsent or not settled ({what})|add --words "
            '"{keep}" to forget its keys and keep its journal, then provision it with --mode recover; to lose them '
            'all the same, add --words "{words}"',
        ),
        "error.not_wiped": (
            "清除后仍有内容：{detail}|再清除一次；若重复出现，销毁该模块的闪存",
            "something is left after the wipe: {detail}|wipe it again; if it happens again, destroy the module's flash",
        ),
        "error.still_there": (
            "终端没有变为空白（{state}）|查看其屏幕，再清除一次",
            "the terminal has not become blank ({state})|look at its screen, and wipe it again",
        ),
    }
)


@dataclass
class Proof:
    """What was found in the raw flash after a wipe. Blocks are of 4096 bytes."""

    port: str
    serial: str = ""
    tid: str = ""
    state: str = ""
    words: str = ""
    by: str = ""
    nvs_blocks: int = 0
    nvs_blank: int = 0
    journal_blocks: int = 0
    journal_blank: int = 0
    fresh: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    kept: bool = False
    dry_run: bool = False


def needed_words(serial: str, owes: bool) -> str:
    """What must be said to wipe the unit; the terminal checks them too."""
    return f"wipe {serial}" + (" and lose its sales" if owes else "")


def keeping_words(serial: str) -> str:
    """What makes a terminal that cannot start forget its vault, and keep its journal for a ticket of mode recover."""
    return f"wipe {serial} and keep its sales"


def wipe(port: Port, words: str | None, watch: Watch | None = None, *, dry_run: bool = False) -> Proof:
    """Wipe the terminal at `port` and prove it. VerificationFailed when something is left."""
    watch = watch or Quiet()
    proof = Proof(port.path, dry_run=dry_run)
    watch.stage("wipe.looking")
    line = port.line()
    line.open()
    try:
        line, unit = _terminal(port, line)
        if unit is None:
            _by_prompt(line, words, proof, watch)
            return proof
        _check(unit, words, proof)
        if dry_run:
            return proof
        _ask_terminal(line, unit, proof, watch)
        line = _until_blank(port, line)
        if proof.kept:
            proof.state = probe(line, STARTING_SECONDS).state
            return proof
        watch.stage("wipe.proving")
        unit = probe(line, STARTING_SECONDS)
        give_prompt(line, unit, watch)
        with Repl(line) as repl:
            try:
                _look(repl, proof, watch)
            finally:
                repl.restart()
        line, unit = restarted(port, line)
        proof.state = unit.state
        if unit.state not in _EMPTY:
            raise VerificationFailed("error.still_there", state=unit.state)
        return proof
    finally:
        line.close()


def _terminal(port: Port, line: Line) -> tuple[Line, Unit | None]:
    """The terminal on this line; one that somebody left at its prompt is started. None where it does not start."""
    unit = running(line)
    if unit is None:
        with Repl(line) as repl:
            starts = MAIN in repl.files()
            if starts:
                repl.restart()
        if starts:
            try:
                return restarted(port, line)
            except VerificationFailed:
                return line, None
    return line, unit


def _check(unit: Unit, words: str | None, proof: Proof) -> None:
    proof.serial, proof.tid, proof.state = unit.serial, unit.tid, unit.state
    owes = unsettled(unit)
    needed = needed_words(unit.serial, bool(owes))
    proof.words, proof.by = needed, "terminal"
    if words == needed or proof.dry_run:
        return
    keep = keeping_words(unit.serial)
    if owes and unit.state == "fault" and words == keep:
        proof.words, proof.kept = keep, True
        return
    if owes and unit.state == "fault":
        raise Refused("error.wipe_keep", what=owes, words=needed, keep=keep)
    if owes and words in (None, needed_words(unit.serial, False)):
        raise Refused("error.wipe_unsettled", what=owes, words=needed)
    raise UsageError("error.wipe_words", words=needed)


def _ask_terminal(line: Line, unit: Unit, proof: Proof, watch: Watch) -> None:
    if unit.state not in _EMPTY:
        watch.ask("wipe.consent")
    line.console.request("wipe", timeout=CONSENT_SECONDS, words=proof.words)
    watch.stage("wipe.erasing")


def _until_blank(port: Port, line: Line) -> Line:
    """The line, once the terminal has erased everything and started again: until then it may answer as what it was."""
    agreed = time.monotonic()
    while True:
        line, unit = restarted(port, line, ERASE_SECONDS)
        passed = time.monotonic() - agreed
        if unit.state in _EMPTY and unit.status.get("uptime", 0) <= passed + 1:
            return line
        if passed > ERASE_SECONDS:
            raise VerificationFailed("error.still_there", state=unit.state)
        time.sleep(0.2)


def _by_prompt(line: Line, words: str | None, proof: Proof, watch: Watch) -> None:
    """A board whose firmware does not run: whoever has its prompt can erase it, and nobody knows what it owes."""
    with Repl(line) as repl:
        facts = repl.facts("/")
        proof.serial = _hex(facts.unique_id)
        proof.words, proof.by = needed_words(proof.serial, True), "prompt"
        if proof.dry_run:
            return
        if words != proof.words:
            raise UsageError("error.wipe_words", words=proof.words)
        labels = {row[4] for row in facts.partitions or ()}
        if not {NVS, JOURNAL} <= labels:
            raise NoFirmware(port=line.path, found=facts.machine)
        watch.stage("wipe.erasing")
        try:
            for label in (NVS, JOURNAL):
                repl.erase(label)
            watch.stage("wipe.proving")
            _look(repl, proof, watch)
            proof.state = "blank"
        finally:
            repl.restart()


def _look(repl: Repl, proof: Proof, watch: Watch) -> None:
    """Look at every block of both partitions. VerificationFailed when one holds what it should not."""
    count, filled = repl.filled(JOURNAL, watch)
    proof.journal_blocks, proof.journal_blank = count, count - len(filled)
    proof.left += [f"journal block {block}: {octets} bytes" for block, octets in filled.items()]
    count, filled = repl.filled(NVS, watch)
    proof.nvs_blocks, proof.nvs_blank = count, count - len(filled)
    spaces: dict[int, str] = {}
    entries = []
    for page in filled:
        found = repl.nvs_entries(NVS, page)
        if found.stray:
            proof.left.append(f"nvs block {page}: {found.stray} entries without a name")
        for entry in found.entries:
            if entry.namespace == 0:
                spaces[entry.first] = entry.key
            else:
                entries.append(entry)
    for entry in entries:
        space = spaces.get(entry.namespace, "?")
        name = f"{space}:{entry.key}"
        if space in (_NAMESPACE, "?") and not entry.key.startswith(_OPEN_KEYS):
            name, found_in = f"nvs {name}{' (erased, its bytes are there)' if entry.erased else ''}", proof.left
        else:
            found_in = proof.fresh
        if name not in found_in:  # a blob takes several entries
            found_in.append(name)
    if proof.left:
        raise VerificationFailed("error.not_wiped", detail="; ".join(proof.left)[:300])


def _hex(unique_id: str) -> str:
    import base64

    return base64.b64decode(unique_id).hex().upper()
