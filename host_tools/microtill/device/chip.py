"""A bare chip: MicroPython and our partition table into its flash, by esptool as a process of its own.

esptool is under the GPL and is never imported here; it is installed beside this package (`pip install esptool`).
A chip that is divided as ours already keeps its vault and its journal, unless everything is to be erased.
"""

import importlib.util
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from microtill.device.errors import NoAnswer, NoFirmware, PortBusy, Refused, UsageError, VerificationFailed
from microtill.device.flashing import running
from microtill.device.ports import Port
from microtill.device.texts import add
from microtill.release import boards
from microtill.release.boards import BoardKind
from microtill.release.esp_image import (
    CHIPS,
    TABLE_OFFSET,
    TABLE_SIZE,
    ImageFormatError,
    MicroPythonImage,
    read_app,
    read_micropython,
    table_bytes,
)

BAUDRATE = 460800
_SECTOR = 0x1000
_STEP_SECONDS = 900
_KEPT = frozenset({"nvs", "journal"})
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s?%")
_SIZE = re.compile(r"flash size: (\d+)\s?MB", re.I)
_WRONG_CHIP = re.compile(r"This chip is (\S+?),? not|detected as (\S+)|Unexpected chip", re.I)

add(
    {
        "chip.asking": ("查看芯片", "asking the chip"),
        "chip.erasing": ("擦除", "erasing"),
        "chip.writing": ("写入 {what}", "writing {what}"),
        "chip.first": ("先读出分区表", "first the partition table is read"),
        "chip.if_other": (
            "如果不是我们的分区表，或给了 --erase：全部擦除并写入",
            "where it is not ours, or with --erase: everything is erased, and written",
        ),
        "chip.if_ours": ("如果是我们的：只清空文件系统", "where it is ours: only the file system is blanked"),
        "chip.if_ours_then": ("然后写入，保留密钥和日志", "then it is written; vault and journal are kept"),
        "chip.kept": ("保留了密钥和日志", "vault and journal were kept"),
        "chip.erased": ("整个芯片已擦除", "the whole chip was erased"),
        "option.chip": (
            "空白芯片：先写入此 MicroPython 固件（.bin）和我们的分区表",
            "a bare chip: write this MicroPython image (.bin) and our partition table first",
        ),
        "option.erase": (
            "与 --chip 合用：即使分区相同也擦除整个芯片",
            "with --chip: erase the whole chip even where it is divided as ours",
        ),
        "error.erase_alone": ("--erase 只能与 --chip 合用|加上 --chip", "--erase goes with --chip|add --chip"),
        "error.chip_provisioned": (
            "{serial} 是商户的终端，不能擦除|先用 `microtill wipe` 清除，或去掉 --erase",
            "{serial} is a merchant's terminal and is not erased|`microtill wipe` it first, or leave --erase out",
        ),
        "error.no_esptool": (
            "没有安装 esptool|pip install esptool",
            "esptool is not installed|pip install esptool",
        ),
        "error.chip_image": (
            "{path} 不能用：{detail}|从 micropython.org 下载适合 {chip} 的 .bin 固件",
            "{path} cannot be used: {detail}|take the .bin that micropython.org offers for {chip}",
        ),
        "error.chip_room": (
            "{path} 太大：{part} 分区只有 {room} 字节，程序有 {size} 字节|换用较小的 MicroPython",
            "{path} is too large: the partition {part} has {room} bytes, the program {size}|take a smaller MicroPython",
        ),
        "error.chip_silent": (
            "{port} 上的芯片没有应答引导程序：{detail}|按住 BOOT 键，按一下 RESET，再试；换一根线",
            "the chip at {port} does not answer its boot loader: {detail}|hold BOOT, press RESET, and try again; "
            "try another cable",
        ),
        "error.chip_other": (
            "{port} 上的芯片不是 {wanted}：{detail}|换一块板，或用 --board 指定板型",
            "the chip at {port} is no {wanted}: {detail}|take another board, or say which one it is with --board",
        ),
        "error.chip_flash": (
            "芯片的闪存只有 {found} MB，{board} 需要 {wanted} MB|换一块闪存更大的模块",
            "the chip has {found} MB of flash, and a {board} needs {wanted} MB|take a module with more",
        ),
        "error.chip_failed": (
            "esptool 失败：{detail}|再做一次；若重复出现，请换线或换板",
            "esptool failed: {detail}|do it again; if it happens again, change the cable or the board",
        ),
    }
)


