"""The issuer's side of an authorisation, behind an interface: who decides whether the money is there."""

import threading
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from microtill.acquirer import issuers
from microtill.acquirer.card import Card, mask
from microtill.acquirer.database import Database
from microtill.acquirer.datadir import Secrets
from microtill.acquirer.tables import Account, Debit

_GOOD = "application cryptogram verified, funds are there"


@dataclass(frozen=True)
class Decision:
    """`rc` is F39, "00" approves; `why` is for the log."""

    rc: str
    why: str

    @property
    def approved(self) -> bool:
        return self.rc == "00"


class Issuer(Protocol):
    """What the acquirer asks of an issuer. Both calls are idempotent by `reference`."""

    def authorise(self, reference: str, card: Card, amount: int, today: date) -> Decision:
        """Decide, and take the amount (minor units) when approved. May block; may raise when it cannot decide."""
        ...

    def reverse(self, reference: str) -> None:
        """Give back what `reference` took; nothing when it took nothing."""
        ...


class TestIssuer:
    """Verifies the cryptogram, the expiry date and the funds of the test cards.

    A card without an account row has funds without limit, unless `issuers.DECLINES` names it. `delay_s` makes it slow.
    """

    __test__ = False  # pytest: not a test class

    def __init__(self, database: Database, secrets: Secrets, delay_s: float = 0):
        self._database = database
        self._secrets = secrets
        self.delay_s = delay_s
        self._stop = threading.Event()

    def authorise(self, reference: str, card: Card, amount: int, today: date) -> Decision:
        if self.delay_s:
            self._stop.wait(self.delay_s)
        if issuers.issuer_of(card.pan) is None:
            return Decision("15", "no such issuer")
        if not issuers.verify_arqc(card.pan, card.psn, card.tags):
            return Decision("05", "cryptogram is wrong")
        if card.expired(today):
            return Decision("54", "card has expired")
        return self._take(reference, card, amount)

    def _take(self, reference: str, card: Card, amount: int) -> Decision:
        pan_hash = self._secrets.pan_hash(card.pan)
        with self._database.read() as session:
            known = session.get(Account, pan_hash) is not None
        if not known:
            rc = issuers.DECLINES.get(card.pan, "00")
            return Decision(rc, _GOOD if rc == "00" else "declined by the issuer")
        with self._database.begin() as session:
            account = session.get_one(Account, pan_hash, with_for_update=True)
            if session.get(Debit, reference) is not None:
                return Decision("00", _GOOD)
            if account.rc:
                return Decision(account.rc, "declined by the issuer")
            if account.balance is not None:
                if account.balance < amount:
                    return Decision("51", "not enough funds")
                account.balance -= amount
            session.add(Debit(reference=reference, pan_hash=pan_hash, amount=amount))
        return Decision("00", _GOOD)

    def reverse(self, reference: str) -> None:
        with self._database.read() as session:
            if session.get(Debit, reference) is None:
                return
        with self._database.begin() as session:
            debit = session.get(Debit, reference, with_for_update=True)
            if debit is None:
                return
            account = session.get_one(Account, debit.pan_hash, with_for_update=True)
            if account.balance is not None:
                account.balance += debit.amount
            session.delete(debit)

    def set_account(self, pan: str, balance: int | None = None, rc: str | None = None) -> None:
        """Limit the card's funds to `balance` minor units, and/or answer `rc` for it."""
        pan_hash = self._secrets.pan_hash(pan)
        with self._database.begin() as session:
            account = session.get(Account, pan_hash)
            if account is None:
                account = Account(pan_hash=pan_hash, pan=mask(pan))
                session.add(account)
            account.balance, account.rc = balance, rc

    def balance(self, pan: str) -> int | None:
        """Minor units left, or None without limit."""
        with self._database.read() as session:
            account = session.get(Account, self._secrets.pan_hash(pan))
            return account.balance if account else None

    def stop(self) -> None:
        """Let a delayed authorisation go on at once."""
        self._stop.set()
