"""The audit log: who did what to which unit, from where. Rows are only added, each chained to the one before.

What a transaction notes is written at its very end, under one lock: row locks come before it, never after. A row that
was changed, put in or taken out breaks the chain; a tail that was cut off no longer matches the head. Whoever may
write to the database can make all of it anew, but not so that it continues from a head that was written down elsewhere.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from microtill.acquirer.tables import AuditHead, AuditRow

START = "0" * 64
_PENDING = "audit"
_CHAINED = """n time actor role address client kind alarm mid tid seq serial detail"""


@dataclass(frozen=True)
class Actor:
    """Who acts: an operator over HTTP, somebody at the acquirer's own command line, or the acquirer itself."""

    name: str
    role: str
    address: str = ""
    client: str = ""


ACQUIRER = Actor("acquirer", "acquirer")


def note(
    session: Session,
    actor: Actor,
    kind: str,
    *,
    alarm: bool = False,
    mid: str | None = None,
    tid: str | None = None,
    seq: int | None = None,
    serial: str | None = None,
    detail: str = "",
    now: float | None = None,
) -> None:
    """Say what this transaction does; it is in the log if, and only if, the transaction commits."""
    row = AuditRow(
        time=int(time.time() if now is None else now),
        actor=actor.name,
        role=actor.role,
        address=actor.address,
        client=actor.client[:80],
        kind=kind,
        alarm=alarm,
        mid=mid,
        tid=tid,
        seq=seq,
        serial=serial,
        detail=detail[:200],
    )
    session.info.setdefault(_PENDING, []).append(row)


def chain(session: Session) -> None:
    """Write what was noted. Called once, just before the commit."""
    rows = session.info.pop(_PENDING, None)
    if not rows:
        return
    session.flush()
    head = session.get_one(AuditHead, 1, with_for_update=True)
    for row in rows:
        row.n = head.n + 1
        row.chain = link(head.chain, {name: getattr(row, name) for name in _CHAINED.split()})
        head.n, head.chain = row.n, row.chain
        session.add(row)


def link(before: str, row: dict[str, Any]) -> str:
    """The hash of a row (its members in their order) after the hash `before`."""
    told = json.dumps([row[name] for name in _CHAINED.split()], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{told}".encode()).hexdigest()


@dataclass(frozen=True)
class Verified:
    """`broken`: the first row that does not follow from the one before, or None. `why` says in what way."""

    n: int
    chain: str
    broken: int | None = None
    why: str = ""


def verify(session: Session, since: tuple[int, str] | None = None) -> Verified:
    """Follow the whole chain. `since`: a head (n, chain) that was written down before, which must lie on it."""
    n, before = 0, START
    seen = since is None
    for row in session.scalars(select(AuditRow).order_by(AuditRow.n).execution_options(yield_per=500)):
        if row.n != n + 1:
            return Verified(n, before, n + 1, "rows are missing")
        if row.chain != link(before, {name: getattr(row, name) for name in _CHAINED.split()}):
            return Verified(n, before, row.n, "the row was changed")
        n, before = row.n, row.chain
        if since is not None and n == since[0]:
            if before != since[1]:
                return Verified(n, before, n, "the log is another than the one whose head was written down")
            seen = True
    head = session.get(AuditHead, 1)
    if head is None or (head.n, head.chain) != (n, before):
        return Verified(n, before, n + 1, "the end is missing")
    if not seen:
        return Verified(n, before, n + 1, "the log is shorter than when its head was written down")
    return Verified(n, before)


def rows(session: Session, after: int = 0, limit: int = 0, alarms: bool = False, newest: bool = False) -> list[dict]:
    """Rows after number `after`, oldest first: the first `limit` of them, or with `newest` the last; 0 is all."""
    query = select(AuditRow).where(AuditRow.n > after).order_by(AuditRow.n.desc() if newest else AuditRow.n)
    if alarms:
        query = query.where(AuditRow.alarm)
    found = list(session.scalars(query.limit(limit) if limit else query))
    names = [*_CHAINED.split(), "chain"]
    return [{name: getattr(row, name) for name in names} for row in (reversed(found) if newest else found)]
