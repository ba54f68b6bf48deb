"""Guessing is slow: failed tries under a name, serial or address are counted, and each makes the next wait longer."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from microtill.acquirer.database import Database
from microtill.acquirer.datadir import Secrets
from microtill.acquirer.problems import Problem
from microtill.acquirer.tables import Attempts

_FORGET_S = 24 * 3600


@dataclass(frozen=True)
class Rule:
    """`free` tries without a delay; then `first_s` seconds, doubled with each failure up to `longest_s`.

    `shared`: many may use this key; a success takes back its own try and clears nobody else's.
    """

    name: str
    free: int
    first_s: int
    longest_s: int
    shared: bool = False


SIGN_IN_NAME = Rule("sign-in name", 5, 15, 15 * 60)
SIGN_IN_ADDRESS = Rule("sign-in address", 20, 15, 15 * 60, shared=True)
CODE_SERIAL = Rule("code serial", 5, 60, 3600)
CODE_ADDRESS = Rule("code address", 20, 30, 3600, shared=True)


class Throttle:
    """Counts in the database, under keyed hashes: what a person typed into the wrong field is not kept."""

    def __init__(self, database: Database, secrets: Secrets, clock: Callable[[], float] = time.time):
        self._database = database
        self._secrets = secrets
        self._clock = clock

    def _key(self, rule: Rule, what: str) -> str:
        return self._secrets.code_digest("attempts", rule.name, what)

    def enter(self, *tries: tuple[Rule, str]) -> None:
        """Begin a try, which counts as failed until `forgive`. Raises Problem 429 when it must wait.

        Counting first keeps a hundred guesses at once from being a hundred first guesses.
        """
        for again in (True, True, False):
            try:
                with self._database.begin() as session:
                    self._enter(session, tries)
                return
            except IntegrityError:  # another request's first try under the same key: its row is there now
                if not again:
                    raise

    def _enter(self, session: Session, tries: tuple[tuple[Rule, str], ...]) -> None:
        now = int(self._clock())
        session.execute(delete(Attempts).where(Attempts.last < now - _FORGET_S))
        for rule, what in sorted(tries, key=lambda t: self._key(*t)):  # one order of locks for all
            key = self._key(rule, what)
            row = session.get(Attempts, key, with_for_update=True)
            if row is None:
                row = Attempts(key=key, failures=0, last=now, until=0)
                session.add(row)
            if row.until > now:
                raise too_many(row.until - now)
            row.failures += 1
            row.last = now
            if row.failures >= rule.free:
                doubled = rule.first_s * 2 ** min(row.failures - rule.free, 30)
                row.until = now + min(doubled, rule.longest_s)
            session.flush()

    def forgive(self, session: Session, *tries: tuple[Rule, str]) -> None:
        """It was the right one."""
        for rule, what in sorted(tries, key=lambda t: self._key(*t)):
            row = session.get(Attempts, self._key(rule, what), with_for_update=True)
            if row is None:
                continue
            if rule.shared and row.failures > 1:
                row.failures -= 1
                row.until = 0 if row.failures < rule.free else row.until
            else:
                session.delete(row)


class Buckets:
    """So many requests a second of each caller, with some more at once; in memory."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic):
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> None:
        """Raises Problem 429 when `caller` asks too often. Runs on the event loop only."""
        now = self._clock()
        if len(self._levels) > 10_000:
            self._levels = {
                c: (v, at) for c, (v, at) in self._levels.items() if v + (now - at) * self._rate < self._burst
            }
        level, at = self._levels.get(caller, (float(self._burst), now))
        level = min(self._burst, level + (now - at) * self._rate)
        if level < 1:
            raise too_many(math.ceil((1 - level) / self._rate))
        self._levels[caller] = level - 1, now


def too_many(wait: int) -> Problem:
    return Problem(429, "too_many_attempts", f"too many tries: wait {wait} s", retry_after=wait)
