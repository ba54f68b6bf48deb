"""What the technician's tools say, in Chinese and English.

An entry is (zh, en). In entries that tell of a fault, `|` divides what happened from what to do next. A module adds
the texts that only it needs with `add`. One process speaks one language, as with gettext.
"""

import locale
import os
from collections.abc import Mapping
from typing import Literal, cast

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

TEXTS: dict[str, tuple[str, str]] = {}

_chosen: Language | None = None


def add(entries: Mapping[str, tuple[str, str]]) -> None:
    """Put `entries` into the catalogue. ValueError when one of them is there with other words."""
    for key, entry in entries.items():
        if TEXTS.setdefault(key, entry) != entry:
            raise ValueError(f"two texts for {key}")


def set_language(name: str | None) -> None:
    """Speak `name` ("zh" or "en") from now on; None: what the environment asks for."""
    global _chosen
    if name is not None and name not in LANGUAGES:
        raise ValueError(f"no language {name}")
    _chosen = cast(Language | None, name)


def language() -> Language:
    """The language that is spoken: as set, else by MICROTILL_LANGUAGE or the system's locale, else English."""
    return _chosen or preferred(os.environ)


def preferred(environment: Mapping[str, str]) -> Language:
    """The language that an environment asks for. The first variable that is set decides, as POSIX has it."""
    for name in ("MICROTILL_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return _of(environment[name])
    # Windows sets none of them; its locale is "zh_CN" or "Chinese (Simplified)_China".
    return _of(locale.getlocale()[0] or "")


def _of(name: str) -> Language:
    return "zh" if name.lower().startswith(("zh", "chinese")) else "en"


def t(key: str, /, in_language: Language | None = None, **fields: object) -> str:
    """The whole text of `key`, filled in. KeyError when there is none, or when a field is missing."""
    entry = TEXTS[key][LANGUAGES.index(in_language or language())]
    return entry.format_map(fields)


def what(key: str, /, **fields: object) -> str:
    """What happened: the part before `|`."""
    return _part(key, 0).format_map(fields)


def next_step(key: str, /, **fields: object) -> str:
    """What to do about it: the part after `|`, or nothing."""
    return _part(key, 2).format_map(fields)


def _part(key: str, index: int) -> str:
    # Divided before it is filled in: a field may hold a `|`.
    return TEXTS[key][LANGUAGES.index(language())].partition("|")[index]


add(
    {
        "bar.done": ("完成", "done"),
        "error.internal": (
            "工具内部错误|请重试；若重复出现，请把完整输出交给支持人员",
            "the tool failed|try again; if it happens again, send support the whole output",
        ),
        "error.usage": ("{detail}|用 --help 查看用法", "{detail}|see --help"),
        "error.no_such_port": (
            "找不到 {port}|用 `microtill ports` 查看已接好的终端；检查 USB 线能传数据",
            "there is no {port}|`microtill ports` lists what is plugged in; check that the USB cable carries data",
        ),
        "error.no_port": (
            "没有接上终端|插上 USB 线（须能传数据，不能只充电），等几秒再试；旧系统可能要装 CP210x 或 CH340 驱动",
            "no terminal is plugged in|plug one in with a cable that carries data, wait a few seconds and try again; "
            "older systems need a driver for CP210x or CH340",
        ),
        "error.several_ports": (
            "接了多台：{ports}|用 --port 选一台（端口、序列号或终端号）",
            "several ports are there: {ports}|choose one with --port (a port, a serial or a terminal ID)",
        ),
        "error.several_ports_all": (
            "接了多台：{ports}|用 --port 选一台（端口、序列号或终端号），或用 --all 全选",
            "several ports are there: {ports}|choose one with --port (a port, a serial or a terminal ID), or --all",
        ),
        "error.port_and_all": (
            "--port 与 --all 不能同用|只用其中一个",
            "--port and --all exclude each other|give one of them",
        ),
        "error.not_a_port": (
            "{port} 不是串口|用 `microtill ports` 查看端口",
            "{port} is not a serial port|`microtill ports` lists them",
        ),
        "error.port_busy": (
            "{port} 被占用：{program}|关闭该程序（串口监视器、编辑器、另一个 microtill）再试",
            "{port} is in use by {program}|close it (a serial monitor, an editor, another microtill) and try again",
        ),
        "error.no_permission": (
            "无权打开 {port}|加入 {group} 组：sudo usermod -aG {group} $USER，然后注销并重新登录",
            "no permission to open {port}|join the group {group}: sudo usermod -aG {group} $USER, "
            "then log out and in again",
        ),
        "error.no_permission_at_all": (
            "无权打开 {port}|请系统管理员授权，或查看该端口的属主和权限",
            "no permission to open {port}|ask who administers this computer, or look at the port's owner and mode",
        ),
        "error.verification": (
            "校验不符：{detail}|再做一次；若重复出现，请换线或换板",
            "verification failed: {detail}|do it again; if it happens again, change the cable or the board",
        ),
        "error.refused": ("被拒绝：{detail}|按所述原因处理后重试", "refused: {detail}|settle that and try again"),
        "error.terminal_refuses": (
            "终端拒绝：{reason}{detail}",
            "the terminal refuses: {reason}{detail}",
        ),
        "error.no_answer": (
            "{port} 没有应答|用 `microtill doctor --port {port}` 查找原因",
            "{port} does not answer|`microtill doctor --port {port}` looks for the cause",
        ),
        "error.terminal_silent": (
            "终端 {seconds} 秒内没有应答|用 `microtill doctor` 查找原因",
            "the terminal did not answer within {seconds} s|`microtill doctor` looks for the cause",
        ),
        "error.not_understood": (
            "{port} 的应答无法理解|按复位键再试；若重复出现，用 `microtill flash` 重新烧录",
            "{port} answers what cannot be understood|press reset and try again; if it happens again, "
            "`microtill flash` puts the firmware there anew",
        ),
        "error.unplugged": (
            "{port} 断开了|检查 USB 线并重新插上，再执行同一命令",
            "{port} went away|check the cable, plug it in again and repeat the command",
        ),
        "error.micropython_prompt": (
            "{port} 停在 MicroPython 提示符，没有运行 microtill（{found}）|"
            "用 `microtill flash --port {port}` 烧录或恢复固件",
            "{port} is at MicroPython's prompt, microtill does not run there ({found})|"
            "`microtill flash --port {port}` puts the firmware there, or starts what is there",
        ),
        "error.bare_chip": (
            "{port} 上的芯片没有固件（{found}）|"
            "用 `microtill flash --port {port} --chip 固件.bin` 写入 MicroPython 和固件",
            "{port} is a chip without any firmware ({found})|"
            "`microtill flash --port {port} --chip FIRMWARE.bin` writes MicroPython and the firmware",
        ),
        "error.acquirer_refused": (
            "收单行拒绝：{detail}|按所述原因处理后重试，或联系收单行",
            "the acquirer refuses: {detail}|settle that and try again, or call the acquirer",
        ),
        "error.acquirer_unreachable": (
            "本机连不上收单行 {url}：{detail}|检查本机的网络和收单行地址",
            "this computer does not reach the acquirer at {url}: {detail}|check its network and the acquirer's URL",
        ),
        "error.cannot_write": (
            "无法写入 {path}：{detail}|换一个文件夹（--output），或腾出磁盘空间",
            "cannot write {path}: {detail}|choose another folder (--output), or free some space on the disk",
        ),
        "program.unknown": ("另一个程序", "another program"),
        "option.port": ("端口、序列号或终端号", "a port, a unit's serial, or a terminal ID"),
        "option.all": ("所有接好的终端", "every terminal that is plugged in"),
        "option.json": ("输出 JSON", "print JSON"),
        "option.dry_run": ("只说会做什么，什么也不改", "say what would be done, and change nothing"),
        "option.language": ("消息的语言：zh 或 en", "language of the messages: zh or en"),
        "column.port": ("端口", "Port"),
        "column.serial": ("序列号", "Serial"),
        "column.state": ("状态", "State"),
        "column.tid": ("终端号", "Terminal"),
        "column.mid": ("商户号", "Merchant ID"),
        "column.fw": ("固件", "Firmware"),
        "state.blank": ("空白", "blank"),
        "state.trusted": ("待绑定", "no merchant"),
        "state.provisioned": ("已绑定", "provisioned"),
        "state.fault": ("故障", "fault"),
        "say.next": ("下一步：{step}", "Next: {step}"),
        "say.interrupted": ("已中断", "interrupted"),
    }
)
