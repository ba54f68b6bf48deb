"""The technician's commands as tests run them: in this process, or as one of their own."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from microtill.cli import app
from microtill.device import texts


@dataclass
class Ran:
    """How a command ended, and what it said. `lines` are those of the output."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self):
        return json.loads(self.out)


def run(*words: str | Path, language: str | None = "en", status: int | None = 0) -> Ran:
    """`microtill WORDS`, in this process; `status` is what it must end with (None: whatever)."""
    arguments = [str(word) for word in words]
    if language:
        arguments += ["--language", language]
    out, err = io.StringIO(), io.StringIO()
    ended = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            app(arguments)
        except SystemExit as e:
            ended = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
        finally:
            texts.set_language(None)
    done = Ran(ended, out.getvalue(), err.getvalue())
    if status is not None:
        assert done.status == status, f"{words}: exit {done.status}\n{done.out}\n{done.err}"
    return done


def process(*words: str | Path, **environment: str) -> subprocess.Popen[str]:
    """`microtill WORDS` as a process, its output to be read."""
    return subprocess.Popen(
        [sys.executable, "-m", "microtill.cli", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"MICROTILL_LANGUAGE": "en", "PYTHONUNBUFFERED": "1"} | environment,
    )
