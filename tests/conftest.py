"""Functions in tests/firmware run on the MicroPython Unix port, one process each, with a small heap."""

import ast
import os
import subprocess
from pathlib import Path

import pytest
from microtill.paths import FIRMWARE, micropython

TESTS = Path(__file__).parent
RUNNER = TESTS / "support" / "run_on_port.py"
HEAP = "256K"
SKIPPED = 77


class PortError(Exception):
    """A firmware test failed; its text is the port's own traceback."""


class PortTest(pytest.Item):
    def __init__(self, *, line: int, heap: str, **kwargs):
        super().__init__(**kwargs)
        self.line = line
        self.heap = heap

    def runtest(self) -> None:
        done = subprocess.run(
            [micropython(), "-X", f"heapsize={self.heap}", str(RUNNER), str(self.path), self.name],
            capture_output=True,
            timeout=120,
            env=dict(os.environ, MICROPYPATH=f"{FIRMWARE}:.frozen:{TESTS / 'firmware'}"),
            cwd=TESTS,
        )
        out = (done.stdout + done.stderr).decode("utf-8", "replace")
        if done.returncode == SKIPPED:
            pytest.skip(out.strip().splitlines()[-1])
        if done.returncode:
            raise PortError(out or f"exit status {done.returncode}")
        self.add_report_section("call", "stdout", out)

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, PortError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, self.line - 1, self.name


class PortFile(pytest.File):
    """Collects `test_*` functions without importing: CPython could not. `HEAP = "512K"` at module level widens it."""

    def collect(self):
        tree = ast.parse(self.path.read_text("utf-8"))
        heap = HEAP
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "HEAP":
                heap = ast.literal_eval(node.value)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield PortTest.from_parent(self, name=node.name, line=node.lineno, heap=heap)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path, parent):
    if TESTS / "firmware" in module_path.parents:
        return PortFile.from_parent(parent, path=module_path)
    return None
