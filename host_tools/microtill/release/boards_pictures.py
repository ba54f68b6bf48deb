"""Pictures for a person with a soldering iron: `boards/<NAME>/wiring.svg` of each board, and the key caps to cut out.

    python -m microtill.release.boards_pictures     draws them anew

Drawn from wiring.toml, board.json and boards/modules.toml; the same files give the same picture, and a test asks that
those in the repository are up to date. Lengths are millimetres: printed at 100 %, the key caps have their size.
"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from microtill.paths import BOARDS
from microtill.release.boards import names

_FONT = "'DejaVu Sans', 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', Unifont, sans-serif"
_PITCH = 6.3  # between two wires
_WIDTH, _HEIGHT = 297, 210  # A4 across
_MODULE = 78  # width of a module's box
_BOARD = 56
_EDGE = 10
_HEAD = 2.1  # rows that the titles take
_TOP = 25

# Wires by what they carry, so that neighbours differ; a name beside each, for black-and-white prints.
_SUPPLY = {"GND": ("#222222", "黑 black"), "3V3": ("#c62828", "红 red"), "4V5": ("#ad1457", "粉 pink")}
_PADS = {"4V5": "5V ▸ 二极管 diode"}
_CROSSED = {"rx": "ESP32 RX", "tx": "ESP32 TX"}
_COLOURS = (
    ("#ef6c00", "橙 orange"), ("#9e7b00", "黄 yellow"), ("#2e7d32", "绿 green"), ("#1565c0", "蓝 blue"),
    ("#6a1b9a", "紫 violet"), ("#6d4c41", "棕 brown"), ("#757575", "灰 grey"), ("#00838f", "青 cyan"),
)  # fmt: skip


@dataclass(frozen=True)
class Wire:
    """A row of the picture: what is printed at the module, and where it goes."""

    printed: str
    signal: str
    gpio: int | None
    supply: str
    socket: str = ""

    @property
    def goal(self) -> str:
        pad = _PADS.get(self.supply, self.supply) or f"GPIO {self.gpio}"
        return f"{self.socket} · {pad}" if self.socket else pad


@dataclass(frozen=True)
class Module:
    title: tuple[str, str]
    note: tuple[str, str]
    wires: tuple[Wire, ...]

    @property
    def rows(self) -> float:
        return len(self.wires) + _HEAD + (1.7 if self.note[0] else 0.3)


class PictureError(ValueError):
    """A part cannot be drawn: boards/modules.toml does not know it, or not the pin that is wired."""


def modules(board: Path) -> list[Module]:
    """The parts that are wired to a board, in the order of wiring.toml. Raises PictureError."""
    known = tomllib.loads((BOARDS / "modules.toml").read_text("utf-8"))
    table = tomllib.loads((board / "wiring.toml").read_text("utf-8"))
    sockets = table.get("socket", {})
    found = []
    for name, chip in table["chip"].items():
        if chip.get("on_board"):
            continue
        part = known.get(chip["model"])
        if part is None:
            raise PictureError(f"{board.name}: {chip['model']} is not in modules.toml")
        wired = dict(chip.get("pins", {}))
        if "bus" in chip:
            wired |= {pin: gpio for pin, gpio in table["bus"][chip["bus"]].items() if isinstance(gpio, int)}
        wires = []
        for printed in part["pins"]:
            signal = part["signals"].get(printed, "")
            supply = part.get("power", {}).get(printed, "")
            if supply or signal in wired:
                gpio = wired.pop(signal, None)
                wires.append(Wire(printed, signal, gpio, supply, sockets.get(str(gpio) if gpio else supply, "")))
        if wired:
            raise PictureError(f"{board.name}: {name}: no pin is printed for {sorted(wired)}")
        title, note = part["title"], chip.get("note") or part.get("note", ["", ""])
        found.append(Module((title[0], title[1]), (note[0], note[1]), tuple(wires)))
    return found


def wiring_picture(board: Path) -> str:
    """The SVG of one board: its microcontroller in the middle, parts at both sides, each wire a straight line."""
    about = json.loads((board / "board.json").read_text("utf-8"))
    left, right = _sides(modules(board))
    lines = [
        _text(_EDGE, 11, f"{about['id']}  接线图 · wiring", 5.2, weight="bold"),
        _text(_EDGE, 17.5, f"{about['mcu'].upper()}：编号是 GPIO 号，按部件排列，不是模块上的位置", 3.2),
        _text(_EDGE, 22, "numbers are GPIOs, sorted by part and not as on the module", 3.2),
        _text(_WIDTH - _EDGE, 11, "先断电，再接线 · power off before you wire", 3.6, anchor="end", weight="bold"),
        _text(_WIDTH - _EDGE, 17.5, "所有 GND 相连 · all grounds together", 3.2, anchor="end"),
        _text(_WIDTH - _EDGE, 22, "信号线 3.3 V · signals are 3.3 V", 3.2, anchor="end"),
    ]
    heights = [sum(module.rows for module in side) * _PITCH for side in (left, right)]
    middle = (_WIDTH - _BOARD) / 2
    lines.append(_box(middle, _TOP + 3, _BOARD, max(heights) - _PITCH * 0.4, "#eef3ee", 0.6))
    lines.append(_text(_WIDTH / 2, _TOP + 8.6, about["mcu"].upper(), 4.4, anchor="middle", weight="bold"))
    for side, chosen in (("left", left), ("right", right)):
        y = _TOP + 3.0
        for module in chosen:
            lines += _module(module, side, y, middle)
            y += module.rows * _PITCH
    bottom = _TOP + max(heights) + 4
    return _svg(_WIDTH, max(bottom, _HEIGHT), lines)


def _sides(parts: list[Module]) -> tuple[list[Module], list[Module]]:
    """The parts in order, the first ones to the left, so that both sides are of like height."""
    total = sum(part.rows for part in parts)

    def worse(cut: int) -> float:
        return abs(total - 2 * sum(part.rows for part in parts[:cut]))

    cut = min(range(1, len(parts) + 1), key=worse)
    return parts[:cut], parts[cut:]


def _module(module: Module, side: str, y: float, middle: float) -> Iterator[str]:
    x = _EDGE if side == "left" else _WIDTH - _EDGE - _MODULE
    near = x + _MODULE if side == "left" else x
    pad = middle if side == "left" else middle + _BOARD
    out = 1 if side == "left" else -1
    yield _box(x, y, _MODULE, (module.rows - 0.4) * _PITCH, "#f5f2ea", 0.35)
    yield _text(x + 3, y + 5.2, module.title[0], 3.7, weight="bold")
    yield _text(x + 3, y + 9.6, module.title[1], 3.0)
    row = y + (_HEAD + 0.2) * _PITCH
    inside = near - out * 3
    anchor, far_anchor = ("end", "start") if side == "left" else ("start", "end")
    spare = iter(_COLOURS)
    for wire in module.wires:
        colour, name = _SUPPLY[wire.supply] if wire.supply else next(spare)
        wide = 0.9 if wire.supply else 0.6
        yield _line(near, row, pad, row, colour, wide)
        for at in (near, pad):
            yield f'<circle cx="{_n(at)}" cy="{_n(row)}" r="0.95" fill="{colour}" stroke="#000" stroke-width="0.15"/>'
        yield _text((near + pad) / 2, row - 0.9, name, 2.5, anchor="middle", fill=colour)
        yield _text(inside, row + 1.2, wire.printed, 3.4, anchor=anchor, weight="bold")
        if wire.signal and wire.signal.upper() not in wire.printed.upper():
            far = x + 3 if side == "left" else x + _MODULE - 3
            signal = _CROSSED.get(wire.signal, wire.signal)
            yield _text(far, row + 1.1, signal, 2.7, anchor=far_anchor, fill="#555")
        yield _text(pad + out * 3, row + 1.2, wire.goal, 3.4, anchor=far_anchor, weight="bold")
        row += _PITCH
    if module.note[0]:
        yield _text(x + 3, row + 0.8, module.note[0], 3.0, fill="#333")
        yield _text(x + 3, row + 5.0, module.note[1], 2.6, fill="#333")


# Key caps

_CAP_W, _CAP_H, _CAP_STEP = 12, 11, 14.0
_GREEN, _RED, _YELLOW, _PALE = "#c8e6c9", "#ffcdd2", "#fff3bf", "#ffffff"

# (large, small in zh, small in en, colour) by the key's name; EMV terminals colour confirm, cancel and clear like this.
_CAPS = {
    "UP": ("A", "上 · 00", "up · 00", _PALE), "DOWN": ("B", "下", "down", _PALE),
    "CLEAR": ("C", "删除", "clear", _YELLOW), "MENU": ("D", "菜单", "menu", _PALE),
    "CANCEL": ("*", "取消", "cancel", _RED), "OK": ("#", "确认", "OK", _GREEN),
}  # fmt: skip


def overlay_picture() -> str:
    """Key caps for a 4×4 pad, Chinese and English, each 12 × 11 mm, on A4; with a rule to check the print's size."""
    from microtill.bench.chips.matrix import LEGEND

    lines = [
        _text(20, 18, "4×4 键盘贴纸 · key caps for the 4×4 pad", 5, weight="bold"),
        _text(20, 25, "按 100 % 打印（不要“适合页面”），用尺核对下面的 50 mm，沿细线剪开", 3.2),
        _text(
            20,
            30,
            "print at 100 %, not “fit to page”; check the 50 mm below with a rule; cut along the thin lines",
            3.0,
        ),
        _line(20, 38, 70, 38, "#000", 0.3),
        _text(72, 39.2, "50 mm", 3.2),
    ]
    lines += [_line(20 + mm, 36 if mm % 10 == 0 else 37, 20 + mm, 38, "#000", 0.2) for mm in range(0, 51, 5)]
    for left, language, title in ((20.0, 0, "中文"), (112.0, 1, "English")):
        lines.append(_text(left, 50, title, 4, weight="bold"))
        for row, keys in enumerate(LEGEND):
            for column, key in enumerate(keys):
                lines += _cap(left + column * _CAP_STEP, 54 + row * (_CAP_STEP - 1), key, language)
    return _svg(210, 297, lines)


