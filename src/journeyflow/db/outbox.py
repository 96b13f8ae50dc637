"""Messages: the queue that dispatchers work off, and the record of what was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, func, select, tuple_, update

from journeyflow.core.identity import shard_of
from journeyflow.core.inputs import MessageRetried
from journeyflow.core.values import JSON, from_micros, to_micros
from journeyflow.db import aliases, inbox
from journeyflow.db.contacts import instant, micros
from journeyflow.db.tables import messages

WAITING_MAX: Final = 100_000
"""Waiting messages are counted up to here: who asks wants to know whether it is many."""
NO_LIMITS: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One row of ``messages``; instants are aware UTC."""

    id: str
    contact: str
    journey: str
    version: int
    node: str
    run: str
    channel: str
    template: str | None
    template_version: int
    to: str | None
    topic: str | None
    transactional: bool
    status: str
    reason: str | None
    subject: str | None
    queued_at: datetime
    expires_at: datetime | None
    attempts: int
    sent_at: datetime | None
    values: dict[str, JSON]
    overrides: dict[str, JSON]
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claimed message: sent, failed, or queued again for ``due_at``."""

    message: StoredMessage
    status: str
    at: datetime
    reason: str | None = None
    due_at: datetime | None = None
    subject: str | None = None
    provider_id: str | None = None


def from_row(row: Any) -> StoredMessage:  # Any: a row of the table
    """A message as it is stored."""
    return StoredMessage(
        id=row.id,
        contact=row.contact,
        journey=row.journey,
        version=row.version,
        node=row.node,
        run=row.run,
        channel=row.channel,
        template=row.template or None,
        template_version=row.template_version,
        to=row.to,
        topic=row.topic,
        transactional=bool(row.transactional),
        status=row.status,
        reason=row.reason,
        subject=row.subject,
        queued_at=from_micros(row.queued_at),
        expires_at=instant(row.expires_at),
        attempts=row.attempts,
        sent_at=instant(row.sent_at),
        values=orjson.loads(row._mapping["values"]),
        overrides=orjson.loads(row.overrides),
        provider_id=row.provider_id,
    )


def claim(
    connection: Connection, now: datetime, lease_until: datetime, limit: int, room: Mapping[str, int] = NO_LIMITS
) -> list[StoredMessage]:
    """Take due messages for delivery: queued ones, and those whose dispatcher died and let its lease run out.

    At most ``limit`` of each channel, and of those in ``room`` no more than it says.

    They are ``sending`` until ``finish``; a lease that runs out makes them due again. ``status`` in the result is what
    it was before: ``sending`` marks a message that may have gone out already (rule 5.4).
    """
    taken = [
        message
        for channel in _channels_waiting(connection)
        for message in _due(connection, channel, now, min(limit, room.get(channel, limit)))
    ]
    lease = to_micros(lease_until)
    for message in taken:
        connection.execute(
            update(messages)
            .where(*_this(message))
            .values(status="sending", due_at=lease, lease_until=lease, attempts=messages.c.attempts + 1)
        )
    return taken


def _due(connection: Connection, channel: str, now: datetime, limit: int) -> list[StoredMessage]:
    if limit <= 0:
        return []
    mine = (messages.c.channel == channel) & (messages.c.due_at <= to_micros(now))
    query = select(messages).where(mine).order_by(messages.c.due_at).limit(limit)
    return [from_row(row) for row in connection.execute(query.with_for_update(skip_locked=True))]


def _channels_waiting(connection: Connection) -> Iterator[str]:
    """The channels of queued messages, found by leaps through the index rather than message by message."""
    waiting = messages.c.due_at.isnot(None)
    channel = connection.scalar(select(func.min(messages.c.channel)).where(waiting))
    while channel is not None:
        yield channel
        channel = connection.scalar(select(func.min(messages.c.channel)).where(waiting, messages.c.channel > channel))


def finish(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Write down what became of claimed messages; returns those of messages that were still being sent."""
    return [outcome for outcome in outcomes if _finish(connection, outcome)]


