"""Reading what is recorded of one contact beside its trail, and the documents that it was decided by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson
from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, tuple_

from journeyflow.core.documents import Documents
from journeyflow.core.identity import shard_of
from journeyflow.core.values import JSON, from_micros, to_micros
from journeyflow.core.workspace import DEFAULT, Workspace
from journeyflow.db import forgotten
from journeyflow.db.contacts import instant
from journeyflow.db.documents import model_of, newest
from journeyflow.db.outbox import StoredMessage, from_row
from journeyflow.db.tables import claims, contacts, documents, events, messages, refusals, runs

EVENTS_MAX: Final = 1_000
"""So many of the newest events of a name are read."""


@dataclass(frozen=True, slots=True)
class StoredRefusal:
    """The refusals of one contact, journey, trigger, reason and day: how many, and the last one (rule 9.4).

    ``trigger`` is ``None`` where somebody enrolled the contact by hand.
    """

    contact: str
    journey: str
    version: int
    trigger: int | None
    count: int
    at: datetime
    detail: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class RunRow:
    """How a run stands, whether it goes on or has ended."""

    id: str
    journey: str
    version: int
    status: str
    node: str | None
    due_at: datetime | None
    entered_at: datetime
    ended_at: datetime | None
    reason: str | None


def refusals_of(connection: Connection, key: str, journey: str | None, limit: int) -> list[StoredRefusal]:
    """The last refusals of a contact, newest first."""
    mine = _mine(refusals, key, journey)
    rows = connection.execute(select(refusals).where(mine).order_by(refusals.c.at.desc()).limit(limit))
    return [
        StoredRefusal(
            row.contact,
            row.journey,
            row.version,
            None if row.trigger < 0 else row.trigger,
            row._mapping["count"],
            from_micros(row.at),
            orjson.loads(row.detail),
        )
        for row in rows
    ]


def runs_of(connection: Connection, key: str, journey: str | None, limit: int) -> list[RunRow]:
    """The last runs of a contact, newest first."""
    query = select(runs).where(_mine(runs, key, journey)).order_by(runs.c.entered_at.desc(), runs.c.id).limit(limit)
    return [
        RunRow(
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
        for row in connection.execute(query)
    ]


def messages_of(connection: Connection, key: str, journey: str | None, limit: int) -> list[StoredMessage]:
    """The last messages of a contact, newest first."""
    mine = and_(_mine(messages, key, journey), forgotten.kept(connection, messages))
    query = select(messages).where(mine).order_by(messages.c.queued_at.desc(), messages.c.id)
    return [from_row(row) for row in connection.execute(query.limit(limit))]


def journey_documents(
    connection: Connection, wanted: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], dict[str, JSON]]:
    """Versions of journeys as their authors wrote them, by id and version; those that are known."""
    chosen = and_(documents.c.kind == "journey", tuple_(documents.c.id, documents.c.version).in_(sorted(set(wanted))))
    rows = connection.execute(select(documents.c.id, documents.c.version, documents.c.document).where(chosen))
    return {(id_, version): orjson.loads(document) for id_, version, document in rows}


def event_names(connection: Connection, key: str, since: datetime | None = None) -> dict[str, tuple[int, datetime]]:
    """The names of the events that are kept of a contact (``since`` an instant): how many, and when the last one was
    handled.
    """
    mine = kept_events(connection, key)
    if since is not None:
        mine = and_(mine, events.c.handled_at >= to_micros(since))
    rows = connection.execute(
        select(events.c.name, func.count(), func.max(events.c.handled_at)).where(mine).group_by(events.c.name)
    )
    return {name: (count, from_micros(last)) for name, count, last in rows}


def event_properties(connection: Connection, key: str, name: str) -> list[dict[str, JSON]]:
    """The properties of the last events of one name that are kept of a contact, in the order of their turns."""
    mine = and_(kept_events(connection, key), events.c.name == name)
    query = select(events.c.properties).where(mine).order_by(events.c.number.desc()).limit(EVENTS_MAX)
    return [orjson.loads(properties) for properties in reversed(connection.scalars(query).all())]


@dataclass(frozen=True, slots=True)
class OldEvents:
    """The events of one name that came late: how many, when the last of them was handled, and when it had happened."""

    count: int
    handled_at: datetime
    occurred_at: datetime


def old_events(connection: Connection, key: str, age: timedelta) -> dict[str, OldEvents]:
    """By name, the events of a contact that were older than ``age`` when they were handled; imported ones never are."""
    mine = kept_events(connection, key)
    late = events.c.handled_at - events.c.occurred_at > age // timedelta(microseconds=1)
    rows = connection.execute(
        select(events.c.name, events.c.handled_at, events.c.occurred_at)
        .where(mine, late)
        .order_by(events.c.name, events.c.handled_at, events.c.number)
    )
    found: dict[str, OldEvents] = {}
    for name, handled_at, occurred_at in rows:
        count = found[name].count if name in found else 0
        found[name] = OldEvents(count + 1, from_micros(handled_at), from_micros(occurred_at))
    return found


def similar_contacts(connection: Connection, key: str) -> list[str]:
    """Keys of contacts that are spelled the same but for case and blanks around."""
    spelled = func.lower(func.trim(contacts.c.contact)) == key.strip().lower()
    return list(connection.scalars(select(contacts.c.contact).where(spelled).order_by(contacts.c.contact)))


def current_workspace(connection: Connection) -> Workspace:
    """The settings of the installation as they are in force (rule 1.8 where there are none)."""
    found = Documents.of(model_of(one) for one in newest(connection, "workspace"))
    return found.workspace or DEFAULT


def engine_clock(connection: Connection) -> datetime | None:
    """The instant of the last turn, which the next one is never before; ``None`` where there was none."""
    return instant(connection.scalar(select(func.max(claims.c.now))))


def kept_events(connection: Connection, key: str) -> ColumnElement[bool]:
    return and_(events.c.shard == shard_of(key), events.c.contact == key, forgotten.kept(connection, events))


def _mine(table: Table, key: str, journey: str | None) -> ColumnElement[bool]:
    mine = and_(table.c.shard == shard_of(key), table.c.contact == key)
    return mine if journey is None else and_(mine, table.c.journey == journey)
