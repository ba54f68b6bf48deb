"""What is open in a terminal's batch, the closing of a dead unit's batch here, and what arrives for it afterwards."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from microtill.acquirer import audit, dukpt
from microtill.acquirer.answers import IN_PROGRESS
from microtill.acquirer.audit import Actor
from microtill.acquirer.database import Database
from microtill.acquirer.messages import SALE
from microtill.acquirer.problems import Problem
from microtill.acquirer.tables import ClosedBatch, Message, Suspense, Terminal

MISSING_LISTED = 500
_LAST_BATCH = 999_999


def open_totals(session: Session, tids: list[str]) -> dict[str, tuple[int, int]]:
    """Count and amount of the sales that stand in each terminal's open batch; a terminal without any is left out."""
    rows = session.execute(
        select(Message.tid, func.count(), func.sum(Message.amount))
        .join(Terminal, Terminal.tid == Message.tid)
        .where(
            Message.tid.in_(tids),
            Message.batch == Terminal.batch,
            Message.type == SALE,
            Message.outcome == "approved",
            Message.reversed_by.is_(None),
        )
        .group_by(Message.tid)
    )
    return {tid: (count, int(amount or 0)) for tid, count, amount in rows}


def undecided(session: Session, tid: str) -> bool:
    """Whether a sale is being decided or a reversal not answered yet."""
    query = select(Message.id).where(Message.tid == tid, Message.state == IN_PROGRESS).limit(1)
    return session.scalar(query) is not None


def closed(session: Session, tid: str, batch: str | None) -> bool:
    """Whether this batch was closed here."""
    return batch is not None and session.get(ClosedBatch, (tid, batch)) is not None


def suspend_money(session: Session, message: Message, batch: str, now: int, amount: int | None = None) -> None:
    """Put a message for a closed batch on the suspense list: an administrator settles it with the merchant."""
    session.add(
        Suspense(
            time=now,
            tid=message.tid,
            batch=batch,
            type=message.type,
            seq=message.seq,
            original_seq=message.original_seq,
            amount=amount,
            currency=message.currency,
        )
    )
    detail = f"{message.type} for batch {batch}, which was closed"
    audit.note(
        session, audit.ACQUIRER, "suspense", alarm=True, tid=message.tid, seq=message.seq, detail=detail, now=now
    )


def missing_seqs(session: Session, tid: str, batch: str) -> list[int]:
    """Sequence numbers that must have been used during `batch`, and never came.

    They lie between those that came: a unit takes the DUKPT counters in their order. What it used after the last one
    that came, nobody here can know.
    """
    by_ticket: dict[int, list[tuple[int, bool]]] = {}
    for seq, of in session.execute(select(Message.seq, Message.batch).where(Message.tid == tid).order_by(Message.seq)):
        by_ticket.setdefault(seq >> 32, []).append((seq, of == batch))
    found: list[int] = []
    for version, seen in by_ticket.items():
        first = next((i for i, (_, in_batch) in enumerate(seen) if in_batch), None)
        if first is None:
            continue
        came = {seq for seq, _ in seen}
        counter = (seen[first - 1][0] if first else version << 32) & 0xFFFFFFFF
        last = seen[-1][0] & 0xFFFFFFFF
        while (counter := dukpt.next_counter(counter)) < last:
            if (version << 32) + counter not in came:
                found.append((version << 32) + counter)
    return found


class Batches:
    """Closing and suspense. `clock` returns Unix seconds."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time):
        self._database = database
        self._clock = clock

    def close(self, actor: Actor, tid: str) -> dict[str, Any]:
        """Close the open batch of a unit that cannot do it itself, and open the next. Raises Problem.

        The terminal must be suspended or revoked: a unit that is alive settles by itself.
        """
        with self._database.begin() as session:
            terminal = session.get(Terminal, tid, with_for_update=True)
            if terminal is None:
                raise Problem(404, "tid_unknown", f"no terminal {tid}")
            if terminal.status not in ("suspended", "revoked"):
                raise Problem(409, "terminal_active", f"terminal {tid} is {terminal.status}: suspend it first")
            if undecided(session, tid):
                raise Problem(409, "undecided", f"terminal {tid} has a message that is being decided: try again")
            used = select(Message.id).where(Message.tid == tid, Message.batch == terminal.batch).limit(1)
            if session.scalar(used) is None:
                raise Problem(409, "batch_empty", f"batch {terminal.batch} of terminal {tid} holds nothing")
            count, amount = open_totals(session, [tid]).get(tid, (0, 0))
            missing = missing_seqs(session, tid, terminal.batch)
            now = int(self._clock())
            row = ClosedBatch(
                tid=tid,
                batch=terminal.batch,
                time=now,
                closed_by=actor.name,
                count=count,
                amount=amount,
                missing_count=len(missing),
                missing=missing[:MISSING_LISTED],
            )
            session.add(row)
            terminal.batch = f"{int(terminal.batch) % _LAST_BATCH + 1:06d}"
            detail = f"batch {row.batch}, {count} sales, amount {amount}, {len(missing)} seqs missing"
            audit.note(session, actor, "batch_closed", mid=terminal.mid, tid=tid, detail=detail, now=now)
            return _closed(row) | {"next": terminal.batch}

    def closed_batches(self, tid: str | None = None) -> list[dict[str, Any]]:
        """Batches that were closed here, oldest first."""
        query = select(ClosedBatch).order_by(ClosedBatch.time, ClosedBatch.tid)
        if tid is not None:
            query = query.where(ClosedBatch.tid == tid)
        with self._database.read() as session:
            return [_closed(row) for row in session.scalars(query)]

    def suspense(self, everything: bool = False, tid: str | None = None) -> list[dict[str, Any]]:
        """What waits for an administrator, oldest first; with `everything` what was resolved too."""
        query = select(Suspense).order_by(Suspense.id)
        if not everything:
            query = query.where(Suspense.state == "open")
        if tid is not None:
            query = query.where(Suspense.tid == tid)
        with self._database.read() as session:
            return [_suspense(row) for row in session.scalars(query)]

    def resolve(self, actor: Actor, number: int, note: str) -> dict[str, Any]:
        """Take an entry off the suspense list, with what was done about it."""
        with self._database.begin() as session:
            row = session.get(Suspense, number, with_for_update=True)
            if row is None:
                raise Problem(404, "suspense_unknown", f"no suspense entry {number}")
            if row.state != "open":
                raise Problem(409, "suspense_resolved", f"suspense entry {number} is resolved already")
            now = int(self._clock())
            row.state, row.note, row.resolved, row.resolved_by = "resolved", note, now, actor.name
            detail = f"no. {number}: {note}"
            audit.note(session, actor, "suspense_resolved", tid=row.tid, seq=row.seq, detail=detail, now=now)
            return _suspense(row)


def _closed(row: ClosedBatch) -> dict[str, Any]:
    names = ("tid", "batch", "time", "closed_by", "count", "amount", "missing_count", "missing")
    return {n: getattr(row, n) for n in names}


def _suspense(row: Suspense) -> dict[str, Any]:
    names = """id time tid batch type seq original_seq amount currency state note resolved resolved_by"""
    return {n: getattr(row, n) for n in names.split()}
