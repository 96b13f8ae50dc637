"""Events, trail and messages by month, on PostgreSQL: what is kept no longer goes as a whole month.

The instant that says the month becomes part of the key there. SQLite stays as it is. What was there is moved into the
tables of its months; those of months to come the program makes itself (``journeyflow.db.months``).
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_26_0430"
down_revision = "2026_11_26_0345"
branch_labels = None
depends_on = None

OFTEN = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05"
TABLES = {
    "events": ("handled_at", "shard, contact, name, handled_at, number", OFTEN),
    "trail": ("at", "shard, contact, at, number", OFTEN),
    "messages": ("queued_at", "shard, contact, id, queued_at", f"fillfactor = 80, {OFTEN}"),
}
"""For each table its instant, its key, and how PostgreSQL is to treat it."""
INDEXES = {
    "ix_messages_channel_due_at": "(channel, due_at) WHERE due_at IS NOT NULL",
    "ix_messages_id": "(id)",
    "ix_messages_shard_contact_queued_at": "(shard, contact, queued_at)",
}

FIRST = 1_577_836_800_000_000
"""2020: what is older shares a table."""
END = 4_102_444_800_000_000
"""2100: what is later shares a table."""


def upgrade() -> None:
    """Part the tables."""
    if op.get_context().dialect.name != "postgresql":
        return
    for index in INDEXES:
        op.execute(f"DROP INDEX {index}")
    for table, (at, key, settings) in TABLES.items():
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_whole")
        op.execute(f"ALTER TABLE {table}_whole DROP CONSTRAINT pk_{table}")
        op.execute(
            f"CREATE TABLE {table} (LIKE {table}_whole INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
            f" PARTITION BY RANGE ({at})"
        )
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({key})")
        op.execute(_part(table, "before_2020", f"FROM (MINVALUE) TO ({FIRST})", settings))
        op.execute(_part(table, "from_2100", f"FROM ({END}) TO (MAXVALUE)", settings))
        op.execute(_months(table, at, settings))
        op.execute(f"INSERT INTO {table} SELECT * FROM {table}_whole")
        op.execute(f"DROP TABLE {table}_whole")
    for index, what in INDEXES.items():
        op.execute(f"CREATE INDEX {index} ON messages {what}")


def _part(table: str, name: str, bounds: str, settings: str) -> str:
    return f"CREATE TABLE {table}_{name} PARTITION OF {table} FOR VALUES {bounds} WITH ({settings})"


def _months(table: str, at: str, settings: str) -> str:
    """A table for each month of which there are rows."""
    return f"""
        DO $$
        DECLARE month timestamp;
        BEGIN
          FOR month IN
            SELECT DISTINCT date_trunc('month', timestamp 'epoch' + {at} / 1000000 * interval '1 second')
            FROM {table}_whole WHERE {at} >= {FIRST} AND {at} < {END}
          LOOP
            EXECUTE 'CREATE TABLE {table}_' || to_char(month, 'YYYY_MM') || ' PARTITION OF {table} FOR VALUES FROM ('
              || extract(epoch FROM month)::bigint * 1000000 || ') TO ('
              || extract(epoch FROM month + interval '1 month')::bigint * 1000000 || ') WITH ({settings})';
          END LOOP;
        END $$
        """
