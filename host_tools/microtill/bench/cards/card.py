"""What every virtual card has in common: its ISO 14443 face, and being pulled away."""


class Card:
    """One card (or phone) that can be held to the reader.

    `uid`, `atqa` (2 octets as on the air, low octet first), `sak` and `ats` (whole, TL first) are what ISO 14443-3/-4
    activation finds. `leaves_after`: the card is pulled away instead of answering the command after that many; it is
    back when it is activated again. `gone` says that it has just been pulled away.
    """

    uid = bytes.fromhex("04A1B2C3")
    atqa = b"\x04\x00"
    sak = 0x20
    # T0: TA, TB, TC follow, frames of 256; 106 kbit/s both ways; FWI 7, SFGI 0; no CID, no NAD.
    ats = bytes.fromhex("0578807000")

    def __init__(self, leaves_after: int | None = None):
        self.leaves_after = leaves_after
        self.gone = False
        self._served = 0

    def activate(self) -> None:
        """RATS: the card starts afresh. Counters that a real card keeps without power are kept."""
        self.gone = False
        self._served = 0
        self.reset()

    def transceive(self, capdu: bytes) -> bytes | None:
        """The whole answer (with SW1 SW2) to one command APDU, or None when the card is no longer there."""
        if self.gone or self._served == self.leaves_after:
            self.gone = True
            return None
        self._served += 1
        return self.answer(capdu)

    def reset(self) -> None:
        """Forget what a card forgets without power."""

    def answer(self, capdu: bytes) -> bytes:
        raise NotImplementedError
