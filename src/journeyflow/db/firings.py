"""The instants at which schedules have fired: one row each, so that each fires once (rule 3.8)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from journeyflow.core.identity import shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk
from journeyflow.db.tables import firings


def last(connection: Connection) -> dict[tuple[str, str], datetime]:
    """When each schedule fired last, by journey and trigger key."""
    columns = (firings.c.journey, firings.c.trigger)
    rows = connection.execute(select(*columns, func.max(firings.c.fire_at)).group_by(*columns)).all()
    return {(journey, trigger): from_micros(fire_at) for journey, trigger, fire_at in rows}


def put(connection: Connection, journey: str, trigger: str, fire_at: datetime, now: datetime) -> None:
    """A schedule fires; that of one instant twice is an error."""
    row = (shard_of(journey), journey, trigger, to_micros(fire_at), to_micros(now))
    bulk.insert(connection, firings, [row])
