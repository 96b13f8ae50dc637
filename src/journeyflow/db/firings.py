"""The instants at which schedules have fired: one row each, so that each fires once (rule 3.8).

Each claim group fires for its own contacts, at its place among what happens to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, func, select

from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk
from journeyflow.db.claims import Group
from journeyflow.db.tables import firings

Fired = Mapping[tuple[str, str], datetime]
"""When each schedule fired last, by journey and trigger key."""


def last_of_groups(connection: Connection, groups: Iterable[Group]) -> dict[Group, Fired]:
    """When each schedule fired last for the contacts of each group."""
    columns = (firings.c.shard, firings.c.journey, firings.c.trigger)
    rows = connection.execute(select(*columns, func.max(firings.c.fire_at)).group_by(*columns)).all()
    found: dict[Group, dict[tuple[str, str], datetime]] = {group: {} for group in groups}
    for shard, journey, trigger, fire_at in rows:
        for group, fired in found.items():
            if group.has(shard):
                at = from_micros(fire_at)
                fired[journey, trigger] = max(at, fired.get((journey, trigger), at))
    return {**found}


def put(connection: Connection, group: Group, journey: str, trigger: str, fire_at: datetime, now: datetime) -> None:
    """A schedule fires for the contacts of a group; that of one instant twice is an error."""
    row = (group.first, journey, trigger, to_micros(fire_at), to_micros(now))
    bulk.insert(connection, firings, [row])
