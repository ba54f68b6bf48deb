"""What the acquirer does with a message: verify, admit once and in order, decide, answer signed.

A message runs through at most two transactions, with the issuer asked between them and no lock held:

1. lock the terminal; find (TID, seq) or check order; refuse, answer, or store `in_progress`;
2. lock the terminal again; store the decision with its answer.

Every ending of a correctly signed message is a signed answer. A `Problem` is a plain HTTP error, for what is no
correctly signed message and for a decision that is not there yet; it decides nothing.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from microtill.acquirer import audit, batches, dukpt, jose, messages
from microtill.acquirer.answers import (
    IN_PROGRESS,
    close,
    close_closing,
    decide_sale,
    first_use,
    keep_card,
    note,
    reference,
    rrn,
    tombstone,
)
from microtill.acquirer.card import Card, CardDataError, read
from microtill.acquirer.database import Database
from microtill.acquirer.datadir import DataDir
from microtill.acquirer.issuer import Decision, Issuer
from microtill.acquirer.log import Log
from microtill.acquirer.messages import ECHO, REVERSAL, SALE, SIGN_OFF, SIGN_ON, STATUS, Envelope
from microtill.acquirer.problems import Problem
from microtill.acquirer.shapes import ShapeError
from microtill.acquirer.tables import Merchant, Message, Terminal, Ticket

REQUEST_MAX = 8 * 1024
ANSWER_MAX = 4 * 1024

_BUILT = (SALE, REVERSAL, STATUS, SIGN_ON, SIGN_OFF, ECHO)
# What a suspended terminal, or a unit that was replaced, may still do: undo, and ask.
_CLOSING = frozenset({REVERSAL, STATUS})
# What works with a wrong clock: the answer brings the right time.
_ANY_TIME = frozenset({REVERSAL, STATUS, SIGN_ON, SIGN_OFF, ECHO})

_WAIT_S = 30.0  # a reversal or repeat that meets `in_progress` waits this long for the decision
_POLL_S = 0.25  # and looks again this often, for decisions made by another process


class Refusal(Exception):
    """A signed `refused`: not charged, and never will be. `alarm` tells an auditor.

    `flag`: proof of a unit that was copied or set back; its terminal sells nothing until an administrator clears it.
    """

    def __init__(self, action: str, rc: str, reason: str, alarm: str = "", flag: str = ""):
        super().__init__(reason)
        self.action = action
        self.rc = rc
        self.reason = reason
        self.alarm = alarm
        self.flag = flag


@dataclass
class _Request:
    """One correctly signed message on its way through."""

    payload: dict[str, Any]
    envelope: Envelope
    req: str
    ticket: Ticket
    keys: dukpt.Transaction
    now: int
    kind: str = "?"
    well_formed: bool = False
    message_id: int = 0
    checks: list[str] = field(default_factory=list)

    def passed(self, what: str) -> None:
        self.checks.append(what)


@dataclass
class _Sale:
    """A sale that was admitted: the issuer is to be asked."""

    message_id: int
    reference: str
    card: Card
    amount: int


@dataclass
class _Wait:
    """The answer hangs on message `message_id`."""

    message_id: int


class Acquirer:
    """Handles messages. `clock` returns Unix seconds. Thread-safe."""

    def __init__(
        self,
        home: DataDir,
        database: Database,
        issuer: Issuer,
        log: Log,
        clock: Callable[[], float] = time.time,
        wait_s: float = _WAIT_S,
    ):
        self._config = home.config
        self._secrets = home.secrets
        self._database = database
        self._issuer = issuer
        self._log = log
        self._clock = clock
        self._wait_s = wait_s
        self._decided = threading.Condition()
        # Sales that a thread of ours is deciding. One in progress that is not among them was abandoned.
        self._deciding: set[int] = set()

    # -- the way in ------------------------------------------------------------------------------------------------

    def message(self, token: bytes) -> str:
        """The signed answer to a request token. Raises Problem."""
        start = time.perf_counter()
        request = self._verify(token)
        answer = self._answer(request)
        text = jose.sign_hs256(answer, "mt-ans", request.envelope.ksn, request.keys.mac_key())
        if len(text) > ANSWER_MAX:
            raise RuntimeError("answer exceeds its limit")
        self._log_answer(request, answer, (time.perf_counter() - start) * 1000)
        return text

    def _verify(self, token: bytes) -> _Request:
        if len(token) > REQUEST_MAX:
            raise Problem(413, "too_large", "request exceeds 8 KiB")
        try:
            jws = jose.parse_jws(token, "ES256", "mt-req")
        except jose.JoseError as e:
            raise Problem(400, "malformed", str(e)) from e
        with self._database.read() as session:
            tickets = session.scalars(select(Ticket).where(Ticket.jkt == jws.kid)).all()
        if not tickets:
            raise Problem(401, "key_unknown", "unknown key")
        try:
            jose.verify_es256(jws, jose.public_from_bytes(tickets[0].public_key))
        except jose.JoseError as e:
            raise Problem(401, "signature", str(e)) from e
        try:
            payload = jose.parse_json(jws.payload)
            envelope = Envelope.of(payload)
        except (jose.JoseError, ShapeError) as e:
            raise Problem(400, "malformed", str(e)) from e
        ticket = next((t for t in tickets if t.ikid == envelope.ikid), None)
        if ticket is None or not dukpt.counter_valid(envelope.counter):
            raise Problem(400, "ksn", "ksn is not of this key")
        keys = dukpt.Transaction(self._secrets.bdk, bytes.fromhex(envelope.ksn))
        req = hashlib.sha256(jws.payload).hexdigest()
        request = _Request(payload, envelope, req, ticket, keys, int(self._clock()))
        request.passed(f"ES256 signature by device key {jws.kid[:8]}… of {ticket.tid}")
        return request

    def _answer(self, request: _Request) -> bytes:
        try:
            self._check_identity(request)
            with self._database.begin() as session:
                step = self._admit(session, request)
            if isinstance(step, _Sale):
                step = self._authorise(request, step)
        except Refusal as e:
            return self._refuse_unstored(request, e)
        finally:
            self._deciding.discard(request.message_id)
        if isinstance(step, _Wait):
            step = self._await(step.message_id, request)
        return step

    # -- admission: identity, once, in order -----------------------------------------------------------------------

    def _check_identity(self, request: _Request) -> None:
        envelope, ticket = request.envelope, request.ticket
        if envelope.tid != ticket.tid:
            raise Refusal("call", "97", "tid is not of this key", alarm="identity")
        if envelope.tkt != ticket.version or envelope.seq != ticket.version * 2**32 + envelope.counter:
            raise Refusal("call", "97", "seq is not ticket and counter", alarm="identity")

    def _admit(self, session: Session, request: _Request) -> bytes | _Sale | _Wait:
        envelope = request.envelope
        terminal = session.get_one(Terminal, envelope.tid, with_for_update=True)
        # Read again under the lock: the unit may have been replaced since its signature was checked.
        unit = session.get_one(Ticket, request.ticket.id)
        known = self._find(session, envelope.tid, envelope.seq)
        if known is not None:
            return self._repeat(known, request)
        self._check_order(session, terminal, unit, request)
        message = Message(
            tid=terminal.tid,
            seq=envelope.seq,
            mid=terminal.mid,
            type="?",
            req=request.req,
            state=IN_PROGRESS,
            created=request.now,
        )
        session.add(message)
        session.flush()
        message.rrn = rrn(message.id, request.now)
        try:
            return self._process(session, request, terminal, unit, message)
        except Refusal as e:
            self._alarm(session, terminal, e, request)
            return close(message, request.now, "refused", e.rc, action=e.action, reason=e.reason)

    def _check_order(self, session: Session, terminal: Terminal, unit: Ticket, request: _Request) -> None:
        seq, position = request.envelope.seq, self._position(terminal, unit)
        if seq < position.last_seq:
            # A message may be late for the network's sake. One that was made after a later one was not made by a unit
            # that takes its counters in order: it was set back, or there are two of it.
            last = self._find(session, terminal.tid, position.last_seq)
            times = request.payload.get("time")
            made = times.get("utc") if isinstance(times, dict) else None
            if last is not None and last.utc is not None and isinstance(made, int) and made > last.utc:
                raise Refusal("call", "94", "counter is below one that was used before", alarm="cloned", flag="seq")
            raise Refusal("call", "94", "a later message was seen before this one", alarm="late")
        position.last_seq = seq
        if not unit.retired:
            terminal.last_seen = request.now

    def _position(self, terminal: Terminal, unit: Ticket) -> Terminal | Ticket:
        """How far this unit has come: a replaced one has a count of its own, by which it closes what it began."""
        return unit if unit.retired else terminal

    def _repeat(self, known: Message, request: _Request) -> bytes | _Wait:
        if known.req != request.req:
            raise Refusal("call", "94", "seq was used by another message", alarm="seq_reused", flag="seq")
        request.kind = known.type
        if known.state == IN_PROGRESS:
            request.passed("the same message is still being decided")
            return _Wait(known.id)
        request.passed("the same message was decided before: the stored answer")
        assert known.answer is not None
        return known.answer.encode()

    def _process(
        self, session: Session, request: _Request, terminal: Terminal, unit: Ticket, message: Message
    ) -> bytes | _Sale | _Wait:
        payload = request.payload
        if payload.get("type") in _BUILT:  # for the ledger, should the rest be malformed
            request.kind = message.type = payload["type"]
        try:
            request.kind = message.type = messages.check(payload)
        except messages.UnknownVersion as e:
            raise Refusal("update", "96", "version is not spoken here") from e
        except ShapeError as e:
            raise Refusal("call", "30", f"malformed: {e}", alarm="malformed") from e
        if request.kind not in _BUILT:
            later = request.kind in messages.LATER
            if request.kind == "advice":
                self._suspend_advice(session, request, terminal, message)
            raise Refusal("call", "40", "type is not supported yet" if later else "type is unknown")
        request.well_formed = True
        note(message, payload)
        self._check_journal(terminal, unit, request)
        self._check_standing(session, terminal, unit, request)
        if not unit.retired:
            terminal.fw = payload["fw"]
        if request.kind == SALE:
            return self._admit_sale(session, request, terminal, message)
        if request.kind in _CLOSING:
            return self._admit_closing(session, request, message)
        return self._house_keeping(session, request, terminal, message)

    def _check_journal(self, terminal: Terminal, unit: Ticket, request: _Request) -> None:
        n, head = request.payload["journal"]["n"], request.payload["journal"]["head"]
        if unit.version > terminal.active_version and not unit.retired:
            # The first message under a new ticket. A new or erased unit begins its journal again.
            if unit.mode in ("new", "replace"):
                terminal.last_n, terminal.last_head = -1, ""
            terminal.active_version = unit.version
        position = self._position(terminal, unit)
        if n < position.last_n:
            raise Refusal("call", "96", "journal is shorter than it was", alarm="journal", flag="journal")
        if n == position.last_n and head != position.last_head:
            raise Refusal("call", "96", "journal is not the one seen before", alarm="journal", flag="journal")
        position.last_n, position.last_head = n, head
        request.passed(f"sequence {request.envelope.seq} and journal length {n} in order")

    def _check_standing(self, session: Session, terminal: Terminal, unit: Ticket, request: _Request) -> None:
        payload, kind = request.payload, request.kind
        if payload["aud"] != self._config.aud:
            raise Refusal("call", "96", "aud is another acquirer", alarm="audience")
        if payload["mid"] != terminal.mid:
            raise Refusal("call", "03", "mid is not of this terminal", alarm="identity")
        if terminal.status == "revoked":
            raise Refusal("revoked", "97", "terminal is revoked", alarm="revoked")
        if kind not in _CLOSING:
            if unit.retired:
                raise Refusal("revoked", "97", "unit was replaced", alarm="replaced")
            if terminal.flag:
                raise Refusal("call", "97", "a copied or set-back unit was seen")
            if terminal.status == "suspended":
                raise Refusal("suspended", "97", "terminal is suspended")
            if session.get_one(Merchant, terminal.mid).status != "active":
                raise Refusal("suspended", "03", "merchant is suspended")
        skew = payload["time"]["utc"] - request.now
        if abs(skew) > self._config.clock_skew and kind not in _ANY_TIME:
            raise Refusal("clock", "96", "clock is off")
        request.passed(f"terminal {terminal.tid} of merchant {terminal.mid} in good standing, clock off by {skew} s")

    # -- sign-on, sign-off, echo -----------------------------------------------------------------------------------

    def _house_keeping(self, session: Session, request: _Request, terminal: Terminal, message: Message) -> bytes:
        extra: dict[str, Any] = {}
        if request.kind == SIGN_ON:
            if messages.VERSION not in request.payload["versions"]:
                raise Refusal("update", "96", "version is not spoken here")
            terminal.signed_on = True
            local = datetime.fromtimestamp(request.now, UTC) + timedelta(minutes=self._config.offset)
            extra = {
                "batch": terminal.batch,
                "offset": self._config.offset,
                "date": local.strftime("%Y%m%d"),
                "versions": [messages.VERSION],
                "parameters": session.get_one(Merchant, terminal.mid).parameters,
            }
        elif request.kind == SIGN_OFF:
            terminal.signed_on = False
        return close(message, request.now, "approved", "00", **extra)

    # -- sale ------------------------------------------------------------------------------------------------------

    def _admit_sale(self, session: Session, request: _Request, terminal: Terminal, message: Message) -> bytes | _Sale:
        payload = request.payload
        if payload["batch"] != terminal.batch:
            raise Refusal("sign_on", "77", "batch is not the open one")
        if payload["currency"] != "156":
            raise Refusal("call", "13", "currency")
        if "card" not in payload["instrument"]:
            raise Refusal("call", "40", "instrument is not supported yet")
        if not payload["instrument"]["entry"].startswith("07"):
            raise Refusal("call", "30", "entry is not of a contactless card")
        self._check_stan(session, request, message)
        try:
            card = read(payload, request.keys.data_key())
        except CardDataError as e:
            raise Refusal("call", e.rc, str(e), alarm="card_data") from e
        request.passed("card data opened under the DUKPT data key and compared: amount, currency, type, date, PAN")
        keep_card(message, payload, card)
        message.pan_hash = self._secrets.pan_hash(card.pan)
        message.token = self._secrets.token(terminal.mid, card.pan)
        terminal.last_stan = payload["stan"]
        if not first_use(session, message):
            self._event(session, "replay", request, "card counter was used before")
            return close(message, request.now, "declined", "94", reason="cryptogram was used before")
        request.passed(f"card counter {card.atc} was never seen")
        request.message_id = message.id
        self._deciding.add(message.id)
        return _Sale(message.id, reference(message), card, payload["amount"])

    def _check_stan(self, session: Session, request: _Request, message: Message) -> None:
        same = select(Message.id).where(
            Message.tid == message.tid,
            Message.batch == message.batch,
            Message.stan == message.stan,
            Message.type == SALE,
            Message.outcome == "approved",
            Message.reversed_by.is_(None),
            Message.id != message.id,
        )
        if session.scalar(same.limit(1)) is not None:
            raise Refusal("call", "94", "stan was used in this batch", alarm="stan_reused")

    def _authorise(self, request: _Request, sale: _Sale) -> bytes:
        today = (datetime.fromtimestamp(request.now, UTC) + timedelta(minutes=self._config.offset)).date()
        try:
            decision = self._issuer.authorise(sale.reference, sale.card, sale.amount, today)
        except Exception as e:  # noqa: BLE001 (an issuer that cannot decide has not approved: undo and decline)
            self._log.failure("issuer_failed", e, tid=request.envelope.tid, seq=request.envelope.seq)
            self._issuer.reverse(sale.reference)
            decision = Decision("91", "issuer did not decide")
        request.passed(f"issuer: {decision.why}")
        with self._database.begin() as session:
            session.get_one(Terminal, request.envelope.tid, with_for_update=True)
            message = session.get_one(Message, sale.message_id)
            answer = decide_sale(message, int(self._clock()), decision)
        self._notify()
        return answer

    # -- reversal and status ---------------------------------------------------------------------------------------

    def _admit_closing(self, session: Session, request: _Request, message: Message) -> bytes | _Wait:
        original = request.payload["original"]
        message.original_seq, message.original_req = original["seq"], original["req"]
        message.amount, message.currency = original["amount"], original["currency"]
        if request.kind == REVERSAL and original["type"] not in messages.REVERSIBLE:
            raise Refusal("call", "40", "original is of a type that is never reversed")
        found = self._find(session, message.tid, original["seq"])
        if found is None:
            found = tombstone(message, original, request.now)
            session.add(found)
            request.passed(f"original {original['seq']} never came: a tombstone refuses it from now on")
        elif found.req != original["req"]:
            raise Refusal("call", "64", "original is another message", alarm="original")
        elif found.state == IN_PROGRESS:
            request.passed(f"original {original['seq']} is still being decided: waiting")
            return _Wait(message.id)
        elif request.kind == REVERSAL and found.outcome == "approved":
            if not found.reversed_by and found.batch and batches.closed(session, found.tid, found.batch):
                batches.suspend_money(session, message, found.batch, request.now, found.amount)
            found.reversed_by = found.reversed_by or message.seq
            request.passed(f"original {original['seq']} was approved: taken back at the issuer")
            return _Wait(message.id)
        return close_closing(message, found, request.now)

    def _suspend_advice(self, session: Session, request: _Request, terminal: Terminal, message: Message) -> None:
        """An advice is not taken yet; one for a batch that was closed here is money that somebody must look for."""
        batch = request.payload.get("batch")
        if isinstance(batch, str) and batches.closed(session, terminal.tid, batch[:6]):
            message.type = "advice"
            batches.suspend_money(session, message, batch[:6], request.now)

    def _await(self, message_id: int, request: _Request) -> bytes:
        """The answer of a message in progress, once it can be given. Raises Problem 503 when that takes too long."""
        deadline = time.monotonic() + self._wait_s
        while True:
            answer = self._progress(message_id)
            if answer is not None:
                return answer
            left = deadline - time.monotonic()
            if left <= 0:
                raise Problem(503, "undecided", "no decision yet")
            with self._decided:
                self._decided.wait(min(left, _POLL_S))

    def _progress(self, message_id: int) -> bytes | None:
        """The answer if there is one; else take a reversal or status as far as its original allows."""
        with self._database.read() as session:
            message = session.get_one(Message, message_id)
            if message.answer is not None:
                return message.answer.encode()
            original = message
            if message.type in _CLOSING:
                original = self._find(session, message.tid, message.original_seq)
                assert original is not None
        if original.state == IN_PROGRESS:
            if original.id in self._deciding:
                return None
            self._give_up(original)
            return self._progress(message_id)
        if message.type == REVERSAL and original.outcome == "approved":
            # The mark is durable before the issuer is asked, and the answer given after: whatever falls between is
            # taken up again by a repeat or by `recover`, for both steps are idempotent.
            with self._database.begin() as session:
                session.get_one(Terminal, message.tid, with_for_update=True)
                original = session.get_one(Message, original.id)
                original.reversed_by = original.reversed_by or message.seq
            self._issuer.reverse(reference(original))
        with self._database.begin() as session:
            session.get_one(Terminal, message.tid, with_for_update=True)
            message = session.get_one(Message, message_id)
            if message.answer is None:
                original = session.get_one(Message, original.id)
                close_closing(message, original, int(self._clock()))
        self._notify()
        assert message.answer is not None
        return message.answer.encode()

    # -- restart ---------------------------------------------------------------------------------------------------

    def recover(self) -> int:
        """Decide what a killed process left in progress; how many there were. Before the first message only.

        Nobody heard an answer, so nothing is owed: a sale is undone at the issuer and declined (rc 96), and then the
        reversals and enquiries that waited for it are answered.
        """
        with self._database.read() as session:
            left = session.scalars(select(Message).where(Message.state == IN_PROGRESS).order_by(Message.id)).all()
        for message in sorted(left, key=lambda m: m.type in _CLOSING):
            self._progress(message.id)
            self._log.event("recovered", tid=message.tid, seq=message.seq, type=message.type)
        return len(left)

    def _give_up(self, sale: Message) -> None:
        """Decline a sale in progress that is not being decided.

        It is looked at once more: between the look that found it and the look at `_deciding` its decision may have
        been stored. What is still in progress now has no one left who could decide it.
        """
        with self._database.read() as session:
            if session.get_one(Message, sale.id).state != IN_PROGRESS:
                return
        self._issuer.reverse(reference(sale))
        with self._database.begin() as session:
            session.get_one(Terminal, sale.tid, with_for_update=True)
            fresh = session.get_one(Message, sale.id)
            if fresh.state == IN_PROGRESS:
                decide_sale(fresh, int(self._clock()), Decision("96", "never decided"))
        self._notify()

    # -- small things ----------------------------------------------------------------------------------------------

    def _find(self, session: Session, tid: str, seq: int | None) -> Message | None:
        return session.scalar(select(Message).where(Message.tid == tid, Message.seq == seq))

    def _notify(self) -> None:
        with self._decided:
            self._decided.notify_all()

    def _alarm(self, session: Session, terminal: Terminal, refusal: Refusal, request: _Request) -> None:
        if refusal.alarm:
            self._event(session, refusal.alarm, request, refusal.reason)
        # A unit that was replaced says nothing about the one that is there now.
        if refusal.flag and not terminal.flag and not request.ticket.retired:
            terminal.flag = refusal.flag
            self._event(session, "flagged", request, "sells nothing until an administrator clears it")

    def _event(self, session: Session, kind: str, request: _Request, detail: str) -> None:
        audit.note(
            session,
            audit.ACQUIRER,
            kind,
            alarm=True,
            tid=request.ticket.tid,
            seq=request.envelope.seq,
            serial=request.ticket.serial,
            detail=detail,
            now=request.now,
        )

    def _refuse_unstored(self, request: _Request, refusal: Refusal) -> bytes:
        with self._database.begin() as session:
            terminal = session.get_one(Terminal, request.ticket.tid, with_for_update=True)
            self._alarm(session, terminal, refusal, request)
        return jose.compact(
            {
                "tid": request.envelope.tid,
                "seq": request.envelope.seq,
                "req": request.req,
                "outcome": "refused",
                "rc": refusal.rc,
                "time": request.now,
                "action": refusal.action,
                "reason": refusal.reason,
            }
        )

    def _log_answer(self, request: _Request, answer: bytes, ms: float) -> None:
        said = jose.parse_json(answer)
        wanted = ("outcome", "rc", "action", "reason", "rrn", "result")
        # Of a malformed message nothing is quoted: a card number may stand anywhere in it.
        payload = request.payload if request.well_formed else {}
        self._log.event(
            "message",
            tid=request.envelope.tid,
            seq=request.envelope.seq,
            type=request.kind,
            ksn=request.envelope.ksn,
            amount=payload.get("amount"),
            stan=payload.get("stan"),
            checks=request.checks,
            ms=round(ms, 2),
            **{name: said.get(name) for name in wanted},
        )
