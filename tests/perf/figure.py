"""One measured figure, and how to measure on the Unix port."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from microtill.paths import FIRMWARE, micropython


@dataclass(frozen=True)
class Figure:
    """`ratio` says how many times better ours is than the peer (peer / ours), both in `unit`."""

    area: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    unit: str
    note: str = ""


def port_run(source: str, heap: str = "256K", extra_path: str = "") -> str:
    """Standard output of `source` run on the Unix port, with the firmware (and `extra_path`) to import from."""
    path = f"{FIRMWARE}:.frozen" + (f":{extra_path}" if extra_path else "")
    done = subprocess.run(
        [micropython(), "-X", f"heapsize={heap}", "-c", source],
        capture_output=True,
        text=True,
        timeout=600,
        env=dict(os.environ, MICROPYPATH=path),
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout


def port_instructions(source: str, heap: str = "256K") -> int | None:
    """Instructions the Unix port executes for `source`; None without valgrind. Repeats to 0.1 %, whatever the load.

    Starting the port is counted too: measure twice, with different numbers of rounds, and take the difference.
    """
    if not shutil.which("valgrind"):
        return None
    counter = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
    done = subprocess.run(
        [*counter, micropython(), "-X", f"heapsize={heap}", "-c", source],
        capture_output=True,
        text=True,
        timeout=600,
        env=dict(os.environ, MICROPYPATH=f"{FIRMWARE}:.frozen", PYTHONHASHSEED="0"),
    )
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not counted:
        raise RuntimeError(done.stdout + done.stderr)
    return int(counted[1])
