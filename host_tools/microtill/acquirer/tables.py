"""The acquirer's tables.

Merchants, terminals and their messages first; then what operators are and leave: accounts, work, codes, audit.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows only in INTEGER keys.
_Key = BigInteger().with_variant(Integer, "sqlite")


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
    """`last_seq`, `last_n`, `last_head`: how far this terminal has come; they never fall (`last_n` within a unit).

    `flag`: what proved a copied or set-back unit; nothing is sold until an administrator clears it.
    """

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
    flag: Mapped[str | None] = mapped_column(String(16))
    last_seen: Mapped[int | None]
    created: Mapped[int]


class Ticket(Base):
    """One issued ticket: a device key and an initial key bound to a TID.

    `retired`: the TID has another unit now, or the unit another TID; how far this one has come then counts here.
    """

    __tablename__ = "tickets"
    __table_args__ = (UniqueConstraint("tid", "version"),)

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    tid: Mapped[str] = mapped_column(ForeignKey("terminals.tid"))
    version: Mapped[int]
    mode: Mapped[str] = mapped_column(String(8))
    serial: Mapped[str] = mapped_column(String(40), index=True)
    board: Mapped[str] = mapped_column(String(40))
    fw: Mapped[str] = mapped_column(String(40))
    jkt: Mapped[str] = mapped_column(String(43), index=True)
    public_key: Mapped[bytes]
    ikid: Mapped[str] = mapped_column(String(16), unique=True)
    nonce: Mapped[str] = mapped_column(String(22), unique=True)
    issued_by: Mapped[str] = mapped_column(String(40))
    retired: Mapped[bool] = mapped_column(Boolean, default=False)
    last_seq: Mapped[int] = mapped_column(default=0)
    last_n: Mapped[int] = mapped_column(default=-1)
    last_head: Mapped[str] = mapped_column(String(64), default="")
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


class Counter(Base):
    """A number that only rises, taken under a lock."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[int]


class Operator(Base):
    """A person with an account. `password` is a salted scrypt hash, `totp` the sealed secret of the second factor."""

    __tablename__ = "operators"

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    password: Mapped[str] = mapped_column(String(200))
    totp: Mapped[bytes]
    totp_step: Mapped[int] = mapped_column(default=0)  # the last one accepted: never again, nor an earlier one
    created: Mapped[int]
    disabled: Mapped[int | None]


class OperatorSession(Base):
    """A signed-in operator; of the token only its hash is kept."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[int]
    expires: Mapped[int]
    revoked: Mapped[int | None]
    address: Mapped[str] = mapped_column(String(45))
    client: Mapped[str] = mapped_column(String(80))


class Attempts(Base):
    """Failed tries under one key (a keyed hash of a name, serial or address), and until when no more are taken."""

    __tablename__ = "attempts"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    last: Mapped[int] = mapped_column(index=True)
    until: Mapped[int] = mapped_column(default=0)


class AuditRow(Base):
    """Who did what to which unit, from where. Append-only; `chain` is a hash over this row and the one before."""

    __tablename__ = "audit"

    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time: Mapped[int]
    actor: Mapped[str] = mapped_column(String(40))
    role: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(45))
    client: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(32))
    alarm: Mapped[bool] = mapped_column(Boolean)
    mid: Mapped[str | None] = mapped_column(String(15))
    tid: Mapped[str | None] = mapped_column(String(8), index=True)
    seq: Mapped[int | None]
    serial: Mapped[str | None] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(String(200))
    chain: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """How many rows the audit log has, and the hash of the last: one row, and the lock under which it grows."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int]
    chain: Mapped[str] = mapped_column(String(64))


class Work(Base):
    """Something for a technician to do. `state`: open, done, cancelled; `kind`: install, replace, move."""

    __tablename__ = "work"

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    tid: Mapped[str] = mapped_column(ForeignKey("terminals.tid"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    serial: Mapped[str | None] = mapped_column(String(40))
    assigned: Mapped[str | None] = mapped_column(String(32))
    note: Mapped[str] = mapped_column(String(120), default="")
    state: Mapped[str] = mapped_column(String(10), default="open")
    created: Mapped[int]
    created_by: Mapped[str] = mapped_column(String(40))
    closed: Mapped[int | None]
    closed_by: Mapped[str | None] = mapped_column(String(40))


class Outcome(Base):
    """How a technician's work on a unit ended."""

    __tablename__ = "outcomes"

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    time: Mapped[int]
    operator: Mapped[str] = mapped_column(String(32))
    tid: Mapped[str] = mapped_column(ForeignKey("terminals.tid"), index=True)
    serial: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    result: Mapped[str] = mapped_column(String(8))
    detail: Mapped[str] = mapped_column(String(120))
    client: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(45))


class ActivationCode(Base):
    """A one-time code for one serial and TID, kept as a keyed hash. `state`: open, used, burned, withdrawn."""

    __tablename__ = "activation_codes"

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    digest: Mapped[str] = mapped_column(String(64))
    serial: Mapped[str] = mapped_column(String(40), index=True)
    tid: Mapped[str] = mapped_column(ForeignKey("terminals.tid"))
    state: Mapped[str] = mapped_column(String(10), default="open")
    failures: Mapped[int] = mapped_column(default=0)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    created: Mapped[int]
    created_by: Mapped[str] = mapped_column(String(40))
    expires: Mapped[int]


class ClosedBatch(Base):
    """A batch that was closed here because its unit cannot settle any more. `missing`: seqs that never came."""

    __tablename__ = "closed_batches"

    tid: Mapped[str] = mapped_column(ForeignKey("terminals.tid"), primary_key=True)
    batch: Mapped[str] = mapped_column(String(6), primary_key=True)
    time: Mapped[int]
    closed_by: Mapped[str] = mapped_column(String(40))
    count: Mapped[int]
    amount: Mapped[int]
    missing_count: Mapped[int]
    missing: Mapped[list[Any]]


class Suspense(Base):
    """What arrived for a closed batch and moved, or would move, money. `state`: open, resolved."""

    __tablename__ = "suspense"

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    time: Mapped[int]
    tid: Mapped[str] = mapped_column(ForeignKey("terminals.tid"), index=True)
    batch: Mapped[str] = mapped_column(String(6))
    type: Mapped[str] = mapped_column(String(20))
    seq: Mapped[int]
    original_seq: Mapped[int | None]
    amount: Mapped[int | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(10), default="open")
    note: Mapped[str] = mapped_column(String(120), default="")
    resolved: Mapped[int | None]
    resolved_by: Mapped[str | None] = mapped_column(String(40))
