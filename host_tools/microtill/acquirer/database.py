"""The database: transactions that lock a row before deciding, and migrations.

SQLite (WAL) is the default: every writing transaction begins IMMEDIATE, so the row it reads cannot change before it
writes. On PostgreSQL the same code locks by SELECT … FOR UPDATE.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from microtill.acquirer import audit
from microtill.acquirer.tables import Counter

# The newest migration; a database at this revision needs no migration tool at start.
HEAD = "0002"


class DatabaseError(Exception):
    """The database cannot be reached, or its schema is not one this version can use."""


def _sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours, below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # an answer sent is an answer kept, power cut or not
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=20000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


class Database:
    """`begin()` for writing transactions, `read()` for reading ones; sessions close at the end of each."""

    def __init__(self, url: str):
        try:
            self.engine = create_engine(url, pool_size=10, max_overflow=40)
        except (ArgumentError, ImportError) as e:
            raise DatabaseError(f"database URL: {e}") from e
        if self.engine.dialect.name == "sqlite":
            _sqlite(self.engine)
        self._writers = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(self.engine.execution_options(read_only=True), expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction that commits at the end, with what it noted for the audit log; an exception rolls it back."""
        with self._writers.begin() as session:
            yield session
            audit.chain(session)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view; nothing is written."""
        with self._readers() as session:
            yield session

    def revision(self) -> str | None:
        """The schema's migration, or None for an empty database."""
        try:
            with self.engine.connect() as connection:
                if not inspect(connection).has_table("alembic_version"):
                    return None
                return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        except OperationalError as e:
            raise DatabaseError(f"cannot open the database: {e.orig}") from e

    def migrate(self) -> None:
        """Bring the schema to HEAD; nothing to do is quick. Raises DatabaseError."""
        revision = self.revision()
        if revision == HEAD:
            return
        # The migration tool takes longer to import than a whole start does.
        from alembic import command
        from alembic.util import CommandError

        try:
            with self.engine.begin() as connection:
                command.upgrade(alembic_config(connection), "head")
        except CommandError as e:
            raise DatabaseError(f"schema {revision} is not known to this version: {e}") from e

    def close(self) -> None:
        self.engine.dispose()


def alembic_config(connection: Any) -> Any:
    """The packaged migrations, run on `connection`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def next_counter(session: Session, name: str) -> int:
    """1, 2, 3, … under `name`; each value once, whatever runs at the same time."""
    counter = session.get(Counter, name, with_for_update=True)
    if counter is None:
        with suppress(IntegrityError), session.begin_nested():  # two may be the first at once
            session.add(Counter(name=name, value=0))
        counter = session.get_one(Counter, name, with_for_update=True, populate_existing=True)
    counter.value += 1
    session.flush()
    return counter.value
