"""The money rules: what is durable before what, and how every payment ends as approved, declined or reversed.

1. INTENT is durable before the first network byte, and holds the SHA-256 of the payload.
2. RESULT is durable before the screen shows it; SHOWN is written when a person has seen it.
3. While the flow is on screen the identical bytes may go again; after a restart an INTENT without RESULT is reversed.
4. REVERSING is durable before the screen says UNKNOWN; from then on only a signed acknowledgement ends it.
"""

import asyncio
import time

from micropython import const

from till.core import outcome
from till.core.errors import JournalFull, LinkError, Tampered, TillError
from till.core.identifiers import check_batch, next_stan
from till.storage import records

_WINDOW_MS = const(15000)
_TRIES = const(3)
_RETRY_S = (30, 30, 60, 120, 300)
_LOOK_S = const(3600)
_NO_ANSWER = ("68", "98")  # the acquirer did not learn the issuer's decision either
_DECISIONS = (outcome.APPROVED, outcome.DECLINED, outcome.REFUSED)
_ACTIONS = ("sign_on", "clock", "update", "suspended", "revoked", "call", "cloned")
# The acquirer's reasons, beside action `call`, that mean one thing: this flash, or another copy of it, was set back.
_COPIED = (
    "a copied or set-back unit was seen",
    "counter is below one that was used before",
    "seq was used by another message",
    "journal is shorter than it was",
    "journal is not the one seen before",
)
_ORIGINAL = ("seq", "req", "type", "stan", "batch", "time", "amount", "currency")


REVERSED = records.REVERSED  # how a payment stands whose reversal was acknowledged: not charged


class Settled:
    """How a payment stands: `outcome` (or `reversed`), and what the screen says of it. `n` is its INTENT."""

    def __init__(self, n: int, outcome: str, amount: int, pan: str, rc="", auth="", rrn="", action="", reason=""):
        self.n = n
        self.outcome = outcome
        self.amount = amount
        self.pan = pan
        self.rc = rc
        self.auth = auth
        self.rrn = rrn
        self.action = action
        self.reason = reason


