"""Activation codes: ten digits that make one unit one terminal, typed at its keypad within a day.

Eight random digits and two check digits (ISO 7064, MOD 97-10), so that a slip of the finger is found where it was made.
A code is kept as a keyed hash, works once, and is burned after five wrong ones for its unit.
"""

import hmac
import secrets as random
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from microtill.acquirer import audit
from microtill.acquirer.audit import Actor
from microtill.acquirer.database import Database
from microtill.acquirer.datadir import Secrets
from microtill.acquirer.problems import Problem
from microtill.acquirer.tables import ActivationCode, Terminal

DIGITS = 10
VALID_S = 24 * 3600
TRIES = 5


def with_check_digits(digits: str) -> str:
    """`digits` and the two check digits that make the whole number 1 modulo 97 (ISO 7064 §9, as an IBAN's)."""
    return f"{digits}{98 - int(digits) * 100 % 97:02d}"


def well_formed(code: str) -> bool:
    """Whether a person can have read this off: ten digits whose check digits fit."""
    return len(code) == DIGITS and code.isascii() and code.isdigit() and with_check_digits(code[:-2]) == code


@dataclass(frozen=True)
class Code:
    """A new code, told once. `expires`: Unix seconds."""

    code: str
    expires: int


class Activation:
    """Issues codes and takes them. `clock` returns Unix seconds. Thread-safe."""

    def __init__(self, database: Database, secrets: Secrets, clock: Callable[[], float] = time.time):
        self._database = database
        self._secrets = secrets
        self._clock = clock

    def issue(self, actor: Actor, tid: str, serial: str) -> Code:
        """A code for the unit `serial` to become `tid`; an earlier one for that unit is withdrawn. Raises Problem."""
        code = with_check_digits(f"{random.randbelow(10**8):08d}")
        now = int(self._clock())
        with self._database.begin() as session:
            terminal = session.get(Terminal, tid, with_for_update=True)
            if terminal is None:
                raise Problem(404, "tid_unknown", f"no terminal {tid}")
            if terminal.status == "revoked":
                raise Problem(409, "terminal_revoked", "terminal is revoked")
            for old in _open(session, serial):
                old.state = "withdrawn"
            session.add(
                ActivationCode(
                    digest=self._digest(serial, code),
                    serial=serial,
                    tid=tid,
                    created=now,
                    created_by=actor.name,
                    expires=now + VALID_S,
                )
            )
            audit.note(session, actor, "code_issued", mid=terminal.mid, tid=tid, serial=serial, now=now)
        return Code(code, now + VALID_S)

    def find(self, session: Session, serial: str, code: str) -> ActivationCode | None:
        """The row that `code` opens for this unit, used ones included. None is a try that failed, and is counted.

        The caller marks it used, in the same transaction as what it opens.
        """
        now = int(self._clock())
        digest = self._digest(serial, code)
        for row in _open(session, serial, "used"):
            right = hmac.compare_digest(row.digest, digest)
            if row.expires <= now:
                continue
            if right:
                return row
            if row.state == "open":
                row.failures += 1
                if row.failures >= TRIES:
                    row.state = "burned"
                    detail = f"{TRIES} wrong codes"
                    audit.note(
                        session,
                        audit.ACQUIRER,
                        "code_burned",
                        alarm=True,
                        tid=row.tid,
                        serial=serial,
                        detail=detail,
                        now=now,
                    )
        return None

    def _digest(self, serial: str, code: str) -> str:
        return self._secrets.code_digest("activation", serial, code)


def _open(session: Session, serial: str, *also: str) -> list[ActivationCode]:
    query = (
        select(ActivationCode)
        .where(ActivationCode.serial == serial, ActivationCode.state.in_(("open", *also)))
        .order_by(ActivationCode.id)
        .with_for_update()
    )
    return list(session.scalars(query))
