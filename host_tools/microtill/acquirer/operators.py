"""Operators: accounts with password and second factor, and the sessions in which they act."""

import hashlib
import re
import secrets as random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from microtill.acquirer import audit, passwords, totp
from microtill.acquirer.audit import Actor
from microtill.acquirer.database import Database
from microtill.acquirer.datadir import DataDir
from microtill.acquirer.problems import Problem, malformed
from microtill.acquirer.tables import Operator, OperatorSession
from microtill.acquirer.throttle import SIGN_IN_ADDRESS, SIGN_IN_NAME, Throttle

TECHNICIAN, ADMINISTRATOR, AUDITOR = ROLES = ("technician", "administrator", "auditor")
SESSION_S = 12 * 3600

_NAME = re.compile(r"[a-z][a-z0-9._-]{0,31}", re.ASCII)


@dataclass(frozen=True)
class Account:
    """What a new operator is told, once."""

    name: str
    role: str
    password: str
    totp_uri: str


@dataclass(frozen=True)
class SignedIn:
    """A new session; the token is told once."""

    token: str
    expires: int
    name: str
    role: str


def _digest(token: str) -> str:
    # Enough for 256 random bits, which no dictionary finds.
    return hashlib.sha256(token.encode()).hexdigest()


class Operators:
    """Accounts and sessions. `cost`: of passwords to come. `clock` returns Unix seconds. Thread-safe."""

    def __init__(
        self,
        home: DataDir,
        database: Database,
        clock: Callable[[], float] = time.time,
        cost: tuple[int, int, int] = passwords.COST,
    ):
        self._home = home
        self._database = database
        self._clock = clock
        self._cost = cost
        self._throttle = Throttle(database, home.secrets, clock)

    # -- accounts --------------------------------------------------------------------------------------------------

    def add(self, actor: Actor, name: str, role: str, password: str = "") -> Account:
        """A new account; without `password` it gets a random one."""
        if not _NAME.fullmatch(name):
            raise malformed("name: a small letter, then up to 31 small letters, digits, dots, dashes, underscores")
        if role not in ROLES:
            raise malformed(f"role: one of {', '.join(ROLES)}")
        password = self._password(name, password)
        secret = totp.new_secret()
        hashed = passwords.kept(password, self._cost)
        with self._database.begin() as session:
            if session.scalar(select(Operator.id).where(Operator.name == name)) is not None:
                raise Problem(409, "operator_exists", f"operator {name} is there already")
            sealed = self._home.secrets.seal_totp(name, secret)
            now = int(self._clock())
            session.add(Operator(name=name, role=role, password=hashed, totp=sealed, created=now))
            audit.note(session, actor, "operator_added", detail=f"{name}, {role}", now=now)
        return Account(name, role, password, totp.uri(secret, name, self._home.config.name))

    def reset(self, actor: Actor, name: str, password: str = "") -> Account:
        """A new password and a new authenticator secret; open sessions end, a lock-out and a disabling too."""
        password = self._password(name, password)
        hashed, secret = passwords.kept(password, self._cost), totp.new_secret()
        with self._database.begin() as session:
            operator = self._operator(session, name)
            operator.password, operator.totp = hashed, self._home.secrets.seal_totp(name, secret)
            operator.totp_step, operator.disabled = 0, None
            self._end_sessions(session, operator)
            self._throttle.forgive(session, (SIGN_IN_NAME, name))
            audit.note(session, actor, "operator_reset", detail=name, now=self._clock())
        return Account(name, operator.role, password, totp.uri(secret, name, self._home.config.name))

    def disable(self, actor: Actor, name: str) -> None:
        """Let an operator in no longer; open sessions end."""
        with self._database.begin() as session:
            operator = self._operator(session, name)
            others = select(Operator.id).where(
                Operator.role == ADMINISTRATOR, Operator.disabled.is_(None), Operator.id != operator.id
            )
            if operator.role == ADMINISTRATOR and actor.role != "local" and session.scalar(others.limit(1)) is None:
                raise Problem(409, "last_administrator", "the last administrator cannot be disabled")
            operator.disabled = operator.disabled or int(self._clock())
            ended = self._end_sessions(session, operator)
            audit.note(session, actor, "operator_disabled", detail=f"{name}, {ended} sessions ended", now=self._clock())

    def accounts(self) -> list[dict[str, Any]]:
        """All accounts, and how many sessions each has open."""
        now = int(self._clock())
        with self._database.read() as session:
            found = session.scalars(select(Operator).order_by(Operator.name)).all()
            opened = list(session.scalars(_open(now)))
        names = ("name", "role", "created", "disabled")
        return [
            {n: getattr(o, n) for n in names} | {"sessions": sum(s.operator_id == o.id for s in opened)} for o in found
        ]

    def _password(self, name: str, password: str) -> str:
        if not password:
            return passwords.generate()  # random, whatever letters of the name may stand in it
        if not passwords.SHORTEST <= len(password) <= passwords.LONGEST or name in password.lower():
            raise malformed(f"password: {passwords.SHORTEST} characters or more, without the name in it")
        return password

    def _operator(self, session: Session, name: str) -> Operator:
        operator = session.scalar(select(Operator).where(Operator.name == name).with_for_update())
        if operator is None:
            raise Problem(404, "operator_unknown", f"no operator {name[:32]}")
        return operator

    # -- signing in ------------------------------------------------------------------------------------------------

    def sign_in(self, name: str, password: str, code: str, address: str, client: str) -> SignedIn:
        """Raises Problem: 401 in the same words whatever was wrong, 429 while tries must wait."""
        signed_in: list[SignedIn] = []
        self._prove(
            name,
            password,
            code,
            Actor("?", "", address, client),
            lambda session, operator: signed_in.append(self._open(session, operator, address, client)),
        )
        return signed_in[0]

    def change_password(self, actor: Actor, token: str, password: str, code: str, new: str) -> None:
        """A new password for the one who is signed in, and still knows the old one; other sessions end.

        Raises Problem as `sign_in` does.
        """
        new = self._password(actor.name, new)
        hashed = passwords.kept(new, self._cost)

        def change(session: Session, operator: Operator) -> None:
            operator.password = hashed
            self._end_sessions(session, operator, but=token)
            audit.note(session, actor, "password_changed", now=self._clock())

        self._prove(actor.name, password, code, actor, change)

    def _prove(
        self, name: str, password: str, code: str, actor: Actor, then: Callable[[Session, Operator], object]
    ) -> None:
        """Do `then` if name, password and code are right; the code is used up by it. Raises Problem."""
        tries = ((SIGN_IN_NAME, name), (SIGN_IN_ADDRESS, actor.address))
        self._throttle.enter(*tries)
        with self._database.read() as session:
            found = session.scalar(select(Operator).where(Operator.name == name))
        right = passwords.matches(password, found.password if found else passwords.NOBODY)
        with self._database.begin() as session:
            operator = self._second_factor(session, found, code) if found is not None and right else None
            if operator is not None:
                then(session, operator)
                self._throttle.forgive(session, *tries)
            else:
                # An unknown name is not repeated: it may be a password in the wrong field.
                who = replace(actor, name=found.name if found else "?", role=found.role if found else "")
                audit.note(session, who, "sign_in_failed", now=self._clock())
        if operator is None:
            raise Problem(401, "sign_in_failed", "name, password or code is wrong")

    def _second_factor(self, session: Session, found: Operator, code: str) -> Operator | None:
        # Locked and read again: of two that come with the same code only one may see it unused.
        operator = session.get_one(Operator, found.id, with_for_update=True)
        if operator.disabled or operator.password != found.password:
            return None
        secret = self._home.secrets.open_totp(operator.name, operator.totp)
        step = totp.matching_step(secret, code, self._clock(), operator.totp_step)
        if step is None:
            return None
        operator.totp_step = step
        return operator

    def grant(self, name: str, address: str = "", client: str = "") -> SignedIn:
        """A session without any check: for tests and the demo, which hold the data directory anyway."""
        with self._database.begin() as session:
            return self._open(session, self._operator(session, name), address, client)

    def _open(self, session: Session, operator: Operator, address: str, client: str) -> SignedIn:
        token, now = random.token_urlsafe(32), int(self._clock())
        session.add(
            OperatorSession(
                operator_id=operator.id,
                digest=_digest(token),
                created=now,
                expires=now + SESSION_S,
                address=address[:45],
                client=client[:80],
            )
        )
        actor = Actor(operator.name, operator.role, address, client)
        audit.note(session, actor, "signed_in", now=now)
        return SignedIn(token, now + SESSION_S, operator.name, operator.role)

    # -- sessions --------------------------------------------------------------------------------------------------

    def identify(self, token: str) -> tuple[Actor, int]:
        """Who holds this token, and until when (Unix seconds). Raises Problem 401: unknown, revoked, expired."""
        with self._database.read() as session:
            found = session.execute(
                select(OperatorSession, Operator)
                .join(Operator, Operator.id == OperatorSession.operator_id)
                .where(OperatorSession.digest == _digest(token))
            ).first()
        if found is None:
            raise Problem(401, "session_unknown", "sign in first")
        kept, operator = found
        if kept.revoked or operator.disabled:
            raise Problem(401, "session_revoked", "this session was ended: sign in again")
        if kept.expires <= self._clock():
            raise Problem(401, "session_expired", "this session has expired: sign in again")
        return Actor(operator.name, operator.role, kept.address, kept.client), kept.expires

    def sign_out(self, actor: Actor, token: str) -> None:
        with self._database.begin() as session:
            session.execute(
                update(OperatorSession)
                .where(OperatorSession.digest == _digest(token), OperatorSession.revoked.is_(None))
                .values(revoked=int(self._clock()))
            )
            audit.note(session, actor, "signed_out", now=self._clock())

    def sessions(self) -> list[dict[str, Any]]:
        """Open sessions of all operators, the newest last."""
        with self._database.read() as session:
            found = session.execute(
                select(OperatorSession, Operator.name)
                .join(Operator, Operator.id == OperatorSession.operator_id)
                .where(OperatorSession.id.in_(_open(int(self._clock())).with_only_columns(OperatorSession.id)))
                .order_by(OperatorSession.id)
            ).all()
        names = ("id", "created", "expires", "address", "client")
        return [{"name": name} | {n: getattr(kept, n) for n in names} for kept, name in found]

    def revoke_sessions(self, actor: Actor, name: str) -> int:
        """End every session of an operator, as when a laptop was lost; how many there were."""
        with self._database.begin() as session:
            ended = self._end_sessions(session, self._operator(session, name))
            detail = f"{name}, {ended} sessions ended"
            audit.note(session, actor, "sessions_revoked", detail=detail, now=self._clock())
        return ended

    def _end_sessions(self, session: Session, operator: Operator, but: str = "") -> int:
        now = int(self._clock())
        query = _open(now).where(OperatorSession.operator_id == operator.id, OperatorSession.digest != _digest(but))
        mine = session.scalars(query).all()
        for kept in mine:
            kept.revoked = now
        return len(mine)


def _open(now: int) -> Any:
    return select(OperatorSession).where(OperatorSession.revoked.is_(None), OperatorSession.expires > now)
