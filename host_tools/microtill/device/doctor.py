"""What is wrong with a terminal, as far as a laptop at its port can find out, and what to do about each finding.

Nothing is changed. The terminal is asked for its state and its self-tests; a merchant's terminal also tests its line to
the acquirer, which costs it one transaction key.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from microtill.device import owner, terminal_texts, texts
from microtill.device.console import TerminalRefuses, TerminalSilent
from microtill.device.errors import DeviceError, NoAnswer, Refused, VerificationFailed
from microtill.device.installed import firmware_version
from microtill.device.line import Line
from microtill.device.ports import Port
from microtill.device.probe import Unit, clean, probe
from microtill.device.texts import t
from microtill.paths import BOARDS

PROBE_SECONDS = 10.0
SELF_TEST_SECONDS = 60.0
ECHO_SECONDS = 90.0
SKEW_SECONDS = 120
"""More than this apart, and a clock is wrong: the terminal itself allows as much."""

Level = Literal["ok", "note", "fault", "skipped"]

_TLS = "reason.tls"
_UNKNOWN = "error.invalid_value"  # how a terminal refuses a request that it does not know
# Looked at by checks of their own, with what to do.
_TOLD_APART = frozenset({"wifi", "clock"})


@dataclass(frozen=True)
class Finding:
    """What one check found. `exit_code` is 0 unless it is a fault."""

    check: str
    level: Level
    text: str
    next: str = ""
    exit_code: int = 0

    @property
    def name(self) -> str:
        """The check's name for people."""
        return t(f"check.{self.check}")


@dataclass
class Report:
    """All findings about one port, and the unit behind it once it has answered."""

    port: str
    findings: list[Finding] = field(default_factory=list)
    unit: Unit | None = None

    @property
    def exit_code(self) -> int:
        """Of the first fault, else 0."""
        return next((f.exit_code for f in self.findings if f.exit_code), 0)


def examine(port: Port, tell: Callable[[Finding], None] = lambda finding: None) -> Report:
    """Look at the terminal on `port`; `tell` hears each finding as it is made. Errors become findings."""
    report = Report(port.path)
    try:
        with port.line() as line:
            for finding in _examine(line, report):
                report.findings.append(finding)
                tell(finding)
    except DeviceError as e:
        done = {finding.check for finding in report.findings}
        finding = Finding("answer" if "port" in done else "port", "fault", e.what, e.next, e.exit_code)
        report.findings.append(finding)
        tell(finding)
    return report


def _examine(line: Line, report: Report) -> Iterator[Finding]:
    yield _port(line)
    unit = report.unit = probe(line, PROBE_SECONDS)
    yield Finding("answer", "ok", t("doctor.answers", serial=unit.serial, board=unit.board))
    yield _firmware(unit)
    yield _start(unit)
    yield from _self_test(line, unit)
    if unit.state == "fault":
        return
    yield _clock(unit)
    yield _wifi(unit)
    yield from _acquirer(line, unit)
    yield _transactions(unit)


def _port(line: Line) -> Finding:
    # Not every program locks a port: some only have it open, and take every second byte.
    others = [] if owner.is_virtual(line.path) else owner.holders(line.path)
    if others:
        program = ", ".join(f"{name} ({pid})" for pid, name in others)
        return _found("port", "doctor.port_shared", NoAnswer.exit_code, program=program)
    return Finding("port", "ok", line.path)


def _firmware(unit: Unit) -> Finding:
    ours = firmware_version()
    if not unit.fw:
        return _found("firmware", "doctor.firmware_unknown", VerificationFailed.exit_code)
    if not (BOARDS / unit.board / "board.py").is_file():
        return _found("firmware", "doctor.board_unknown", VerificationFailed.exit_code, board=unit.board or "?")
    if unit.fw != ours:
        return _found("firmware", "doctor.firmware_other", VerificationFailed.exit_code, theirs=unit.fw, ours=ours)
    return Finding("firmware", "ok", unit.fw)


def _start(unit: Unit) -> Finding:
    status = unit.status
    cause = status.get("reset")
    since = duration(_number(status, "uptime"))
    if cause in ("watchdog", "brownout"):
        return _found("start", f"doctor.reset_{cause}", since=since)
    known = f"reset.{cause}"
    told = t(known) if known in texts.TEXTS else t("reset.other")
    return Finding("start", "ok", t("doctor.started", since=since, cause=told) if since else told)