def _cap(x: float, y: float, key: str, language: int) -> Iterator[str]:
    large, *small, colour = _CAPS.get(key, (key, "", "", _PALE))
    yield _box(x, y, _CAP_W, _CAP_H, colour, 0.15, radius=0)
    centre = x + _CAP_W / 2
    if small[language]:
        yield _text(centre, y + 5.6, large, 4.4, anchor="middle", weight="bold")
        yield _text(centre, y + 9.4, small[language], 2.5, anchor="middle")
    else:
        yield _text(centre, y + 8.0, large, 6.4, anchor="middle", weight="bold")


# SVG


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _text(
    x: float, y: float, text: str, size: float, *, anchor: str = "start", weight: str = "", fill: str = ""
) -> str:
    more = f' text-anchor="{anchor}"' if anchor != "start" else ""
    more += f' font-weight="{weight}"' if weight else ""
    more += f' fill="{fill}"' if fill else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}"{more}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, wide: float) -> str:
    return f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" stroke="{colour}" stroke-width="{wide}"/>'


def _box(x: float, y: float, w: float, h: float, fill: str, line: float, radius: float = 1.6) -> str:
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" rx="{_n(radius)}" fill="{fill}" '
        f'stroke="#333" stroke-width="{line}"/>'
    )


def _svg(width: float, height: float, lines: list[str]) -> str:
    size = f'width="{_n(width)}mm" height="{_n(height)}mm" viewBox="0 0 {_n(width)} {_n(height)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FONT}">'
    paper = f'<rect width="{_n(width)}" height="{_n(height)}" fill="#fff"/>'
    return "\n".join([head, paper, *lines, "</svg>", ""])


def pictures() -> dict[Path, str]:
    """Every picture by its path."""
    found = {BOARDS / name / "wiring.svg": wiring_picture(BOARDS / name) for name in names()}
    return {BOARDS / "overlay.svg": overlay_picture(), **found}


if __name__ == "__main__":
    for path, svg in pictures().items():
        path.write_text(svg, "utf-8")
        print(path)  # noqa: T201
