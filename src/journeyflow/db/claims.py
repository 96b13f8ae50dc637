"""Claim groups: sets of shards, each worked on by one turn at a time. Its row is the lock, and keeps its clock.

SQLite has one group, and its lock is the database's own (BEGIN IMMEDIATE). On PostgreSQL a turn locks the row of one
group until its transaction ends, however it ends; whoever finds it locked goes on to the next group. So no contact is
worked on twice at a time, its work is serial (rule 1.2), and nobody has to share the work out. Groups that follow one
another can be locked by one turn together, which where little is to be done costs hardly more than one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import dropwhile, pairwise, takewhile
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, Select, Table, and_, bindparam, insert, select, tuple_, update
from sqlalchemy.sql.elements import ColumnClause

from journeyflow.core.identity import SHARDS, shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db.store import on_postgresql
from journeyflow.db.tables import SHARD, claims

Place = tuple[int, str]
"""A contact's shard and key."""
_MICROSECOND: Final = timedelta(microseconds=1)


class Group(NamedTuple):
    """The shards from ``first`` to ``last``, both included; or, where they do not follow one another, those named.

    A cluster (Citus) puts shards together by a hash of their number.
    """

    first: int
    last: int
    named: frozenset[int] | None = None

    @staticmethod
    def naming(shards: Iterable[int]) -> Group:
        """The group of these shards."""
        named = frozenset(shards)
        return Group(min(named), max(named), named)

    def shards(self) -> frozenset[int]:
        """All of them."""
        return frozenset(range(self.first, self.last + 1)) if self.named is None else self.named

    def has(self, shard: int) -> bool:
        """Whether it is one of this group."""
        return self.first <= shard <= self.last if self.named is None else shard in self.named

    def holds(self, contact: str) -> bool:
        """Whether the contact is one of this group."""
        return self.has(shard_of(contact))

    def precedes(self, other: Group) -> bool:
        """Whether the other begins where this one ends, so that both together are a range as well.

        What a cluster put together is never one with anything else.
        """
        return self.named is None and other.named is None and self.last + 1 == other.first

    def of(self, table: Table) -> ColumnElement[bool]:
        """The rows of a table that belong to this group."""
        column: ColumnClause[int] = table.c[SHARD]
        return column.between(self.first, self.last) if self.named is None else column.in_(sorted(self.named))

    def behind(self, table: Table, place: Place) -> ColumnElement[bool]:
        """Those of its contacts behind a place, in order of shard and key."""
        column: ColumnClause[int] = table.c[SHARD]
        # With a lower bound of the shard as well, SQLite would begin there, and pass all that lie before the place.
        mine = column <= self.last if self.named is None else self.of(table)
        return and_(tuple_(column, table.c.contact) > tuple_(*max(place, (self.first, ""))), mine)


def within(group: Group, query: Select[Any], table: Table) -> tuple[Select[Any], dict[str, int]]:  # Any: columns' types
    """A query, which was made once, over the rows of a table that belong to a group; and its parameters.

    It is made once for all ranges, which are parameters, and once for each group that names its shards.
    """
    bound = {"first_shard": group.first, "last_shard": group.last} if group.named is None else {}
    return _within(query, table, None if group.named is None else group), bound


@cache
def _within(query: Select[Any], table: Table, naming: Group | None) -> Select[Any]:  # Any: as above
    """Putting it together takes far longer than asking it."""
    column: ColumnClause[int] = table.c[SHARD]
    a_range = column.between(bindparam("first_shard"), bindparam("last_shard"))
    return query.where(a_range if naming is None else naming.of(table))


WHOLE: Final = Group(0, SHARDS - 1)
"""All shards: the one group of SQLite."""


@dataclass(slots=True)
class Claim:
    """The right to work on a group, or on groups that follow one another, until the transaction ends.

    :param group: all of its shards.
    :param parts: the groups that it is made of; the group itself, where it is but one.
    :param timers_from: no timer of the group is due before this instant (microseconds): what was there is gone, and is
        not looked through again. Whoever sets an earlier one lowers it.
    """

    group: Group
    now: datetime
    timers_from: int
    parts: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        self.parts = self.parts or (self.group,)

    @property
    def shard(self) -> int:
        """Where rows are kept that belong to the claim and to no contact."""
        return self.group.first

    def part(self, contact: str) -> Group:
        """The group that a contact belongs to."""
        return next(part for part in self.parts if part.holds(contact))

    def lower(self, due_at: int) -> None:
        """A timer was set."""
        self.timers_from = min(self.timers_from, due_at)


