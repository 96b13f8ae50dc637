"""Calls of webhooks, and the stock of coupon pools whose codes are uploaded or listed."""

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

revision = "2026_11_25_2130"
down_revision = "2026_11_22_0900"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; what was given out before is counted."""
    _create_codes()
    _create_pool_counts()
    _create_calls()
    # Grouped by shard, so that it can run where tables are distributed, too.
    op.execute(
        "INSERT INTO pool_counts (shard, pool, kind, count) "
        "SELECT shard, pool, 'given', count(*) FROM coupons GROUP BY shard, pool"
    )
    op.execute(
        "INSERT INTO pool_counts (shard, pool, kind, count) "
        "SELECT shard, pool, 'redeemed', count(*) FROM coupons WHERE redeemed_at IS NOT NULL GROUP BY shard, pool"
    )


def _create_codes() -> None:
    op.create_table(
        "codes",
        Column("shard", SmallInteger, nullable=False),
        Column("pool", String(64), nullable=False),
        Column("code", String(128), nullable=False),
        Column("number", BigInteger, nullable=False),
        Column("state", String(64), nullable=False),
        PrimaryKeyConstraint("shard", "pool", "code", name=op.f("pk_codes")),
        CheckConstraint("state IN ('left', 'given', 'withdrawn')", name=op.f("ck_codes_state")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_codes_left"),
        "codes",
        ["shard", "pool", "number", "code"],
        sqlite_where=text("state = 'left'"),
        postgresql_where=text("state = 'left'"),
    )


def _create_pool_counts() -> None:
    op.create_table(
        "pool_counts",
        Column("shard", SmallInteger, nullable=False),
        Column("pool", String(64), nullable=False),
        Column("kind", String(64), nullable=False),
        Column("count", BigInteger, nullable=False),
        PrimaryKeyConstraint("shard", "pool", "kind", name=op.f("pk_pool_counts")),
        sqlite_with_rowid=False,
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("id", String(36), nullable=False),
        Column("journey", String(64), nullable=False),
        Column("version", Integer, nullable=False),
        Column("run", String(36), nullable=False),
        Column("node", String(64), nullable=False),
        Column("visit", Integer, nullable=False),
        Column("method", String(64), nullable=False),
        Column("url", Text, nullable=False),
        Column("headers", Text, nullable=False),
        Column("body", Text),
        Column("awaited", SmallInteger, nullable=False),
        Column("host_written", SmallInteger, nullable=False),
        Column("status", String(64), nullable=False),
        Column("reason", Text),
        Column("reply_status", Integer),
        Column("queued_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        Column("due_at", BigInteger),
        Column("attempts", SmallInteger, nullable=False),
        Column("ended_at", BigInteger),
        PrimaryKeyConstraint("shard", "contact", "id", name=op.f("pk_calls")),
        CheckConstraint("status IN ('queued', 'sending', 'answered', 'failed')", name=op.f("ck_calls_status")),
        CheckConstraint("(due_at IS NOT NULL) = (status IN ('queued', 'sending'))", name=op.f("ck_calls_due")),
    )
    op.create_index(
        op.f("ix_calls_due_at"),
        "calls",
        ["due_at"],
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    )
