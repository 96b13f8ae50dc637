"""Which contacts have an address; those that are there are entered."""

from __future__ import annotations

from alembic import context, op
from orjson import loads
from sqlalchemy import Column, PrimaryKeyConstraint, SmallInteger, String, text

from journeyflow.core.address import ATTRIBUTES, written
from journeyflow.core.identity import address_hash, shard_of

revision = "2026_11_26_0030"
down_revision = "2026_11_25_2250"
branch_labels = None
depends_on = None
ROWS = 10_000


def upgrade() -> None:
    """Make the table, and fill it; the hash of an address is fixed for the life of an installation."""
    op.create_table(
        "holders",
        Column("shard", SmallInteger, nullable=False),
        Column("address", String(64), nullable=False),
        Column("holder", String(255), nullable=False),
        PrimaryKeyConstraint("shard", "address", "holder", name=op.f("pk_holders")),
        sqlite_with_rowid=False,
    )
    if context.is_offline_mode():  # printed statements can't hash; then contacts are entered as their addresses change
        return
    connection = op.get_bind()
    put = text("INSERT INTO holders (shard, address, holder) VALUES (:shard, :address, :holder)")
    place = (-1, "")
    while True:
        rows = connection.execute(
            text(
                "SELECT shard, contact, state FROM contacts WHERE (shard, contact) > (:shard, :contact)"
                " ORDER BY shard, contact LIMIT :rows"
            ),
            {"shard": place[0], "contact": place[1], "rows": ROWS},
        ).all()
        if not rows:
            return
        place = (rows[-1].shard, rows[-1].contact)
        known = [
            {"shard": shard_of(digest), "address": digest, "holder": contact}
            for _, contact, state in rows
            for digest in _digests(loads(state)["attributes"])
        ]
        if known:
            connection.execute(put, known)


def _digests(attributes: dict[str, object]) -> set[str]:
    found = ((channel, written(attributes, channel)) for channel in ATTRIBUTES)
    return {address_hash(channel, known) for channel, known in found if known is not None}


def downgrade() -> None:
    """Take it away."""
    op.drop_table("holders")
