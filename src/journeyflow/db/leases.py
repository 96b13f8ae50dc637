"""Taking what is due from a queue that several processes work off: each row goes to one of them.

On PostgreSQL rows are locked claim group by claim group, since a cluster locks in one place at a time; those that
another process is just taking are left to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, String, Table, Text, and_, select
from sqlalchemy.types import TypeEngine

from journeyflow.db import bulk
from journeyflow.db.claims import groups
from journeyflow.db.store import on_postgresql

ROUNDS_MAX: Final = 4
"""So many times what others are just taking is passed over."""
_Row = Any  # Any: a row of the table


def take_due(connection: Connection, table: Table, due: ColumnElement[bool], limit: int) -> list[_Row]:
    """The rows that are due longest, at most so many; nobody else takes them until the transaction ends.

    :param table: with the key ``(shard, contact, id)`` and a column ``due_at``.
    """
    if limit <= 0:
        return []
    if not on_postgresql(connection):
        return [*connection.execute(select(table).where(due).order_by(table.c.due_at).limit(limit)).all()]
    key = table.primary_key.columns
    for round_ in range(ROUNDS_MAX):
        query = select(*key).where(due).order_by(table.c.due_at).limit(limit).offset(round_ * limit)
        places = [(*row,) for row in connection.execute(query)]
        found = _locked(connection, table, due, places)
        if found or len(places) < limit:
            return found
    return []


def _type_of(column: Column[Any]) -> type[TypeEngine[Any]]:  # Any: as above
    return Text if isinstance(column.type, String) else type(column.type)


def _locked(connection: Connection, table: Table, due: ColumnElement[bool], places: Sequence[_Row]) -> list[_Row]:
    found: list[_Row] = []
    for group in groups(connection) if places else ():
        mine = [place for place in places if group.has(place[0])]
        if mine:
            key = table.primary_key.columns
            wanted = bulk.rows(connection, {one.name: _type_of(one) for one in key}, mine)
            same = and_(*(one == wanted.c[one.name] for one in key))
            query = select(table).select_from(wanted.join(table, same)).where(group.of(table), due)
            found.extend(connection.execute(query.with_for_update(of=table, skip_locked=True)))
    return sorted(found, key=lambda row: row.due_at)
