"""Who answers on a line: a terminal, a MicroPython prompt, the chip's boot loader, or nobody."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from microtill.device.console import TerminalRefuses, longer
from microtill.device.errors import NoAnswer, NoFirmware
from microtill.device.line import Line

QUICK_SECONDS = 5.0
"""For a terminal that runs."""
STARTING_SECONDS = 15.0
"""For one that is just starting, which opening its port may have caused."""
_ASK_AGAIN = 0.5
_PROMPT_SECONDS = 1.5

_BANNER = re.compile(r"MicroPython (\S+) on \S+; (.*)")
# What the ROM and the second-stage boot loader of an ESP32 print.
_STARTING = re.compile(r"ESP-ROM:|^ets [A-Z][a-z]{2} |^rst:0x|MPY: soft reboot")
_BARE = re.compile(r"invalid header: 0xffffffff|waiting for download|flash read err|No bootable app partitions", re.I)


@dataclass(frozen=True)
class Unit:
    """A terminal that answered. `mid` is masked by the terminal itself; `state`: blank, trusted or provisioned."""

    serial: str = ""
    mid: str = ""
    tid: str = ""
    merchant: str = ""
    board: str = ""
    state: str = ""
    fw: str = ""
    status: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """What a person calls it: its terminal ID, else its serial."""
        return self.tid or self.serial


def unit_of(status: Mapping[str, Any]) -> Unit:
    """The unit that gave `status`. What is missing or no text is empty."""
    texts = {}
    for name in ("serial", "mid", "tid", "merchant", "board", "state", "fw"):
        value = status.get(name)
        texts[name] = clean(value) if isinstance(value, str) else ""
    texts["mid"] = masked(texts["mid"])
    return Unit(**texts, status=status)


def masked(mid: str) -> str:
    """A merchant ID with only its acquirer and serial to be read. One that is masked already stays as it is."""
    if len(mid) < 12 or "*" in mid:
        return mid
    return mid[:3] + "*" * (len(mid) - 7) + mid[-4:]


def clean(text: str) -> str:
    """`text` without what could steer the technician's own terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def probe(line: Line, timeout: float = QUICK_SECONDS) -> Unit:
    """Ask for the status until the terminal gives it. A terminal that is seen to start is waited for.

    Raises NoFirmware (a prompt or a bare chip, and what it says it is), Unplugged, or NoAnswer.
    """
    started = time.monotonic()
    deadline = started + timeout
    seen = line.count  # what came since the port was opened may tell that this restarted the board
    line.write("\n")  # ends what somebody else may have left half written
    asked: list[int] = []
    ask_at = started
    pause = _ASK_AGAIN
    waits = False
    while True:
        now = time.monotonic()
        if now >= ask_at:
            asked.append(line.console.send("status"))
            ask_at = now + pause
            pause = longer(pause)
        for number in asked:
            try:
                answer = line.console.poll(number)
            except TerminalRefuses as e:
                raise NoAnswer("error.not_understood", port=line.path) from e
            if answer is not None:
                return unit_of(answer)
        lines, _ = line.follow(seen)
        heard = [*lines, line.rest]
        if any(_echoes(text, asked) for text in heard):
            raise _no_firmware(line)
        for text in heard:
            if bare := _BARE.search(text):
                raise NoFirmware("error.bare_chip", port=line.path, found=clean(bare.group()))
        if not waits and any(_STARTING.search(text) for text in heard):
            waits = True
            deadline = started + max(timeout, STARTING_SECONDS)
        if now > deadline:
            break
        time.sleep(0.01)
    raise _silent(line, seen)


def _echoes(text: str, asked: list[int]) -> bool:
    """Whether a line repeats our own question, as a prompt does and a terminal never."""
    return any(json.dumps({"id": number, "do": "status"}) in text for number in asked)


def _no_firmware(line: Line) -> NoFirmware:
    """At a prompt: what does it say it is?"""
    _, since = line.follow()
    line.send(b"\r\x03\x02")  # a new line, none of it, and the banner
    return NoFirmware(port=line.path, found=_banner(line, since) or "MicroPython")


def _silent(line: Line, since: int) -> NoAnswer:
    """Nothing that can be understood came. A raw REPL that a broken off mpremote left is silent too: leave it."""
    _, now = line.follow()
    line.send(b"\x02\n")  # a running terminal takes it as a request, and refuses that
    found = _banner(line, now)
    if found:
        return NoFirmware(port=line.path, found=found)
    lines, _ = line.follow(since)
    return NoAnswer("error.not_understood" if any(lines) or line.rest else None, port=line.path)


def _banner(line: Line, since: int) -> str:
    for _ in line.wait(_PROMPT_SECONDS):
        for text in line.follow(since)[0]:
            if found := _BANNER.search(text):
                return clean(f"MicroPython {found[1]}, {found[2]}")
    return ""
