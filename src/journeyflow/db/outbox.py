"""Messages: the queue that dispatchers work off, and the record of what was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    SmallInteger,
    Text,
    and_,
    func,
    or_,
    select,
    tuple_,
    update,
)

from journeyflow.core.identity import shard_of
from journeyflow.core.inputs import MessageRetried
from journeyflow.core.values import JSON, from_micros, to_micros
from journeyflow.db import aliases, bulk, forgotten, inbox, leases, months
from journeyflow.db.contacts import instant, micros
from journeyflow.db.id_beginnings import has_id
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
    """What became of a claimed message: sent, failed, or queued again for ``due_at``.

    ``bounced``: it failed because there is no such address. ``fault``: what it failed at before it was handed over,
    without anything of its contact, which a reason may name; ``None`` where it is nobody's fault (rule 5.5).
    """

    message: StoredMessage
    status: str
    at: datetime
    reason: str | None = None
    due_at: datetime | None = None
    subject: str | None = None
    provider_id: str | None = None
    bounced: bool = False
    fault: str | None = None


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
    if taken:
        lease = to_micros(lease_until)
        these = bulk.rows(
            connection, _PLACES, [(*_place(message, message.contact), message.status) for message in taken]
        )
        leased = {"status": "sending", "due_at": lease, "lease_until": lease, "attempts": messages.c.attempts + 1}
        connection.execute(update(messages).where(_among(these, taken)).values(leased))
    return taken


def _due(connection: Connection, channel: str, now: datetime, limit: int) -> list[StoredMessage]:
    taken = leases.take_due(connection, messages, to_micros(now), limit, of=messages.c.channel == channel)
    return [from_row(row) for row in taken]


def count_due(connection: Connection, channel: str, now: datetime, most: int) -> int:
    """How many messages of a channel are due, counted up to so many."""
    mine = (messages.c.channel == channel) & (messages.c.due_at <= to_micros(now))
    some = select(messages.c.due_at).where(mine).limit(most).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def _channels_waiting(connection: Connection) -> Iterator[str]:
    """The channels of queued messages, found by leaps through the index rather than message by message."""
    waiting = messages.c.due_at.isnot(None)
    channel = connection.scalar(select(func.min(messages.c.channel)).where(waiting))
    while channel is not None:
        yield channel
        channel = connection.scalar(select(func.min(messages.c.channel)).where(waiting, messages.c.channel > channel))


def finish(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Write down what became of claimed messages; returns those of messages that were still being sent."""
    written = _write(connection, [(one, one.message.contact) for one in outcomes])
    others = [one for one in outcomes if one.message.id not in written]
    if others:  # who was merged took the message along
        people = aliases.find(connection, {one.message.contact for one in others})
        moved = [(one, people[one.message.contact]) for one in others if one.message.contact in people]
        written |= _write(connection, moved)
    return [one for one in outcomes if one.message.id in written]


_PLACES: Final[bulk.Types] = {
    "shard": SmallInteger, "contact": Text, "id": Text, "queued_at": BigInteger, "was": Text,
}  # fmt: skip
"""Where messages are, and the status that they must have. That stands in the rows rather than in the statement: of a
month that has just begun PostgreSQL does not know how many have it, and would think that it is next to none.
"""
_OUTCOMES: Final[bulk.Types] = {
    **_PLACES, "status": Text, "reason": Text, "due_at": BigInteger, "sent_at": BigInteger, "subject": Text,
    "provider_id": Text, "attempt": Integer,
}  # fmt: skip


def _write(connection: Connection, outcomes: Sequence[tuple[Outcome, str]]) -> set[str]:
    """Outcomes, each with the contact whose message it may be; the ids of those that are, and were being sent.

    Once a message has gone out that is so, whoever else may be at it by now; any other end is only that of its own
    attempt.
    """
    if not outcomes:
        return set()
    rows = [
        (
            *_place(one.message, contact), "sending", one.status, one.reason, micros(one.due_at),
            to_micros(one.at) if one.status == "sent" else None, one.subject or one.message.subject, one.provider_id,
            one.message.attempts + 1,
        )
        for one, contact in outcomes
    ]  # fmt: skip
    these = bulk.rows(connection, _OUTCOMES, rows)
    changed = {name: these.c[name] for name in _OUTCOMES if name not in {*_PLACES, "attempt"}}
    among = _among(these, [one.message for one, _ in outcomes])
    counts = or_(these.c.status == "sent", these.c.attempt == messages.c.attempts)
    query = update(messages).where(among, counts).values(lease_until=None, **changed).returning(messages.c.id)
    return set(connection.scalars(query))


def _place(message: StoredMessage, contact: str) -> tuple[object, ...]:
    """The key of a message; with its instant, which on PostgreSQL says where to look."""
    return (shard_of(contact), contact, message.id, to_micros(message.queued_at))


def _among(places: FromClause, given: Sequence[StoredMessage]) -> ColumnElement[bool]:
    """These rows, where they have the status. The first instant lets PostgreSQL leave out the months before it."""
    key = ("shard", "contact", "id", "queued_at")
    same = and_(*(messages.c[name] == places.c[name] for name in key), messages.c.status == places.c.was)
    return and_(same, messages.c.queued_at >= min(to_micros(one.queued_at) for one in given))


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


def by_id(connection: Connection, id_: str, queued_at: int | None = None) -> StoredMessage | None:
    """One message.

    :param queued_at: when it was queued, in microseconds, as far as is known; found is also one that was queued anew.
    """
    this = has_id(messages, id_) & forgotten.kept(connection, messages)
    row = None
    if queued_at is not None:
        row = connection.execute(select(messages).where(this, messages.c.queued_at == queued_at)).first()
    if row is None:
        row = connection.execute(select(messages).where(this)).first()
    return None if row is None else from_row(row)


def retry(connection: Connection, message: StoredMessage, now: datetime) -> bool:
    """Queue a failed message again, as of now; whether it was failed. Its contact's next turn takes that in."""
    months.ensure(connection, messages, [to_micros(now)])
    this = bulk.rows(connection, _PLACES, [(*_place(message, message.contact), "failed")])
    changed = connection.execute(
        update(messages)
        .where(_among(this, [message]))
        .values(
            status="queued", queued_at=to_micros(now), due_at=to_micros(now), reason=None, attempts=0, expires_at=None
        )
    )
    if changed.rowcount == 1:
        where = (message.run, message.node, message.channel, message.template, message.to)
        inbox.put(connection, [(message.contact, MessageRetried(now, message.id, *where))])
    return changed.rowcount == 1


Place = tuple[int, str, int, str]


def place(message: StoredMessage) -> Place:
    """Where a message stands among all, and among those of its contact: shard, contact, microseconds, id."""
    return (shard_of(message.contact), message.contact, to_micros(message.queued_at), message.id)


def page(
    connection: Connection, contact: str | None, status: str | None, after: Place | None, limit: int
) -> list[StoredMessage]:
    """Messages behind a place, of a contact or of all, in the order of their key: those of a contact oldest first."""
    key = tuple(messages.primary_key.columns)
    query = select(messages).where(forgotten.kept(connection, messages)).order_by(*key).limit(limit)
    if contact is not None:
        query = query.where(messages.c.shard == shard_of(contact), messages.c.contact == contact)
    if status is not None:
        query = query.where(messages.c.status == status)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return [from_row(row) for row in connection.execute(query)]