@dataclass(frozen=True)
class Piece:
    """Something for one place in the flash."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class ChipPlan:
    """What goes where. `blank`: (offset, size) of what is erased when the rest is kept."""

    kind: BoardKind
    version: str
    pieces: tuple[Piece, ...]
    blank: tuple[tuple[int, int], ...]

    @property
    def table(self) -> bytes:
        return next(piece.data for piece in self.pieces if piece.offset == TABLE_OFFSET)


def plan(path: Path, kind: BoardKind) -> ChipPlan:
    """The image at `path` and the partitions of `kind`, fitted to each other. UsageError when they do not."""
    image = _read(path, kind)
    slots = [p for p in kind.partitions if p.type == 0]
    slot = slots[0]
    if len(image.app) > slot.size:
        raise UsageError("error.chip_room", path=path, part=slot.label, room=slot.size, size=len(image.app))
    otadata = next((p for p in kind.partitions if (p.type, p.subtype) == (1, 0)), None)
    pieces = [
        Piece("bootloader", image.bootloader_offset, image.bootloader),
        Piece("partition-table", TABLE_OFFSET, table_bytes(kind.partitions)),
        Piece("micropython", slot.offset, image.app),
    ]
    if otadata:  # blank: the first slot starts
        pieces.insert(2, Piece("otadata", otadata.offset, b"\xff" * otadata.size))
    _check(pieces, kind)
    blank = [(p.offset, p.size) for p in kind.partitions if p.label == "vfs"]
    return ChipPlan(kind, image.version, tuple(pieces), tuple(blank))


def _read(path: Path, kind: BoardKind) -> MicroPythonImage:
    try:
        return read_micropython(path.read_bytes(), kind.mcu)
    except OSError as e:
        raise UsageError("error.cannot_read", path=path, detail=e.strerror or str(e)) from e
    except (ImageFormatError, KeyError) as e:
        raise UsageError("error.chip_image", path=path, detail=str(e), chip=kind.mcu) from e


def _check(pieces: Sequence[Piece], kind: BoardKind) -> None:
    """The pieces stand clear of each other, of what is kept, and inside the flash."""
    taken = [(p.offset, p.end) for p in kind.partitions if p.label in _KEPT]
    for piece in pieces:
        end = -(-(piece.offset + len(piece.data)) // _SECTOR) * _SECTOR
        if piece.offset % _SECTOR or end > kind.flash_bytes:
            raise UsageError(detail=f"{piece.name} at {piece.offset:#x}")
        for start, stop in taken:
            if piece.offset < stop and start < end:
                raise UsageError(detail=f"{piece.name} at {piece.offset:#x} overlaps {start:#x}")
        taken.append((piece.offset, end))


def write_command(found: ChipPlan, files: Sequence[str], port: str, *, erase: bool, baud: int = BAUDRATE) -> list[str]:
    """The esptool command that writes the pieces; `files`: their names, in the order of the pieces."""
    command = [*_esptool(found.kind, port, baud), "write-flash"]
    if erase:
        command.append("--erase-all")
    # The boot loader is told the size of this flash; mode and speed stay as MicroPython built it.
    command += ["--flash-mode", "keep", "--flash-freq", "keep", "--flash-size", _size(found.kind)]
    for piece, name in zip(found.pieces, files, strict=True):
        command += [f"{piece.offset:#x}", name]
    return command


def commands(found: ChipPlan, port: str) -> list[tuple[str, str]]:
    """What would be run, and when (a key of the catalogue): the table is read first, and decides what follows."""
    names = [f"{piece.name}.bin" for piece in found.pieces]
    chip = _esptool(found.kind, port, BAUDRATE)
    lines = [
        ("chip.first", [*chip, "read-flash", f"{TABLE_OFFSET:#x}", f"{TABLE_SIZE:#x}", "there.bin"]),
        ("chip.if_other", write_command(found, names, port, erase=True)),
    ]
    lines += [("chip.if_ours", _erase(found.kind, port, offset, size)) for offset, size in found.blank]
    lines.append(("chip.if_ours_then", write_command(found, names, port, erase=False)))
    return [(says, shlex.join(["esptool", *line[3:]])) for says, line in lines]


def kind_for(path: Path, board: str | None) -> BoardKind:
    """The board that the image at `path` is meant for: `board`, or the only one with its chip. UsageError."""
    if board is not None:
        return boards.kind(board)
    try:
        chip_id = read_app(path.read_bytes()).chip_id
    except OSError as e:
        raise UsageError("error.cannot_read", path=path, detail=e.strerror or str(e)) from e
    except ImageFormatError as e:
        raise UsageError("error.chip_image", path=path, detail=str(e), chip="ESP32") from e
    fitting = [kind for kind in map(boards.kind, boards.names()) if CHIPS[kind.mcu][0] == chip_id]
    if len(fitting) != 1:
        known = ", ".join(kind.name for kind in fitting) or ", ".join(boards.names())
        raise UsageError("error.which_board", found=path.name, known=known)
    return fitting[0]


def may_write(port: Port, erase: bool) -> bool:
    """Whether what is on the chip must be kept: a merchant's terminal answers. Refused when it was to be erased."""
    with port.line() as line:
        try:
            unit = running(line)
        except NoFirmware:
            return False
    if unit is None or unit.state in ("blank", "trusted"):
        return False
    if erase:
        raise Refused("error.chip_provisioned", serial=unit.serial)
    return True


