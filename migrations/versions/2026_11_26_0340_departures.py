"""What counts towards sending rates, so that all dispatchers together keep to them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, SmallInteger, String, Text

revision = "2026_11_26_0340"
down_revision = "2026_11_26_0050"
branch_labels = None
depends_on = None


def _text(length: int) -> String:
    return String(length).with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "departures",
        Column("shard", SmallInteger, nullable=False),
        Column("channel", _text(64), nullable=False),
        Column("counts_until", BigInteger, nullable=False),
        Column("batch", _text(36), nullable=False),
        Column("count", Integer, nullable=False),
        PrimaryKeyConstraint("shard", "channel", "counts_until", "batch", name="pk_departures"),
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE departures SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, "
            "autovacuum_vacuum_cost_delay = 0)"
        )
