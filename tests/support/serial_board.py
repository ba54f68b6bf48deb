"""The real mpremote, as a process, at a virtual board."""

import os
import subprocess
import sys
from pathlib import Path

MPREMOTE = Path(sys.executable).with_name("mpremote")
SECONDS = 60


def mpremote(port: str, *arguments: str | Path, status: int | None = 0, cwd: Path | None = None) -> str:
    """What `mpremote connect PORT ARGUMENTS` prints, lines ended with LF. `status`: its exit (None: whatever)."""
    done = subprocess.run(
        [MPREMOTE, "connect", port, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        cwd=cwd,
        env=dict(os.environ, TERM="dumb"),
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace").replace("\r\n", "\n")
    if status is not None:
        assert done.returncode == status, f"mpremote {arguments}: exit {done.returncode}\n{said}"
    return said
