"""One measured figure, and how to measure on the Unix port."""

import os
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
