"""Reading the counters of journeys."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from journeyflow.core.effects import Statistic
from journeyflow.db.tables import statistics


def totals(connection: Connection, journey: str) -> dict[Statistic, int]:
    """All counters of a journey, over all days and shards."""
    columns = (statistics.c.journey, statistics.c.version, statistics.c.node, statistics.c.kind)
    rows = connection.execute(
        select(*columns, func.sum(statistics.c.count)).where(statistics.c.journey == journey).group_by(*columns)
    )
    return {Statistic(journey_, version, node, kind): count for journey_, version, node, kind, count in rows}


def waiting(connection: Connection, journey: str) -> dict[str, int]:
    """How many runs stand at each node."""
    found: dict[str, int] = {}
    for one, count in totals(connection, journey).items():
        if one.kind == "waiting":
            found[one.node] = found.get(one.node, 0) + count
    return found
