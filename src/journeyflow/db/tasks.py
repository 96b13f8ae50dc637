"""Work on many contacts, a bounded slice at a time: a row with a cursor that moves with the work."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import uuid4

import orjson
from sqlalchemy import Connection, delete, select, tuple_, update

from journeyflow.core.values import to_micros
from journeyflow.db import bulk_sqlite as bulk
from journeyflow.db.contacts import dump
from journeyflow.db.tables import contacts, runs, tasks
from journeyflow.db.turns import GROUP

Kind = Literal["look_at_all", "look_at_journey"]


class Task(NamedTuple):
    """A task: ``journey`` is empty for one over all contacts; ``cursor`` the last contact that was done."""

    id: str
    kind: Kind
    journey: str
    cursor: tuple[int, str]


def add(connection: Connection, kind: Kind, journey: str, at: datetime) -> None:
    """Ask for every contact (or every contact in a journey) to be looked at."""
    args, cursor = dump({"journey": journey}), dump((-1, ""))
    bulk.insert(connection, tasks, [(GROUP, str(uuid4()), kind, args, cursor, to_micros(at))])


def oldest(connection: Connection) -> Task | None:
    """The task that has waited longest."""
    row = connection.execute(select(tasks).order_by(tasks.c.created_at, tasks.c.id).limit(1)).first()
    if row is None:
        return None
    shard, contact = orjson.loads(row.cursor)
    return Task(row.id, row.kind, orjson.loads(row.args)["journey"], (shard, contact))


def slice_of(connection: Connection, task: Task, limit: int) -> list[str]:
    """The next contacts of a task; the cursor moves behind them, and the task ends with the last."""
    table = contacts if task.kind == "look_at_all" else runs
    query = (
        select(table.c.shard, table.c.contact)
        .where(tuple_(table.c.shard, table.c.contact) > tuple_(*task.cursor))
        .order_by(table.c.shard, table.c.contact)
        .limit(limit)
    )
    if task.kind == "look_at_journey":
        query = query.where(runs.c.journey == task.journey, runs.c.status == "active").distinct()
    rows = connection.execute(query).all()
    mine = (tasks.c.shard == GROUP) & (tasks.c.id == task.id)
    if len(rows) < limit:
        connection.execute(delete(tasks).where(mine))
    else:
        connection.execute(update(tasks).where(mine).values(cursor=dump((rows[-1].shard, rows[-1].contact))))
    return [row.contact for row in rows]


def is_empty(connection: Connection) -> bool:
    """Whether no task is left."""
    return oldest(connection) is None
