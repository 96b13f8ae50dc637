"""Work on many contacts, a bounded slice at a time: a row with a cursor that moves with the work.

Each claim group has a row of its own for what is asked of all.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import uuid4

import orjson
from sqlalchemy import Connection, bindparam, delete, select, update

from journeyflow.core.values import to_micros
from journeyflow.db import bulk
from journeyflow.db.claims import Claim, Group, groups, within
from journeyflow.db.contacts import dump, instant, micros
from journeyflow.db.segments import possible_members
from journeyflow.db.tables import contacts, runs, tasks

Kind = Literal["look_at_all", "look_at_journey", "fire"]
Cursor = tuple[int, str]
"""Shard and key of the last contact that was done."""
UNTOUCHED: Final = (-1, "")
"""Before every contact."""
SCANNED_PER_CONTACT: Final = 20
"""A slice that looks for members passes so many times its limit of contacts at most."""

TOGETHER_MAX: Final = 8
"""So many tasks share a turn; younger ones wait until one of them is done."""
LOOKED_AT_MAX: Final = 4_000
"""The slices of a turn look at so many runs at the most, most of which may be of other journeys: reading them all until
enough are found would hold the lock of the database for as long as there are others."""


class Task(NamedTuple):
    """A task of the group that begins at ``shard``; ``journey`` is empty for one over all contacts.

    ``instruction`` is the instant of the one that all contacts have followed when the task is done. One of kind
    ``fire`` lets contacts take part in a schedule's firing: that of ``trigger`` at ``fire_at``.
    """

    id: str
    shard: int
    kind: Kind
    journey: str
    instruction: datetime | None
    cursor: Cursor
    trigger: str = ""
    fire_at: datetime | None = None


class Slice(NamedTuple):
    """The next contacts of a task, and whether they were the last."""

    contacts: list[str]
    last: bool


def add(connection: Connection, kind: Kind, journey: str, at: datetime, instruction: datetime | None = None) -> None:
    """Ask for every contact (or every contact in a journey) to be looked at.

    Where the same was asked for already, and nobody has begun, that will do.
    """
    args = _args(journey, instruction)
    for group in groups(connection):
        same = (tasks.c.shard == group.first) & (tasks.c.kind == kind) & (tasks.c.args == args)
        untouched = same & (tasks.c.cursor == dump(_untouched(group)))
        # A turn that has begun may be doing it by what was published before; it is waited for.
        if connection.execute(select(tasks.c.id).where(untouched).with_for_update()).first() is None:
            _put(connection, group, kind, args, at)


def _args(journey: str, instruction: datetime | None) -> str:
    return dump({"journey": journey, "instruction": micros(instruction)})


def fire(connection: Connection, group: Group, journey: str, trigger: str, fire_at: datetime) -> None:
    """Let the contacts of a group that a schedule is for take part in one of its firings."""
    args = dump({"journey": journey, "trigger": trigger, "fire_at": to_micros(fire_at)})
    _put(connection, group, "fire", args, fire_at)


def _put(connection: Connection, group: Group, kind: Kind, args: str, at: datetime) -> None:
    row = (group.first, str(uuid4()), kind, args, dump(_untouched(group)), to_micros(at))
    bulk.insert(connection, tasks, [row])


def _untouched(group: Group) -> Cursor:
    """Where a task begins: before every contact of the group."""
    return (group.first, "")


def firing(connection: Connection, claim: Claim) -> list[Task]:
    """The firings of schedules that contacts of a group are still taking part in, in order."""
    mine = claim.group.of(tasks) & (tasks.c.kind == "fire")
    rows = connection.execute(select(tasks).where(mine).order_by(tasks.c.created_at, tasks.c.id))
    return [_task(row) for row in rows.all()]


_OLDEST: Final = (
    select(tasks)
    .where(tasks.c.created_at <= bindparam("until"))
    .order_by(tasks.c.created_at, tasks.c.id)
    .limit(TOGETHER_MAX)
)


def oldest(connection: Connection, claim: Claim, until: datetime) -> list[Task]:
    """A group's tasks whose turn it is, those that have waited longest; none that was asked for after an instant."""
    query, of_group = within(claim.group, _OLDEST, tasks)
    rows = connection.execute(query, {**of_group, "until": to_micros(until)})
    return [_task(row) for row in rows.all()]


