"""Work on many contacts, a bounded slice at a time: a row with a cursor that moves with the work."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import uuid4

import orjson
from sqlalchemy import Connection, delete, exists, select, tuple_, update

from journeyflow.core.values import to_micros
from journeyflow.db import bulk
from journeyflow.db.contacts import dump, instant, micros
from journeyflow.db.segments import possible_members
from journeyflow.db.tables import contacts, runs, tasks
from journeyflow.db.turns import GROUP

Kind = Literal["look_at_all", "look_at_journey", "fire"]
Cursor = tuple[int, str]
"""Shard and key of the last contact that was done."""
UNTOUCHED: Final = (-1, "")
"""Where a task begins: before every contact."""
SCANNED_PER_CONTACT: Final = 20
"""A slice that looks for members passes so many times its limit of contacts at most."""

TOGETHER_MAX: Final = 8
"""So many tasks share a turn; younger ones wait until one of them is done."""
LOOKED_AT_MAX: Final = 4_000
"""A slice looks at so many runs at the most, most of which may be of other journeys: reading them all until enough are
found would hold the lock of the database for as long as there are others."""


class Task(NamedTuple):
    """A task; ``journey`` is empty for one over all contacts.

    ``resumption`` is the end of a pause that all contacts have followed when the task is done. One of kind
    ``fire`` lets contacts take part in a schedule's firing: that of ``trigger`` at ``fire_at``.
    """

    id: str
    kind: Kind
    journey: str
    resumption: datetime | None
    cursor: Cursor
    trigger: str = ""
    fire_at: datetime | None = None


class Slice(NamedTuple):
    """The next contacts of a task, and whether they were the last."""

    contacts: list[str]
    last: bool


def add(connection: Connection, kind: Kind, journey: str, at: datetime, resumption: datetime | None = None) -> None:
    """Ask for every contact (or every contact in a journey) to be looked at.

    Where the same was asked for already, and nobody has begun, that will do.
    """
    args = dump({"journey": journey, "resumption": micros(resumption)})
    same = (tasks.c.kind == kind) & (tasks.c.args == args) & (tasks.c.cursor == dump(UNTOUCHED))
    if not connection.scalar(select(exists().where(same))):
        bulk.insert(connection, tasks, [(GROUP, str(uuid4()), kind, args, dump(UNTOUCHED), to_micros(at))])


def fire(connection: Connection, journey: str, trigger: str, fire_at: datetime) -> None:
    """Let the contacts that a schedule is for take part in one of its firings."""
    args = dump({"journey": journey, "trigger": trigger, "fire_at": to_micros(fire_at)})
    bulk.insert(connection, tasks, [(GROUP, str(uuid4()), "fire", args, dump(UNTOUCHED), to_micros(fire_at))])


def firing(connection: Connection) -> list[Task]:
    """The firings of schedules that contacts are still taking part in, in order."""
    rows = connection.execute(select(tasks).where(tasks.c.kind == "fire").order_by(tasks.c.created_at, tasks.c.id))
    return [_task(row) for row in rows.all()]


def oldest(connection: Connection, until: datetime) -> list[Task]:
    """The tasks whose turn it is, those that have waited longest; none that was asked for after an instant."""
    rows = connection.execute(
        select(tasks)
        .where(tasks.c.created_at <= to_micros(until))
        .order_by(tasks.c.created_at, tasks.c.id)
        .limit(TOGETHER_MAX)
    )
    return [_task(row) for row in rows.all()]


def _task(row: Any) -> Task:  # Any: a row of the table
    args, (shard, contact) = orjson.loads(row.args), orjson.loads(row.cursor)
    resumption, fire_at = instant(args.get("resumption")), instant(args.get("fire_at"))
    return Task(row.id, row.kind, args["journey"], resumption, (shard, contact), args.get("trigger", ""), fire_at)


def take_slice(connection: Connection, task: Task, limit: int, segment: str | None, now: datetime) -> Slice:
    """At most the next ``limit`` contacts of a task; the cursor moves behind them, and the task ends with the last.

    :param segment: the key of the definition by which a firing's contacts can be told from the others, where known.
    """
    if task.kind == "look_at_all":
        found, cursor = _contacts(connection, task.cursor, limit)
    elif task.kind == "fire":
        scanned = limit * SCANNED_PER_CONTACT
        places, last, more = possible_members(connection, segment, now, task.cursor, limit, scanned)
        found, cursor = [contact for _, contact in places], last if more else None
    else:
        found, cursor = _in_journey(connection, task, limit)
    mine = (tasks.c.shard == GROUP) & (tasks.c.id == task.id)
    if cursor is None:
        connection.execute(delete(tasks).where(mine))
    else:
        connection.execute(update(tasks).where(mine).values(cursor=dump(cursor)))
    return Slice(found, cursor is None)


def _contacts(connection: Connection, after: Cursor, limit: int) -> tuple[list[str], Cursor | None]:
    key = (contacts.c.shard, contacts.c.contact)
    rows = connection.execute(select(*key).where(tuple_(*key) > tuple_(*after)).order_by(*key).limit(limit)).all()
    return [row.contact for row in rows], (rows[-1].shard, rows[-1].contact) if len(rows) == limit else None


def _in_journey(connection: Connection, task: Task, limit: int) -> tuple[list[str], Cursor | None]:
    """The next contacts with an active run in the journey."""
    key = (runs.c.shard, runs.c.contact)
    rows = connection.execute(
        select(*key, runs.c.journey, runs.c.status)
        .where(tuple_(*key) > tuple_(*task.cursor))
        .order_by(*key)
        .limit(LOOKED_AT_MAX)
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
    if seen < LOOKED_AT_MAX or place is None:
        return [*found], None
    found[place[1]] = None  # whose runs may go on behind the cut; to look at a contact never does harm
    return [*found], place


def is_empty(connection: Connection) -> bool:
    """Whether no task is left."""
    return connection.execute(select(tasks.c.id).limit(1)).first() is None
