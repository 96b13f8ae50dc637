"""Pauses of journeys that are over, so that it can be told why somebody was not let in during one of them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String, Text

revision = "2026_11_26_0450"
down_revision = "2026_11_26_0440"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "pauses",
        Column("journey", String(64).with_variant(Text(collation="C"), "postgresql"), nullable=False),
        Column("paused_at", BigInteger, nullable=False),
        Column("ended_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("journey", "paused_at", name="pk_pauses"),
        sqlite_with_rowid=False,
    )
