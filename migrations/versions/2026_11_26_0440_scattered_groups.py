"""Claim groups whose shards do not follow one another: those of a cluster, which puts shards together by a hash."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text

revision = "2026_11_26_0440"
down_revision = "2026_11_26_0430"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, which is empty where a group reaches to the next one's first shard."""
    op.add_column("claims", Column("shards", Text))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("claims", "shards")
