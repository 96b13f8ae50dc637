"""Find due messages by channel, so that one that has to wait for its sending rate does not hold up the others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_25_2230"
down_revision = "2026_11_25_2150"
branch_labels = None
depends_on = None

_DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_messages_channel_due_at", "messages", ["channel", "due_at"], sqlite_where=_DUE, postgresql_where=_DUE
    )
    op.drop_index("ix_messages_due_at", table_name="messages")


def downgrade() -> None:
    op.create_index("ix_messages_due_at", "messages", ["due_at"], sqlite_where=_DUE, postgresql_where=_DUE)
    op.drop_index("ix_messages_channel_due_at", table_name="messages")
