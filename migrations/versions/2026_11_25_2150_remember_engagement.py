"""Remember of messages that they were opened and clicked, and find those of a contact by their time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_25_2150"
down_revision = "2026_11_25_2140"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("opened_at", sa.BigInteger(), nullable=True))
    op.add_column("messages", sa.Column("clicked_at", sa.BigInteger(), nullable=True))
    op.add_column("messages", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_messages_shard_contact_queued_at", "messages", ["shard", "contact", "queued_at"])


def downgrade() -> None:
    op.drop_index("ix_messages_shard_contact_queued_at", table_name="messages")
    op.drop_column("messages", "number")
    op.drop_column("messages", "clicked_at")
    op.drop_column("messages", "opened_at")
