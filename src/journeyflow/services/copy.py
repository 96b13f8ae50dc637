"""A whole installation into another database: from SQLite to PostgreSQL, or wherever else the store can be.

All or nothing: one transaction reads one state, in which nobody writes meanwhile, and one writes it. Before the latter
is committed every table is read back, and its rows are counted and added up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, Engine, Table, delete

from journeyflow.core.errors import Conflict, SystemFailure
from journeyflow.db import bulk, regroup, snapshot
from journeyflow.db.claims import WHOLE, groups
from journeyflow.db.regroup import OTHER_ROWS, Overlap
from journeyflow.db.schema_version import is_current
from journeyflow.db.snapshot import TABLES, Tally
from journeyflow.db.store import is_postgresql
from journeyflow.db.tables import claims

OnProgress = Callable[[int, int], None]
"""Gets how many rows of how many are done; each is written once and read back once."""


class Copied(NamedTuple):
    """A table that was copied: its rows there and here, which differ where claim groups do, and their checksum here.

    The checksum is that of the rows as they were to be, and of those that were read back.
    """

    table: str
    rows_before: int
    rows: int
    checksum: str


@dataclass(slots=True)
class _Steps:
    total: int
    on_progress: OnProgress | None
    done: int = 0

    def more(self, rows: int) -> None:
        self.done += rows
        if self.on_progress is not None:
            self.on_progress(self.done, max(self.total, self.done))


def copy(source: Engine, target: Engine, on_progress: OnProgress | None = None) -> list[Copied]:
    """Copy everything: documents, keys, contacts with their runs and history, what waits, and what is remembered.

    Nobody can write to either database meanwhile; the caller sees to it that a SQLite source has no engine.

    :param source: with the newest schema.
    :param target: with the newest schema, and nothing else.
    :raises Conflict: when the target holds something, or the source can't be copied as it stands.
    :raises Overloaded: when others write for too long.
    :raises SystemFailure: when processes have the source open, a database fails, or what was written is not what
        was read; nothing was copied then.
    """
    for engine in (source, target):
        if not is_current(engine):
            raise Conflict("a database has an older schema; bring it to the newest first: journeyflow migrate")
    with snapshot.held_still(source) as reading, snapshot.kept_for_itself(target) as writing:
        _check_processes(source, reading)
        _check_empty(writing)
        overlaps = regroup.overlaps(groups(reading), groups(writing))
        regroup.check(reading, overlaps)
        counts = {table: snapshot.count(reading, table) for table in TABLES}
        steps = _Steps(2 * sum(counts.values()), on_progress)
        writing.execute(delete(claims).where(WHOLE.of(claims)))  # those that the migration made
        wanted = {table: _copy_table(reading, writing, table, overlaps, steps) for table in TABLES}
        return [_verify(writing, table, counts[table], wanted[table], steps) for table in TABLES]


def _check_processes(source: Engine, reading: Connection) -> None:
    others = snapshot.processes(reading) if is_postgresql(source) else []
    if others:
        raise SystemFailure(
            f"journeyflow has the database open: {', '.join(others)}; stop all servers and workers, then copy"
        )


def _check_empty(writing: Connection) -> None:
    held = snapshot.occupied(writing)
    if held is not None:
        raise Conflict(
            f"the database to copy to holds something already (its table {held.name} has rows); name an empty one"
        )


def _copy_table(
    reading: Connection, writing: Connection, table: Table, overlaps: Sequence[Overlap], steps: _Steps
) -> Tally:
    tally = Tally()
    for rows in regroup.rows_for(reading, table, overlaps):
        bulk.insert(writing, table, rows)
        tally.count(rows)
        steps.more(len(rows))
    return tally


def _verify(writing: Connection, table: Table, rows_before: int, wanted: Tally, steps: _Steps) -> Copied:
    found = Tally()
    for rows in snapshot.read_rows(writing, table):
        found.count(rows)
        steps.more(len(rows))
    all_read = table in OTHER_ROWS or wanted.rows == rows_before
    if not all_read or (found.rows, found.checksum) != (wanted.rows, wanted.checksum):
        raise SystemFailure(
            f"table {table.name} did not arrive as it was: of {rows_before:,} rows {wanted.rows:,} were sent, with the "
            f"checksum {wanted.checksum}; {found.rows:,} arrived, with {found.checksum}. Nothing was copied"
        )
    return Copied(table.name, rows_before, found.rows, found.checksum)
