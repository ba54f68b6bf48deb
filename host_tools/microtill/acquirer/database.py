"""The acquirer's tables, and transactions that lock a row before deciding.

SQLite (WAL) is the default: every writing transaction begins IMMEDIATE, so the row it reads cannot change before it
writes. On PostgreSQL the same code locks by SELECT … FOR UPDATE.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

# The newest migration; a database at this revision needs no migration tool at start.
HEAD = "0001"

# SQLite numbers rows only in INTEGER keys.
_Key = BigInteger().with_variant(Integer, "sqlite")


class DatabaseError(Exception):
    """The database cannot be reached, or its schema is not one this version can use."""


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        int: BigInteger,
        bytes: LargeBinary,
    }


class Merchant(Base):
    __tablename__ = "merchants"

    mid: Mapped[str] = mapped_column(String(15), primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    address: Mapped[str] = mapped_column(String(80), default="")
    phone: Mapped[str] = mapped_column(String(24), default="")
    status: Mapped[str] = mapped_column(String(10), default="active")
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created: Mapped[int]


class Terminal(Base):
    """`last_seq`, `last_n`, `last_head`: how far this terminal has come; they never fall (`last_n` within a unit)."""

    __tablename__ = "terminals"

    tid: Mapped[str] = mapped_column(String(8), primary_key=True)
    mid: Mapped[str] = mapped_column(ForeignKey("merchants.mid"), index=True)
    status: Mapped[str] = mapped_column(String(10), default="new")
    batch: Mapped[str] = mapped_column(String(6), default="000001")
    last_seq: Mapped[int] = mapped_column(default=0)
    last_n: Mapped[int] = mapped_column(default=-1)
    last_head: Mapped[str] = mapped_column(String(64), default="")
    last_stan: Mapped[str] = mapped_column(String(6), default="000000")
    ticket_version: Mapped[int] = mapped_column(default=0)
    active_version: Mapped[int] = mapped_column(default=0)
    fw: Mapped[str] = mapped_column(String(40), default="")
    signed_on: Mapped[bool] = mapped_column(Boolean, default=False)
    last_seen: Mapped[int | None]
    created: Mapped[int]


class Ticket(Base):
    """One issued ticket: a device key and an initial key bound to a TID. `retired`: another unit has replaced it."""

    __tablename__ = "tickets"
    __table_args__ = (UniqueConstraint("tid", "version"),)

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    tid: Mapped[str] = mapped_column(ForeignKey("terminals.tid"))
    version: Mapped[int]
    mode: Mapped[str] = mapped_column(String(8))
    serial: Mapped[str] = mapped_column(String(40))
    board: Mapped[str] = mapped_column(String(40))
    fw: Mapped[str] = mapped_column(String(40))
    jkt: Mapped[str] = mapped_column(String(43), index=True)
    public_key: Mapped[bytes]
    ikid: Mapped[str] = mapped_column(String(16), unique=True)
    nonce: Mapped[str] = mapped_column(String(22), unique=True)
    credential_id: Mapped[int] = mapped_column(ForeignKey("credentials.id"))
    retired: Mapped[bool] = mapped_column(Boolean, default=False)
    issued: Mapped[int]
    expires: Mapped[int]


class Message(Base):
    """One (TID, seq) and what was answered. `state`: in_progress, done, or tombstone (reversed before it came)."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("tid", "seq"),
        Index("ix_messages_tid_batch_stan", "tid", "batch", "stan"),
        Index("ix_messages_state", "state"),
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    tid: Mapped[str] = mapped_column(ForeignKey("terminals.tid"))
    seq: Mapped[int]
    mid: Mapped[str] = mapped_column(String(15))
    type: Mapped[str] = mapped_column(String(20))
    req: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12))
    outcome: Mapped[str | None] = mapped_column(String(10))
    rc: Mapped[str | None] = mapped_column(String(2))
    action: Mapped[str | None] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(80))
    result: Mapped[str | None] = mapped_column(String(12))
    rrn: Mapped[str | None] = mapped_column(String(12))
    auth: Mapped[str | None] = mapped_column(String(6))
    answer: Mapped[str | None] = mapped_column(Text)
    created: Mapped[int]
    decided: Mapped[int | None]
    # What the terminal said.
    stan: Mapped[str | None] = mapped_column(String(6))
    batch: Mapped[str | None] = mapped_column(String(6))
    utc: Mapped[int | None]
    offset: Mapped[int | None]
    business_date: Mapped[str | None] = mapped_column(String(8))
    operator: Mapped[str | None] = mapped_column(String(16))
    shift: Mapped[int | None]
    amount: Mapped[int | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    parts: Mapped[dict[str, Any] | None]
    items: Mapped[list[Any] | None]
    # The card, as far as it may be kept: never the PAN, never track data.
    entry: Mapped[str | None] = mapped_column(String(3))
    aid: Mapped[str | None] = mapped_column(String(32))
    scheme: Mapped[str | None] = mapped_column(String(16))
    cvm: Mapped[str | None] = mapped_column(String(24))
    pan: Mapped[str | None] = mapped_column(String(19))  # masked 6/4
    pan_hash: Mapped[str | None] = mapped_column(String(64))
    token: Mapped[str | None] = mapped_column(String(22))
    psn: Mapped[str | None] = mapped_column(String(2))
    atc: Mapped[int | None]
    emv: Mapped[str | None] = mapped_column(Text)
    # A reversal or status names its original; a sale names the reversal that undid it.
    original_seq: Mapped[int | None]
    original_req: Mapped[str | None] = mapped_column(String(64))
    reversed_by: Mapped[int | None]


class CardUse(Base):
    """A (PAN, PSN, ATC) that some terminal has already brought."""

    __tablename__ = "card_uses"

    pan_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    psn: Mapped[str] = mapped_column(String(2), primary_key=True)
    atc: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tid: Mapped[str] = mapped_column(String(8))
    seq: Mapped[int]


class Account(Base):
    """The test issuer's book: a limited balance, or an answer of its own, for one card."""

    __tablename__ = "accounts"

    pan_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    pan: Mapped[str] = mapped_column(String(19))  # masked 6/4
    balance: Mapped[int | None]
    rc: Mapped[str | None] = mapped_column(String(2))


class Debit(Base):
    """What the test issuer took from an account, by the acquirer's reference."""

    __tablename__ = "debits"

    reference: Mapped[str] = mapped_column(String(40), primary_key=True)
    pan_hash: Mapped[str] = mapped_column(ForeignKey("accounts.pan_hash"))
    amount: Mapped[int]


class Credential(Base):
    """A technician's provisioning credential; only its hash is kept."""

    __tablename__ = "credentials"

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[int]
    revoked: Mapped[int | None]


class Event(Base):
    """What an auditor reads: alarms, and what administrators did."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    time: Mapped[int]
    kind: Mapped[str] = mapped_column(String(32))
    alarm: Mapped[bool] = mapped_column(Boolean, default=False)
    mid: Mapped[str | None] = mapped_column(String(15))
    tid: Mapped[str | None] = mapped_column(String(8))
    seq: Mapped[int | None]
    detail: Mapped[str] = mapped_column(String(120), default="")


class Counter(Base):
    """A number that only rises, taken under a lock."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[int]


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
        """A transaction that commits at the end, or rolls back on an exception."""
        with self._writers.begin() as session:
            yield session

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
        counter = Counter(name=name, value=0)
        session.add(counter)
    counter.value += 1
    session.flush()
    return counter.value
