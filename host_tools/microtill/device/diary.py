"""This computer's own record of what was done to which unit, by whom and when. It holds no secrets.

One JSON object a line in `provisioning.log`, which only its owner reads.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from microtill.device import session
from microtill.device.errors import DeviceError, UsageError
from microtill.device.provisioning import Outcome

NAME = "provisioning.log"


def path() -> Path:
    """Where it is."""
    return session.folder() / NAME


def note(who: session.Profile, outcome: Outcome, error: DeviceError | None) -> None:
    """Add a line, whole or not at all. UsageError when this computer cannot."""
    line = json.dumps(entry(who, outcome, error), ensure_ascii=False) + "\n"
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as e:
        raise UsageError("error.cannot_log", path=path(), detail=e.strerror or type(e).__name__) from e


def entry(who: session.Profile, outcome: Outcome, error: DeviceError | None) -> dict[str, Any]:
    """What is noted: `error` is a key and never a text."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "operator": who.name,
        "acquirer": who.url,
        "port": outcome.port,
        "serial": outcome.serial,
        "tid": outcome.tid,
        "mid": outcome.mid,
        "version": outcome.version,
        "result": "failed" if error else "done",
        "error": error.key if error else "",
        "recorded": outcome.recorded,
        "seconds": outcome.seconds,
    }