def write(
    found: ChipPlan,
    port: str,
    *,
    erase: bool = False,
    must_keep: bool = False,
    stage: Callable[..., None] = lambda text, **fields: None,
    step: Callable[[int], None] = lambda n: None,
) -> bool:
    """Write it all; returns whether vault and journal were kept. `step` hears of bytes written.

    `must_keep`: refuse where they cannot be, because the chip is divided otherwise.
    """
    with tempfile.TemporaryDirectory() as folder:
        kind = found.kind
        files = []
        try:
            for piece in found.pieces:
                name = Path(folder) / f"{piece.name}.bin"
                name.write_bytes(piece.data)
                files.append(str(name))
        except OSError as e:
            raise UsageError("error.laptop_disk", detail=e.strerror or str(e)) from e
        stage("chip.asking")
        said = _run([*_esptool(kind, port, BAUDRATE, stay=True), "flash-id"], found, port)
        size = _SIZE.search(said)
        if size and int(size[1]) << 20 < kind.flash_bytes:
            raise Refused("error.chip_flash", found=size[1], board=kind.name, wanted=kind.flash_bytes >> 20)
        there = Path(folder) / "there.bin"
        read = ["read-flash", f"{TABLE_OFFSET:#x}", f"{TABLE_SIZE:#x}", str(there)]
        _run([*_esptool(kind, port, BAUDRATE, stay=True), *read], found, port)
        keep = not erase and there.is_file() and there.read_bytes() == found.table
        if must_keep and not keep:
            raise Refused("error.other_table", board=kind.name, found="-")
        if keep:
            stage("chip.erasing")
            for offset, size_ in found.blank:
                _run(_erase(kind, port, offset, size_, stay=True), found, port)
        stage("chip.writing", what=found.version)
        _run(write_command(found, files, port, erase=not keep), found, port, step)
        return keep


def _esptool(kind: BoardKind, port: str, baud: int, *, stay: bool = False) -> list[str]:
    after = ["--after", "no-reset"] if stay else []
    return [sys.executable, "-m", "esptool", "--chip", kind.mcu, "--port", port, "--baud", str(baud), *after]


def _erase(kind: BoardKind, port: str, offset: int, size: int, *, stay: bool = False) -> list[str]:
    return [*_esptool(kind, port, BAUDRATE, stay=stay), "erase-region", f"{offset:#x}", f"{size:#x}"]


def _size(kind: BoardKind) -> str:
    return f"{kind.flash_bytes >> 20}MB"


def require_esptool() -> None:
    """UsageError when it is not there."""
    if importlib.util.find_spec("esptool") is None:
        raise UsageError("error.no_esptool")


def _run(command: Sequence[str], found: ChipPlan, port: str, step: Callable[[int], None] | None = None) -> str:
    """Run esptool; returns what it said."""
    require_esptool()
    total = sum(len(piece.data) for piece in found.pieces)
    said: list[str] = []
    done = last = 0.0
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout
        for line in process.stdout:
            said.append(line.strip())
            if step and (seen := _PERCENT.search(line)):
                # esptool counts each piece from 0 to 100; how far all are is guessed by the largest.
                percent = float(seen[1])
                done += max(0.0, percent - last) * total / 100 / len(found.pieces)
                last = 0.0 if percent >= 100 else percent
                step(int(done))
                done -= int(done)
        status = process.wait(_STEP_SECONDS)
    if status:
        raise _failure(said, found, port)
    return "\n".join(said)


def _failure(said: Sequence[str], found: ChipPlan, port: str) -> Exception:
    told = [line for line in said if line]
    fatal = next((line for line in reversed(told) if "fatal" in line.lower()), told[-1] if told else "")
    detail = fatal.split(":", 1)[-1].strip()[:160]
    text = "\n".join(told)
    if _WRONG_CHIP.search(text):
        return Refused("error.chip_other", port=port, wanted=found.kind.mcu, detail=detail)
    if "Could not open" in text and ("busy" in text or "lock" in text):
        from microtill.device import owner

        return PortBusy(port=port, program=owner.program_of(port))
    if "Failed to connect" in text or "Could not open" in text or "No serial data" in text:
        return NoAnswer("error.chip_silent", port=port, detail=detail)
    return VerificationFailed("error.chip_failed", detail=detail)
