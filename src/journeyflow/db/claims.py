"""Claim groups: ranges of shards, each worked on by one turn at a time. Its row is the lock, and keeps its clock.

SQLite has one group, and its lock is the database's own (BEGIN IMMEDIATE). On PostgreSQL a turn locks the row of one
group until its transaction ends, however it ends; whoever finds it locked goes on to the next group. So no contact is
worked on twice at a time, its work is serial (rule 1.2), and nobody has to share the work out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, bindparam, func, insert, literal, select, update
from sqlalchemy.sql.elements import ColumnClause

from journeyflow.core.identity import SHARDS, shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db.store import on_postgresql
from journeyflow.db.tables import SHARD, claims


class Group(NamedTuple):
    """The shards from ``first`` to ``last``, both included."""

    first: int
    last: int

    def holds(self, contact: str) -> bool:
        """Whether the contact is one of this group."""
        return self.first <= shard_of(contact) <= self.last

    def of(self, table: Table) -> ColumnElement[bool]:
        """The rows of a table that belong to this group."""
        column: ColumnClause[int] = table.c[SHARD]
        return column.between(self.first, self.last)

    def bound(self) -> dict[str, int]:
        """Parameters of a statement over :func:`within`."""
        return {"first": self.first, "last": self.last}


def within(table: Table) -> ColumnElement[bool]:
    """The rows of a table that belong to a group, which is a parameter: for statements that are made once."""
    column: ColumnClause[int] = table.c[SHARD]
    return column.between(bindparam("first"), bindparam("last"))


WHOLE: Final = Group(0, SHARDS - 1)
"""All shards: the one group of SQLite."""


@dataclass(slots=True)
class Claim:
    """The right to work on a group until the transaction ends.

    :param timers_from: no timer of the group is due before this instant (microseconds): what was there is gone, and is
        not looked through again. Whoever sets an earlier one lowers it.
    """

    group: Group
    now: datetime
    timers_from: int

    @property
    def shard(self) -> int:
        """Where rows are kept that belong to the group and to no contact."""
        return self.group.first

    def lower(self, due_at: int) -> None:
        """A timer was set."""
        self.timers_from = min(self.timers_from, due_at)


def groups(connection: Connection) -> tuple[Group, ...]:
    """The groups of this installation."""
    if not on_postgresql(connection):
        return (WHOLE,)
    firsts = list(connection.scalars(select(claims.c.shard).order_by(claims.c.shard)))
    return tuple(Group(first, after - 1) for first, after in zip(firsts, [*firsts[1:], SHARDS], strict=True))


def take(connection: Connection, group: Group, clock: datetime) -> Claim | None:
    """Lock a group; ``None`` where somebody else works on it.

    Its ``now`` is ``max(clock, what was given before)``, so that time never runs backwards (rule 1.1).
    """
    query = _LOCK if on_postgresql(connection) else _READ
    row = connection.execute(query, {"of_shard": group.first}).first()
    if row is None:
        if on_postgresql(connection):
            return None
        connection.execute(insert(claims).values(shard=group.first, now=to_micros(clock)))
        return Claim(group, clock, 0)
    return Claim(group, max(clock, from_micros(row.now)), row.timers_from)


_READ: Final = select(claims.c.now, claims.c.timers_from).where(claims.c.shard == bindparam("of_shard"))
_LOCK: Final = _READ.add_columns(
    # What a turn reads it finds by keys. How many rows a queue has changes faster than the planner is told.
    func.set_config("enable_seqscan", "off", literal(value=True))
).with_for_update(skip_locked=True)
_KEEP: Final = (
    update(claims)
    .where(claims.c.shard == bindparam("of_shard"))
    .values(now=bindparam("new_now"), timers_from=bindparam("new_timers_from"))
)


def keep(connection: Connection, claim: Claim) -> None:
    """Write down the group's clock, and where its timers begin."""
    kept = {"of_shard": claim.group.first, "new_now": to_micros(claim.now), "new_timers_from": claim.timers_from}
    connection.execute(_KEEP, kept)


def advance_all(connection: Connection, clock: datetime) -> datetime:
    """``max(clock, every group's)``, kept for all groups: what happens to the whole installation happens then.

    Turns that have begun are waited for; no other begins before this transaction ends.
    """
    found = connection.execute(select(claims.c.now).order_by(claims.c.shard).with_for_update()).scalars().all()
    now = max([clock, *map(from_micros, found)])
    if found:
        connection.execute(update(claims).values(now=to_micros(now)))
    else:
        connection.execute(insert(claims).values(shard=WHOLE.first, now=to_micros(now)))
    return now
