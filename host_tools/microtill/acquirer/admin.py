"""What administrators do: merchants, terminals, and looking things up. Each change is in the audit log."""

import re
import time
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from microtill.acquirer import audit, batches
from microtill.acquirer.answers import TOMBSTONE
from microtill.acquirer.audit import Actor
from microtill.acquirer.database import Database
from microtill.acquirer.problems import Problem, malformed
from microtill.acquirer.tables import AuditHead, Merchant, Message, Terminal, Ticket

LOCAL = Actor("local", "local")

_MID = re.compile(r"[0-9]{15}", re.ASCII)
_TID = re.compile(r"[0-9A-Z]{8}", re.ASCII)
_STATUS = {"suspend": "suspended", "resume": "active", "revoke": "revoked"}


def _text(value: str, what: str, longest: int, shortest: int = 0) -> str:
    if not shortest <= len(value) <= longest or not value.isprintable():
        raise malformed(f"{what}: {shortest} to {longest} printable characters")
    return value


class Admin:
    """Administrative operations on one database, done by `actor`. Results are plain dicts, for a table or JSON."""

    def __init__(self, database: Database, actor: Actor = LOCAL):
        self._database = database
        self._actor = actor

    def _note(self, session: Session, kind: str, mid: str | None = None, tid: str | None = None, detail: str = ""):
        audit.note(session, self._actor, kind, mid=mid, tid=tid, detail=detail)

    # -- merchants -------------------------------------------------------------------------------------------------

    def add_merchant(self, mid: str, name: str, address: str = "", phone: str = "") -> dict[str, Any]:
        """`mid`: 15 digits, without check digit: whoever types it should read it back."""
        if not _MID.fullmatch(mid):
            raise malformed("merchant ID: 15 digits")
        _text(name, "name", 40, 1)
        _text(address, "address", 80)
        _text(phone, "phone", 24)
        with self._database.begin() as session:
            if session.get(Merchant, mid):
                raise Problem(409, "mid_exists", f"merchant {mid} is there already")
            session.add(Merchant(mid=mid, name=name, address=address, phone=phone, created=int(time.time())))
            self._note(session, "merchant_added", mid=mid, detail=name)
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
                raise _no_merchant(mid)
            tids = session.scalars(select(Terminal.tid).where(Terminal.mid == mid).order_by(Terminal.tid)).all()
            return _merchant(merchant) | {"terminals": list(tids)}

    def set_merchant(self, mid: str, action: str) -> dict[str, Any]:
        """`action`: suspend or resume."""
        with self._database.begin() as session:
            merchant = session.get(Merchant, mid)
            if merchant is None:
                raise _no_merchant(mid)
            merchant.status = _STATUS[action]
            self._note(session, f"merchant_{action}", mid=mid)
        return self.merchant(mid)

    # -- terminals -------------------------------------------------------------------------------------------------

    def add_terminal(self, mid: str, tid: str) -> dict[str, Any]:
        """Reserve a terminal ID (8 digits or capitals) for a merchant; a ticket then binds a unit to it."""
        if not _TID.fullmatch(tid):
            raise malformed("terminal ID: 8 digits or capital letters")
        with self._database.begin() as session:
            if session.get(Merchant, mid) is None:
                raise _no_merchant(mid)
            if session.get(Terminal, tid):
                raise Problem(409, "tid_exists", f"terminal {tid} is there already")
            session.add(Terminal(tid=tid, mid=mid, created=int(time.time())))
            self._note(session, "terminal_added", mid=mid, tid=tid)
        return self.terminal(tid)

    def terminals(self, after: str = "", limit: int | None = None) -> list[dict[str, Any]]:
        """Terminals by TID, those after `after`, and how each stands."""
        query = select(Terminal).where(Terminal.tid > after).order_by(Terminal.tid).limit(limit)
        with self._database.read() as session:
            return _terminals(session, list(session.scalars(query)))

    def terminal(self, tid: str) -> dict[str, Any]:
        with self._database.read() as session:
            terminal = session.get(Terminal, tid)
            if terminal is None:
                raise _no_terminal(tid)
            return _terminals(session, [terminal])[0]

    def set_terminal(self, tid: str, action: str) -> dict[str, Any]:
        """`action`: suspend, resume or revoke. Revoking is for ever."""
        with self._database.begin() as session:
            terminal = session.get(Terminal, tid, with_for_update=True)
            if terminal is None:
                raise _no_terminal(tid)
            if terminal.status == "revoked":
                raise Problem(409, "terminal_revoked", f"terminal {tid} is revoked, and stays so")
            if action == "resume" and terminal.status != "suspended":
                raise Problem(409, "not_suspended", f"terminal {tid} is {terminal.status}, not suspended")
            terminal.status = _STATUS[action]
            self._note(session, f"terminal_{action}", terminal.mid, tid)
        return self.terminal(tid)

    def clear_terminal(self, tid: str, reason: str) -> dict[str, Any]:
        """Let a flagged terminal sell again: somebody has looked which unit is the right one."""
        _text(reason, "note", 120, 1)
        with self._database.begin() as session:
            terminal = session.get(Terminal, tid, with_for_update=True)
            if terminal is None:
                raise _no_terminal(tid)
            if not terminal.flag:
                raise Problem(409, "not_flagged", f"terminal {tid} is not flagged")
            self._note(session, "terminal_cleared", terminal.mid, tid, f"{terminal.flag}: {reason}")
            terminal.flag = None
        return self.terminal(tid)

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

    def audit_rows(
        self, after: int = 0, limit: int = 0, alarms: bool = False, newest: bool = False
    ) -> list[dict[str, Any]]:
        """Rows of the audit log, oldest first; see `audit.rows`."""
        with self._database.read() as session:
            return audit.rows(session, after, limit, alarms, newest)

    def audit_head(self) -> tuple[int, str]:
        """How many rows the audit log has, and the hash of the last."""
        with self._database.read() as session:
            head = session.get_one(AuditHead, 1)
            return head.n, head.chain

    def verify_audit(self, since: tuple[int, str] | None = None) -> audit.Verified:
        """Whether the audit log is whole; see `audit.verify`."""
        with self._database.read() as session:
            return audit.verify(session, since)


