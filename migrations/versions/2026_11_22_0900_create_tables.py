"""The first tables.

Every statement is written out: what a database got once must not change when `db/tables.py` does.
"""

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

revision = "2026_11_22_0900"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    _create_installation()
    _create_documents()
    _create_journeys()
    _create_armings()
    _create_keys()
    _create_contacts()
    _create_events()
    _create_seen()
    _create_entries()
    _create_runs()
    _create_trail()
    _create_refusals()
    _create_addresses()
    _create_coupons()
    _create_claims()
    _create_inbox()
    _create_failures()
    _create_timers()
    _create_tasks()
    _create_messages()
    _create_statistics()


def _create_installation() -> None:
    op.create_table(
        "installation",
        Column("name", String(64), nullable=False),
        Column("value", Text, nullable=False),
        PrimaryKeyConstraint("name", name=op.f("pk_installation")),
        sqlite_with_rowid=False,
    )


def _create_documents() -> None:
    op.create_table(
        "documents",
        Column("kind", String(64), nullable=False),
        Column("id", String(64), nullable=False),
        Column("version", Integer, nullable=False),
        Column("status", String(64), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("digest", String(64), nullable=False),
        Column("document", Text, nullable=False),
        Column("source", Text),
        PrimaryKeyConstraint("kind", "id", "version", name=op.f("pk_documents")),
        CheckConstraint("status IN ('published', 'stored', 'removed')", name=op.f("ck_documents_status")),
        sqlite_with_rowid=False,
    )


def _create_journeys() -> None:
    op.create_table(
        "journeys",
        Column("id", String(64), nullable=False),
        Column("state", String(64), nullable=False),
        Column("version", Integer, nullable=False),
        Column("published_at", BigInteger),
        Column("paused_at", BigInteger),
        PrimaryKeyConstraint("id", name=op.f("pk_journeys")),
        CheckConstraint(
            "state IN ('draft', 'live', 'entries_paused', 'paused', 'archived')", name=op.f("ck_journeys_state")
        ),
        sqlite_with_rowid=False,
    )


def _create_armings() -> None:
    op.create_table(
        "armings",
        Column("journey", String(64), nullable=False),
        Column("trigger", String(64), nullable=False),
        Column("at", BigInteger, nullable=False),
        PrimaryKeyConstraint("journey", "trigger", name=op.f("pk_armings")),
        sqlite_with_rowid=False,
    )


def _create_keys() -> None:
    op.create_table(
        "keys",
        Column("id", String(64), nullable=False),
        Column("digest", String(64), nullable=False),
        Column("scope", String(64), nullable=False),
        Column("name", Text),
        Column("created_at", BigInteger, nullable=False),
        Column("revoked_at", BigInteger),
        PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        CheckConstraint("scope IN ('browser', 'write', 'read', 'admin')", name=op.f("ck_keys_scope")),
        sqlite_with_rowid=False,
    )


def _create_contacts() -> None:
    op.create_table(
        "contacts",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("timer_at", BigInteger),
        Column("state", Text, nullable=False),
        PrimaryKeyConstraint("shard", "contact", name=op.f("pk_contacts")),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("name", String(255), nullable=False),
        Column("handled_at", BigInteger, nullable=False),
        Column("number", Integer, nullable=False),
        Column("occurred_at", BigInteger, nullable=False),
        Column("claimed_at", BigInteger),
        Column("properties", Text, nullable=False),
        PrimaryKeyConstraint("shard", "contact", "name", "handled_at", "number", name=op.f("pk_events")),
    )


def _create_seen() -> None:
    op.create_table(
        "seen",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("message_id", String(255), nullable=False),
        Column("at", BigInteger, nullable=False),
        PrimaryKeyConstraint("shard", "contact", "message_id", name=op.f("pk_seen")),
        sqlite_with_rowid=False,
    )


def _create_entries() -> None:
    op.create_table(
        "entries",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("journey", String(64), nullable=False),
        Column("key", String(255), nullable=False),
        Column("first_at", BigInteger, nullable=False),
        Column("last_at", BigInteger, nullable=False),
        Column("count", Integer, nullable=False),
        PrimaryKeyConstraint("shard", "contact", "journey", "key", name=op.f("pk_entries")),
        sqlite_with_rowid=False,
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("id", String(36), nullable=False),
        Column("journey", String(64), nullable=False),
        Column("version", Integer, nullable=False),
        Column("key", String(255), nullable=False),
        Column("status", String(64), nullable=False),
        Column("node", String(64)),
        Column("due_at", BigInteger),
        Column("entered_at", BigInteger, nullable=False),
        Column("ended_at", BigInteger),
        Column("open_until", BigInteger),
        Column("reason", Text),
        Column("state", Text, nullable=False),
        PrimaryKeyConstraint("shard", "contact", "id", name=op.f("pk_runs")),
        CheckConstraint("status IN ('active', 'completed', 'exited', 'holdout')", name=op.f("ck_runs_status")),
        CheckConstraint("(status = 'active') = (ended_at IS NULL)", name=op.f("ck_runs_ended")),
    )
    op.create_index(op.f("ix_runs_id"), "runs", ["id"])


def _create_trail() -> None:
    op.create_table(
        "trail",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("number", Integer, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("records", Text, nullable=False),
        PrimaryKeyConstraint("shard", "contact", "number", name=op.f("pk_trail")),
    )


def _create_refusals() -> None:
    op.create_table(
        "refusals",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("journey", String(64), nullable=False),
        Column("trigger", Integer, nullable=False),
        Column("reason", String(64), nullable=False),
        Column("day", Integer, nullable=False),
        Column("count", Integer, nullable=False),
        Column("version", Integer, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("detail", Text, nullable=False),
        PrimaryKeyConstraint("shard", "contact", "journey", "trigger", "reason", "day", name=op.f("pk_refusals")),
        sqlite_with_rowid=False,
    )


def _create_addresses() -> None:
    op.create_table(
        "addresses",
        Column("shard", SmallInteger, nullable=False),
        Column("address", String(64), nullable=False),
        Column("suppressed", SmallInteger, nullable=False),
        Column("unsubscribed", SmallInteger, nullable=False),
        Column("at", BigInteger, nullable=False),
        PrimaryKeyConstraint("shard", "address", name=op.f("pk_addresses")),
        sqlite_with_rowid=False,
    )


def _create_coupons() -> None:
    op.create_table(
        "coupons",
        Column("shard", SmallInteger, nullable=False),
        Column("pool", String(64), nullable=False),
        Column("code", String(128), nullable=False),
        Column("contact", String(255), nullable=False),
        Column("journey", String(64), nullable=False),
        Column("run", String(36), nullable=False),
        Column("node", String(64), nullable=False),
        Column("visit", Integer, nullable=False),
        Column("allocated_at", BigInteger, nullable=False),
        Column("expires_at", String(40), nullable=False),
        Column("redeemed_at", BigInteger),
        PrimaryKeyConstraint("shard", "pool", "code", name=op.f("pk_coupons")),
        sqlite_with_rowid=False,
    )


def _create_claims() -> None:
    op.create_table(
        "claims",
        Column("shard", SmallInteger, autoincrement=False, nullable=False),
        Column("now", BigInteger, nullable=False),
        PrimaryKeyConstraint("shard", name=op.f("pk_claims")),
        sqlite_with_rowid=False,
    )


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        Column("id", BigInteger, nullable=False),
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("kind", String(64), nullable=False),
        Column("payload", Text, nullable=False),
        PrimaryKeyConstraint("id", "shard", "contact", name=op.f("pk_inbox")),
        sqlite_with_rowid=False,
    )


def _create_failures() -> None:
    op.create_table(
        "failures",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("id", BigInteger, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("kind", String(64), nullable=False),
        Column("payload", Text, nullable=False),
        Column("error", Text, nullable=False),
        Column("failed_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("shard", "contact", "id", name=op.f("pk_failures")),
        sqlite_with_rowid=False,
    )


def _create_timers() -> None:
    op.create_table(
        "timers",
        Column("due_at", BigInteger, nullable=False),
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        PrimaryKeyConstraint("due_at", "shard", "contact", name=op.f("pk_timers")),
        sqlite_with_rowid=False,
    )


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        Column("shard", SmallInteger, nullable=False),
        Column("id", String(36), nullable=False),
        Column("kind", String(64), nullable=False),
        Column("args", Text, nullable=False),
        Column("cursor", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("shard", "id", name=op.f("pk_tasks")),
        sqlite_with_rowid=False,
    )


def _create_messages() -> None:
    op.create_table(
        "messages",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("id", String(36), nullable=False),
        Column("journey", String(64), nullable=False),
        Column("version", Integer, nullable=False),
        Column("node", String(64), nullable=False),
        Column("run", String(36), nullable=False),
        Column("channel", String(64), nullable=False),
        Column("template", String(64), nullable=False),
        Column("template_version", Integer, nullable=False),
        Column("to", Text),
        Column("topic", String(64)),
        Column("transactional", SmallInteger, nullable=False),
        Column("status", String(64), nullable=False),
        Column("reason", Text),
        Column("subject", Text),
        Column("queued_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger),
        Column("due_at", BigInteger),
        Column("lease_until", BigInteger),
        Column("attempts", SmallInteger, nullable=False),
        Column("sent_at", BigInteger),
        Column("provider_id", Text),
        Column("values", Text, nullable=False),
        Column("overrides", Text, nullable=False),
        PrimaryKeyConstraint("shard", "contact", "id", name=op.f("pk_messages")),
        CheckConstraint(
            "status IN ('queued', 'sending', 'sent', 'failed', 'skipped', 'cancelled')", name=op.f("ck_messages_status")
        ),
        CheckConstraint("(due_at IS NOT NULL) = (status IN ('queued', 'sending'))", name=op.f("ck_messages_due")),
    )
    op.create_index(
        op.f("ix_messages_due_at"),
        "messages",
        ["due_at"],
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_messages_id"), "messages", ["id"])


def _create_statistics() -> None:
    op.create_table(
        "statistics",
        Column("shard", SmallInteger, nullable=False),
        Column("journey", String(64), nullable=False),
        Column("version", Integer, nullable=False),
        Column("node", String(64), nullable=False),
        Column("kind", String(255), nullable=False),
        Column("day", Integer, nullable=False),
        Column("count", BigInteger, nullable=False),
        PrimaryKeyConstraint("shard", "journey", "version", "node", "kind", "day", name=op.f("pk_statistics")),
        sqlite_with_rowid=False,
    )
