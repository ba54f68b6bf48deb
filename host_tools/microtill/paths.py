"""Where things are: the checkout, the build folder and the MicroPython Unix port."""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
BOARDS = ROOT / "boards"
BUILD = ROOT / "build"


def micropython() -> str:
    """Path of the MicroPython Unix port: $MICROPYTHON, else beside this Python, else on PATH.

    Raises FileNotFoundError with what to do when there is none.
    """
    named = os.environ.get("MICROPYTHON")
    beside = Path(sys.executable).with_name("micropython")
    found = named or (str(beside) if beside.exists() else shutil.which("micropython"))
    if not found:
        raise FileNotFoundError(
            "MicroPython Unix port not found: run `make setup`, or set MICROPYTHON to a `micropython` executable"
        )
    return found
