"""What a turn takes out of the store and writes back, set by set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, and_, func, select, update

from journeyflow.core.effects import Effects, Engaged, Message, TrailRecord
from journeyflow.core.identity import address_hash, shard_of
from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk_sqlite as bulk
from journeyflow.db import calls, codes, emails
from journeyflow.db.contacts import contact_row, dump, micros, run_row
from journeyflow.db.forgetting import forget
from journeyflow.db.tables import (
    addresses,
    claims,
    contacts,
    coupons,
    entries,
    events,
    messages,
    refusals,
    runs,
    seen,
    statistics,
    timers,
    trail,
)
from journeyflow.db.trail import trail_rows

GROUP = 0
"""The claim group of SQLite: all shards; its lock is the database's own (BEGIN IMMEDIATE)."""
DAY_US = 86_400_000_000


def advance_clock(connection: Connection, clock: datetime) -> datetime:
    """``max(clock, what was given before)``, kept, so that time never runs backwards (rule 1.1)."""
    before = connection.scalar(select(claims.c.now).where(claims.c.shard == GROUP))
    now = clock if before is None else max(clock, from_micros(before))
    bulk.put(connection, claims, [(GROUP, to_micros(now))])
    return now


# --- timers ----------------------------------------------------------------------------------------------------------


def due(connection: Connection, until: datetime, limit: int) -> list[tuple[str, datetime]]:
    """The oldest timers up to an instant: (contact, instant)."""
    rows = connection.execute(
        select(timers.c.contact, timers.c.due_at)
        .where(timers.c.due_at <= to_micros(until))
        .order_by(timers.c.due_at)
        .limit(limit)
    )
    return [(contact, from_micros(due_at)) for contact, due_at in rows.all()]


def take(connection: Connection, taken: Iterable[tuple[str, datetime]]) -> None:
    """Delete timers."""
    bulk.delete(connection, timers, [(to_micros(due_at), shard_of(contact), contact) for contact, due_at in taken])


def set_timer(connection: Connection, contact: str, at: datetime) -> None:
    """Wake a contact that exists at an instant, whatever else is set for it."""
    bulk.insert_new(connection, timers, [(to_micros(at), shard_of(contact), contact)])
    mine = (contacts.c.shard == shard_of(contact)) & (contacts.c.contact == contact)
    connection.execute(update(contacts).where(mine).values(timer_at=to_micros(at)))


def next_due(connection: Connection) -> datetime | None:
    """The instant of the earliest timer."""
    found = connection.scalar(select(func.min(timers.c.due_at)))
    return None if found is None else from_micros(found)


# --- writing ---------------------------------------------------------------------------------------------------------


def save(connection: Connection, effects: Effects, now: datetime) -> None:
    """Write all that a turn decided, in bulk."""
    bulk.put(connection, contacts, [contact_row(contact) for contact in effects.contacts.values()])
    emails.keep(connection, effects.contacts.values())
    bulk.put(connection, runs, [run_row(contact, run) for contact, run in effects.runs.values()])
    bulk.insert(connection, trail, trail_rows(effects.trail))
    _save_events(connection, effects)
    bulk.put(
        connection,
        entries,
        [
            (shard_of(contact), contact, journey, key, to_micros(entry.first_at), to_micros(entry.last_at), entry.count)
            for (contact, journey, key), entry in effects.entries.items()
        ],
    )
    bulk.insert(connection, messages, [_message_row(message) for message in effects.messages])
    calls.queue(connection, effects.calls)
    _withdraw(connection, effects.withdrawn)
    _engage(connection, effects.engaged)
    bulk.insert_new(connection, timers, [(to_micros(at), shard_of(contact), contact) for contact, at in effects.timers])
    _save_coupons(connection, effects)
    _save_addresses(connection, effects, now)
    bulk.add(connection, refusals, [_refusal_row(trigger, record) for trigger, record in effects.refusals])
    _save_statistics(connection, effects, now)
    forget(connection, effects.forgotten)