def _finish(connection: Connection, outcome: Outcome) -> bool:
    contact = outcome.message.contact
    if _write(connection, outcome, contact):
        return True
    person = aliases.resolve(connection, contact)  # who was merged took the message along
    return person != contact and _write(connection, outcome, person)


def _write(connection: Connection, outcome: Outcome, contact: str) -> bool:
    """Whether that contact has the message, and it was being sent.

    Once it has gone out that is so, whoever else may be at it by now; any other end is only that of its own attempt.
    """
    mine = [] if outcome.status == "sent" else [messages.c.attempts == outcome.message.attempts + 1]
    written = connection.execute(
        update(messages)
        .where(*_this(outcome.message, contact), messages.c.status == "sending", *mine)
        .values(
            status=outcome.status,
            reason=outcome.reason,
            due_at=micros(outcome.due_at),
            lease_until=None,
            sent_at=to_micros(outcome.at) if outcome.status == "sent" else None,
            subject=outcome.subject or outcome.message.subject,
            provider_id=outcome.provider_id,
        )
    )
    return written.rowcount == 1


def _this(message: StoredMessage, contact: str | None = None) -> tuple[Any, ...]:  # Any: SQL expressions
    holder = message.contact if contact is None else contact
    return (messages.c.shard == shard_of(holder), messages.c.contact == holder, messages.c.id == message.id)


def next_due(connection: Connection) -> datetime | None:
    """When the next message is due."""
    return min(next_due_by_channel(connection).values(), default=None)


def next_due_by_channel(connection: Connection) -> dict[str, datetime]:
    """When the next message of each channel is due; channels without one are left out."""
    return {channel: _first_due(connection, channel) for channel in _channels_waiting(connection)}


def waiting(connection: Connection) -> dict[str, int]:
    """How many messages of each channel wait to be sent, or tried again; counted up to ``WAITING_MAX``."""
    found: dict[str, int] = {}
    for channel in _channels_waiting(connection):
        mine = select(messages.c.due_at).where(messages.c.channel == channel, messages.c.due_at.isnot(None))
        some = mine.limit(WAITING_MAX).subquery()
        found[channel] = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return found


def _first_due(connection: Connection, channel: str) -> datetime:
    mine = (messages.c.channel == channel) & messages.c.due_at.isnot(None)
    return from_micros(connection.execute(select(func.min(messages.c.due_at)).where(mine)).scalar_one())


def by_id(connection: Connection, id_: str) -> StoredMessage | None:
    """One message."""
    row = connection.execute(select(messages).where(messages.c.id == id_)).first()
    return None if row is None else from_row(row)


def retry(connection: Connection, message: StoredMessage, now: datetime) -> bool:
    """Queue a failed message again, as of now; whether it was failed. Its contact's next turn takes that in."""
    changed = connection.execute(
        update(messages)
        .where(*_this(message), messages.c.status == "failed")
        .values(
            status="queued", queued_at=to_micros(now), due_at=to_micros(now), reason=None, attempts=0, expires_at=None
        )
    )
    if changed.rowcount == 1:
        where = (message.run, message.node, message.channel, message.template, message.to)
        inbox.put(connection, [(message.contact, MessageRetried(now, message.id, *where))])
    return changed.rowcount == 1


Place = tuple[int, str, str]


def place(message: StoredMessage) -> Place:
    """Where a message stands among all: shard, contact, id."""
    return (shard_of(message.contact), message.contact, message.id)


def place_in_time(message: StoredMessage) -> Place:
    """Where a message stands among those of its contact: microseconds, contact, id."""
    return (to_micros(message.queued_at), message.contact, message.id)


def page(
    connection: Connection, contact: str | None, status: str | None, after: Place | None, limit: int
) -> list[StoredMessage]:
    """Messages behind a place: those of a contact in order of time, those of all in the order of their key."""
    first = messages.c.shard if contact is None else messages.c.queued_at
    key = (first, messages.c.contact, messages.c.id)
    query = select(messages).order_by(*key).limit(limit)
    if contact is not None:
        query = query.where(messages.c.shard == shard_of(contact), messages.c.contact == contact)
    if status is not None:
        query = query.where(messages.c.status == status)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return [from_row(row) for row in connection.execute(query)]
