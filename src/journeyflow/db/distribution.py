"""A plain PostgreSQL schema becomes one that is spread over a cluster (Citus), with all that it holds.

Distributed tables are spread by ``shard``, all alike, so that whatever belongs together lies together; reference tables
are the same everywhere. Claim groups become the shards that lie together, since a turn locks and writes in one place.

See https://docs.citusdata.com/en/stable/develop/api_udf.html for the functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, MetaData, Table, delete, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from journeyflow.core.identity import SHARDS
from journeyflow.db import bulk
from journeyflow.db import regroup as regrouping
from journeyflow.db.claims import WHOLE, Group
from journeyflow.db.tables import SHARD, claims, metadata

DISTRIBUTED: Final = tuple(table for table in metadata.sorted_tables if table.info["spread"] == "distributed")
REFERENCE: Final = tuple(table for table in metadata.sorted_tables if table.info["spread"] == "reference")
PARTS: Final = 32
"""Parts of each table in the cluster, each of which is a claim group: as many turns can go on at once."""
CLEANED_OFTEN: Final = (
    "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0, "
    "autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000, "
    "autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000"
)
"""As the parts of the queues are (in the migrations)."""
_FIRST: Final = claims
"""The table beside which the others are put."""

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this one untyped


def is_cluster(connection: Connection) -> bool:
    """Whether the database has the extension."""
    return bool(connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'citus'")))


def is_distributed(connection: Connection) -> bool:
    """Whether the tables are spread already."""
    query = text("SELECT count(*) FROM pg_dist_partition WHERE logicalrelid = to_regclass(:table)")
    return bool(connection.scalar(query, {"table": _FIRST.name}))


def statements() -> Iterator[str]:
    """What spreads the tables, in order.

    Queues are parted by ranges of shards here, which would cut across the parts of the cluster, of which each is a
    table anyway: they are put together first.
    """
    yield f"SET LOCAL citus.shard_count = {PARTS}"
    yield "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"
    for table in REFERENCE:
        yield f"SELECT create_reference_table('{table.name}')"
    for table in (_FIRST, *(table for table in DISTRIBUTED if table is not _FIRST)):
        if table.dialect_options["postgresql"]["partition_by"] == f"RANGE ({SHARD})":
            yield from _without_parts(table)
        beside = "none" if table is _FIRST else _FIRST.name
        yield f"SELECT create_distributed_table('{table.name}', '{SHARD}', colocate_with => '{beside}')"


def _without_parts(table: Table) -> Iterator[str]:
    """The same table, with its rows, in one piece."""
    whole = table.to_metadata(MetaData(naming_convention=metadata.naming_convention))
    whole.dialect_options["postgresql"]["partition_by"] = None
    old = f"{table.name}_in_parts"
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    yield f"ALTER TABLE {table.name} RENAME TO {old}"
    yield f"ALTER TABLE {old} DROP CONSTRAINT pk_{table.name}"
    for index in whole.indexes:
        yield f"ALTER INDEX {index.name} RENAME TO {index.name}_in_parts"
    yield " ".join(str(CreateTable(whole).compile(dialect=_DIALECT)).split())
    for index in whole.indexes:
        yield str(CreateIndex(index).compile(dialect=_DIALECT))
    yield f"ALTER TABLE {table.name} SET ({CLEANED_OFTEN})"
    yield f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {old}"
    yield f"DROP TABLE {old}"


def run(connection: Connection) -> None:
    """Spread the tables."""
    for statement in statements():
        connection.exec_driver_sql(statement)


def groups_that_lie_together(connection: Connection) -> list[Group]:
    """The shards whose rows the cluster keeps in one of its parts, as claim groups."""
    query = text(
        "SELECT n, get_shard_id_for_distribution_column(CAST(:table AS regclass), CAST(n AS smallint))"
        " FROM generate_series(0, :last) AS n"
    )
    found: dict[int, list[int]] = defaultdict(list)
    for shard, part in connection.execute(query, {"table": _FIRST.name, "last": SHARDS - 1}):
        found[part].append(shard)
    return sorted(Group.naming(shards) for shards in found.values())


def regroup(connection: Connection, before: Sequence[Group], after: Sequence[Group]) -> None:
    """What belongs to the claim groups, for other groups.

    :raises Conflict: when groups can't become one now.
    """
    overlaps = regrouping.overlaps(before, after)
    regrouping.check(connection, overlaps)
    for table in regrouping.OF_GROUPS:
        rows = [row for part in regrouping.rows_for(connection, table, overlaps) for row in part]
        connection.execute(delete(table).where(WHOLE.of(table)))
        bulk.insert(connection, table, rows)
    regrouping.await_anew(connection, after)
