"""Pauses of journeys that are over: who sent an event meanwhile was let in by none of it (rule 8.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, delete, func, select

from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk
from journeyflow.db.history import kept_events
from journeyflow.db.tables import events, pauses

PAUSES_MAX: Final = 1_000
"""So many of the last pauses of a journey are remembered."""


@dataclass(frozen=True, slots=True)
class MetAPause:
    """The events of one name and contact that came while a journey was paused: how many, and the last one's handling.

    ``ended_at`` is ``None`` while the pause lasts.
    """

    journey: str
    paused_at: datetime
    ended_at: datetime | None
    name: str
    count: int
    last_at: datetime


def remember(connection: Connection, journey: str, paused_at: datetime, ended_at: datetime) -> None:
    """Keep a pause that is over; one without length met nobody."""
    if paused_at >= ended_at:
        return
    bulk.insert(connection, pauses, [(journey, to_micros(paused_at), to_micros(ended_at))])
    mine = pauses.c.journey == journey
    newest_first = select(pauses.c.paused_at).where(mine).order_by(pauses.c.paused_at.desc())
    too_many = connection.scalar(newest_first.offset(PAUSES_MAX).limit(1))
    if too_many is not None:
        connection.execute(delete(pauses).where(mine, pauses.c.paused_at <= too_many))


def met(connection: Connection, contact: str, journey: str | None) -> Iterator[MetAPause]:
    """What a contact sent during pauses that are over, of all journeys or of one, oldest pause first."""
    inside = and_(events.c.handled_at >= pauses.c.paused_at, events.c.handled_at < pauses.c.ended_at)
    mine = kept_events(connection, contact)
    if journey is not None:
        mine = and_(mine, pauses.c.journey == journey)
    key = (pauses.c.journey, pauses.c.paused_at, pauses.c.ended_at, events.c.name)
    rows = connection.execute(
        select(*key, func.count(), func.max(events.c.handled_at))
        .select_from(events.join(pauses, inside))
        .where(mine)
        .group_by(*key)
        .order_by(*key)
    )
    for journey_, paused_at, ended_at, name, count, last in rows:
        yield MetAPause(journey_, from_micros(paused_at), from_micros(ended_at), name, count, from_micros(last))
