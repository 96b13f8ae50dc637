"""Reading runs across contacts: one by its id, a journey's page by page, and how many are overdue."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, tuple_

from journeyflow.core.identity import shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db.contacts import instant
from journeyflow.db.history import RunRow
from journeyflow.db.id_beginnings import has_id
from journeyflow.db.tables import runs

Place = tuple[int, str, str]
"""Shard, contact and id of a run."""


def by_id(connection: Connection, id_: str) -> tuple[str, RunRow] | None:
    """One run, with its contact."""
    row = connection.execute(select(runs).where(has_id(runs, id_))).first()
    return None if row is None else (row.contact, _run_row(row))


def page(
    connection: Connection,
    journey: str,
    status: str | None,
    node: str | None,
    after: Place | None,
    limit: int,
    contact: str | None = None,
) -> list[tuple[Place, RunRow]]:
    """A journey's runs in order of shard, contact and id, behind a place; all, or those of one contact."""
    key = (runs.c.shard, runs.c.contact, runs.c.id)
    query = select(runs).where(runs.c.journey == journey).order_by(*key).limit(limit)
    if status is not None:
        query = query.where(runs.c.status == status)
    if node is not None:
        query = query.where(runs.c.node == node)
    if contact is not None:
        query = query.where(runs.c.shard == shard_of(contact), runs.c.contact == contact)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return [((row.shard, row.contact, row.id), _run_row(row)) for row in connection.execute(query)]


def latest(connection: Connection, contact: str, journey: str, since: datetime) -> RunRow | None:
    """The newest run of a contact in a journey that began at an instant or later."""
    query = (
        select(runs)
        .where(runs.c.shard == shard_of(contact), runs.c.contact == contact, runs.c.journey == journey)
        .where(runs.c.entered_at >= to_micros(since))
        .order_by(runs.c.entered_at.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else _run_row(row)


def _run_row(row: Row[Any]) -> RunRow:  # Any: a row of the table
    return RunRow(
        row.id,
        row.journey,
        row.version,
        row.status,
        row.node,
        instant(row.due_at),
        from_micros(row.entered_at),
        instant(row.ended_at),
        row.reason,
    )


# --- overdue ---------------------------------------------------------------------------------------------------------


def overdue(connection: Connection, journey: str, before: datetime) -> int:
    """How many runs had something to do before an instant and have not done it: late ones, and held ones (rule 8.2)."""
    limit = to_micros(before)
    late = or_(runs.c.due_at < limit, runs.c.held_at < limit)
    return (
        connection.scalar(select(func.count()).where(runs.c.journey == journey, runs.c.status == "active", late)) or 0
    )
