"""What is recorded of contacts, in the order in which pages are turned: everything of one contact, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, Table, and_, false, or_, select, true, tuple_

from journeyflow.core.effects import StoredEvent, TrailRecord
from journeyflow.core.identity import shard_of
from journeyflow.core.inputs import Await
from journeyflow.core.meeting import Item
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import forgotten, history
from journeyflow.db.contacts import instant
from journeyflow.db.history import StoredRefusal
from journeyflow.db.inbox import decode
from journeyflow.db.outbox import StoredMessage, from_row
from journeyflow.db.tables import contacts, events, inbox, messages, trail

REFUSALS_MAX: Final = 1_000
"""So many refusals of a contact are told; they are counted by day, and kept for 30 days."""

Kind = Literal["event", "refusal", "step", "message"]
KINDS: Final[tuple[Kind, ...]] = ("event", "refusal", "step", "message")
"""In the order in which things of one instant happen: an event comes before what it moved."""


class Position(NamedTuple):
    """A place in a timeline: microseconds, the place of the kind in :data:`KINDS`, and what tells two of them apart."""

    at: int
    kind: int
    number: int
    id: str


class Happening(NamedTuple):
    """One thing that happened to a contact."""

    position: Position
    kind: Kind
    what: StoredEvent | StoredRefusal | TrailRecord | StoredMessage

    @property
    def at(self) -> datetime:
        return from_micros(self.position.at)


def contact_keys(connection: Connection, after: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
    """(shard, key) of contacts, in that order, behind a place."""
    key = (contacts.c.shard, contacts.c.contact)
    query = select(*key).order_by(*key).limit(limit)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return [(shard, contact) for shard, contact in connection.execute(query)]


def before(connection: Connection, contact: str, position: Position | None, limit: int) -> list[Happening]:
    """The ``limit`` things before a position (from the newest on), newest first."""
    sources = (
        _events(connection, contact, position, limit),
        _refusals(connection, contact, position),
        _steps(connection, contact, position, limit),
        _messages(connection, contact, position, limit),
    )
    ordered = merge(*sources, key=lambda one: one.position, reverse=True)
    return list(islice((one for one in ordered if position is None or one.position < position), limit))


def still_to_come(connection: Connection, keys: Iterable[str]) -> list[tuple[str, Item]]:
    """What has arrived for contacts and waits for its turn, in order of arrival."""
    wanted = sorted(keys)
    query = (
        select(inbox.c.contact, inbox.c.at, inbox.c.kind, inbox.c.payload)
        .where(inbox.c.contact.in_(wanted))
        .order_by(inbox.c.id)
    )
    found: list[tuple[str, Item]] = []
    for contact, at, kind, payload in connection.execute(query).all():
        item = decode(kind, from_micros(at), orjson.loads(payload))
        if not isinstance(item, Await):
            found.append((contact, item))
    return found


def last_to_come(connection: Connection, contact: str) -> int | None:
    """The id of the last input of a contact that waits for its turn."""
    query = select(inbox.c.id).where(_mine(inbox, contact)).order_by(inbox.c.id.desc()).limit(1)
    found: int | None = connection.scalar(query)
    return found


def _mine(table: Table, contact: str) -> ColumnElement[bool]:
    return and_(table.c.shard == shard_of(contact), table.c.contact == contact)


def _earlier(
    at: ColumnElement[int], kind: Kind, tie: ColumnElement[Any], position: Position | None, last: int | str
) -> ColumnElement[bool]:  # Any: a number or an id
    """What of a kind lies before a position; ``last`` is its part that ``tie`` is compared with."""
    if position is None:
        return true()
    here = KINDS.index(kind)
    same = false() if here > position.kind else true() if here < position.kind else tie < last
    return or_(at < position.at, and_(at == position.at, same))


def _events(connection: Connection, contact: str, position: Position | None, limit: int) -> Iterator[Happening]:
    last = 0 if position is None else position.number
    query = (
        select(events)
        .where(_mine(events, contact), forgotten.kept(connection, events))
        .where(_earlier(events.c.handled_at, "event", events.c.number, position, last))
        .order_by(events.c.handled_at.desc(), events.c.number.desc())
        .limit(limit)
    )
    for row in connection.execute(query).all():
        stored = StoredEvent(
            contact=contact,
            number=row.number,
            name=row.name,
            occurred_at=from_micros(row.occurred_at),
            handled_at=from_micros(row.handled_at),
            properties=orjson.loads(row.properties),
            claimed_at=instant(row.claimed_at),
        )
        yield Happening(Position(row.handled_at, KINDS.index("event"), row.number, ""), "event", stored)


def _steps(connection: Connection, contact: str, position: Position | None, limit: int) -> Iterator[Happening]:
    last = 0 if position is None else position.number
    query = (
        select(trail)
        .where(_mine(trail, contact), forgotten.kept(connection, trail))
        .where(_earlier(trail.c.at, "step", trail.c.number, position, last))
        .order_by(trail.c.at.desc(), trail.c.number.desc())
        .limit(limit)
    )
    for row in connection.execute(query).all():
        records = orjson.loads(row.records)
        for index in range(len(records) - 1, -1, -1):
            record = TrailRecord(from_micros(row.at), row.former or contact, *records[index])
            yield Happening(Position(row.at, KINDS.index("step"), row.number + index, ""), "step", record)


def _messages(connection: Connection, contact: str, position: Position | None, limit: int) -> Iterator[Happening]:
    last = "" if position is None else position.id
    query = (
        select(messages)
        .where(_mine(messages, contact), forgotten.kept(connection, messages))
        .where(_earlier(messages.c.queued_at, "message", messages.c.id, position, last))
        .order_by(messages.c.queued_at.desc(), messages.c.id.desc())
        .limit(limit)
    )
    for row in connection.execute(query).all():
        yield Happening(Position(row.queued_at, KINDS.index("message"), 0, row.id), "message", from_row(row))


def _refusals(connection: Connection, contact: str, position: Position | None) -> Iterator[Happening]:
    found = [_refusal(one) for one in history.refusals_of(connection, contact, None, REFUSALS_MAX)]
    yield from sorted(found, key=lambda one: one.position, reverse=True)


def _refusal(one: StoredRefusal) -> Happening:
    trigger = -1 if one.trigger is None else one.trigger
    name = f"{one.journey} {trigger} {one.detail.get('reason')}"
    return Happening(Position(to_micros(one.at), KINDS.index("refusal"), 0, name), "refusal", one)
