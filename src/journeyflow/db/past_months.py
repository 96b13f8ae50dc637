"""Putting away months that are kept no longer, on PostgreSQL, while everybody goes on working.

A month is detached first, which waits for those who may be reading it and is waited for by nobody, and dropped then.
Whatever interrupts that is taken up again: a month that is half detached is known to PostgreSQL, one that is detached
and not dropped by what is written on it. A table that somebody else detached, to keep it, is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, Table, column, exists, select, text
from sqlalchemy import table as table_named

from journeyflow.core.values import to_micros
from journeyflow.db import months
from journeyflow.db.months import MONTHLY, Month
from journeyflow.db.store import each_alone
from journeyflow.db.tables import messages

_MARK: Final = "journeyflow: kept no longer, is being dropped"


def put_away(engine: Engine, limits: Mapping[str, datetime], go_on: Callable[[], bool] = lambda: True) -> int:
    """Drop the months that lie before the limits as a whole, and those that somebody began to put away; how many.

    A month with messages that wait for their delivery stays. Where another process is at it, nothing is done.

    :param limits: tables by name, and the instant before which their rows are kept no longer.
    :raises Overloaded: when a transaction that may read such a month takes too long; the next time finishes it.
    """
    with each_alone(engine) as connection, alone(connection) as free:
        return _put_away(connection, limits, go_on) if free else 0


def _put_away(connection: Connection, limits: Mapping[str, datetime], go_on: Callable[[], bool]) -> int:
    count = 0
    for table in MONTHLY:
        for month in months.attached(connection, table, leaving=True):
            connection.exec_driver_sql(f"ALTER TABLE {table.name} DETACH PARTITION {month.part(table)} FINALIZE")
        count += sum(_drop(connection, table, month) for month in _marked(connection, table))
        before = limits.get(table.name)
        if before is None:
            continue
        for month in sorted(months.attached(connection, table)):
            if month.end > to_micros(before) or not go_on():
                break
            if not _awaited(connection, table, month):
                detach(connection, table, month)
                count += _drop(connection, table, month)
    return count


def detach(connection: Connection, table: Table, month: Month) -> None:
    """Take a month out of its table, and write on it what is to become of it."""
    part = month.part(table)
    connection.exec_driver_sql(f"COMMENT ON TABLE {part} IS '{_MARK}'")
    connection.exec_driver_sql(f"ALTER TABLE {table.name} DETACH PARTITION {part} CONCURRENTLY")


def _drop(connection: Connection, table: Table, month: Month) -> bool:
    """Drop what is detached; a month in which a message was queued meanwhile comes back instead."""
    if _awaited(connection, table, month):
        connection.exec_driver_sql(f"COMMENT ON TABLE {month.part(table)} IS NULL")
        months.attach(connection, table, month)
        return False
    connection.exec_driver_sql(f"DROP TABLE {month.part(table)}")
    return True


def _awaited(connection: Connection, table: Table, month: Month) -> bool:
    """Whether a dispatcher has something to do there."""
    if table is not messages:
        return False
    here = table_named(month.part(table), column("due_at"))
    return bool(connection.scalar(select(exists(select(here).where(here.c.due_at.is_not(None))))))


def _marked(connection: Connection, table: Table) -> list[Month]:
    """The months of a table that are detached, and are to be dropped."""
    names = connection.scalars(_MARKED, {"mark": _MARK})
    return sorted(month for month in (months.read_name(table, name) for name in names) if month is not None)


_MARKED: Final = text(
    "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(current_schema()) AND NOT relispartition"
    " AND obj_description(oid, 'pg_class') = :mark"
)


@contextmanager
def alone(connection: Connection) -> Iterator[bool]:
    """Whether no other process is at it; until the block ends."""
    name = {"name": _MARK}
    taken = bool(connection.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"), name))
    try:
        yield taken
    finally:
        if taken and not connection.invalidated:
            connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), name)
