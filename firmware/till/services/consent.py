"""A question from the service console that only the person at the keypad may answer."""

import asyncio

from micropython import const

from till.core.errors import Cancelled, TillError

_PATIENCE_S = const(120)


class Consent:
    """One question at a time: the console asks and waits, a flow shows it and answers."""

    def __init__(self):
        self.at_rest = False  # whether whoever shows questions waits for one, so that none would interrupt a person
        self.question = None  # (title_key, rows) while one stands
        self._answered = asyncio.Event()
        self._yes = False

    async def ask(self, title_key: str, rows) -> None:
        """Wait for the person's OK. Cancelled: CANCEL, or nobody answered in two minutes."""
        if self.question is not None:
            raise TillError("another question stands", key="error.busy")
        self._answered.clear()
        self._yes = False
        self.question = (title_key, rows)
        try:
            await asyncio.wait_for(self._answered.wait(), _PATIENCE_S)
        except asyncio.TimeoutError:
            raise Cancelled("nobody answered at the keypad")
        finally:
            self.question = None
        if not self._yes:
            raise Cancelled("refused at the keypad")

    @property
    def lent(self):
        """What has the counter now, if it was lent."""
        return self.question[1] if self.question and self.question[0] is None else None

    def lend(self, work) -> None:
        """Instead of a question: whoever shows them hands over the counter, to `work.run(counter)`, for good."""
        if self.question is not None:
            raise TillError("another question stands", key="error.busy")
        self.question = (None, work)

    def answer(self, yes: bool) -> None:
        """The person has pressed OK or CANCEL."""
        self._yes = yes
        self.question = None
        self._answered.set()
