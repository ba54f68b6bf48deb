"""A unit before it is a merchant's: whom it trusts, and what binds it at its keypad. Each loads what it needs."""

from till import __version__
from till.core.memory import forget

_ACTIVATION = (
    "till.services.activation",
    "till.services.enrolment",
    "till.services.link",
    "till.services.http",
    "till.services.ticket",
    "till.services.trust",
)


class Unit:
    """`serial`: of the board; `wifi_setup()`: loads a WifiSetup. The parts are those of the terminal."""

    def __init__(self, board, vault, journal, clock, wifi, wifi_setup):
        self.serial = board.serial_number
        self._board = board
        self._vault = vault
        self._journal = journal
        self._clock = clock
        self._wifi = wifi
        self.wifi_setup = wifi_setup

    def changes(self) -> int:
        """Rises when something in the vault has changed."""
        return self._vault.generation

    def fingerprints(self) -> list:
        """Of the keys whose tickets this unit takes; empty while it trusts nobody."""
        from till.services.trust import fingerprint, load_trust

        forget("till.services.trust")
        trust = load_trust(self._vault)
        return [fingerprint(kid) for kid in sorted(trust.keys)] if trust else []

    def activation(self):
        """The Activation of this unit."""
        from till.services.activation import Activation
        from till.services.enrolment import Enrolment

        board = self._board
        enrolment = Enrolment(self._vault, board.serial_number, board.name, __version__, board.rng)
        forget(*_ACTIVATION)
        return Activation(self._vault, self._journal, self._clock, self._wifi, enrolment)