def _self_test(line: Line, unit: Unit) -> Iterator[Finding]:
    status = unit.status
    if unit.state == "fault":
        # It could not start: it says why, and is asked no more.
        key, detail = _text(status, "error"), _text(status, "detail")
        said = terminal_texts.what(key) + (f" ({detail})" if detail else "")
        yield Finding("selftest", "fault", said, terminal_texts.next_step(key), VerificationFailed.exit_code)
        return
    try:
        answer = line.console.request("selftest", SELF_TEST_SECONDS)
    except TerminalRefuses as e:
        if e.error == _UNKNOWN:
            yield _found("selftest", "doctor.old_firmware")
        else:
            yield Finding("selftest", "skipped", e.what, e.next)
        return
    except TerminalSilent as e:
        yield Finding("selftest", "fault", e.what, e.next, e.exit_code)
        return
    results = [r for r in answer.get("results") or () if isinstance(r, list) and len(r) == 2]
    results = [(str(name), str(outcome)) for name, outcome in results if name not in _TOLD_APART]
    for name, outcome in results:
        if outcome != "ok":
            key = f"doctor.bad_{name}" if f"doctor.bad_{name}" in texts.TEXTS else "doctor.bad_part"
            yield _found("selftest", key, VerificationFailed.exit_code, name=clean(name), outcome=clean(outcome))
    passed = [clean(name) for name, outcome in results if outcome == "ok"]
    if not results:
        yield _found("selftest", "doctor.old_firmware")
    elif len(passed) == len(results):
        yield Finding("selftest", "ok", t("doctor.self_tests", count=len(passed)))


def _clock(unit: Unit) -> Finding:
    if "time" not in unit.status:
        return _found("clock", "doctor.old_firmware")
    told = _number(unit.status, "time")
    if told is None:
        return _found("clock", "doctor.clock_unknown")
    apart = round(told - time.time())
    if abs(apart) > SKEW_SECONDS:
        key = "doctor.clock_ahead" if apart > 0 else "doctor.clock_behind"
        return _found("clock", key, VerificationFailed.exit_code, apart=duration(abs(apart)))
    return Finding("clock", "ok", t("doctor.clock", apart=abs(apart)))


def _wifi(unit: Unit) -> Finding:
    reason = unit.status.get("wifi")
    if reason == "":
        return Finding("wifi", "ok", t("doctor.connected"))
    if not isinstance(reason, str):
        return _found("wifi", "doctor.old_firmware")
    return _reason("wifi", reason, expected=unit.state != "provisioned" and reason == "reason.no_wifi")


def _acquirer(line: Line, unit: Unit) -> Iterator[Finding]:
    if unit.state != "provisioned":
        yield _found("acquirer", "doctor.blank" if unit.state == "blank" else "doctor.trusted")
        return
    if unit.status.get("wifi"):
        yield Finding("acquirer", "skipped", t("doctor.no_wifi_first"))
        return
    host = _text(unit.status, "host").removeprefix("https://")
    try:
        answer = line.console.request("echo", ECHO_SECONDS)
    except TerminalRefuses as e:
        if e.error == _UNKNOWN:
            # Older firmware has no such test; it still tells why it is offline.
            reason = _text(unit.status, "reason")
            if unit.status.get("online") is True or not reason:
                yield _found("acquirer", "doctor.old_firmware")
            else:
                yield _reason("acquirer", reason, host)
        elif e.error == "error.busy":
            yield Finding("acquirer", "skipped", e.what, e.next)
        elif e.error.startswith(("action.", "rc.")):
            yield Finding("acquirer", "fault", terminal_texts.what(e.error), e.next, Refused.exit_code)
        else:
            reason = e.error if e.error.startswith("reason.") else _text(unit.status, "reason") or e.error
            yield _reason("acquirer", reason, host)
        return
    except TerminalSilent as e:
        yield Finding("acquirer", "fault", e.what, e.next, e.exit_code)
        return
    milliseconds = _number(answer, "ms")
    yield Finding(
        "acquirer", "ok", t("doctor.echo", ms="?" if milliseconds is None else f"{milliseconds:g}", host=host)
    )
    standing = _text(line.console.request("status"), "standing")  # the echo may just have ended what was
    if standing:
        key = f"action.{standing}"
        yield Finding("acquirer", "fault", terminal_texts.what(key), terminal_texts.next_step(key), Refused.exit_code)
    signed = _number(answer, "time")
    if signed is not None and abs(signed - time.time()) > SKEW_SECONDS:
        # Two against one: whose clock is wrong is seen from the terminal's.
        yield _found("clock", "doctor.laptop_clock", apart=duration(abs(round(signed - time.time()))))


