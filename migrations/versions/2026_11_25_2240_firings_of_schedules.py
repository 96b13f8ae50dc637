"""The instants at which schedules have fired, so that each fires once (rule 3.8)."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, SmallInteger, String

revision = "2026_11_25_2240"
down_revision = "2026_11_25_2230"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "firings",
        Column("shard", SmallInteger, nullable=False),
        Column("journey", String(64), nullable=False),
        Column("trigger", String(64), nullable=False),
        Column("fire_at", BigInteger, nullable=False),
        Column("at", BigInteger, nullable=False),
        PrimaryKeyConstraint("shard", "journey", "trigger", "fire_at", name=op.f("pk_firings")),
        sqlite_with_rowid=False,
    )
