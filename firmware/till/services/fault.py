"""What the service console does at a terminal that could not start."""

from till.core.errors import TillError
from till.services.caretaker import Caretaker


class FaultService:
    """Of a terminal that could not start: it tells why (`error`), and can be wiped or given to MicroPython's prompt if
    the person at its keypad agrees. `journal`: None when it cannot be read; `about`, `log`, `end`: as in Service."""

    always = ("status", "logs")
    at_rest = ("wipe", "repl")

    def __init__(self, serial: str, about: dict, error: TillError, journal, consent, log, end):
        self._serial = serial
        self._about = about
        self._error = error
        self._journal = journal
        self._consent = consent
        self._log = log
        self._end = end

    async def status(self, request: dict) -> dict:
        members = dict(self._about)
        members["state"] = "fault"
        members["error"] = self._error.key
        members["detail"] = self._error.detail
        members["idle"] = True
        members["online"] = False
        journal = self._journal
        if journal:
            members["unsent"] = len(journal.open_intents())
            members["open_batch"] = journal.open_batch
            members["unseen"] = bool(journal.unshown())
        return members

    async def logs(self, request: dict) -> dict:
        return {"lines": self._log.lines}

    async def wipe(self, request: dict) -> dict:
        vault_only = await self._caretaker().wipe(request)
        self._end("forget" if vault_only else "wipe")
        return {}

    async def repl(self, request: dict) -> dict:
        await self._caretaker().repl()
        self._end("prompt")
        return {}

    def _caretaker(self) -> Caretaker:
        # Whether there is a merchant cannot be known: ask in any case.
        return Caretaker(self._serial, "?", self._journal, self._consent, True)
