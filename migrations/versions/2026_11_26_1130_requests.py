"""Requests that their client named, and what was answered to them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, SmallInteger, String, Text

revision = "2026_11_26_1130"
down_revision = "2026_11_26_1050"
branch_labels = None
depends_on = None


def _text(length: int) -> String:
    return String(length).with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "requests",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", _text(255), nullable=False),
        Column("name", _text(64), nullable=False),
        Column("asked", _text(64), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("status", SmallInteger),
        Column("headers", Text),
        Column("body", Text),
        PrimaryKeyConstraint("shard", "contact", "name", name="pk_requests"),
    )
    op.create_index("ix_requests_name", "requests", ["name"])
