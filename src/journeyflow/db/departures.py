"""What went out lately, or may be going out, on channels that have a sending rate: all dispatchers together keep to it.

Whoever is about to send reserves places first, in a transaction of its own, under the lock of the channel's row. What
was sent of them counts until it no longer matters; the rest is given back. A dispatcher that dies gives nothing back,
and its places are free when its messages are taken for lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, select

from journeyflow.core.identity import shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk
from journeyflow.db.tables import departures

_SENT: Final = ""
"""The batch of what is no reservation."""
_LOCK: Final = (0, _SENT)
"""The row of a channel that is there to be locked."""


class Departure(NamedTuple):
    """So many messages that count towards the rate until an instant."""

    counts_until: datetime
    messages: int


def counted(connection: Connection, channel: str, now: datetime) -> list[Departure]:
    """What counts towards a channel's rate now, in order of how long it does."""
    mine = (departures.c.shard == shard_of(channel)) & (departures.c.channel == channel)
    rows = connection.execute(
        select(departures.c.counts_until, departures.c.count)
        .where(mine, departures.c.counts_until > to_micros(now))
        .order_by(departures.c.counts_until)
    )
    return [Departure(from_micros(counts_until), count) for counts_until, count in rows]


def lock(connection: Connection, channel: str) -> None:
    """Let nobody else reserve places on a channel until the transaction ends."""
    this = (departures.c.shard == shard_of(channel)) & (departures.c.channel == channel)
    row = this & (departures.c.counts_until == _LOCK[0]) & (departures.c.batch == _LOCK[1])
    query = select(departures.c.count).where(row).with_for_update()
    if connection.execute(query).first() is None:
        bulk.insert_new(connection, departures, [(shard_of(channel), channel, *_LOCK, 0)])
        connection.execute(query)


def reserve(
    connection: Connection, channel: str, batch: str, counts_until: datetime, count: int, now: datetime
) -> None:
    """Take places for a batch, until it is over or, where that is never told, an instant; what is past is deleted."""
    past = departures.c.counts_until.between(_LOCK[0] + 1, to_micros(now))
    connection.execute(
        delete(departures).where(departures.c.shard == shard_of(channel), departures.c.channel == channel, past)
    )
    bulk.insert(connection, departures, [(shard_of(channel), channel, to_micros(counts_until), batch, count)])


def settle(
    connection: Connection, reserved: Mapping[str, datetime], batch: str, sent: Counter[tuple[str, datetime]]
) -> None:
    """A batch is over.

    :param reserved: the channels on which it had places, and until when.
    :param sent: how many messages it sent, by channel and until when they count.
    """
    places = [(shard_of(channel), channel, to_micros(until), batch) for channel, until in reserved.items()]
    bulk.delete(connection, departures, places)
    rows = [(shard_of(channel), channel, to_micros(until), _SENT, count) for (channel, until), count in sent.items()]
    bulk.add(connection, departures, sorted(rows))