def _no_merchant(mid: str) -> Problem:
    return Problem(404, "mid_unknown", f"no merchant {mid}")


def _no_terminal(tid: str) -> Problem:
    return Problem(404, "tid_unknown", f"no terminal {tid}")


def _merchant(merchant: Merchant) -> dict[str, Any]:
    names = ("mid", "name", "address", "phone", "status", "parameters", "created")
    return {n: getattr(merchant, n) for n in names}


_TERMINAL = "tid mid status flag batch last_seq last_n last_stan fw last_seen"
_UNIT = "serial board jkt"


def _terminals(session: Session, terminals: list[Terminal]) -> list[dict[str, Any]]:
    """`version`: of the last ticket; `active`: of the one whose unit was heard last; `serial`: of the unit there."""
    tids = [t.tid for t in terminals]
    units: dict[str, Ticket] = {}
    query = select(Ticket).where(Ticket.tid.in_(tids), Ticket.retired.is_(False)).order_by(Ticket.version)
    for ticket in session.scalars(query):
        units[ticket.tid] = ticket
    merchants = {
        m.mid: m for m in session.scalars(select(Merchant).where(Merchant.mid.in_({t.mid for t in terminals})))
    }
    totals = batches.open_totals(session, tids)
    shown = []
    for terminal in terminals:
        unit, (count, amount) = units.get(terminal.tid), totals.get(terminal.tid, (0, 0))
        merchant = merchants[terminal.mid]
        shown.append(
            {n: getattr(terminal, n) for n in _TERMINAL.split()}
            | {n: getattr(unit, n) if unit else "" for n in _UNIT.split()}
            | {
                "merchant": {n: getattr(merchant, n) for n in ("name", "address", "phone", "status")},
                "version": terminal.ticket_version,
                "active": terminal.active_version,
                "open": {"count": count, "amount": amount},
            }
        )
    return shown


_SHOWN = """tid mid seq type state outcome rc action reason result rrn auth amount currency stan batch utc pan token
    scheme aid cvm entry operator shift parts items original_seq created decided"""


def _transaction(message: Message) -> dict[str, Any]:
    return {n: getattr(message, n) for n in _SHOWN.split()} | {"reversed": message.reversed_by is not None}
