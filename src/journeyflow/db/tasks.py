"""Work on many contacts, a bounded slice at a time: a row with a cursor that moves with the work."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import uuid4

import orjson
from sqlalchemy import Connection, delete, exists, select, tuple_, update

from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk_sqlite as bulk
from journeyflow.db.contacts import dump
from journeyflow.db.segments import possible_members
from journeyflow.db.tables import contacts, runs, tasks
from journeyflow.db.turns import GROUP

Kind = Literal["look_at_all", "look_at_journey", "fire"]
UNTOUCHED: Final = (-1, "")
"""Where a task begins: before every contact."""
SCANNED_PER_CONTACT: Final = 20
"""A slice that looks for members passes so many times its limit of contacts at most."""


class Task(NamedTuple):
    """A task: ``journey`` is empty for one over all contacts; ``cursor`` the last contact that was done.

    A task of kind ``fire`` lets contacts take part in a schedule's firing: which one is in ``trigger`` and ``fire_at``.
    """

    id: str
    kind: Kind
    journey: str
    cursor: tuple[int, str]
    trigger: str = ""
    fire_at: datetime | None = None


def add(
    connection: Connection, kind: Kind, journey: str, at: datetime, trigger: str = "", fire_at: datetime | None = None
) -> None:
    """Ask for contacts to be looked at: every one, those in a journey, or those that a schedule is for.

    Where the same was asked for already, and nobody has begun, that will do.
    """
    args: dict[str, object] = {"journey": journey}
    if fire_at is not None:
        args |= {"trigger": trigger, "fire_at": to_micros(fire_at)}
    same = (tasks.c.kind == kind) & (tasks.c.args == dump(args)) & (tasks.c.cursor == dump(UNTOUCHED))
    if not connection.scalar(select(exists().where(same))):
        bulk.insert(connection, tasks, [(GROUP, str(uuid4()), kind, dump(args), dump(UNTOUCHED), to_micros(at))])


def oldest(connection: Connection) -> Task | None:
    """The task that has waited longest."""
    row = connection.execute(select(tasks).order_by(tasks.c.created_at, tasks.c.id).limit(1)).first()
    return None if row is None else _task(row)


def firing(connection: Connection) -> list[Task]:
    """The firings of schedules that contacts are still taking part in, in order."""
    rows = connection.execute(select(tasks).where(tasks.c.kind == "fire")).all()
    return sorted((_task(row) for row in rows), key=lambda task: (task.fire_at, task.id))


def _task(row: Any) -> Task:  # Any: a row of the table
    shard, contact = orjson.loads(row.cursor)
    args = orjson.loads(row.args)
    fire_at = from_micros(args["fire_at"]) if "fire_at" in args else None
    return Task(row.id, row.kind, args["journey"], (shard, contact), args.get("trigger", ""), fire_at)


def slice_of(connection: Connection, task: Task, limit: int, segment: str | None, now: datetime) -> list[str]:
    """The next contacts of a task; the cursor moves behind them, and the task ends with the last.

    :param segment: the key of the definition by which a firing's contacts can be told from the others, where known.
    """
    if task.kind == "look_at_journey":
        found = _in_journey(connection, task, limit)
        full = len(found) == limit
        last = found[-1] if found else task.cursor
    elif task.kind == "look_at_all":
        found = _after(connection, task.cursor, limit)
        full = len(found) == limit
        last = found[-1] if found else task.cursor
    else:
        found, last, full = possible_members(connection, segment, now, task.cursor, limit, limit * SCANNED_PER_CONTACT)
    mine = (tasks.c.shard == GROUP) & (tasks.c.id == task.id)
    if full:
        connection.execute(update(tasks).where(mine).values(cursor=dump(last)))
    else:
        connection.execute(delete(tasks).where(mine))
    return [contact for _, contact in found]


def _after(connection: Connection, cursor: tuple[int, str], limit: int) -> list[tuple[int, str]]:
    key = (contacts.c.shard, contacts.c.contact)
    rows = connection.execute(select(*key).where(tuple_(*key) > tuple_(*cursor)).order_by(*key).limit(limit))
    return [(shard, contact) for shard, contact in rows.all()]


def _in_journey(connection: Connection, task: Task, limit: int) -> list[tuple[int, str]]:
    key = (runs.c.shard, runs.c.contact)
    query = select(*key).where(tuple_(*key) > tuple_(*task.cursor)).order_by(*key).limit(limit)
    rows = connection.execute(query.where(runs.c.journey == task.journey, runs.c.status == "active").distinct())
    return [(shard, contact) for shard, contact in rows.all()]


def is_empty(connection: Connection) -> bool:
    """Whether no task is left."""
    return oldest(connection) is None
