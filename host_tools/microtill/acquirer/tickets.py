"""Tickets: a key request and a technician's credential become a merchant's terminal."""

import re
import secrets as random
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from microtill.acquirer import dukpt, jose
from microtill.acquirer.database import Credential, Database, Event, Merchant, Terminal, Ticket, next_counter
from microtill.acquirer.datadir import DataDir
from microtill.acquirer.log import Log
from microtill.acquirer.messages import VERSION

KEYREQ_MAX = 4 * 1024
MODES = ("new", "renew", "recover", "replace")
VALID_S = 24 * 3600  # for installation only

_CURRENCY = {"code": "156", "exponent": 2, "symbol": "¥"}
_KEYREQ = {"v", "serial", "board", "fw", "key", "ecdh", "nonce", "versions"}
_LABEL = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,39}", re.ASCII)


class TicketError(Exception):
    """No ticket. `status`: HTTP status; the text says what the technician can do."""

    def __init__(self, status: int, title: str):
        super().__init__(title)
        self.status = status
        self.title = title


def new_credential() -> tuple[str, str]:
    """A random provisioning credential and the digest under which it is kept."""
    credential = random.token_urlsafe(24)
    return credential, digest(credential)


def digest(credential: str) -> str:
    """SHA-256: enough for 192 random bits, which no dictionary finds."""
    return sha256(credential.encode()).hexdigest()


class KeyRequest:
    """A verified mt-keyreq."""

    def __init__(self, token: str):
        """Raises TicketError unless `token` proves possession of the signing key it names."""
        if len(token) > KEYREQ_MAX:
            raise TicketError(413, "key request is too long")
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
        except jose.JoseError as e:
            raise TicketError(400, f"key request: {e}") from e

    def _fields(self, payload: dict[str, Any]) -> None:
        for name in ("serial", "board", "fw"):
            if not isinstance(payload[name], str) or not _LABEL.fullmatch(payload[name]):
                raise jose.JoseError(name)
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


class TicketOffice:
    """Issues tickets. `clock` returns Unix seconds. Thread-safe."""

    def __init__(self, home: DataDir, database: Database, log: Log, clock: Callable[[], float] = time.time):
        self._home = home
        self._database = database
        self._log = log
        self._clock = clock

    def issue(self, credential: str, tid: str, keyreq: str, mode: str | None = None) -> str:
        """The mt-ticket that binds the key request's unit to `tid`. Raises TicketError.

        `mode`, when not given: `new` for a TID without a unit, `renew` for the unit that has it. Another unit needs
        `replace`, and the same one without its vault `recover` (journal kept) or `replace` (everything lost). A unit
        that has never sent a message is `new` still: its ticket may not have arrived, as after a power cut.
        """
        with self._database.begin() as session:
            holder = session.scalar(
                select(Credential).where(Credential.digest == digest(credential), Credential.revoked.is_(None))
            )
            if holder is None:
                raise TicketError(401, "provisioning credential is not valid")
            request = KeyRequest(keyreq)
            terminal = session.get(Terminal, tid, with_for_update=True)
            if terminal is None:
                raise TicketError(404, "no such terminal ID: add it first")
            merchant = session.get_one(Merchant, terminal.mid)
            self._check_standing(session, terminal, merchant, request)
            mode = self._mode(session, terminal, request, mode)
            ticket, payload = self._make(session, terminal, merchant, request, mode, holder.id)
        self._log.event(
            "ticket",
            tid=tid,
            mid=merchant.mid,
            serial=request.serial,
            version=ticket.version,
            mode=mode,
            kid=ticket.jkt,
        )
        return jose.sign_es256(jose.compact(payload), "mt-ticket", self._home.provisioning_kid, self._home.provisioning)

    def _check_standing(self, session: Session, terminal: Terminal, merchant: Merchant, request: KeyRequest) -> None:
        if terminal.status == "revoked":
            raise TicketError(409, "terminal is revoked")
        if merchant.status != "active":
            raise TicketError(409, "merchant is suspended")
        if session.scalar(select(Ticket.id).where(Ticket.nonce == request.nonce)) is not None:
            raise TicketError(409, "this key request was used before: make a new one")
        other = select(Ticket.tid).where(Ticket.jkt == request.jkt, Ticket.tid != terminal.tid).limit(1)
        if session.scalar(other) is not None:
            raise TicketError(409, "this key is bound to another terminal ID")

    def _mode(self, session: Session, terminal: Terminal, request: KeyRequest, mode: str | None) -> str:
        last = session.scalar(select(Ticket).where(Ticket.tid == terminal.tid).order_by(Ticket.version.desc()).limit(1))
        same = last is not None and last.serial == request.serial
        unheard = last is None or (same and not terminal.active_version)
        mode = mode or ("new" if unheard else "renew")
        if mode not in MODES:
            raise TicketError(400, "mode")
        if mode == "new" and not unheard:
            raise TicketError(409, "terminal ID has a unit already: renew, recover or replace")
        if mode != "new" and last is None:
            raise TicketError(409, "terminal ID has no unit yet")
        if mode in ("renew", "recover") and not same:
            raise TicketError(409, "another unit has this terminal ID: ask for mode replace")
        return mode

    def _make(
        self,
        session: Session,
        terminal: Terminal,
        merchant: Merchant,
        request: KeyRequest,
        mode: str,
        credential_id: int,
    ) -> tuple[Ticket, dict[str, Any]]:
        now = int(self._clock())
        ikid = self._home.secrets.bdk_id + next_counter(session, "derivation_id").to_bytes(4, "big")
        initial = dukpt.initial_key(self._home.secrets.bdk, ikid)
        if mode == "replace":
            for old in session.scalars(select(Ticket).where(Ticket.tid == terminal.tid)):
                old.retired = True
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
            credential_id=credential_id,
            issued=now,
            expires=now + VALID_S,
        )
        session.add(ticket)
        session.add(
            Event(
                time=now,
                kind="ticket",
                mid=merchant.mid,
                tid=terminal.tid,
                detail=f"version {ticket.version}, {mode}, serial {request.serial}",
            )
        )
        session.flush()
        return ticket, self._payload(terminal, merchant, ticket, request, initial)

    def _payload(
        self, terminal: Terminal, merchant: Merchant, ticket: Ticket, request: KeyRequest, initial: bytes
    ) -> dict[str, Any]:
        config = self._home.config
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
