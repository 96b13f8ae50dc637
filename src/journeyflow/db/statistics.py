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
    return {Statistic(journey_, version, node, kind): int(count) for journey_, version, node, kind, count in rows}


def standing(connection: Connection, journey: str) -> dict[tuple[int, str], int]:
    """How many runs stand at each node of each version at which any do."""
    found = totals(connection, journey).items()
    return {(one.version, one.node): count for one, count in found if one.kind == "waiting" and count}


def waiting(connection: Connection, journey: str) -> dict[str, int]:
    """How many runs stand at each node, whatever their version."""
    found: dict[str, int] = {}
    for (_, node), count in standing(connection, journey).items():
        found[node] = found.get(node, 0) + count
    return found
