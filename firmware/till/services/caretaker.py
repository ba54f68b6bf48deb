"""Taking a terminal out of service: a wipe, or MicroPython's own prompt. Loaded when it is asked for."""

from till.core.errors import InvalidValue, TillError
from till.storage.records import MONEY, RESULT, SETTLED


class Caretaker:
    """`consent`: asks the person at the keypad; `owner`: the merchant's name, "" while there is none to ask for.

    `journal`: None when it cannot be read. `may_keep`: whether the vault may be forgotten and the journal kept.
    """

    def __init__(self, serial: str, owner: str, journal, consent, may_keep: bool = False):
        self._serial = serial
        self._owner = owner
        self._journal = journal
        self._consent = consent
        self._may_keep = may_keep

    async def wipe(self, request: dict) -> bool:
        """Whether everything may be erased: the words say so, and at a merchant's terminal the person agrees.

        The words are `wipe SERIAL`, and while sales are unsent or not settled `wipe SERIAL and lose its sales`. True
        for `wipe SERIAL and keep its sales`: the vault is to be forgotten, the journal kept.
        """
        words = "wipe " + self._serial
        unsettled = self._journal is not None and self._journal.unsettled
        if unsettled and self._may_keep and request.get("words") == words + " and keep its sales":
            await self._ask("screen.erase_keys", False)
            return True
        if unsettled and request.get("words") == words:
            raise TillError("say: %s and lose its sales" % words, key="error.unsettled")
        if unsettled:
            words += " and lose its sales"
        if request.get("words") != words:
            raise InvalidValue("say: " + words)
        await self._ask("screen.wipe", unsettled)
        return False

    async def repl(self) -> None:
        """Whether MicroPython's prompt may be given away: at a merchant's terminal the person agrees."""
        await self._ask("screen.service", False)

    async def _ask(self, title_key: str, unsettled: bool) -> None:
        if not self._owner:
            return
        rows = [("label.merchant", self._owner), ("label.unit", self._serial)]
        if unsettled:
            rows.append(("label.unsettled", str(self._sales())))
        await self._consent.ask(title_key, rows)

    def _sales(self) -> int:
        """How many payments would be lost: those that are open, and the approved ones since the last settlement."""
        approved = 0
        for record in self._journal.records(1, (RESULT, SETTLED)):
            approved = 0 if record.kind == SETTLED else approved + (record.flags & MONEY)
        return approved + len(self._journal.open_intents())
