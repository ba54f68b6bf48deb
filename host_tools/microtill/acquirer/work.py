"""The work list: what technicians are to do, and how it ended."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from microtill.acquirer import audit
from microtill.acquirer.audit import Actor
from microtill.acquirer.database import Database
from microtill.acquirer.problems import Problem
from microtill.acquirer.tables import Merchant, Operator, Outcome, Terminal, Ticket, Work

INSTALL, REPLACE, MOVE = KINDS = ("install", "replace", "move")
DONE, FAILED = RESULTS = ("done", "failed")


def take(session: Session, actor: Actor, work_id: int, tid: str, serial: str) -> Work:
    """The open item that `actor` may do with this unit. Raises Problem."""
    item = session.get(Work, work_id, with_for_update=True)
    if item is None or item.tid != tid:
        raise Problem(404, "work_unknown", "no such work item for this terminal ID")
    if item.state != "open":
        raise Problem(409, "work_closed", f"this work item is {item.state}")
    if item.assigned and item.assigned != actor.name:
        raise Problem(403, "work_not_yours", f"this work item is {item.assigned}'s")
    if item.serial and item.serial != serial:
        raise Problem(409, "serial_wrong", f"this work item is for the unit {item.serial}, not {serial}")
    return item


class WorkList:
    """Work items and outcomes. `clock` returns Unix seconds. Thread-safe."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time):
        self._database = database
        self._clock = clock

    def add(
        self,
        actor: Actor,
        tid: str,
        kind: str,
        serial: str | None = None,
        assigned: str | None = None,
        note: str = "",
    ) -> dict[str, Any]:
        """A new item, for the technician `assigned` or for whoever takes it."""
        with self._database.begin() as session:
            terminal = session.get(Terminal, tid)
            if terminal is None:
                raise Problem(404, "tid_unknown", f"no terminal {tid}")
            if assigned and session.scalar(select(Operator.id).where(Operator.name == assigned)) is None:
                raise Problem(404, "operator_unknown", f"no operator {assigned}")
            item = Work(
                tid=tid,
                kind=kind,
                serial=serial,
                assigned=assigned,
                note=note,
                created=int(self._clock()),
                created_by=actor.name,
            )
            session.add(item)
            session.flush()
            audit.note(
                session,
                actor,
                "work_added",
                mid=terminal.mid,
                tid=tid,
                serial=serial,
                detail=f"no. {item.id}, {kind}{f', for {assigned}' if assigned else ''}",
                now=self._clock(),
            )
            return _item(item, session.get_one(Merchant, terminal.mid))

    def open_items(self, name: str | None = None) -> list[dict[str, Any]]:
        """Open items, oldest first; with `name` those of that technician and of nobody."""
        query = (
            select(Work, Merchant)
            .join(Terminal, Terminal.tid == Work.tid)
            .join(Merchant, Merchant.mid == Terminal.mid)
            .where(Work.state == "open")
            .order_by(Work.id)
        )
        if name is not None:
            query = query.where(or_(Work.assigned == name, Work.assigned.is_(None)))
        with self._database.read() as session:
            return [_item(item, merchant) for item, merchant in session.execute(query)]

    def cancel(self, actor: Actor, work_id: int) -> None:
        """Take an open item off the list."""
        with self._database.begin() as session:
            item = session.get(Work, work_id, with_for_update=True)
            if item is None:
                raise Problem(404, "work_unknown", f"no work item {work_id}")
            if item.state != "open":
                raise Problem(409, "work_closed", f"work item {work_id} is {item.state}")
            _close(item, "cancelled", actor, int(self._clock()))
            audit.note(session, actor, "work_cancelled", tid=item.tid, detail=f"no. {work_id}", now=self._clock())

    def report(
        self, actor: Actor, tid: str, serial: str, version: int, result: str, detail: str, client: str
    ) -> dict[str, Any]:
        """Record how it ended: `done` closes the open items that this unit fulfils."""
        now = int(self._clock())
        with self._database.begin() as session:
            terminal = session.get(Terminal, tid, with_for_update=True)
            known = select(Ticket.id).where(Ticket.tid == tid, Ticket.version == version, Ticket.serial == serial)
            if terminal is None or session.scalar(known) is None:
                raise Problem(404, "ticket_unknown", "no such ticket: terminal ID, serial and version do not fit")
            outcome = Outcome(
                time=now,
                operator=actor.name,
                tid=tid,
                serial=serial,
                version=version,
                result=result,
                detail=detail,
                client=client,
                address=actor.address,
            )
            session.add(outcome)
            session.flush()
            closed = []
            if result == DONE:
                mine = select(Work).where(
                    Work.tid == tid,
                    Work.state == "open",
                    or_(Work.serial == serial, Work.serial.is_(None)),
                    or_(Work.assigned == actor.name, Work.assigned.is_(None)),
                )
                for item in session.scalars(mine.with_for_update()):
                    _close(item, "done", actor, now)
                    closed.append(item.id)
            told = f"version {version} {result}{f': {detail}' if detail else ''}"
            audit.note(session, actor, "outcome", mid=terminal.mid, tid=tid, serial=serial, detail=told, now=now)
            return {"id": outcome.id, "time": now, "closed": closed}

    def outcomes(self, tid: str | None = None, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
        """What technicians reported, oldest first."""
        query = select(Outcome).where(Outcome.id > after).order_by(Outcome.id).limit(limit)
        if tid is not None:
            query = query.where(Outcome.tid == tid)
        names = ("id", "time", "operator", "tid", "serial", "version", "result", "detail", "client", "address")
        with self._database.read() as session:
            return [{n: getattr(o, n) for n in names} for o in session.scalars(query)]


def _close(item: Work, state: str, actor: Actor, now: int) -> None:
    item.state, item.closed, item.closed_by = state, now, actor.name


def _item(item: Work, merchant: Merchant) -> dict[str, Any]:
    names = ("id", "tid", "kind", "serial", "assigned", "note", "created")
    shop = {"mid": merchant.mid, "merchant": {"name": merchant.name, "address": merchant.address}}
    return {n: getattr(item, n) for n in names} | shop
