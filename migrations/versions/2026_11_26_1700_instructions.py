"""What all runs of a journey follow once: the ends of pauses, and from here on migrations as well (rule 8.4)."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, PrimaryKeyConstraint, String, Text

revision = "2026_11_26_1700"
down_revision = "2026_11_26_1430"
branch_labels = None
depends_on = None

RESUMPTIONS = """
INSERT INTO instructions (journey, at, kind, args)
SELECT journey, at, 'resume', '{"paused_at":' || paused_at || ',"mode":"' || mode || '","over":' || "over" || '}'
FROM resumptions
"""
TASKS = """UPDATE tasks SET args = replace(args, '"resumption":', '"instruction":')"""


def _slug() -> String:
    return String(64).with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Put the ends of pauses that are still followed into a table for whatever is followed so."""
    op.create_table(
        "instructions",
        Column("journey", _slug(), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("kind", _slug(), nullable=False),
        Column("args", Text, nullable=False),
        PrimaryKeyConstraint("journey", "at", name="pk_instructions"),
        CheckConstraint("kind IN ('resume', 'migrate')", name=op.f("ck_instructions_kind")),
        sqlite_with_rowid=False,
    )
    op.execute(RESUMPTIONS)
    op.drop_table("resumptions")
    op.execute(TASKS)
