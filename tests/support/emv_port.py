"""Readings by the firmware's EMV code on the Unix port, one command at a time, against a virtual card here."""

from typing import Any

from support.port import Port

SOURCE = """
from till.emv.entry_point import read_card
from till.emv.parameters import Terminal, Transaction
_terminal = None
_reader = None
_lights = []
def begin(amount, date, un, currency, type, limit, country):
    global _terminal, _reader
    if _terminal is None:
        _terminal = Terminal("TILL0001")
    _terminal.cvm_limit = limit
    _terminal.country = country
    _lights.clear()
    transaction = Transaction(amount, currency, type, date, b"\\x12\\x34\\x56", un, 7)
    _reader = read_card(_terminal, transaction, _lights.append)
    return next(_reader)
def answer(octets):
    try:
        return _reader.send(memoryview(octets))
    except StopIteration as done:
        r = done.value
        return {
            "aid": r.aid, "scheme": r.scheme, "label": r.label, "psn": r.psn, "pan": r.pan,
            "pan_masked": r.pan_masked, "track2": r.track2, "expiry": r.expiry, "cvm": r.cvm,
            "cryptogram": r.cryptogram, "field55": r.field55, "atc": r.atc, "un": r.un, "lights": list(_lights),
        }
def give_up():
    _reader.close()
def kept():
    # What the terminal's buffer still holds after a reading: must be nothing.
    return bytes(_terminal.card.view).strip(b"\\0")
def free():
    import gc
    gc.collect()
    return gc.mem_free()
"""


class PulledAway(Exception):
    """The card was gone; the firmware's reader driver would raise CardRemoved."""


class EmvPort(Port):
    def __init__(self, heap: str = "256K"):
        super().__init__(SOURCE, heap=heap)

    def read(
        self,
        card,
        amount: int = 1234,
        date: str = "260701",
        un: bytes = b"\xca\xfe\x00\x01",
        currency: str = "156",
        type: int = 0,
        limit: int | None = 100000,
        country: str = "156",
        limit_commands: int = 400,
    ) -> dict[str, Any]:
        """One reading of `card`; PortRaised for the firmware's error, AssertionError when it never ends.

        The result has the members of CardReading, and `lights` and `commands`.
        """
        card.activate()
        command = self.call("begin", amount, bytes.fromhex(date), un, currency, type, limit, country)
        commands = 0
        while True:
            commands += 1
            assert commands <= limit_commands, "the terminal would go on for ever"
            answer = card.transceive(command)
            if answer is None:
                self.call("give_up")
                raise PulledAway
            command = self.call("answer", answer)
            if isinstance(command, dict):
                return {**command, "commands": commands}
