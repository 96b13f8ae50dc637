"""When a run was held, and how journeys go on after a pause (rule 8.2)."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, PrimaryKeyConstraint, String

revision = "2026_11_25_2140"
down_revision = "2026_11_25_2130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them."""
    op.add_column("runs", Column("held_at", BigInteger))
    op.create_table(
        "resumptions",
        Column("journey", String(64), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("paused_at", BigInteger, nullable=False),
        Column("mode", String(64), nullable=False),
        Column("over", BigInteger, nullable=False),
        PrimaryKeyConstraint("journey", "at", name=op.f("pk_resumptions")),
        CheckConstraint("mode IN ('now', 'over', 'shift', 'skip')", name=op.f("ck_resumptions_mode")),
        sqlite_with_rowid=False,
    )
