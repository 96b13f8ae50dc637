"""Months: on PostgreSQL the rows of events, trail and messages lie in one table for each month of their instants.

So what is kept no longer goes as a whole table (:mod:`journeyflow.db.past_months`). A month is made empty, by itself,
and attached then, for which nobody who reads or writes has to wait. There is no part for whatever has none: each new
month would have to lock it and look through it. Months are made ahead (:func:`prepare`); where nobody did that, by
whoever writes the first row of one (:func:`ensure`).

Instants before ``FIRST`` and from ``END`` on, which only a wrong clock tells, share one table each, so that nobody can
make more than a thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Table, text

from journeyflow.core.errors import Overloaded
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db.store import on_postgresql, one_at_a_time
from journeyflow.db.tables import events, messages, metadata, trail
from journeyflow.db.transactions import LEARNT

AHEAD: Final = 2
"""So many months are made before they begin."""

_OFTEN: Final = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05"
_SETTINGS: Final = {events: _OFTEN, trail: _OFTEN, messages: f"fillfactor = 80, {_OFTEN}"}
"""Rows of events and of the trail only come; those of messages change, and pages keep room for the new ones."""
MONTHLY: Final = [table for table in metadata.sorted_tables if table.info["month"] is not None]


class Month(NamedTuple):
    """A month of the calendar, in UTC."""

    year: int
    month: int

    @property
    def start(self) -> int:
        """Its first microsecond."""
        return to_micros(datetime(self.year, self.month, 1, tzinfo=UTC))

    @property
    def end(self) -> int:
        """The first microsecond of the next one."""
        return self.next.start

    @property
    def next(self) -> Month:
        return Month(self.year + 1, 1) if self.month == 12 else Month(self.year, self.month + 1)

    def part(self, table: Table) -> str:
        """The name of the table that has its rows."""
        return f"{table.name}_{self.year:04}_{self.month:02}"


FIRST: Final = Month(2020, 1)
END: Final = Month(2100, 1)


def month_of(micros: int) -> Month | None:
    """The month of an instant; ``None`` where it has no table of its own."""
    if not FIRST.start <= micros < END.start:
        return None
    at = from_micros(micros)
    return Month(at.year, at.month)


def ensure(connection: Connection, table: Table, instants: Sequence[int]) -> None:
    """Rows of these instants (microseconds) have a place.

    Most of the time they are all of the month that this connection wrote last, and nothing is asked.

    :raises Overloaded: when such a month is just being put away.
    """
    if not on_postgresql(connection):
        return
    learnt: dict[str, _Learnt] = connection.info.setdefault(LEARNT, {})
    here = learnt.setdefault(table.name, _NOTHING)
    if here.start <= min(instants) and max(instants) < here.end:
        return
    wanted = {month for month in map(month_of, set(instants)) if month is not None}
    there = here.there if wanted <= here.there else attached(connection, table)
    if not wanted <= there:
        with _making(connection, table) as maker:
            make(maker, table, wanted)
    last = max(wanted, default=None)
    start, end = (0, 0) if last is None else (last.start, last.end)
    learnt[table.name] = _Learnt(there | wanted, start, end)


@contextmanager
def _making(connection: Connection, table: Table) -> Iterator[Connection]:
    """A transaction of its own, so that others find the months before this one ends; unless this one has the table to
    itself, and the other one would wait for it.
    """
    if connection.scalar(_TO_ITSELF, {"parent": table.name}):
        yield connection
    else:
        with connection.engine.begin() as other:
            yield other


_TO_ITSELF: Final = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND relation = to_regclass(:parent)"
    " AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))"
)


class _Learnt(NamedTuple):
    """Which months are there, and from when until when the one is that was written last."""

    there: frozenset[Month]
    start: int
    end: int


_NOTHING: Final = _Learnt(frozenset(), 0, 0)


def prepare(connection: Connection, now: datetime) -> int:
    """Make this month and the next ones, of all tables; how many were not there yet. Nothing on SQLite."""
    month = month_of(to_micros(now))
    if month is None or not on_postgresql(connection):
        return 0
    wanted = [month]
    while len(wanted) <= AHEAD and wanted[-1].next < END:
        wanted.append(wanted[-1].next)
    return sum(make(connection, table, wanted) for table in MONTHLY)


def make(connection: Connection, table: Table, wanted: Iterable[Month]) -> int:
    """Make months that are not there yet; how many. Whoever wants the same at the same time waits, and finds them."""
    one_at_a_time(connection, "months")
    missing = sorted(set(wanted) - attached(connection, table))
    for month in missing:
        part = month.part(table)
        if connection.scalar(text("SELECT to_regclass(:part)"), {"part": part}) is not None:
            raise Overloaded(f"the table {part} is being put away; try again later")
        connection.exec_driver_sql(
            f"CREATE TABLE {part} (LIKE {table.name} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
            f" WITH ({_SETTINGS[table]})"
        )
        attach(connection, table, month)
    return len(missing)


def attach(connection: Connection, table: Table, month: Month) -> None:
    """Make a table part of another one; the indexes that it lacks are made."""
    bounds = f"FROM ({month.start}) TO ({month.end})"
    connection.exec_driver_sql(f"ALTER TABLE {table.name} ATTACH PARTITION {month.part(table)} FOR VALUES {bounds}")


def attached(connection: Connection, table: Table, *, leaving: bool = False) -> frozenset[Month]:
    """The months that a table has.

    :param leaving: instead, those that somebody began to detach and did not finish.
    """
    names = connection.scalars(_PARTS, {"parent": table.name, "leaving": leaving})
    return frozenset(month for month in (read_name(table, name) for name in names) if month is not None)


_PARTS: Final = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
    " WHERE inhparent = to_regclass(:parent) AND inhdetachpending = :leaving"
)


def read_name(table: Table, part: str) -> Month | None:
    """The month whose rows of a table are in the table of that name."""
    year, _, month = part.removeprefix(f"{table.name}_").partition("_")
    found = Month(int(year), int(month)) if year.isdecimal() and month.isdecimal() else None
    return found if found is not None and 1 <= found.month <= 12 and found.part(table) == part else None
