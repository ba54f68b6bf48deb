"""Tickets: a key request becomes a merchant's terminal, by a technician's session or by an activation code."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from microtill.acquirer import audit, batches, dukpt, jose, work
from microtill.acquirer.activation import Activation, well_formed
from microtill.acquirer.audit import Actor
from microtill.acquirer.database import Database, next_counter
from microtill.acquirer.datadir import DataDir
from microtill.acquirer.log import Log
from microtill.acquirer.messages import VERSION
from microtill.acquirer.problems import Problem, malformed
from microtill.acquirer.shapes import LABEL, ShapeError
from microtill.acquirer.tables import ActivationCode, Merchant, Outcome, Terminal, Ticket
from microtill.acquirer.throttle import CODE_ADDRESS, CODE_SERIAL, Rule, Throttle

KEYREQ_MAX = 4 * 1024
NEW, RENEW, RECOVER, REPLACE = MODES = ("new", "renew", "recover", "replace")
MOVE = "move"  # asked for, and then `new` on the ticket: the unit leaves the terminal ID it had
VALID_S = 24 * 3600  # for installation only
IN_HAND_S = 300  # so long a ticket that nobody has heard of keeps another technician away

_CODE_OF = "code of "  # who a ticket was issued by, when it was by a code
_WORK_MODES = {work.INSTALL: None, work.REPLACE: REPLACE, work.MOVE: MOVE}

_CURRENCY = {"code": "156", "exponent": 2, "symbol": "¥"}
_KEYREQ = {"v", "serial", "board", "fw", "key", "ecdh", "nonce", "versions"}


class KeyRequest:
    """A verified mt-keyreq."""

    def __init__(self, token: str):
        """Raises Problem unless `token` proves possession of the signing key it names."""
        if len(token) > KEYREQ_MAX:
            raise Problem(413, "keyreq_too_long", "key request is too long")
        try:
            jws = jose.parse_jws(token, "ES256", "mt-keyreq")
            payload = jose.parse_json(jws.payload)
            if set(payload) != _KEYREQ:
                raise jose.JoseError("key request members")
            self.key = jose.public_from_jwk(payload["key"])
            self.ecdh = jose.public_from_jwk(payload["ecdh"])
            self.jkt = jose.thumbprint(self.key)
            if jws.kid != self.jkt:
                raise jose.JoseError("kid is not the thumbprint of the key")
            jose.verify_es256(jws, self.key)
            self._fields(payload)
        except (jose.JoseError, ShapeError) as e:
            raise Problem(400, "keyreq_invalid", f"key request: {e}") from e

    def _fields(self, payload: dict[str, Any]) -> None:
        for name in ("serial", "board", "fw"):
            LABEL(payload[name], name)
        self.serial, self.board, self.fw = payload["serial"], payload["board"], payload["fw"]
        self.nonce = payload["nonce"]
        if not isinstance(self.nonce, str) or len(jose.unb64url(self.nonce)) != 16:
            raise jose.JoseError("nonce")
        if payload["v"] != VERSION or isinstance(payload["v"], bool):
            raise jose.JoseError("version")
        versions = payload["versions"]
        if not isinstance(versions, list) or VERSION not in versions:
            raise jose.JoseError("no version is spoken by both")
        if jose.public_bytes(self.key) == jose.public_bytes(self.ecdh):
            raise jose.JoseError("one key for two uses")


@dataclass(frozen=True)
class Issued:
    """A ticket with what a technician is told of it."""

    ticket: str
    version: int
    mid: str
    tid: str
    merchant: dict[str, str]

    def members(self) -> dict[str, Any]:
        """As the HTTP answer has them."""
        return {
            "ticket": self.ticket,
            "version": self.version,
            "mid": self.mid,
            "tid": self.tid,
            "merchant": self.merchant,
        }


class TicketOffice:
    """Issues tickets. `clock` returns Unix seconds. Thread-safe."""

    def __init__(self, home: DataDir, database: Database, log: Log, clock: Callable[[], float] = time.time):
        self._home = home
        self._database = database
        self._log = log
        self._clock = clock
        self._activation = Activation(database, home.secrets, clock)
        self._throttle = Throttle(database, home.secrets, clock)

    @property
    def trust(self) -> str:
        """The mt-trust object that blank units are given."""
        return self._home.trust

    def issue(
        self,
        actor: Actor,
        tid: str,
        keyreq: str,
        mode: str | None = None,
        work_id: int | None = None,
        mid: str | None = None,
    ) -> Issued:
        """The mt-ticket that binds the key request's unit to `tid`. Raises Problem.

        `mode`, when not given: what the work item says, else `new` for a TID without a unit, `renew` for the unit that
        has it. Another unit needs `replace`, and the same one without its vault `recover` (journal kept) or `replace`
        (everything lost); a unit that is another terminal's needs `move`. A unit that has never sent a message is
        `new` still: its ticket may not have arrived, as after a power cut. `mid`: what the technician believes.
        """
        request = KeyRequest(keyreq)
        with self._database.begin() as session:
            number = next_counter(session, "derivation_id")  # first: it is also the lock under which units are bound
            terminal = self._terminal(session, tid, request)
            if mid is not None and mid != terminal.mid:
                known = session.get(Merchant, mid) is not None
                raise Problem(
                    409 if known else 404,
                    "mid_wrong" if known else "mid_unknown",
                    f"terminal {tid} is not of merchant {mid}" if known else f"no merchant {mid}",
                )
            if work_id is not None:
                item = work.take(session, actor, work_id, tid, request.serial)
                mode = mode or _WORK_MODES[item.kind]
            issued = self._issue(session, actor, terminal, request, mode, number)
        return self._told(*issued)

    def activate(self, code: str, keyreq: str, address: str) -> Issued:
        """The mt-ticket for whoever knows a unit's activation code. Raises Problem.

        The very same key request with the same code gets its ticket again as long as the unit was not heard of: the
        answer may have been lost. Anything else that is not right gets one answer, in the same words.
        """
        request = KeyRequest(keyreq)
        if not well_formed(code):
            raise Problem(400, "code_mistyped", "the code is mistyped: its check digits do not fit")
        tries = ((CODE_SERIAL, request.serial), (CODE_ADDRESS, address))
        self._throttle.enter(*tries)
        try:
            issued = self._open(code, request, address, tries)
        except Problem:  # the code was right: what stands in the way is not a guess
            with self._database.begin() as session:
                self._throttle.forgive(session, *tries)
            raise
        if issued is None:
            raise Problem(
                403,
                "code_invalid",
                "this code does not open this unit: used, expired or not its own; ask for a new one",
            )
        return self._told(*issued)

    def _open(
        self, code: str, request: KeyRequest, address: str, tries: tuple[tuple[Rule, str], ...]
    ) -> tuple[Ticket, Merchant, dict[str, Any]] | None:
        """What the code opens; None, and noted, when it opens nothing."""
        with self._database.begin() as session:
            number = next_counter(session, "derivation_id")
            row = self._activation.find(session, request.serial, code)
            issued = self._activate(session, row, request, number, address) if row is not None else None
            if issued is not None:
                self._throttle.forgive(session, *tries)
            else:
                actor = Actor("?", "", address)
                audit.note(session, actor, "code_refused", serial=request.serial, now=self._clock())
        return issued

    def _activate(
        self, session: Session, row: ActivationCode, request: KeyRequest, number: int, address: str
    ) -> tuple[Ticket, Merchant, dict[str, Any]] | None:
        terminal = self._terminal(session, row.tid, request)
        if row.state == "used":
            ticket = session.get_one(Ticket, row.ticket_id)
            same = (ticket.nonce, ticket.jkt) == (request.nonce, request.jkt)
            if not same or ticket.retired or terminal.active_version >= ticket.version:
                return None
            merchant = session.get_one(Merchant, terminal.mid)
            self._check_standing(terminal, merchant)
            return ticket, merchant, self._payload(terminal, merchant, ticket, request)
        actor = Actor(f"{_CODE_OF}{row.created_by}"[:40], "code", address)
        ticket, merchant, payload = self._issue(session, actor, terminal, request, None, number)
        row.state, row.ticket_id = "used", ticket.id
        return ticket, merchant, payload

    def _terminal(self, session: Session, tid: str, request: KeyRequest) -> Terminal:
        """The row of `tid`, locked together with those of other TIDs that the unit has, in one order for all."""
        bound = session.scalars(select(Ticket.tid).where(Ticket.serial == request.serial, Ticket.retired.is_(False)))
        wanted = select(Terminal).where(Terminal.tid.in_({tid, *bound})).order_by(Terminal.tid).with_for_update()
        terminal = {t.tid: t for t in session.scalars(wanted)}.get(tid)
        if terminal is None:
            raise Problem(404, "tid_unknown", "no such terminal ID: add it first")
        return terminal

    def _issue(
        self, session: Session, actor: Actor, terminal: Terminal, request: KeyRequest, mode: str | None, number: int
    ) -> tuple[Ticket, Merchant, dict[str, Any]]:
        merchant = session.get_one(Merchant, terminal.mid)
        self._check_standing(terminal, merchant)
        if session.scalar(select(Ticket.id).where(Ticket.nonce == request.nonce)) is not None:
            raise Problem(409, "keyreq_used", "this key request was used before: make a new one")
        self._check_in_hand(session, actor, terminal, request)
        self._leave_other_ids(session, actor, terminal, request, mode)
        bound = select(Ticket.tid).where(
            Ticket.jkt == request.jkt, Ticket.tid != terminal.tid, Ticket.retired.is_(False)
        )
        if session.scalar(bound.limit(1)) is not None:
            raise Problem(409, "key_bound", "this key is bound to another terminal ID")
        ticket = self._make(session, actor, terminal, request, self._mode(session, terminal, request, mode), number)
        return ticket, merchant, self._payload(terminal, merchant, ticket, request)

    def _told(self, ticket: Ticket, merchant: Merchant, payload: dict[str, Any]) -> Issued:
        self._log.event(
            "ticket",
            tid=ticket.tid,
            mid=merchant.mid,
            serial=ticket.serial,
            version=ticket.version,
            mode=ticket.mode,
            kid=ticket.jkt,
            operator=ticket.issued_by,
        )
        home = self._home
        token = jose.sign_es256(jose.compact(payload), "mt-ticket", home.provisioning_kid, home.provisioning)
        return Issued(token, ticket.version, merchant.mid, ticket.tid, payload["merchant"])

    def _check_standing(self, terminal: Terminal, merchant: Merchant) -> None:
        if terminal.status == "revoked":
            raise Problem(409, "terminal_revoked", "terminal is revoked")
        if terminal.flag:
            raise Problem(409, "terminal_flagged", "a copied or set-back unit was seen: an administrator must clear it")
        if merchant.status != "active":
            raise Problem(409, "merchant_suspended", "merchant is suspended")

    def _check_in_hand(self, session: Session, actor: Actor, terminal: Terminal, request: KeyRequest) -> None:
        """Of two technicians at one terminal, or one unit, the second is told of the first."""
        now = int(self._clock())
        name = actor.name.removeprefix(_CODE_OF)  # a code is its issuer's other hand
        rivals = select(Ticket, Terminal.active_version).where(
            Terminal.tid == Ticket.tid,
            or_(Ticket.tid == terminal.tid, Ticket.serial == request.serial),
            Ticket.retired.is_(False),
            Ticket.issued > now - IN_HAND_S,
            Ticket.issued_by.not_in((name, f"{_CODE_OF}{name}"[:40])),
        )
        for ticket, heard in session.execute(rivals.order_by(Ticket.id.desc())):
            ended = select(Outcome.id).where(Outcome.tid == ticket.tid, Outcome.version == ticket.version)
            if heard >= ticket.version or session.scalar(ended.limit(1)) is not None:
                continue
            ago = now - ticket.issued
            raise Problem(
                409,
                "in_hand",
                f"{ticket.issued_by} fetched a ticket for unit {ticket.serial} as terminal {ticket.tid} {ago} s ago",
                retry_after=IN_HAND_S - ago,
            )

    def _leave_other_ids(
        self, session: Session, actor: Actor, terminal: Terminal, request: KeyRequest, mode: str | None
    ) -> None:
        """A unit is one terminal at a time, and leaves another only when nothing of that one is open."""
        held = select(Ticket.tid).where(
            Ticket.serial == request.serial, Ticket.tid != terminal.tid, Ticket.retired.is_(False)
        )
        for tid in sorted(set(session.scalars(held))):
            old = session.get_one(Terminal, tid)
            unit = self._unit(session, tid, request.serial)
            if unit is None:
                continue
            if old.active_version >= self._first_version(session, unit):
                if mode not in (MOVE, REPLACE):
                    raise Problem(409, "serial_bound", f"this unit is terminal {tid}: ask for mode move", tid=tid)
                count, amount = batches.open_totals(session, [tid]).get(tid, (0, 0))
                if count or batches.undecided(session, tid):
                    told = f"terminal {tid} is not settled: {count} sales are open"
                    raise Problem(409, "not_settled", told, tid=tid, open={"count": count, "amount": amount})
            self._retire(session, old)
            detail = f"to terminal {terminal.tid}"
            audit.note(
                session,
                actor,
                "unit_left",
                mid=old.mid,
                tid=tid,
                serial=request.serial,
                detail=detail,
                now=self._clock(),
            )

    def _unit(self, session: Session, tid: str, serial: str | None = None) -> Ticket | None:
        """The newest ticket of the unit that has `tid`; None when it has none, or not the unit `serial`."""
        query = select(Ticket).where(Ticket.tid == tid, Ticket.retired.is_(False))
        last = session.scalar(query.order_by(Ticket.version.desc()).limit(1))
        return last if last is not None and serial in (None, last.serial) else None

    def _retire(self, session: Session, terminal: Terminal) -> None:
        """The keys of the terminal's unit may close what they began, and no more; how far it came is theirs now."""
        for old in session.scalars(select(Ticket).where(Ticket.tid == terminal.tid, Ticket.retired.is_(False))):
            old.retired = True
            old.last_seq = terminal.last_seq
            if old.version <= terminal.active_version or old.mode in (RENEW, RECOVER):
                old.last_n, old.last_head = terminal.last_n, terminal.last_head

    def _mode(self, session: Session, terminal: Terminal, request: KeyRequest, mode: str | None) -> str:
        last = self._unit(session, terminal.tid)
        same = last is not None and last.serial == request.serial
        unheard = last is None or (same and terminal.active_version < self._first_version(session, last))
        if mode in (None, MOVE):
            mode = NEW if unheard else RENEW if same else MOVE
        if mode not in (*MODES, MOVE):
            raise malformed("mode")
        if (mode == NEW and not unheard) or mode == MOVE:
            raise Problem(409, "tid_taken", "terminal ID has a unit already: renew, recover or replace")
        if mode != NEW and last is None:
            raise Problem(409, "tid_empty", "terminal ID has no unit yet")
        if mode in (RENEW, RECOVER) and not same:
            raise Problem(409, "tid_taken", "another unit has this terminal ID: ask for mode replace")
        return mode

    def _first_version(self, session: Session, ticket: Ticket) -> int:
        """The version with which the unit of `ticket` began at its TID."""
        mine = select(Ticket.version).where(Ticket.tid == ticket.tid, Ticket.retired.is_(False))
        return session.scalars(mine.order_by(Ticket.version).limit(1)).one()

    def _make(
        self,
        session: Session,
        actor: Actor,
        terminal: Terminal,
        request: KeyRequest,
        mode: str,
        number: int,
    ) -> Ticket:
        now = int(self._clock())
        ikid = self._home.secrets.bdk_id + number.to_bytes(4, "big")
        if mode == REPLACE:
            self._retire(session, terminal)
        terminal.ticket_version += 1
        terminal.status = "active" if terminal.status == "new" else terminal.status
        ticket = Ticket(
            tid=terminal.tid,
            version=terminal.ticket_version,
            mode=mode,
            serial=request.serial,
            board=request.board,
            fw=request.fw,
            jkt=request.jkt,
            public_key=jose.public_bytes(request.key),
            ikid=ikid.hex().upper(),
            nonce=request.nonce,
            issued_by=actor.name,
            issued=now,
            expires=now + VALID_S,
        )
        session.add(ticket)
        audit.note(
            session,
            actor,
            "ticket",
            mid=terminal.mid,
            tid=terminal.tid,
            serial=request.serial,
            detail=f"version {ticket.version}, {mode}",
            now=now,
        )
        session.flush()
        return ticket

    def _payload(self, terminal: Terminal, merchant: Merchant, ticket: Ticket, request: KeyRequest) -> dict[str, Any]:
        config = self._home.config
        initial = dukpt.initial_key(self._home.secrets.bdk, bytes.fromhex(ticket.ikid))
        shown = {"name": merchant.name, "address": merchant.address, "phone": merchant.phone}
        return {
            "v": VERSION,
            "mid": merchant.mid,
            "tid": terminal.tid,
            "merchant": {k: v for k, v in shown.items() if v},
            "serial": ticket.serial,
            "jkt": ticket.jkt,
            "nonce": ticket.nonce,
            "version": ticket.version,
            "mode": ticket.mode,
            "batch": terminal.batch,
            "stan_floor": int(terminal.last_stan),
            "iat": ticket.issued,
            "exp": ticket.expires,
            "host": {"url": config.url, "aud": config.aud},
            "currency": _CURRENCY,
            "parameters": merchant.parameters,
            "dukpt": {
                "ikid": ticket.ikid,
                "key": jose.encrypt_ecdh_es(initial, "mt-ticket", ticket.ikid, request.ecdh),
            },
        }
