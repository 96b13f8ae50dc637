"""Contacts and events as they are stored, for whoever takes them out or runs journeys over them once more."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection, select, tuple_

from journeyflow.core.values import JSON, from_micros, to_micros
from journeyflow.db import forgotten
from journeyflow.db.claims import Place
from journeyflow.db.tables import contacts, events


class StoredContact(NamedTuple):
    """A contact as it stands; ``topics`` is what it said about topics."""

    contact: str
    created_at: datetime
    attributes: dict[str, JSON]
    tags: list[str]
    topics: dict[str, bool]
    known: bool


class HandledEvent(NamedTuple):
    """An event as it was handled; of history ``handled_at`` is ``occurred_at``."""

    contact: str
    name: str
    occurred_at: datetime
    handled_at: datetime
    properties: dict[str, JSON]


def contacts_of(connection: Connection, shard: int) -> Iterator[StoredContact]:
    """The contacts of a shard, by key."""
    query = select(*_STORED).where(contacts.c.shard == shard).order_by(contacts.c.contact)
    return (_stored(*row) for row in connection.execute(query))


def contacts_after(connection: Connection, after: Place | None, limit: int) -> list[StoredContact]:
    """The next contacts behind a place, by shard and key."""
    key = (contacts.c.shard, contacts.c.contact)
    query = select(*_STORED).order_by(*key).limit(limit)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return [_stored(*row) for row in connection.execute(query)]


_STORED: Final = (contacts.c.contact, contacts.c.created_at, contacts.c.state)


def _stored(contact: str, created_at: int, text: str) -> StoredContact:
    state = orjson.loads(text)
    known = "anonymous" not in state
    return StoredContact(contact, from_micros(created_at), state["attributes"], state["tags"], state["topics"], known)


def events_of(
    connection: Connection, shard: int, until: datetime | None, without: Collection[str]
) -> Iterator[HandledEvent]:
    """The events of a shard handled up to an instant, itself included; each contact's in the order of handling.

    :param without: names that are left out.
    """
    columns = (events.c.contact, events.c.name, events.c.occurred_at, events.c.handled_at, events.c.properties)
    wanted = (events.c.shard == shard) & events.c.name.not_in(sorted(without)) & forgotten.kept(connection, events)
    if until is not None:
        wanted &= events.c.handled_at <= to_micros(until)
    query = select(*columns).where(wanted).order_by(events.c.contact, events.c.number)
    for contact, name, occurred_at, handled_at, properties in connection.execute(query):
        yield HandledEvent(contact, name, from_micros(occurred_at), from_micros(handled_at), orjson.loads(properties))
