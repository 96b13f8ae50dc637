"""What is found by its id is found by the id's beginning, and nobody who knows its place looks for it that way."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "2026_11_26_1430"
down_revision = "2026_11_26_1130"
branch_labels = None
depends_on = None

BEGINNING = "substr(id, 1, 8)"


def upgrade() -> None:
    """Make the indexes anew."""
    for table in ("runs", "messages"):
        op.drop_index(f"ix_{table}_id", table_name=table)
        op.create_index(f"ix_{table}_id", table, [text(BEGINNING)])
