"""What belongs to claim groups, for an installation whose groups are others: SQLite has one, PostgreSQL sixteen.

Everything else belongs to a contact, an address or a pool, whose shard stays what it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, Table, delete, func, select

from journeyflow.core.errors import Conflict
from journeyflow.core.values import from_micros
from journeyflow.db import bulk
from journeyflow.db.claims import WHOLE, Group
from journeyflow.db.contacts import dump
from journeyflow.db.inbox import AWAIT, MERGE, Arrival, decode, places_of_merges
from journeyflow.db.snapshot import ROWS, Row, read_rows
from journeyflow.db.tables import claims, firings, inbox, tasks

OF_GROUPS: Final = (claims, tasks, firings)
"""Tables that may have more rows, or fewer, when the groups are others."""
OTHER_ROWS: Final = (*OF_GROUPS, inbox)
"""The same, and what has arrived: whoever waits for somebody of another group has a row for it."""


class Overlap(NamedTuple):
    """A group of the new installation, and those of the old one that its contacts belong to."""

    group: Group
    before: tuple[Group, ...]

    def holds(self, shard: int) -> bool:
        """Whether what is kept under this shard in the old installation is about contacts of the group."""
        return any(one.has(shard) for one in self.before)


def overlaps(old: Sequence[Group], new: Sequence[Group]) -> list[Overlap]:
    """Which groups become which."""
    return [Overlap(group, tuple(one for one in old if one.shards() & group.shards())) for group in new]


def check(connection: Connection, groups: Iterable[Overlap]) -> None:
    """Find out whether groups can become one.

    :raises Conflict: when a schedule has fired for one of them and not yet for another.
    """
    for _, before in groups:
        if len({frozenset(_last_firings(connection, group).items()) for group in before}) > 1:
            raise Conflict(
                "a schedule has fired for some contacts and not yet for others, which can't be told apart there; "
                "let a worker finish what is due, stop it, and copy then"
            )


def _last_firings(connection: Connection, group: Group) -> dict[tuple[str, str], int]:
    columns = (firings.c.journey, firings.c.trigger)
    rows = connection.execute(select(*columns, func.max(firings.c.fire_at)).where(group.of(firings)).group_by(*columns))
    return {(journey, trigger): fire_at for journey, trigger, fire_at in rows}


def rows_for(connection: Connection, table: Table, groups: Sequence[Overlap]) -> Iterator[list[Row]]:
    """The rows of a table as they are to be in an installation with these groups, some at a time."""
    alike = all(before == (group,) for group, before in groups)
    if table is claims:
        yield _claims(connection, groups)
    elif table is tasks and not alike:
        yield _tasks(connection, groups)
    elif table is firings and not alike:
        yield _firings(connection, groups)
    elif table is inbox and not alike:
        yield from _inbox(connection, [overlap.group for overlap in groups])
    else:
        yield from read_rows(connection, table)


def _claims(connection: Connection, groups: Sequence[Overlap]) -> list[Row]:
    """Time goes on from where any of the groups was (rule 1.1); timers are looked for from the first one on."""
    now: dict[int, int] = dict(connection.execute(select(claims.c.shard, claims.c.now)).all())
    return [
        (
            group.first,
            max((now.get(one.first, 0) for one in before), default=0),
            0,
            None if group.named is None else dump(sorted(group.named)),
        )
        for group, before in groups
    ]


def _firings(connection: Connection, groups: Sequence[Overlap]) -> list[Row]:
    rows = connection.execute(select(firings)).all()
    found = {(overlap.group.first, *row[1:4]): row.at for overlap in groups for row in rows if overlap.holds(row.shard)}
    return [(*key, at) for key, at in found.items()]


def _tasks(connection: Connection, groups: Sequence[Overlap]) -> list[Row]:
    """Each group goes on from where its contacts were; to look at one twice does no harm, to leave one out does."""
    rows = connection.execute(select(tasks).order_by(tasks.c.created_at, tasks.c.id)).all()
    found: list[Row] = []
    for overlap in groups:
        mine = [row for row in rows if overlap.holds(row.shard)]
        for some in [[row] for row in mine] if len(overlap.before) == 1 else _alike(mine):
            task = _joined(overlap.group, some)
            if task is not None:
                found.append(task)
    return found


def _alike(rows: Iterable[Any]) -> list[list[Any]]:  # Any: rows of the table
    """What several groups were asked for together."""
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)  # Any: as above
    for row in rows:
        found[row.kind, row.args].append(row)
    return [*found.values()]


def _joined(group: Group, rows: Sequence[Any]) -> Row | None:  # Any: as above
    """One task for what was asked of several groups; ``None`` where all contacts of the group are done."""
    shard, contact = max((group.first - 1, ""), min(tuple(orjson.loads(row.cursor)) for row in rows))
    if shard > group.last:
        return None
    first = rows[0]
    return (group.first, first.id, first.kind, first.args, dump((shard, contact)), rows[-1].created_at)


def _inbox(connection: Connection, groups: Sequence[Group]) -> Iterator[list[Row]]:
    """What has arrived; whoever waits for a merge with a contact of another group is another one there."""
    query = select(inbox).where(inbox.c.kind != AWAIT).order_by(inbox.c.id)
    with connection.execute(query, execution_options={"yield_per": ROWS}) as found:
        for part in found.partitions():
            yield [*((*row,) for row in part), *places_of_merges(groups, _merges(part))]


def _merges(rows: Iterable[Any]) -> Iterator[tuple[int, str, Arrival]]:  # Any: as above
    for row in rows:
        if row.kind == MERGE:
            yield row.id, row.contact, decode(row.kind, from_micros(row.at), orjson.loads(row.payload))


def await_anew(connection: Connection, groups: Sequence[Group]) -> None:
    """Let those wait in the inbox who have to, now that the groups are these."""
    connection.execute(delete(inbox).where(WHOLE.of(inbox), inbox.c.kind == AWAIT))
    merges = connection.execute(select(inbox).where(inbox.c.kind == MERGE)).all()
    bulk.insert(connection, inbox, [*places_of_merges(groups, _merges(merges))])
