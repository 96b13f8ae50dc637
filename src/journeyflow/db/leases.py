"""Taking what is due from a queue that several processes work off: each row goes to one of them.

On PostgreSQL rows are locked claim group by claim group, since a cluster locks in one place at a time; those that
another process is just taking are left to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, String, Table, Text, and_, select, true
from sqlalchemy.types import TypeEngine

from journeyflow.db import bulk
from journeyflow.db.claims import groups
from journeyflow.db.store import on_postgresql
from journeyflow.db.tables import SHARD

ROUNDS_MAX: Final = 4
"""So many times what others are just taking is passed over."""
_Row = Any  # Any: a row of the table


def take_due(
    connection: Connection, table: Table, now: int, limit: int, of: ColumnElement[bool] | None = None
) -> list[_Row]:
    """The rows that are due longest, at most so many, in that order; nobody else takes them until the transaction ends.

    :param table: with ``shard`` and ``contact`` in its key, and a column ``due_at``.
    :param now: microseconds since the epoch.
    :param of: which rows of the queue; what a row never changes.
    """
    if limit <= 0:
        return []
    due = (true() if of is None else of) & (table.c.due_at <= now)
    if not on_postgresql(connection):
        return [*connection.execute(select(table).where(due).order_by(table.c.due_at).limit(limit)).all()]
    key = table.primary_key.columns
    for round_ in range(ROUNDS_MAX):
        query = select(*key).where(due).order_by(table.c.due_at).limit(limit).offset(round_ * limit)
        places = [(*row,) for row in connection.execute(query)]
        found = _locked(connection, table, now, places)
        if found or len(places) < limit:
            return found
    return []


def _type_of(column: Column[Any]) -> type[TypeEngine[Any]]:  # Any: as above
    return Text if isinstance(column.type, String) else type(column.type)


def _locked(connection: Connection, table: Table, now: int, places: Sequence[tuple[Any, ...]]) -> list[_Row]:
    """The rows at these places that are still due, in the order of the places.

    What PostgreSQL could find many rows by is left out, else it may read these instead of going to the places, once
    for each group: that rows are due is compared with what the places bring along, and of a group the shards are named
    that have places, not all.
    """
    key = [*table.primary_key.columns]
    found: dict[tuple[Any, ...], _Row] = {}
    for group in groups(connection) if places else ():
        mine = [(*place, now) for place in places if group.has(place[0])]
        if mine:
            wanted = bulk.rows(connection, {**{one.name: _type_of(one) for one in key}, "now": BigInteger}, mine)
            same = and_(*(one == wanted.c[one.name] for one in key), table.c.due_at <= wanted.c.now)
            named = table.c[SHARD].in_(sorted({shard for shard, *_ in mine}))
            query = select(table).select_from(wanted.join(table, same)).where(named)
            rows = connection.execute(query.with_for_update(of=table, skip_locked=True))
            found.update({tuple([row._mapping[one.name] for one in key]): row for row in rows})
    return [found[place] for place in places if place in found]
