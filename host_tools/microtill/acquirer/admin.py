"""What administrators do: merchants, terminals, credentials, and looking things up. Each change leaves an event."""

import re
import time
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from microtill.acquirer.answers import TOMBSTONE
from microtill.acquirer.database import Credential, Database, Event, Merchant, Message, Terminal, Ticket
from microtill.acquirer.tickets import new_credential

_MID = re.compile(r"[0-9]{15}", re.ASCII)
_TID = re.compile(r"[0-9A-Z]{8}", re.ASCII)
_STATUS = {"suspend": "suspended", "resume": "active", "revoke": "revoked"}


class AdminError(Exception):
    """The request cannot be done as the data are; the text says why."""


class InvalidArgument(AdminError):
    """A value that could never be right."""


def _event(session: Session, kind: str, mid: str | None = None, tid: str | None = None, detail: str = "") -> None:
    session.add(Event(time=int(time.time()), kind=kind, mid=mid, tid=tid, detail=detail[:120]))


def _text(value: str, what: str, longest: int, shortest: int = 0) -> str:
    if not shortest <= len(value) <= longest or not value.isprintable():
        raise InvalidArgument(f"{what}: {shortest} to {longest} printable characters")
    return value


class Admin:
    """Administrative operations on one database. Results are plain dicts, ready for a table or JSON."""

    def __init__(self, database: Database):
        self._database = database

    # -- merchants -------------------------------------------------------------------------------------------------

    def add_merchant(self, mid: str, name: str, address: str = "", phone: str = "") -> dict[str, Any]:
        """`mid`: 15 digits, without check digit: whoever types it should read it back."""
        if not _MID.fullmatch(mid):
            raise InvalidArgument("merchant ID: 15 digits")
        _text(name, "name", 40, 1)
        _text(address, "address", 80)
        _text(phone, "phone", 24)
        with self._database.begin() as session:
            if session.get(Merchant, mid):
                raise AdminError(f"merchant {mid} is there already")
            session.add(Merchant(mid=mid, name=name, address=address, phone=phone, created=int(time.time())))
            _event(session, "merchant_added", mid=mid, detail=name)
        return self.merchant(mid)

    def merchants(self) -> list[dict[str, Any]]:
        with self._database.read() as session:
            counted = session.execute(select(Terminal.mid, func.count()).group_by(Terminal.mid)).all()
            counts = {row[0]: row[1] for row in counted}
            found = session.scalars(select(Merchant).order_by(Merchant.mid)).all()
            return [_merchant(m) | {"terminals": counts.get(m.mid, 0)} for m in found]

    def merchant(self, mid: str) -> dict[str, Any]:
        with self._database.read() as session:
            merchant = session.get(Merchant, mid)
            if merchant is None:
                raise AdminError(f"no merchant {mid}")
            tids = session.scalars(select(Terminal.tid).where(Terminal.mid == mid).order_by(Terminal.tid)).all()
            return _merchant(merchant) | {"terminals": list(tids)}

    def set_merchant(self, mid: str, action: str) -> dict[str, Any]:
        """`action`: suspend or resume."""
        with self._database.begin() as session:
            merchant = session.get(Merchant, mid)
            if merchant is None:
                raise AdminError(f"no merchant {mid}")
            merchant.status = _STATUS[action]
            _event(session, f"merchant_{action}", mid=mid)
        return self.merchant(mid)

    # -- terminals -------------------------------------------------------------------------------------------------

    def add_terminal(self, mid: str, tid: str) -> dict[str, Any]:
        """Reserve a terminal ID (8 digits or capitals) for a merchant; a ticket then binds a unit to it."""
        if not _TID.fullmatch(tid):
            raise InvalidArgument("terminal ID: 8 digits or capital letters")
        with self._database.begin() as session:
            if session.get(Merchant, mid) is None:
                raise AdminError(f"no merchant {mid}")
            if session.get(Terminal, tid):
                raise AdminError(f"terminal {tid} is there already")
            session.add(Terminal(tid=tid, mid=mid, created=int(time.time())))
            _event(session, "terminal_added", mid=mid, tid=tid)
        return self.terminal(tid)

    def terminals(self) -> list[dict[str, Any]]:
        with self._database.read() as session:
            return [_terminal(session, t) for t in session.scalars(select(Terminal).order_by(Terminal.tid))]

    def terminal(self, tid: str) -> dict[str, Any]:
        with self._database.read() as session:
            terminal = session.get(Terminal, tid)
            if terminal is None:
                raise AdminError(f"no terminal {tid}")
            return _terminal(session, terminal)

    def set_terminal(self, tid: str, action: str) -> dict[str, Any]:
        """`action`: suspend, resume or revoke. Revoking is for ever."""
        with self._database.begin() as session:
            terminal = session.get(Terminal, tid, with_for_update=True)
            if terminal is None:
                raise AdminError(f"no terminal {tid}")
            if terminal.status == "revoked":
                raise AdminError(f"terminal {tid} is revoked, and stays so")
            if action == "resume" and terminal.status != "suspended":
                raise AdminError(f"terminal {tid} is {terminal.status}, not suspended")
            terminal.status = _STATUS[action]
            _event(session, f"terminal_{action}", mid=terminal.mid, tid=tid)
        return self.terminal(tid)

    # -- credentials -----------------------------------------------------------------------------------------------

    def add_credential(self, name: str) -> str:
        """A new provisioning credential for a technician. It is shown this once."""
        _text(name, "name", 32, 1)
        credential, kept = new_credential()
        with self._database.begin() as session:
            if session.scalar(select(Credential.id).where(Credential.name == name)) is not None:
                raise AdminError(f"credential {name} is there already")
            session.add(Credential(name=name, digest=kept, created=int(time.time())))
            _event(session, "credential_added", detail=name)
        return credential

    def credentials(self) -> list[dict[str, Any]]:
        with self._database.read() as session:
            found = session.scalars(select(Credential).order_by(Credential.id)).all()
            return [{"name": c.name, "created": c.created, "revoked": c.revoked} for c in found]

    def revoke_credential(self, name: str) -> None:
        with self._database.begin() as session:
            credential = session.scalar(select(Credential).where(Credential.name == name))
            if credential is None:
                raise AdminError(f"no credential {name}")
            credential.revoked = credential.revoked or int(time.time())
            _event(session, "credential_revoked", detail=name)

    # -- looking things up -----------------------------------------------------------------------------------------

    def transactions(self, tid: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """Messages with their answers, oldest first; the newest `limit` of them."""
        query = select(Message).order_by(Message.id.desc())
        if tid is not None:
            query = query.where(Message.tid == tid)
        with self._database.read() as session:
            found = session.scalars(query.limit(limit) if limit else query).all()
        return [_transaction(m) for m in reversed(found)]

    def sales(self) -> dict[str, int]:
        """Counts of sales, and `amount`: minor units approved and not reversed.

        `approved` includes those `reversed` later; `sales` are all that reached a decision or are about to.
        """
        with self._database.read() as session:
            rows = session.execute(
                select(Message.outcome, Message.reversed_by.is_not(None), func.count(), func.sum(Message.amount))
                .where(Message.type == "sale", Message.state != TOMBSTONE)
                .group_by(Message.outcome, Message.reversed_by.is_not(None))
            ).all()
        names = ("sales", "approved", "declined", "refused", "in_progress", "reversed", "amount")
        total: dict[str, int] = dict.fromkeys(names, 0)
        for outcome, undone, count, amount in rows:
            total["sales"] += count
            total[outcome or "in_progress"] += count
            if outcome == "approved" and undone:
                total["reversed"] += count
            elif outcome == "approved":
                total["amount"] += int(amount or 0)
        return total

    def events(self, alarms: bool = False, limit: int | None = None) -> list[dict[str, Any]]:
        """Alarms and administrative changes, oldest first."""
        query = select(Event).order_by(Event.id.desc())
        if alarms:
            query = query.where(Event.alarm)
        with self._database.read() as session:
            found = session.scalars(query.limit(limit) if limit else query).all()
        names = ("time", "kind", "alarm", "mid", "tid", "seq", "detail")
        return [{n: getattr(e, n) for n in names} for e in reversed(found)]


def _merchant(merchant: Merchant) -> dict[str, Any]:
    names = ("mid", "name", "address", "phone", "status", "parameters", "created")
    return {n: getattr(merchant, n) for n in names}


def _terminal(session: Session, terminal: Terminal) -> dict[str, Any]:
    names = ("tid", "mid", "status", "batch", "ticket_version", "last_seq", "last_n", "last_stan", "fw", "last_seen")
    ticket = session.scalar(select(Ticket).where(Ticket.tid == terminal.tid).order_by(Ticket.version.desc()).limit(1))
    unit = {"serial": ticket.serial, "board": ticket.board, "jkt": ticket.jkt} if ticket else {}
    return {n: getattr(terminal, n) for n in names} | {"serial": "", "board": "", "jkt": ""} | unit


_SHOWN = """tid mid seq type state outcome rc action reason result rrn auth amount currency stan batch utc pan token
    scheme aid cvm entry operator shift parts items original_seq created decided"""


def _transaction(message: Message) -> dict[str, Any]:
    return {n: getattr(message, n) for n in _SHOWN.split()} | {"reversed": message.reversed_by is not None}
