"""Claim groups, and what PostgreSQL is told of the tables; there are no rows on PostgreSQL before this.

SQLite gets one column. On PostgreSQL text is compared by code points as on SQLite and is not held to a length, the
queues are parted by claim group, and tables that change all the time keep room for it and are cleaned often.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, SmallInteger, Text

revision = "2026_11_26_0050"
down_revision = "2026_11_26_0030"
branch_labels = None
depends_on = None

GROUPS = 16
SHARDS = 1024
SIZE = SHARDS // GROUPS

TABLES = (
    "addresses", "aliases", "armings", "calls", "claims", "codes", "contacts", "coupons", "documents", "entries",
    "events", "failures", "firings", "holders", "inbox", "installation", "journeys", "keys", "messages", "pool_counts",
    "refusals", "resumptions", "runs", "seen", "statistics", "tasks", "timers", "trail",
)  # fmt: skip

UPDATED = ("contacts", "runs", "messages", "calls", "entries", "refusals", "coupons", "codes")
"""Their rows change: pages keep room for the new ones, which need no new entry in an index then."""
COUNTERS = ("claims", "statistics", "pool_counts", "tasks", "installation")
"""Few rows that change with every turn."""
APPENDED = ("events", "trail", "seen")
"""Their rows only come and, much later, go."""

OFTEN = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05"
ALWAYS = (
    "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0, "
    "autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000, "
    "autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000"
)


def upgrade() -> None:
    """Add the column; on PostgreSQL make of the tables what they are to be."""
    op.add_column("claims", Column("timers_from", BigInteger, nullable=False, server_default="0"))
    if op.get_context().dialect.name == "postgresql":
        _compare_by_code_points()
        _part_the_queues()
        _make_groups()
        _settle()


def _compare_by_code_points() -> None:
    names = ", ".join(f"'{name}'" for name in TABLES)
    op.execute(
        f"""
        DO $$
        DECLARE one record;
        BEGIN
          FOR one IN
            SELECT table_name, column_name FROM information_schema.columns
            WHERE table_schema = current_schema() AND data_type = 'character varying' AND table_name IN ({names})
          LOOP
            EXECUTE 'ALTER TABLE ' || quote_ident(one.table_name) || ' ALTER COLUMN ' || quote_ident(one.column_name)
              || ' TYPE text COLLATE "C"';
          END LOOP;
        END $$
        """
    )


def _part_the_queues() -> None:
    op.drop_table("inbox")
    op.create_table(
        "inbox",
        Column("id", BigInteger, nullable=False),
        Column("shard", SmallInteger, nullable=False),
        Column("contact", Text(collation="C"), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("kind", Text(collation="C"), nullable=False),
        Column("payload", Text, nullable=False),
        PrimaryKeyConstraint("id", "shard", "contact", name=op.f("pk_inbox")),
        postgresql_partition_by="RANGE (shard)",
    )
    op.drop_table("timers")
    op.create_table(
        "timers",
        Column("due_at", BigInteger, nullable=False),
        Column("shard", SmallInteger, nullable=False),
        Column("contact", Text(collation="C"), nullable=False),
        PrimaryKeyConstraint("due_at", "shard", "contact", name=op.f("pk_timers")),
        postgresql_partition_by="RANGE (shard)",
    )
    for table in ("inbox", "timers"):
        for first in range(0, SHARDS, SIZE):
            op.execute(
                f"CREATE TABLE {table}_{first:04} PARTITION OF {table} FOR VALUES FROM ({first}) TO ({first + SIZE}) "
                f"WITH ({ALWAYS})"
            )


def _make_groups() -> None:
    rows = ", ".join(f"({first}, 0)" for first in range(0, SHARDS, SIZE))
    op.execute(f"INSERT INTO claims (shard, now) VALUES {rows}")


def _settle() -> None:
    for table in UPDATED:
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 80, {OFTEN})")
    for table in COUNTERS:
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50, {ALWAYS})")
    for table in APPENDED:
        op.execute(f"ALTER TABLE {table} SET ({OFTEN})")
