"""A card that replays a recorded exchange.

    # where it was recorded
    => 00A404000E325041592E5359532E444446303100
    <= 6F…9000

Hexadecimal, spaces allowed; `=>` a command, `<=` its answer with SW1 SW2; blank lines and lines that begin with `#`
are skipped. A command is answered from the pair with the same command, else from one with the same INS, P1 and P2
(amounts, dates and random numbers differ from run to run), else with 6A82. Pairs not yet used come first. SELECT
says what it wants in its data, so it is never matched loosely; Le is not compared.
"""

from pathlib import Path

from microtill.bench.cards.card import Card

_SELECT = 0xA4


class TraceError(ValueError):
    """The file is not a trace; the text begins with FILE:LINE."""


def load(path: Path) -> list[tuple[bytes, bytes]]:
    """The `(command, answer)` pairs of a trace file. Raises TraceError, OSError."""
    pairs: list[tuple[bytes, bytes]] = []
    command: bytes | None = None
    number = 0
    for number, raw in enumerate(path.read_text("utf-8").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        mark, text = line[:2], line[2:]
        if mark not in ("=>", "<="):
            raise TraceError(f"{path.name}:{number}: neither =>, <= nor #")
        try:
            octets = bytes.fromhex(text)
        except ValueError:
            raise TraceError(f"{path.name}:{number}: not hexadecimal") from None
        if mark == "=>":
            if command is not None:
                raise TraceError(f"{path.name}:{number}: a command before the last one was answered")
            if len(octets) < 4:
                raise TraceError(f"{path.name}:{number}: a command has at least 4 octets")
            command = octets
        else:
            if command is None:
                raise TraceError(f"{path.name}:{number}: an answer without a command")
            if len(octets) < 2:
                raise TraceError(f"{path.name}:{number}: an answer has at least 2 octets")
            pairs.append((command, octets))
            command = None
    if command is not None:
        raise TraceError(f"{path.name}:{number}: the last command has no answer")
    if not pairs:
        raise TraceError(f"{path.name}:{number}: no exchange")
    return pairs


def _without_le(command: bytes) -> bytes:
    if len(command) <= 5:
        return command[:4]
    return command[: 5 + command[4]]


class TraceCard(Card):
    def __init__(self, pairs: list[tuple[bytes, bytes]], leaves_after: int | None = None):
        super().__init__(leaves_after)
        self._pairs = pairs
        self._used: set[int] = set()

    def reset(self) -> None:
        self._used.clear()

    def answer(self, capdu: bytes) -> bytes:
        exact = [i for i, (c, _) in enumerate(self._pairs) if _without_le(c) == _without_le(capdu)]
        loose = [i for i, (c, _) in enumerate(self._pairs) if c[1:4] == capdu[1:4] and c[1] != _SELECT]
        for found in (exact, loose):
            if found:
                chosen = next((i for i in found if i not in self._used), found[-1])
                self._used.add(chosen)
                return self._pairs[chosen][1]
        return b"\x6a\x82"
