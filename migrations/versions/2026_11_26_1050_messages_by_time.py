"""The key of messages tells their order in time, which saves an index that did."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Text,
    text,
)

revision = "2026_11_26_1050"
down_revision = "2026_11_26_0450"
branch_labels = None
depends_on = None

KEY = ("shard", "contact", "queued_at", "id")
DUE = text("due_at IS NOT NULL")


def upgrade() -> None:
    """Write the key anew; SQLite has to write the table anew for that."""
    op.drop_index("ix_messages_shard_contact_queued_at", table_name="messages")
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint("pk_messages", "messages")
        op.create_primary_key("pk_messages", "messages", KEY)
        return
    op.drop_index("ix_messages_id", table_name="messages")
    op.drop_index("ix_messages_channel_due_at", table_name="messages")
    op.rename_table("messages", "messages_before")
    columns = _columns()
    op.create_table(
        "messages",
        *columns,
        PrimaryKeyConstraint(*KEY, name="pk_messages"),
        CheckConstraint(
            "status IN ('queued', 'sending', 'sent', 'failed', 'skipped', 'cancelled')", name=op.f("ck_messages_status")
        ),
        CheckConstraint("(due_at IS NOT NULL) = (status IN ('queued', 'sending'))", name=op.f("ck_messages_due")),
    )
    names = ", ".join(f'"{column.name}"' for column in columns)
    op.execute(f"INSERT INTO messages ({names}) SELECT {names} FROM messages_before ORDER BY rowid")
    op.drop_table("messages_before")
    op.create_index("ix_messages_id", "messages", ["id"])
    op.create_index("ix_messages_channel_due_at", "messages", ["channel", "due_at"], sqlite_where=DUE)


def _columns() -> list[Column[object]]:
    return [
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("queued_at", BigInteger, nullable=False),
        Column("id", String(36), nullable=False),
        *(Column(name, String(64), nullable=False) for name in ("journey", "node", "channel", "template", "status")),
        *(Column(name, Integer, nullable=False) for name in ("version", "template_version")),
        Column("run", String(36), nullable=False),
        *(Column(name, Text) for name in ("to", "reason", "subject", "provider_id")),
        Column("topic", String(64)),
        *(Column(name, SmallInteger, nullable=False) for name in ("transactional", "attempts")),
        *(Column(name, BigInteger) for name in ("expires_at", "due_at", "lease_until", "sent_at")),
        *(Column(name, Text, nullable=False) for name in ("values", "overrides")),
        *(Column(name, BigInteger) for name in ("opened_at", "clicked_at")),
        Column("number", Integer, nullable=False, server_default="0"),
    ]
