"""One person, two contacts: where a contact was merged, and who a trail was written of before."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, SmallInteger, String

revision = "2026_11_25_2250"
down_revision = "2026_11_25_2240"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the column."""
    op.create_table(
        "aliases",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("into", String(255), nullable=False),
        Column("at", BigInteger, nullable=False),
        PrimaryKeyConstraint("shard", "contact", name=op.f("pk_aliases")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_aliases_into", "aliases", ["into"])
    op.add_column("trail", Column("former", String(255)))


def downgrade() -> None:
    """Take them away."""
    op.drop_column("trail", "former")
    op.drop_table("aliases")
