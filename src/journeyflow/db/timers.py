"""When contacts have something to do by time alone: one live timer each, kept in order of their instants.

Only turns set and take them, under the claim of their group. A claim remembers up to which instant its timers are gone:
PostgreSQL leaves dead entries behind, which would be walked over again and again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import CompoundSelect, Connection, bindparam, func, literal, select, union_all, update

from journeyflow.core.identity import shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk
from journeyflow.db.claims import WHOLE, Claim, Group, within
from journeyflow.db.store import on_postgresql
from journeyflow.db.tables import claims, contacts, timers

Timer = tuple[str, datetime]
"""A contact, and when it is due."""


_DUE: Final = (
    select(timers.c.due_at, timers.c.shard, timers.c.contact)
    .where(timers.c.due_at.between(bindparam("begin"), bindparam("until")))
    .order_by(timers.c.due_at)
    .limit(bindparam("most"))
)


def take(connection: Connection, claim: Claim, until: datetime, limit: int) -> list[Timer]:
    """Delete the oldest timers of a group up to an instant; at most so many."""
    query, of_group = within(claim.group, _DUE, timers)
    asked = {**of_group, "begin": claim.timers_from, "until": to_micros(until), "most": limit}
    rows = connection.execute(query, asked).all()
    bulk.delete(connection, timers, [(*row,) for row in rows])
    if on_postgresql(connection):  # SQLite leaves nothing behind
        claim.timers_from = rows[-1].due_at if len(rows) == limit else max(claim.timers_from, to_micros(until) + 1)
    return [(contact, from_micros(due_at)) for due_at, _, contact in rows]


def put(connection: Connection, claim: Claim, new: Iterable[Timer]) -> None:
    """Set timers of contacts of the group."""
    rows = [(to_micros(at), shard_of(contact), contact) for contact, at in new]
    bulk.insert_new(connection, timers, rows)
    if rows:
        claim.lower(min(rows)[0])


def wake(connection: Connection, claim: Claim, contact: str, at: datetime) -> None:
    """Wake a contact that exists at an instant, whatever else is set for it."""
    put(connection, claim, [(contact, at)])
    mine = (contacts.c.shard == shard_of(contact)) & (contacts.c.contact == contact)
    connection.execute(update(contacts).where(mine).values(timer_at=to_micros(at)))


def next_due(connection: Connection, groups: Iterable[Group] = (WHOLE,)) -> datetime | None:
    """The instant of the earliest timer."""
    if on_postgresql(connection):
        found = min(first_of_groups(connection, groups).values(), default=None)
    else:
        found = connection.scalar(select(func.min(timers.c.due_at)))
    return None if found is None else from_micros(found)


def first_of_groups(connection: Connection, groups: Iterable[Group]) -> dict[int, int]:
    """When the earliest timer of each group is due (microseconds), by the group's first shard."""
    begins: dict[int, int] = dict(connection.execute(select(claims.c.shard, claims.c.timers_from)).all())
    asked = tuple(groups)
    since = {f"since_{group.first}": begins.get(group.first, 0) for group in asked}
    rows = connection.execute(_first(asked), since).all()
    return {first: due_at for first, due_at in rows if due_at is not None}


@cache
def _first(groups: tuple[Group, ...]) -> CompoundSelect[int, int | None]:
    """Putting it together takes far longer than asking it."""
    parts = [
        select(literal(group.first).label("first"), func.min(timers.c.due_at).label("due_at")).where(
            group.of(timers), timers.c.due_at >= bindparam(f"since_{group.first}")
        )
        for group in groups
    ]
    return union_all(*parts)