def _transactions(unit: Unit) -> Finding:
    status = unit.status
    if unit.state != "provisioned":
        return Finding("sales", "ok", t("doctor.no_sales"))
    told = []
    for name in ("pending", "unsent"):
        if count := _number(status, name):
            told.append(t(f"doctor.sales_{name}", count=f"{count:g}"))
    told += [t(f"doctor.sales_{name}") for name in ("unseen", "open_batch") if status.get(name) is True]
    if told:
        urgent = any(status.get(name) for name in ("pending", "unsent", "unseen"))
        key = "doctor.sales_open" if urgent else "doctor.sales_batch"
        return _found("sales", key, what=t("say.comma").join(told), level="note" if urgent else "ok")
    if "open_batch" not in status:
        return _found("sales", "doctor.old_firmware")
    return Finding("sales", "ok", t("doctor.nothing_open"))


def _reason(check: str, reason: str, host: str = "", expected: bool = False) -> Finding:
    """The terminal's own reason for being offline. A certificate that does not hold is a failed verification."""
    code = VerificationFailed.exit_code if reason.startswith(_TLS) else NoAnswer.exit_code
    said = terminal_texts.what(reason) + (f" ({host})" if host else "")
    level: Level = "note" if expected or reason == "reason.connecting" else "fault"
    return Finding(check, level, said, terminal_texts.next_step(reason), code if level == "fault" else 0)


def _found(check: str, key: str, exit_code: int = 0, *, level: Level | None = None, **fields: Any) -> Finding:
    found = level or ("fault" if exit_code else "note")
    return Finding(check, found, texts.what(key, **fields), texts.next_step(key, **fields), exit_code)


def _number(members: Any, name: str) -> float | None:
    value = members.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(members: Any, name: str) -> str:
    value = members.get(name)
    return clean(value) if isinstance(value, str) else ""


def duration(seconds: float | None) -> str:
    """About how long that is, in at most two units; nothing for None."""
    if seconds is None:
        return ""
    left = round(seconds)
    units = [("d", 86400), ("h", 3600), ("min", 60), ("s", 1)]
    parts = []
    for name, size in units:
        count, left = divmod(left, size)
        if count or parts or name == "s":
            parts.append(t(f"duration.{name}", count=count))
    return " ".join(parts[:2])