def _save_events(connection: Connection, effects: Effects) -> None:
    bulk.insert(
        connection,
        events,
        [
            (
                shard_of(event.contact),
                event.contact,
                event.name,
                to_micros(event.handled_at),
                event.number,
                to_micros(event.occurred_at),
                micros(event.claimed_at),
                dump(event.properties),
            )
            for event in effects.events
        ],
    )
    rows = [
        (shard_of(contact), contact, message_id, to_micros(at)) for (contact, message_id), at in effects.seen.items()
    ]
    bulk.insert_new(connection, seen, rows)


def _message_row(message: Message) -> tuple[object, ...]:
    queued_at = to_micros(message.queued_at)
    return (
        shard_of(message.contact),
        message.contact,
        message.id,
        message.journey,
        message.version,
        message.node,
        message.run,
        message.channel,
        message.template or "",
        message.template_version,
        message.to,
        message.topic,
        int(message.transactional),
        message.status,
        message.reason,
        None,
        queued_at,
        micros(message.expires_at),
        queued_at if message.status == "queued" else None,
        None,
        0,
        None,
        None,
        dump(message.values),
        dump(message.overrides),
        None,
        None,
        message.number,
    )


def _withdraw(connection: Connection, withdrawn: Iterable[tuple[str, str]]) -> None:
    for contact, message in withdrawn:
        mine = (messages.c.shard == shard_of(contact)) & (messages.c.contact == contact) & (messages.c.id == message)
        connection.execute(
            update(messages).where(mine, messages.c.status == "queued").values(status="cancelled", due_at=None)
        )


def _engage(connection: Connection, engaged: Iterable[Engaged]) -> None:
    """The first opening and the first click of each message by a person."""
    for one in engaged:
        column = messages.c.opened_at if one.what == "opened" else messages.c.clicked_at
        mine = and_(messages.c.shard == shard_of(one.contact), messages.c.contact == one.contact)
        connection.execute(
            update(messages)
            .where(mine, messages.c.id == one.message, column.is_(None))
            .values({column: to_micros(one.at)})
        )


def _save_coupons(connection: Connection, effects: Effects) -> None:
    bulk.insert(
        connection,
        coupons,
        [
            (
                shard_of(one.contact), one.coupon.pool, one.coupon.code, one.contact, one.coupon.journey, one.run,
                one.node, one.visit, to_micros(one.at), one.coupon.expires_at, None,
            )
            for one in effects.allocations
        ],
    )  # fmt: skip
    codes.give(connection, [(one.coupon.pool, one.coupon.code) for one in effects.allocations if one.stocked])
    moved = Counter((GROUP, one.coupon.pool, "given") for one in effects.allocations)
    moved.update((GROUP, pool, "redeemed") for _, pool, _, _ in effects.redeemed)
    codes.count(connection, moved)
    for contact, pool, code, at in effects.redeemed:
        mine = (coupons.c.shard == shard_of(contact)) & (coupons.c.pool == pool) & (coupons.c.code == code)
        connection.execute(update(coupons).where(mine).values(redeemed_at=to_micros(at)))


def _save_addresses(connection: Connection, effects: Effects, now: datetime) -> None:
    rows = []
    for (channel, address), known in effects.addresses.items():
        digest = address_hash(channel, address)
        rows.append((shard_of(digest), digest, int(known.suppressed), int(known.unsubscribed), to_micros(now)))
    bulk.put(connection, addresses, rows)


def _refusal_row(trigger: int | None, record: TrailRecord) -> tuple[object, ...]:
    at = to_micros(record.at)
    reason = str(record.detail["reason"])
    index = -1 if trigger is None else trigger
    shard = shard_of(record.contact)
    return (
        shard,
        record.contact,
        record.journey,
        index,
        reason,
        at // DAY_US,
        1,
        record.version,
        at,
        dump(record.detail),
    )


def _save_statistics(connection: Connection, effects: Effects, now: datetime) -> None:
    day = to_micros(now) // DAY_US
    rows = [(GROUP, *one, day, count) for one, count in effects.statistics.items() if count]
    bulk.add(connection, statistics, rows)
