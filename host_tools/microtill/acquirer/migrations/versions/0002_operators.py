"""Operators and their sessions in place of credentials; work, outcomes, activation codes; a chained audit log."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# An audit row stays as it was written, whoever asks the database otherwise.
_REFUSE = "audit rows are never changed"
_SQLITE = [
    f"CREATE TRIGGER audit_no_{act} BEFORE {act} ON audit BEGIN SELECT RAISE(ABORT, '{_REFUSE}'); END"
    for act in ("UPDATE", "DELETE")
]
_POSTGRESQL = [
    f"CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{_REFUSE}'; END $$",
    "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_refuse()",
]


def _triggers() -> list[str]:
    return {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}.get(op.get_bind().dialect.name, [])


def upgrade() -> None:
    op.create_table(
        "operators",
        sa.Column("id", _Key, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password", sa.String(length=200), nullable=False),
        sa.Column("totp", sa.LargeBinary(), nullable=False),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operators")),
        sa.UniqueConstraint("name", name=op.f("uq_operators_name")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", _Key, autoincrement=True, nullable=False),
        sa.Column("operator_id", _Key, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("client", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_sessions_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_sessions_digest")),
    )
    op.create_index(op.f("ix_sessions_operator_id"), "sessions", ["operator_id"])
    op.create_table(
        "attempts",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_last"), "attempts", ["last"])
    op.create_table(
        "audit",
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("client", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("alarm", sa.Boolean(), nullable=False),
        sa.Column("mid", sa.String(length=15), nullable=True),
        sa.Column("tid", sa.String(length=8), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("serial", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_tid"), "audit", ["tid"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "work",
        sa.Column("id", _Key, autoincrement=True, nullable=False),
        sa.Column("tid", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=True),
        sa.Column("assigned", sa.String(length=32), nullable=True),
        sa.Column("note", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["tid"], ["terminals.tid"], name=op.f("fk_work_tid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work")),
    )
    op.create_index(op.f("ix_work_tid"), "work", ["tid"])
    op.create_table(
        "outcomes",
        sa.Column("id", _Key, autoincrement=True, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("operator", sa.String(length=32), nullable=False),
        sa.Column("tid", sa.String(length=8), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.String(length=8), nullable=False),
        sa.Column("detail", sa.String(length=120), nullable=False),
        sa.Column("client", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.ForeignKeyConstraint(["tid"], ["terminals.tid"], name=op.f("fk_outcomes_tid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcomes")),
    )
    op.create_index(op.f("ix_outcomes_tid"), "outcomes", ["tid"])
    op.create_table(
        "activation_codes",
        sa.Column("id", _Key, autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("tid", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", _Key, nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tid"], ["terminals.tid"], name=op.f("fk_activation_codes_tid")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_activation_codes_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activation_codes")),
    )
    op.create_index(op.f("ix_activation_codes_serial"), "activation_codes", ["serial"])
    op.create_table(
        "closed_batches",
        sa.Column("tid", sa.String(length=8), nullable=False),
        sa.Column("batch", sa.String(length=6), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("closed_by", sa.String(length=40), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("missing_count", sa.BigInteger(), nullable=False),
        sa.Column("missing", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["tid"], ["terminals.tid"], name=op.f("fk_closed_batches_tid")),
        sa.PrimaryKeyConstraint("tid", "batch", name=op.f("pk_closed_batches")),
    )
    op.create_table(
        "suspense",
        sa.Column("id", _Key, autoincrement=True, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("tid", sa.String(length=8), nullable=False),
        sa.Column("batch", sa.String(length=6), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("original_seq", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("note", sa.String(length=120), nullable=False),
        sa.Column("resolved", sa.BigInteger(), nullable=True),
        sa.Column("resolved_by", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["tid"], ["terminals.tid"], name=op.f("fk_suspense_tid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspense")),
    )
    op.create_index(op.f("ix_suspense_tid"), "suspense", ["tid"])
    with op.batch_alter_table("terminals") as batch_op:
        batch_op.add_column(sa.Column("flag", sa.String(length=16), nullable=True))
    _tickets()
    _events_become_audit()
    for statement in _triggers():
        op.execute(statement)


def _tickets() -> None:
    with op.batch_alter_table("tickets") as batch_op:
        batch_op.add_column(sa.Column("issued_by", sa.String(length=40), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("last_seq", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("last_n", sa.BigInteger(), nullable=False, server_default="-1"))
        batch_op.add_column(sa.Column("last_head", sa.String(length=64), nullable=False, server_default=""))
    op.execute(
        "UPDATE tickets SET issued_by = (SELECT name FROM credentials WHERE credentials.id = tickets.credential_id)"
    )
    # What counts for a replaced unit was kept with its terminal until now.
    for name in ("last_seq", "last_n", "last_head"):
        held = f"SELECT {name} FROM terminals WHERE terminals.tid = tickets.tid"
        op.execute(f"UPDATE tickets SET {name} = ({held}) WHERE retired")
    with op.batch_alter_table("tickets") as batch_op:
        batch_op.drop_constraint("fk_tickets_credential_id", type_="foreignkey")
        batch_op.drop_column("credential_id")
        for name in ("issued_by", "last_seq", "last_n", "last_head"):
            batch_op.alter_column(name, server_default=None)
        batch_op.create_index(batch_op.f("ix_tickets_serial"), ["serial"])
    op.drop_table("credentials")


def _events_become_audit() -> None:
    """What was kept so far begins the chain. The rows' form is spelled out here: later changes must not touch it."""
    connection = op.get_bind()
    events = connection.execute(
        sa.text("SELECT time, kind, alarm, mid, tid, seq, detail FROM events ORDER BY id")
    ).fetchall()
    audit = sa.table(
        "audit",
        *(sa.column(c) for c in ["n", "time", "actor", "role", "address", "client", "kind"]),
        sa.column("alarm", sa.Boolean()),
        *(sa.column(c) for c in ["mid", "tid", "seq", "serial", "detail", "chain"]),
    )
    chain = "0" * 64
    n = 0
    for n, event in enumerate(events, 1):
        told = [n, event.time, "acquirer", "acquirer", "", "", event.kind, bool(event.alarm)]
        told += [event.mid, event.tid, event.seq, None, event.detail]
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        chain = hashlib.sha256(f"{chain}\n{text}".encode()).hexdigest()
        connection.execute(sa.insert(audit).values([*told, chain]))
    connection.execute(
        sa.text("INSERT INTO audit_head (id, n, chain) VALUES (1, :n, :chain)").bindparams(n=n, chain=chain)
    )
    op.drop_table("events")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_append_only ON audit")
        op.execute("DROP FUNCTION audit_refuse()")
    op.create_table(
        "credentials",
        sa.Column("id", _Key, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("digest", name=op.f("uq_credentials_digest")),
        sa.UniqueConstraint("name", name=op.f("uq_credentials_name")),
    )
    op.create_table(
        "events",
        sa.Column("id", _Key, autoincrement=True, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("alarm", sa.Boolean(), nullable=False),
        sa.Column("mid", sa.String(length=15), nullable=True),
        sa.Column("tid", sa.String(length=8), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.execute(
        "INSERT INTO events (id, time, kind, alarm, mid, tid, seq, detail)"
        " SELECT n, time, kind, alarm, mid, tid, seq, substr(detail, 1, 120) FROM audit"
    )
    # Nobody's credential can come back: tickets get one that fits no secret.
    op.execute(
        "INSERT INTO credentials (name, digest, created, revoked)"
        " SELECT DISTINCT substr(issued_by, 1, 32), 'none ' || substr(issued_by, 1, 32), 0, 0 FROM tickets"
    )
    for table in ("suspense", "closed_batches", "activation_codes", "outcomes", "work", "audit_head", "audit"):
        op.drop_table(table)
    op.drop_table("attempts")
    op.drop_table("sessions")
    op.drop_table("operators")
    # Not by a copy of the table, which is what the migration tool would do: its rows are referred to.
    op.execute("ALTER TABLE terminals DROP COLUMN flag")
    with op.batch_alter_table("tickets") as batch_op:
        batch_op.drop_index(batch_op.f("ix_tickets_serial"))
        batch_op.add_column(sa.Column("credential_id", _Key, nullable=True))
    op.execute(
        "UPDATE tickets SET credential_id ="
        " (SELECT id FROM credentials WHERE credentials.name = substr(tickets.issued_by, 1, 32))"
    )
    with op.batch_alter_table("tickets") as batch_op:
        batch_op.alter_column("credential_id", existing_type=_Key, nullable=False)
        batch_op.create_foreign_key("fk_tickets_credential_id", "credentials", ["credential_id"], ["id"])
        for name in ("issued_by", "last_seq", "last_n", "last_head"):
            batch_op.drop_column(name)
