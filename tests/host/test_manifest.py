"""The manifests name files that exist, and everything the firmware imports that is Python on a device."""

import ast
from pathlib import Path

import pytest
from microtill.paths import BOARDS, FIRMWARE

# Modules of the ESP32 port that are C. The rest of what is imported has to be frozen.
_BUILT_IN = """array binascii collections cryptolib errno esp32 framebuf gc hashlib io json machine micropython network
    os select socket struct sys time tls"""
BUILT_IN = frozenset(_BUILT_IN.split())
OWN = frozenset({"board", "till"})  # in the release image
BOARD_NAMES = sorted(path.parent.name for path in BOARDS.glob("*/board.py"))


def frozen(manifest: Path) -> dict[str, Path | None]:
    """Top-level modules that `manifest` freezes: their file here, None for those of MicroPython's own tree."""
    found: dict[str, Path | None] = {}

    def include(name: str) -> None:
        if name.startswith("$("):
            found[name.rpartition("/")[2]] = None
        else:
            found.update(frozen(manifest.parent / name))

    def module(name: str, base_path: str = ".", opt: int | None = None) -> None:
        found[name.removesuffix(".py")] = manifest.parent / base_path / name

    scope = {"include": include, "module": module, "require": lambda name: found.setdefault(name, None)}
    exec(compile(manifest.read_text("utf-8"), str(manifest), "exec"), scope)
    return found


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("board", BOARD_NAMES)
def test_every_frozen_file_is_there(board):
    files = [path for path in frozen(BOARDS / board / "manifest.py").values() if path]
    assert {path.name for path in files} == {"_boot.py", "boot.py", "main.py"}
    assert [path for path in files if not path.is_file()] == []


@pytest.mark.parametrize("board", BOARD_NAMES)
def test_what_is_imported_and_not_built_in_is_frozen(board):
    sources = [*FIRMWARE.rglob("*.py"), BOARDS / board / "board.py", BOARDS / board / "_boot.py"]
    needed = set().union(*(imported(path) for path in sources if path.name != "manifest.py")) - BUILT_IN - OWN
    names = frozen(BOARDS / board / "manifest.py")
    assert needed == {name for name, path in names.items() if path is None}
