"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("pan_hash", sa.String(length=64), nullable=False),
        sa.Column("pan", sa.String(length=19), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=True),
        sa.Column("rc", sa.String(length=2), nullable=True),
        sa.PrimaryKeyConstraint("pan_hash", name=op.f("pk_accounts")),
    )
    op.create_table(
        "card_uses",
        sa.Column("pan_hash", sa.String(length=64), nullable=False),
        sa.Column("psn", sa.String(length=2), nullable=False),
        sa.Column("atc", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tid", sa.String(length=8), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pan_hash", "psn", "atc", name=op.f("pk_card_uses")),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "credentials",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
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
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("alarm", sa.Boolean(), nullable=False),
        sa.Column("mid", sa.String(length=15), nullable=True),
        sa.Column("tid", sa.String(length=8), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_table(
        "merchants",
        sa.Column("mid", sa.String(length=15), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=80), nullable=False),
        sa.Column("phone", sa.String(length=24), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("parameters", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mid", name=op.f("pk_merchants")),
    )
    op.create_table(
        "debits",
        sa.Column("reference", sa.String(length=40), nullable=False),
        sa.Column("pan_hash", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["pan_hash"], ["accounts.pan_hash"], name=op.f("fk_debits_pan_hash")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_debits")),
    )
    op.create_table(
        "terminals",
        sa.Column("tid", sa.String(length=8), nullable=False),
        sa.Column("mid", sa.String(length=15), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("batch", sa.String(length=6), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_n", sa.BigInteger(), nullable=False),
        sa.Column("last_head", sa.String(length=64), nullable=False),
        sa.Column("last_stan", sa.String(length=6), nullable=False),
        sa.Column("ticket_version", sa.BigInteger(), nullable=False),
        sa.Column("active_version", sa.BigInteger(), nullable=False),
        sa.Column("fw", sa.String(length=40), nullable=False),
        sa.Column("signed_on", sa.Boolean(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["mid"], ["merchants.mid"], name=op.f("fk_terminals_mid")),
        sa.PrimaryKeyConstraint("tid", name=op.f("pk_terminals")),
    )
    with op.batch_alter_table("terminals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_terminals_mid"), ["mid"], unique=False)

    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tid", sa.String(length=8), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("mid", sa.String(length=15), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("req", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("rc", sa.String(length=2), nullable=True),
        sa.Column("action", sa.String(length=10), nullable=True),
        sa.Column("reason", sa.String(length=80), nullable=True),
        sa.Column("result", sa.String(length=12), nullable=True),
        sa.Column("rrn", sa.String(length=12), nullable=True),
        sa.Column("auth", sa.String(length=6), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("decided", sa.BigInteger(), nullable=True),
        sa.Column("stan", sa.String(length=6), nullable=True),
        sa.Column("batch", sa.String(length=6), nullable=True),
        sa.Column("utc", sa.BigInteger(), nullable=True),
        sa.Column("offset", sa.BigInteger(), nullable=True),
        sa.Column("business_date", sa.String(length=8), nullable=True),
        sa.Column("operator", sa.String(length=16), nullable=True),
        sa.Column("shift", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("parts", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("items", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("entry", sa.String(length=3), nullable=True),
        sa.Column("aid", sa.String(length=32), nullable=True),
        sa.Column("scheme", sa.String(length=16), nullable=True),
        sa.Column("cvm", sa.String(length=24), nullable=True),
        sa.Column("pan", sa.String(length=19), nullable=True),
        sa.Column("pan_hash", sa.String(length=64), nullable=True),
        sa.Column("token", sa.String(length=22), nullable=True),
        sa.Column("psn", sa.String(length=2), nullable=True),
        sa.Column("atc", sa.BigInteger(), nullable=True),
        sa.Column("emv", sa.Text(), nullable=True),
        sa.Column("original_seq", sa.BigInteger(), nullable=True),
        sa.Column("original_req", sa.String(length=64), nullable=True),
        sa.Column("reversed_by", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tid"], ["terminals.tid"], name=op.f("fk_messages_tid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("tid", "seq", name=op.f("uq_messages_tid_seq")),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index("ix_messages_state", ["state"], unique=False)
        batch_op.create_index("ix_messages_tid_batch_stan", ["tid", "batch", "stan"], unique=False)

    op.create_table(
        "tickets",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tid", sa.String(length=8), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("board", sa.String(length=40), nullable=False),
        sa.Column("fw", sa.String(length=40), nullable=False),
        sa.Column("jkt", sa.String(length=43), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("ikid", sa.String(length=16), nullable=False),
        sa.Column("nonce", sa.String(length=22), nullable=False),
        sa.Column("credential_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["credential_id"], ["credentials.id"], name=op.f("fk_tickets_credential_id")),
        sa.ForeignKeyConstraint(["tid"], ["terminals.tid"], name=op.f("fk_tickets_tid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("ikid", name=op.f("uq_tickets_ikid")),
        sa.UniqueConstraint("nonce", name=op.f("uq_tickets_nonce")),
        sa.UniqueConstraint("tid", "version", name=op.f("uq_tickets_tid_version")),
    )
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tickets_jkt"), ["jkt"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tickets_jkt"))

    op.drop_table("tickets")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index("ix_messages_tid_batch_stan")
        batch_op.drop_index("ix_messages_state")

    op.drop_table("messages")
    with op.batch_alter_table("terminals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_terminals_mid"))

    op.drop_table("terminals")
    op.drop_table("debits")
    op.drop_table("merchants")
    op.drop_table("events")
    op.drop_table("credentials")
    op.drop_table("counters")
    op.drop_table("card_uses")
    op.drop_table("accounts")