def _task(row: Any) -> Task:  # Any: a row of the table
    args, (shard, contact) = orjson.loads(row.args), orjson.loads(row.cursor)
    instruction, fire_at = instant(args.get("instruction")), instant(args.get("fire_at"))
    return Task(
        row.id, row.shard, row.kind, args["journey"], instruction, (shard, contact), args.get("trigger", ""), fire_at
    )


def take_slice(
    connection: Connection, claim: Claim, task: Task, limit: int, together: int, segment: str | None
) -> Slice:
    """The next contacts of a task; the cursor moves behind them, and the task ends with the last.

    :param limit: so many contacts at most for all tasks of the turn, of which there are ``together``.
    :param segment: the key of the definition by which a firing's contacts can be told from the others, where known.
    """
    group = next(part for part in claim.parts if part.first == task.shard)
    limit, looked_at = max(1, limit // together), LOOKED_AT_MAX // together
    if task.kind == "look_at_all":
        found, cursor = _contacts(connection, group, task.cursor, limit)
    elif task.kind == "fire":
        scanned = limit * SCANNED_PER_CONTACT
        places, last, more = possible_members(connection, segment, claim.now, task.cursor, limit, scanned, group=group)
        found, cursor = [contact for _, contact in places], last if more else None
    else:
        found, cursor = _in_journey(connection, group, task, limit, looked_at)
    mine = (tasks.c.shard == task.shard) & (tasks.c.id == task.id)
    if cursor is None:
        connection.execute(delete(tasks).where(mine))
    else:
        connection.execute(update(tasks).where(mine).values(cursor=dump(cursor)))
    return Slice(found, cursor is None)


def _contacts(connection: Connection, group: Group, after: Cursor, limit: int) -> tuple[list[str], Cursor | None]:
    key = (contacts.c.shard, contacts.c.contact)
    rows = connection.execute(select(*key).where(group.behind(contacts, after)).order_by(*key).limit(limit)).all()
    return [row.contact for row in rows], (rows[-1].shard, rows[-1].contact) if len(rows) == limit else None


def _in_journey(
    connection: Connection, group: Group, task: Task, limit: int, looked_at: int
) -> tuple[list[str], Cursor | None]:
    """The next contacts with an active run in the journey."""
    key = (runs.c.shard, runs.c.contact)
    rows = connection.execute(
        select(*key, runs.c.journey, runs.c.status)
        .where(group.behind(runs, task.cursor))
        .order_by(*key)
        .limit(looked_at)
    )
    found: dict[str, None] = {}
    place = None
    seen = 0
    with rows:
        for shard, contact, journey, status in rows:
            if len(found) == limit and contact not in found:
                return [*found], place
            seen += 1
            place = (shard, contact)
            if journey == task.journey and status == "active":
                found[contact] = None
    if seen < looked_at or place is None:
        return [*found], None
    found[place[1]] = None  # whose runs may go on behind the cut; to look at a contact never does harm
    return [*found], place


def waiting_groups(connection: Connection) -> set[int]:
    """The first shards of the groups that have tasks."""
    return set(connection.scalars(select(tasks.c.shard).distinct()))


def is_last(connection: Connection, task: Task) -> bool:
    """Whether no other group still has to do what a task that has ended asked for.

    The ends of tasks for one and the same have to come one after the other.
    """
    mine = tasks.c.args == _args(task.journey, task.instruction)
    return connection.execute(select(tasks.c.id).where(mine).limit(1)).first() is None


def is_empty(connection: Connection) -> bool:
    """Whether no task is left."""
    return connection.execute(select(tasks.c.id).limit(1)).first() is None
