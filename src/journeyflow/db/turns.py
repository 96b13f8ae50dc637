"""What a turn takes out of the store and writes back, set by set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    SmallInteger,
    Text,
    and_,
    bindparam,
    update,
)

from journeyflow.core.contact import Address
from journeyflow.core.effects import Effects, Engaged, Message, TrailRecord
from journeyflow.core.identity import address_hash, shard_of
from journeyflow.core.values import to_micros
from journeyflow.db import bulk, calls, codes, entry_keys, timers
from journeyflow.db.claims import Claim
from journeyflow.db.contacts import contact_row, dump, micros, run_row
from journeyflow.db.forgetting import forget
from journeyflow.db.tables import (
    addresses,
    contacts,
    coupons,
    entries,
    events,
    messages,
    refusals,
    runs,
    seen,
    statistics,
    trail,
)
from journeyflow.db.trail import trail_rows

DAY_US = 86_400_000_000
UNKNOWN: Final = Address()


def save(connection: Connection, effects: Effects, claim: Claim, known: Mapping[str, Address]) -> None:
    """Write all that a turn decided, in bulk.

    :param known: what was known of addresses, by their hash, when it was decided.
    """
    _save_contacts(connection, effects)
    _save_runs(connection, effects)
    bulk.insert(connection, trail, trail_rows(effects.trail))
    _save_events(connection, effects)
    bulk.put(
        connection,
        entries,
        [
            (
                shard_of(contact), contact, journey, entry_keys.stored(key), to_micros(entry.first_at),
                to_micros(entry.last_at), entry.count,
            )
            for (contact, journey, key), entry in effects.entries.items()
        ],
    )  # fmt: skip
    bulk.insert(connection, messages, [_message_row(message) for message in effects.messages])
    calls.queue(connection, effects.calls)
    _withdraw(connection, effects.withdrawn)
    _engage(connection, effects.engaged)
    timers.put(connection, claim, effects.timers)
    _save_coupons(connection, effects, claim)
    _save_addresses(connection, effects, claim.now, known)
    bulk.add(connection, refusals, [_refusal_row(trigger, record) for trigger, record in effects.refusals])
    _save_statistics(connection, effects, claim)
    forget(connection, effects.forgotten)


def _save_contacts(connection: Connection, effects: Effects) -> None:
    """Only turns write contacts: under the claim of their group, what was not found cannot have come since."""
    new: list[tuple[object, ...]] = []
    found: list[tuple[object, ...]] = []
    for contact in effects.contacts.values():
        (found if contact.stored else new).append(contact_row(contact))
        contact.stored = True
    bulk.insert(connection, contacts, new)
    bulk.change(connection, contacts, found)


def _save_runs(connection: Connection, effects: Effects) -> None:
    """Nobody else can have begun a run of this turn meanwhile, or have ended one that was read in it."""
    begun: list[tuple[object, ...]] = []
    went_on: list[tuple[object, ...]] = []
    for contact, run in effects.runs.values():
        (went_on if run.stored else begun).append(run_row(contact, run))
        run.stored = True
    bulk.insert(connection, runs, begun)
    bulk.change(connection, runs, went_on)


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
        queued_at,
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


_WITHDRAWN: Final[bulk.Types] = {"shard": SmallInteger, "contact": Text, "id": Text, "was": Text}
_ENGAGED: Final[bulk.Types] = {"shard": SmallInteger, "contact": Text, "id": Text, "at": BigInteger, "was": BigInteger}
"""``was`` is what a message must be or have; see :mod:`journeyflow.db.outbox`."""


def _withdraw(connection: Connection, withdrawn: Iterable[tuple[str, str]]) -> None:
    rows = [(shard_of(contact), contact, id_, "queued") for contact, id_ in withdrawn]
    if rows:
        these = bulk.rows(connection, _WITHDRAWN, rows)
        queued = and_(_same_message(these), messages.c.status == these.c.was)
        connection.execute(update(messages).where(queued).values(status="cancelled", due_at=None))


def _engage(connection: Connection, engaged: Iterable[Engaged]) -> None:
    """The first opening and the first click of each message by a person."""
    firsts: dict[str, dict[tuple[str, str], int]] = {}
    for one in engaged:
        firsts.setdefault(one.what, {}).setdefault((one.contact, one.message), to_micros(one.at))
    for what, found in firsts.items():
        rows = [(shard_of(contact), contact, id_, at, None) for (contact, id_), at in found.items()]
        these = bulk.rows(connection, _ENGAGED, rows)
        column = messages.c.opened_at if what == "opened" else messages.c.clicked_at
        first = and_(_same_message(these), column.is_not_distinct_from(these.c.was))
        connection.execute(update(messages).where(first).values({column: these.c.at}))


def _same_message(these: FromClause) -> ColumnElement[bool]:
    return and_(*(messages.c[name] == these.c[name] for name in ("shard", "contact", "id")))


def _save_coupons(connection: Connection, effects: Effects, claim: Claim) -> None:
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
    moved = Counter((claim.shard, one.coupon.pool, "given") for one in effects.allocations)
    moved.update((claim.shard, pool, "redeemed") for _, pool, _, _ in effects.redeemed)
    codes.count(connection, moved)
    used = [
        {"of_shard": shard_of(contact), "of_pool": pool, "of_code": code, "used_at": to_micros(at)}
        for contact, pool, code, at in effects.redeemed
    ]
    if used:
        this = and_(
            coupons.c.shard == bindparam("of_shard"),
            coupons.c.pool == bindparam("of_pool"),
            coupons.c.code == bindparam("of_code"),
        )
        connection.execute(update(coupons).where(this).values(redeemed_at=bindparam("used_at")), used)


def _save_addresses(connection: Connection, effects: Effects, now: datetime, known: Mapping[str, Address]) -> None:
    """Contacts of other groups may have the same address, and change it meanwhile: only what changed is written."""
    rows: dict[tuple[str, ...], list[tuple[object, ...]]] = {}
    for (channel, address), stands in effects.addresses.items():
        digest = address_hash(channel, address)
        before = known.get(digest, UNKNOWN)
        changed = [name for name in ("suppressed", "unsubscribed") if getattr(before, name) != getattr(stands, name)]
        row = (shard_of(digest), digest, int(stands.suppressed), int(stands.unsubscribed), to_micros(now))
        rows.setdefault((*changed, "at"), []).append(row)
    for columns, changes in rows.items():
        bulk.put(connection, addresses, changes, columns)


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


def _save_statistics(connection: Connection, effects: Effects, claim: Claim) -> None:
    day = to_micros(claim.now) // DAY_US
    rows = [(claim.shard, *one, day, count) for one, count in effects.statistics.items() if count]
    bulk.add(connection, statistics, rows)