def groups(connection: Connection) -> tuple[Group, ...]:
    """The groups of this installation."""
    if not on_postgresql(connection):
        return (WHOLE,)
    rows = connection.execute(select(claims.c.shard, claims.c.shards).order_by(claims.c.shard)).all()
    firsts = [first for first, _ in rows]
    return tuple(
        Group(first, after - 1) if named is None else Group.naming(orjson.loads(named))
        for (first, named), after in zip(rows, [*firsts[1:], SHARDS], strict=True)
    )


def take(connection: Connection, wanted: Sequence[Group], clock: datetime) -> Claim | None:
    """Lock groups that follow one another; ``None`` where somebody else works on each of them.

    Where somebody else works on some, the claim is made of the first that are free and follow one another.
    Its ``now`` is ``max(clock, what was given before)``, so that time never runs backwards (rule 1.1).
    """
    assert all(group.precedes(after) for group, after in pairwise(wanted))
    rows = {row.shard: row for row in connection.execute(*_of(wanted, locked=on_postgresql(connection)))}
    if not rows:
        if on_postgresql(connection):
            return None
        connection.execute(insert(claims).values(shard=wanted[0].first, now=to_micros(clock)))
        return Claim(wanted[0], clock, 0, tuple(wanted))
    free = dropwhile(lambda group: group.first not in rows, wanted)
    parts = tuple(takewhile(lambda group: group.first in rows, free))
    mine = [rows[part.first] for part in parts]
    now = max(clock, *[from_micros(row.now) for row in mine])
    group = parts[0] if len(parts) == 1 else Group(parts[0].first, parts[-1].last)
    return Claim(group, now, min(row.timers_from for row in mine), parts)


def _of(wanted: Sequence[Group], locked: bool) -> tuple[Select[Any], dict[str, int]]:  # Any: the columns' types
    """Their rows; the statement for one group, which nearly every turn is of, is made once."""
    if len(wanted) > 1:
        query = _SOME.where(claims.c.shard.in_([group.first for group in wanted]))
        return (_lock(query) if locked else query), {}
    return (_LOCK_ONE if locked else _READ_ONE), {"of_shard": wanted[0].first}


def _lock(query: Select[Any]) -> Select[Any]:  # Any: as above
    return query.with_for_update(skip_locked=True)


_THIS: Final = claims.c.shard == bindparam("of_shard")
_SOME: Final = select(claims.c.shard, claims.c.now, claims.c.timers_from)
_READ_ONE: Final = _SOME.where(_THIS)
_LOCK_ONE: Final = _lock(_READ_ONE)
_KEEP: Final = update(claims).values(now=bindparam("new_now"), timers_from=bindparam("new_timers_from"))
_KEEP_ONE: Final = _KEEP.where(_THIS)


def keep(connection: Connection, claim: Claim) -> None:
    """Write down the clock of the groups, and where their timers begin."""
    kept = {"new_now": to_micros(claim.now), "new_timers_from": claim.timers_from}
    if len(claim.parts) == 1:
        connection.execute(_KEEP_ONE, {**kept, "of_shard": claim.parts[0].first})
    else:
        connection.execute(_KEEP.where(claims.c.shard.in_([group.first for group in claim.parts])), kept)


def advance_all(connection: Connection, clock: datetime, *, alone: bool = False) -> datetime:
    """``max(clock, every group's)``, kept for all groups: what happens to the whole installation happens then.

    Turns that have begun are waited for; no other begins before this transaction ends.

    :param alone: whether it has to be later than all that has happened, for what has its place among that.
    """
    known = groups(connection)
    found = [
        _wait_for(connection, group) for group in known
    ]  # always in the same order, so that nobody waits in a circle
    least = _MICROSECOND if alone else timedelta()
    now = max([clock, *(from_micros(at) + least for at in found if at is not None)])
    for group, at in zip(known, found, strict=True):
        if at is None:
            connection.execute(insert(claims).values(shard=group.first, now=to_micros(now)))
        else:
            mine = claims.c.shard == group.first
            connection.execute(update(claims).where(mine).values(now=to_micros(now)))
    return now


def _wait_for(connection: Connection, group: Group) -> int | None:
    """Wait for the turn that works on the group; its clock."""
    mine = claims.c.shard == group.first
    return connection.scalar(select(claims.c.now).where(mine).with_for_update())
