"""Who has which e-mail address: contacts are found by its normal form."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint, SmallInteger, String

from journeyflow.core.identity import address_hash

revision = "2026_11_26_0000"
down_revision = "2026_11_25_2250"
branch_labels = None
depends_on = None

BATCH = 1_000


def upgrade() -> None:
    """Add the table, and fill it from the contacts that are there."""
    emails = op.create_table(
        "emails",
        Column("shard", SmallInteger, nullable=False),
        Column("contact", String(255), nullable=False),
        Column("address", String(64), nullable=False),
        PrimaryKeyConstraint("shard", "contact", name=op.f("pk_emails")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_emails_address", "emails", ["address"])
    if not op.get_context().as_sql:  # where the statements are only printed there is nothing to read
        for rows in _known():
            op.bulk_insert(emails, rows)


def _known() -> Iterator[list[dict[str, object]]]:
    contacts = sa.table("contacts", sa.column("shard"), sa.column("contact"), sa.column("state"))
    key = (contacts.c.shard, contacts.c.contact)
    after: tuple[int, str] = (-1, "")
    while True:
        query = sa.select(contacts).where(sa.tuple_(*key) > sa.tuple_(*after)).order_by(*key).limit(BATCH)
        rows = op.get_bind().execute(query).all()
        if not rows:
            return
        after = (rows[-1].shard, rows[-1].contact)
        emails = ((row, orjson.loads(row.state)["attributes"].get("email")) for row in rows)
        yield [
            {"shard": row.shard, "contact": row.contact, "address": address_hash("email", email)}
            for row, email in emails
            if isinstance(email, str) and email.strip()
        ]


def downgrade() -> None:
    """Take it away."""
    op.drop_table("emails")