texts.add(
    {
        "check.port": ("端口", "Port"),
        "check.answer": ("应答", "Answer"),
        "check.firmware": ("固件", "Firmware"),
        "check.start": ("启动", "Start"),
        "check.selftest": ("自检", "Self-test"),
        "check.clock": ("时钟", "Clock"),
        "check.wifi": ("无线网络", "Wi-Fi"),
        "check.acquirer": ("收单行", "Acquirer"),
        "check.sales": ("交易", "Sales"),
        "level.ok": ("正常", "ok"),
        "level.note": ("留意", "note"),
        "level.fault": ("故障", "FAULT"),
        "level.skipped": ("未查", "-"),
        "duration.d": ("{count} 天", "{count} d"),
        "duration.h": ("{count} 小时", "{count} h"),
        "duration.min": ("{count} 分", "{count} min"),
        "duration.s": ("{count} 秒", "{count} s"),
        "reset.power": ("上电", "switched on"),
        "reset.restart": ("重新启动", "restarted"),
        "reset.soft": ("软复位", "soft reset"),
        "reset.sleep": ("从睡眠中唤醒", "woken from sleep"),
        "reset.other": ("原因不明", "cause not known"),
        "doctor.answers": ("{board}，序列号 {serial}", "{board}, serial {serial}"),
        "doctor.started": ("{since}前，{cause}", "{since} ago, {cause}"),
        "doctor.self_tests": ("{count} 项全部通过", "all {count} passed"),
        "doctor.clock": ("与本机相差 {apart} 秒", "{apart} s from this computer's"),
        "doctor.connected": ("已连接", "connected"),
        "doctor.echo": ("{host} 应答，{ms} 毫秒，签名正确", "{host} answers in {ms} ms, signature good"),
        "doctor.no_wifi_first": ("没有无线网络，未测试", "not tested without Wi-Fi"),
        "doctor.no_sales": ("尚无商户，没有交易", "none without a merchant"),
        "doctor.nothing_open": ("没有未完成的交易", "nothing is open"),
        "doctor.port_shared": (
            "{program} 也打开了此端口，会抢走数据|关闭该程序；若是 ModemManager：sudo systemctl stop ModemManager",
            "{program} has the port open too and takes data away|close it; "
            "if it is ModemManager: sudo systemctl stop ModemManager",
        ),
        "doctor.firmware_unknown": (
            "终端没有说明固件版本|用 `microtill flash` 重新烧录",
            "the terminal does not say which firmware it runs|`microtill flash` puts it there anew",
        ),
        "doctor.firmware_other": (
            "终端固件 {theirs}，本机为 {ours}|用 `microtill flash` 换成本机的版本，或更新本机的 microtill",
            "the terminal has {theirs}, this computer {ours}|`microtill flash` brings this computer's, "
            "or update microtill here",
        ),
        "doctor.board_unknown": (
            "板型 {board} 不在本机的 boards/ 中|换用含有该板型的 microtill，或用 `microtill flash --board` 指定板型",
            "board {board} is not under boards/ here|use a microtill that has it, or name one with "
            "`microtill flash --board`",
        ),
        "doctor.old_firmware": (
            "终端固件较旧，不能查此项|用 `microtill flash` 更新固件",
            "the terminal's firmware is too old to tell|`microtill flash` brings it up to date",
        ),
        "doctor.reset_watchdog": (
            "看门狗复位（{since}前）：固件曾停止响应|用 `microtill logs` 取日志交给支持人员",
            "by the watchdog, {since} ago: the firmware had stopped|send support what `microtill logs` shows",
        ),
        "doctor.reset_brownout": (
            "供电不足而复位（{since}前）|换短而粗的 USB 线和 1 A 以上的电源",
            "by a brown-out, {since} ago|use a short, thick USB cable and a supply of 1 A or more",
        ),
        "doctor.bad_part": (
            "{name} 未通过：{outcome}|断电重启；若重复出现，停用本机并联系支持人员",
            "{name} failed: {outcome}|switch off and on; if it happens again, do not use the unit, and call support",
        ),
        "doctor.bad_vault": (
            "保险库未通过：{outcome}|停用本机；用 `microtill wipe` 清除后重新绑定",
            "the vault failed: {outcome}|take the unit out of use; `microtill wipe` it, then provision it anew",
        ),
        "doctor.bad_journal": (
            "流水未通过：{outcome}|停用本机，保留现状并联系收单行",
            "the journal failed: {outcome}|take the unit out of use, leave it as it is and call the acquirer",
        ),
        "doctor.bad_reader": (
            "读卡器没有应答：{outcome}|检查 PN532 的接线和拨码开关（见 boards/README.md），再断电重启",
            "the card reader failed: {outcome}|check the PN532's wires and switches (boards/README.md), "
            "then switch off and on",
        ),
        "doctor.clock_unknown": (
            "还没有经签名的时间|让终端联网；签到后时钟即准",
            "no signed time yet|bring the terminal online; its clock is right after the sign-on",
        ),
        "doctor.clock_ahead": (
            "比本机快 {apart}|核对本机时间；若本机无误，在终端上签到",
            "{apart} ahead of this computer's|check this computer's clock; if that is right, sign on at the terminal",
        ),
        "doctor.clock_behind": (
            "比本机慢 {apart}|核对本机时间；若本机无误，在终端上签到",
            "{apart} behind this computer's|check this computer's clock; if that is right, sign on at the terminal",
        ),
        "doctor.laptop_clock": (
            "本机与收单行相差 {apart}|校准本机的时间",
            "this computer's clock is {apart} from the acquirer's|set this computer's clock",
        ),
        "doctor.blank": (
            "尚未信任收单行，也没有商户|用 `microtill provision` 绑定商户",
            "no acquirer is trusted and there is no merchant|`microtill provision` binds it to one",
        ),
        "doctor.trusted": (
            "尚无商户|用 `microtill provision` 绑定商户",
            "there is no merchant yet|`microtill provision` binds it to one",
        ),
        "doctor.sales_pending": ("{count} 笔待冲正", "{count} to be reversed"),
        "doctor.sales_unsent": ("{count} 笔待上送", "{count} unsent"),
        "doctor.sales_unseen": ("有结果待确认", "an outcome to be confirmed"),
        "doctor.sales_open_batch": ("批次未结算", "the batch is not settled"),
        "doctor.sales_open": (
            "{what}|让终端联网，按屏幕提示完成；之前不要烧录、清除或断电存放",
            "{what}|bring the terminal online and do what its screen says; do not flash, wipe or store it before",
        ),
        "doctor.sales_batch": ("{what}", "{what}"),
        "say.comma": ("，", ", "),
    }
)