class Payments:
    """Authorises payments and reverses those that ended unknown. One message is in flight at a time.

    `session` holds the batch number over restarts; `link` is the acquirer's connection.
    """

    between_tries_ms = 1000

    def __init__(self, acquirer, journal, clock, session, link):
        self._acquirer = acquirer
        self._journal = journal
        self._clock = clock
        self._session = session
        self._link = link
        self._busy = asyncio.Lock()
        self._due = asyncio.Event()
        self._in_flight = 0
        self.reversal_error = ""

    # What the counter shows.

    @property
    def currency(self):
        """The merchant's Currency."""
        return self._acquirer.identity.currency

    @property
    def merchant(self) -> dict:
        """The merchant: `name`, and perhaps `address` and `phone`."""
        return self._acquirer.identity.merchant

    @property
    def identity(self):
        """Whose terminal this is."""
        return self._acquirer.identity

    @property
    def batch(self) -> str:
        """The open batch."""
        return self._session.batch

    @property
    def standing(self) -> str:
        """Why the acquirer refuses whatever we sell (`action.` and this is its text), or ""; over restarts."""
        return self._session.standing

    @property
    def online(self) -> bool:
        """Whether the connection to the acquirer stands."""
        return self._link.connected

    @property
    def busy(self) -> bool:
        """Whether a message is being made, or its answer awaited."""
        return self._busy.locked()

    async def halt(self) -> None:
        """Wait for the message in flight and let no other begin, until `resume`: the terminal is about to change."""
        await self._busy.acquire()

    def resume(self) -> None:
        """Messages may go again after all."""
        self._busy.release()

    async def connect(self) -> None:
        """Make the connection now; LinkError says why it cannot be made."""
        await self._link.connect()

    # Messages that move no money.

    async def sign_on(self) -> None:
        """Fetch batch number, signed time and offset. LinkError: not reached; TillError: refused."""
        async with self._busy:
            answer = await self._acquirer.exchange("sign_on", self._stan(), self.batch, {"versions": [1]})
        if answer.outcome != outcome.APPROVED:
            raise TillError("sign-on " + answer.rc, key=self._refusal(answer))
        batch = check_batch(answer.get("batch"))
        offset = answer.get("offset")
        self._clock.synchronise(answer.time)
        self._clock.set_offset(offset)
        self._session.signed_on(batch, offset)

    async def echo(self) -> int:
        """Is the acquirer there, and does it know us? Its signed time, Unix seconds. Errors as `sign_on`."""
        async with self._busy:
            answer = await self._acquirer.exchange("echo", self._stan(), self.batch, {})
        if answer.outcome != outcome.APPROVED:
            raise TillError("echo " + answer.rc, key=self._refusal(answer))
        return answer.time

    def _refusal(self, answer) -> str:
        action = self._note(answer) or answer.text("action", 16)
        return "action." + action if action in _ACTIONS else "rc.other"

    def _note(self, answer) -> str:
        """Remember what the acquirer has against this terminal, if it says so. "" when it does not."""
        standing = answer.text("action", 16)
        if answer.get("reason") in _COPIED:
            standing = "cloned"
        if answer.outcome != outcome.REFUSED or standing not in ("suspended", "revoked", "cloned"):
            return ""
        self._session.stand(standing)
        return standing

    # Payments.

    def check(self) -> None:
        """Raise the TillError that stops sales now: a journal that was altered, is full, or is being settled."""
        if self._journal.damaged:
            raise Tampered("journal record %d" % self._journal.damaged)
        if self._journal.settling:
            raise TillError("settling", key="error.settling")
        if not self._journal.accepts_intent():
            raise JournalFull("no room for another payment")

    def _stan(self) -> str:
        return next_stan(self._journal.stan or self._session.stan_floor)

    def next_stan(self) -> str:
        """The STAN that the next payment will carry."""
        return self._stan()

    async def sale(self, amount: int, reading, instrument_of) -> Settled:
        """Authorise `amount` minor units with the card just read.

        `instrument_of(message, reading)` builds the instrument under the message's own key. TillError: nothing was
        journalled and nothing was sent. Once INTENT is durable this returns a Settled, or raises StorageError when
        the journal fails; the next start then reverses.
        """
        async with self._busy:
            message = self._acquirer.open("sale", self._stan())
            members = {
                "amount": amount,
                "currency": self.currency.code,
                "instrument": instrument_of(message, reading),
            }
            self._acquirer.close(message, self.batch, members)
            intent = records.intent(
                seq=message.seq,
                req=message.req,
                type=message.type,
                stan=message.stan,
                batch=self.batch,
                time=message.time,
                amount=amount,
                currency=self.currency.code,
                operator=self._acquirer.operator.id,
                entry=members["instrument"]["entry"],
                pan=reading.pan_masked,
                scheme=reading.scheme,
            )
            n = self._in_flight = self._journal.append(records.INTENT, intent, message.time)
            try:
                return await self._decide(n, message)
            finally:
                self._in_flight = 0

    async def _decide(self, n: int, message) -> Settled:
        started = time.ticks_ms()
        reason = "reason.timeout"
        for _ in range(_TRIES):
            left = _WINDOW_MS - time.ticks_diff(time.ticks_ms(), started)
            if left <= 0:
                break
            try:
                answer = await self._acquirer.send(message, left)
                if answer.rc in _NO_ANSWER or answer.outcome not in _DECISIONS:
                    reason = "rc." + answer.rc
                    break
                result = self._result(n, answer)
            except LinkError as e:
                # What is not a whole and verified answer decides nothing, whatever it says.
                reason = e.key
                await asyncio.sleep_ms(self.between_tries_ms)
                continue
            self._journal.append(records.RESULT, result, self._clock.now())
            self._note(answer)
            return self.settled(n)
        self._journal.append(records.REVERSING, records.reversing(n, "timeout"), self._clock.now())
        self._due.set()
        settled = self.settled(n)
        settled.reason = reason
        return settled

    def _result(self, n: int, answer) -> bytes:
        return records.result(
            n,
            answer.outcome,
            rc=answer.rc,
            rrn=answer.text("rrn", 12),
            auth=answer.text("auth", 6),
            token=answer.text("token", 64) or None,
            action=answer.text("action", 16) or None,
            time=answer.time,
        )

    # How payments ended.

    def settled(self, n: int) -> Settled:
        """How INTENT `n` stands now, from the journal: `unknown` while it is being reversed."""
        intent = self._journal.record(n).data()
        amount = intent["amount"]
        pan = intent.get("pan", "")
        for of, at in self._journal.unshown():
            if of == n:
                result = self._journal.record(at).data()
                return Settled(
                    n,
                    result["outcome"],
                    amount,
                    pan,
                    rc=result.get("rc", ""),
                    auth=result.get("auth", ""),
                    rrn=result.get("rrn", ""),
                    action=result.get("action", ""),
                )
        return Settled(n, outcome.UNKNOWN, amount, pan, reason="reason.power_cut")

    def is_open(self, n: int) -> bool:
        """Whether INTENT `n` still waits for the acknowledgement of its reversal."""
        return n in self._journal.open_intents()

    def has_unseen(self) -> bool:
        """Whether an outcome is known that nobody has seen."""
        return bool(self._journal.unshown())

    def unseen(self) -> list:
        """Outcomes that nobody has seen, oldest first."""
        return [self.settled(n) for n, _ in self._journal.unshown()]

    def seen(self, n: int) -> None:
        """A person has seen how INTENT `n` ended."""
        self._journal.append(records.SHOWN, records.shown(n), self._clock.now())

    # Reversals.

    def reversals_pending(self) -> int:
        """INTENTs without a RESULT, but for the one in flight: each must be reversed before the next payment."""
        return len([n for n in self._journal.open_intents() if n != self._in_flight])

    async def reverse_all(self) -> None:
        """Reverse whatever is open, oldest first. LinkError or TillError: one could not be, and sales must wait."""
        async with self._busy:
            for n in self._journal.open_intents():
                await self._reverse(n)

    async def run(self) -> None:
        """Reverse in the background: at once, then every 30 s with back-off, for ever."""
        failures = 0
        while True:
            wait = _RETRY_S[min(failures, len(_RETRY_S) - 1)]
            try:
                await asyncio.wait_for(self._due.wait(), wait if self.reversals_pending() else _LOOK_S)
            except asyncio.TimeoutError:
                if not self.reversals_pending():
                    continue
            self._due.clear()
            try:
                await self.reverse_all()
                failures = 0
            except TillError as e:
                failures += 1
                self.reversal_error = e.key

    def nudge(self) -> None:
        """The connection is back: reverse now what waits for it."""
        if self.reversals_pending():
            self._due.set()

    async def _reverse(self, n: int) -> None:
        intent = self._journal.record(n).data()
        if n not in [of for of, _ in self._journal.reversing()]:
            self._journal.append(records.REVERSING, records.reversing(n, "restart"), self._clock.now())
        # A new message with its own key each time, after a restart as before it; the acquirer knows it by `original`,
        # and the cashier by the voucher number it shares with the sale.
        message = self._acquirer.open("reversal", intent["stan"])
        original = {name: intent[name] for name in _ORIGINAL}
        self._acquirer.close(message, self.batch, {"original": original})
        answer = await self._acquirer.send(message)
        if answer.outcome != outcome.APPROVED or answer.get("result") not in records.ACKNOWLEDGEMENTS:
            raise TillError("reversal " + answer.rc, key=self._refusal(answer))
        result = records.result(n, records.REVERSED, rc=answer.rc, ack=answer.get("result"), time=answer.time)
        self._journal.append(records.RESULT, result, self._clock.now())
