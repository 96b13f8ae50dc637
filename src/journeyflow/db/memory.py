"""What decisions read beyond the loaded contacts: history, entries, addresses, codes; for a whole batch at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from functools import cache, partial
from typing import Any, Final

import orjson
from sqlalchemy import Connection, FromClause, Select, SmallInteger, Text, and_, func, select

from journeyflow.core.address import ATTRIBUTES, written
from journeyflow.core.contact import Address, Contact, Entry, PastEvent, PastMessage, Run
from journeyflow.core.coupon_pool import CouponPool
from journeyflow.core.effects import Effects
from journeyflow.core.engagement import ENGAGEMENT
from journeyflow.core.identity import address_hash, key_text, shard_of
from journeyflow.core.inputs import Absorb, Event, Identify, Input
from journeyflow.core.values import Missing, PathKeys, from_micros, look_up, to_micros
from journeyflow.core.workspace import Channel
from journeyflow.db import bulk, entry_keys, forgotten
from journeyflow.db.ahead import Ahead, Rows
from journeyflow.db.claims import WHOLE, Group
from journeyflow.db.codes import Stock
from journeyflow.db.store import on_postgresql
from journeyflow.db.tables import addresses, entries, events, messages, runs, seen

CodeMaker = Callable[[Connection, CouponPool, str], str | None]
"""Makes a fresh code of a pool for a contact's shard: (connection, pool, contact) → code."""

NO_KEYS: Final[Mapping[str, PathKeys]] = {}
_QUEUED: Final[bulk.Types] = {"shard": SmallInteger, "contact": Text, "id": Text, "was": Text}
_GOING_OUT: Final = frozenset({"queued", "sending", "sent"})


class TurnMemory:
    """The store behind one turn's decisions; see :class:`journeyflow.core.contact.Memory`."""

    def __init__(
        self,
        connection: Connection,
        contacts: dict[str, Contact],
        inputs: Mapping[str, Sequence[Input | Absorb]],
        effects: Effects,
        make_code: CodeMaker,
        channels: Collection[Channel] = ATTRIBUTES.keys(),
        recent_after: datetime | None = None,
        keyed: Mapping[str, PathKeys] = NO_KEYS,
        group: Group = WHOLE,
    ) -> None:
        """A store for one turn.

        :param channels: those by which messages may go out; what is known of addresses is read for them at once.
        :param recent_after: since when decisions look at messages as a rule; these are read for the batch at once.
        :param keyed: where in an event the key is of journeys that have one; entries are read for the batch at once.
        :param group: the claim group that the contacts are of.
        """
        self._channels = channels
        self._connection = connection
        self._contacts = contacts
        self._inputs = inputs
        self._effects = effects
        self._make_code = make_code
        self._addresses: dict[str, Address] | None = None
        self._hashes: dict[tuple[str, str], str] = {}
        self._seen: set[tuple[str, str]] | None = None
        self._recent_after = recent_after
        self._recent: dict[str, list[PastMessage]] | None = None
        self._all: dict[str, list[PastMessage]] | None = None
        self._stock: Stock | None = None
        self._keyed = keyed
        self._group = group
        self._entries: dict[str, dict[tuple[str, str], Entry | None]] = {}
        self._events: dict[tuple[str, datetime | None], Ahead[list[PastEvent]]] = {}
        self._left: dict[str, Ahead[datetime | None]] = {}
        self._queued: Ahead[frozenset[str]] | None = None
        self._fresh: set[str] = set()

    # --- history ------------------------------------------------------------------------------------------------------

    def events(self, contact: str, name: str, since: datetime | None) -> Iterable[PastEvent]:
        """The contact's stored events of that name handled after ``since``, oldest first."""
        ahead = self._events.get((name, since))
        if ahead is None:
            ahead = self._events[name, since] = Ahead(self._asking(), partial(self._read_events, name, since), _past)
        return ahead.of(contact)

    def _asking(self) -> dict[str, None]:
        """Those who may ask."""
        return dict.fromkeys([*self._contacts, *self._inputs])

    def _read_events(self, name: str, since: datetime | None, contacts: Sequence[str], limit: int | None) -> Rows:
        # The name stands in the rows: PostgreSQL would guess that hardly an event has it, and look at all of them.
        wanted = bulk.triples(self._connection, ((shard_of(contact), contact, name) for contact in contacts))
        same = and_(
            events.c.shard == wanted.c.shard, events.c.contact == wanted.c.contact, events.c.name == wanted.c.third
        )
        recent = forgotten.kept(self._connection, events) if since is None else events.c.handled_at > to_micros(since)
        same = and_(same, recent)
        columns = [events.c[column] for column in ("contact", *PastEvent._fields)]
        order = (events.c.shard, events.c.contact, events.c.handled_at, events.c.number)
        query = select(*columns).select_from(wanted.join(events, same)).order_by(*order).limit(limit)
        return self._connection.execute(query).all()

    # --- entries ------------------------------------------------------------------------------------------------------

    def entry(self, contact: str, journey: str, key: str) -> Entry | None:
        """The contact's entries into that journey under that key."""
        if journey not in self._entries:
            self._entries[journey] = self._read_entries(journey, self._keys_of_batch(journey))
        known = self._entries[journey]
        if (contact, key) not in known:
            known.update(self._read_entries(journey, {(contact, key)}))
        return known[contact, key]

    def _keys_of_batch(self, journey: str) -> set[tuple[str, str]]:
        """The keys under which the events of the batch would enter the journey, each with its contact."""
        path = self._keyed.get(journey)
        if path is None:
            return set()
        return {
            (contact, key)
            for contact, items in self._inputs.items()
            for item in items
            if isinstance(item, Event)
            and not isinstance(value := look_up(item.properties, path), Missing)
            and (key := key_text(value)) is not None
        }

    def _read_entries(self, journey: str, keys: Set[tuple[str, str]]) -> dict[tuple[str, str], Entry | None]:
        found: dict[tuple[str, str], Entry | None] = dict.fromkeys(keys)
        named = {(contact, entry_keys.stored(key)): key for contact, key in keys}
        wanted = bulk.triples(self._connection, ((shard_of(contact), contact, key) for contact, key in named))
        same = and_(
            entries.c.shard == wanted.c.shard, entries.c.contact == wanted.c.contact, entries.c.key == wanted.c.third
        )
        columns = (entries.c.contact, entries.c.key, entries.c.first_at, entries.c.last_at, entries.c.count)
        query = select(*columns).select_from(wanted.join(entries, and_(same, entries.c.journey == journey)))
        for contact, key, first_at, last_at, count in self._connection.execute(query).all():
            found[contact, named[contact, key]] = Entry(from_micros(first_at), from_micros(last_at), count)
        return found

    def left_journey(self, contact: str, journey: str) -> datetime | None:
        """When the last of the contact's runs of that journey ended; held-out ones are none."""
        ahead = self._left.get(journey)
        if ahead is None:
            ahead = self._left[journey] = Ahead(self._asking(), partial(self._read_left, journey), _instant)
        return ahead.of(contact)

    def _read_left(self, journey: str, contacts: Sequence[str], limit: int | None) -> Rows:
        wanted = bulk.batch(self._connection, ((shard_of(contact), contact) for contact in contacts))
        same = and_(runs.c.shard == wanted.c.shard, runs.c.contact == wanted.c.contact, runs.c.journey == journey)
        ended = and_(runs.c.status != "holdout", runs.c.ended_at.is_not(None))
        query = select(runs.c.contact, func.max(runs.c.ended_at)).select_from(wanted.join(runs, same)).where(ended)
        return self._connection.execute(query.group_by(runs.c.contact).limit(limit)).all()

    # --- addresses ----------------------------------------------------------------------------------------------------

    @property
    def known_addresses(self) -> Mapping[str, Address]:
        """What has been read of addresses, by their hash."""
        return self._addresses or {}

    def address(self, channel: str, address: str) -> Address:
        """Whether that address is suppressed, or unsubscribed from everything."""
        digest = self._hash(channel, address)
        if self._addresses is None:
            self._addresses = self._addresses_of_batch()
        found = self._addresses.get(digest)
        if found is None:
            found = self._addresses[digest] = read_addresses(self._connection, [digest])[digest]
        return found

    def _hash(self, channel: str, address: str) -> str:
        digest = self._hashes.get((channel, address))
        if digest is None:
            digest = self._hashes[channel, address] = address_hash(channel, address)
        return digest

    def _addresses_of_batch(self) -> dict[str, Address]:
        digests = {
            self._hash(channel, text)
            for contact in self._contacts.values()
            for channel in self._channels
            if (text := written(contact.attributes, channel)) is not None
        }
        return read_addresses(self._connection, digests)

    # --- duplicates ---------------------------------------------------------------------------------------------------

    def seen(self, contact: str, message_id: str) -> bool:
        """Whether the contact has had an event of that id."""
        if self._seen is None:
            self._seen = self._seen_of_batch()
        return (contact, message_id) in self._seen

    def _seen_of_batch(self) -> set[tuple[str, str]]:
        arriving = (
            (contact, item.message_id)
            for contact, items in self._inputs.items()
            for item in items
            if isinstance(item, Event | Identify) and item.message_id is not None
        )
        return read_seen(self._connection, arriving)

    # --- messages and codes -------------------------------------------------------------------------------------------

    def still_queued(self, contact: str, message: str) -> bool:
        """Whether that message is not being sent yet; one that was queued in this very turn is not."""
        fresh = self._effects.messages
        self._fresh.update(queued.id for queued in fresh[len(self._fresh) :])
        if message in self._fresh:
            return True
        if self._queued is None:
            self._queued = Ahead(self._asking(), self._read_queued, _ids)
        return message in self._queued.of(contact)

    def _read_queued(self, contacts: Sequence[str], limit: int | None) -> Rows:
        """Those messages of runs that may be withdrawn, and are still queued."""
        wanted = bulk.rows(
            self._connection,
            _QUEUED,
            (
                (shard_of(contact), contact, message.id, "queued")
                for contact in contacts
                for run in self._runs(contact)
                for message in run.queued
            ),
        )
        same = and_(
            messages.c.shard == wanted.c.shard,
            messages.c.contact == wanted.c.contact,
            messages.c.id == wanted.c.id,
            messages.c.status == wanted.c.was,
        )
        query = select(messages.c.contact, messages.c.id).select_from(wanted.join(messages, same))
        query = query.order_by(messages.c.shard, messages.c.contact)
        if on_postgresql(self._connection):  # nobody picks up meanwhile what this turn withdraws
            query = query.where(self._group.of(messages)).with_for_update(of=messages)
        return self._connection.execute(query.limit(limit)).all()

    def _runs(self, contact: str) -> Iterator[Run]:
        """The contact's runs, and those that are about to become its own."""
        if contact in self._contacts:
            yield from self._contacts[contact].runs
        for item in self._inputs.get(contact, ()):
            if isinstance(item, Absorb):
                yield from item.other.runs

    def messages(self, contact: str, since: datetime | None) -> Iterable[PastMessage]:
        """The contact's messages queued after ``since``, oldest first; not those that were withdrawn or have failed."""
        if since is not None and self._recent_after is not None and since >= self._recent_after:
            if self._recent is None:
                self._recent = read_messages(self._connection, self._contacts, self._recent_after)
            return [one for one in self._recent.get(contact, ()) if one.queued_at > since]
        if self._all is None:
            self._all = read_messages(self._connection, self._engaged(), None)
        if contact not in self._all:
            self._all.update(read_messages(self._connection, [contact], None))
        return [one for one in self._all[contact] if since is None or one.queued_at > since]

    def _engaged(self) -> list[str]:
        """Those whose events have to find their message, which may be an old one."""
        return [
            contact
            for contact, items in self._inputs.items()
            if any(isinstance(item, Event) and item.name in ENGAGEMENT for item in items)
        ]

    def coupon_code(self, pool: CouponPool, contact: str, identity: str) -> str | None:
        """A fresh code of the pool."""
        if not pool.stocked:
            return self._make_code(self._connection, pool, contact)
        if self._stock is None:
            self._stock = Stock(self._connection)
        return self._stock.take(pool.coupon_pool)


def _past(rows: Rows) -> list[PastEvent]:
    return [
        PastEvent(number, from_micros(occurred_at), from_micros(handled_at), orjson.loads(properties))
        for _, number, occurred_at, handled_at, properties in rows
    ]


def _instant(rows: Rows) -> datetime | None:
    return from_micros(rows[0][1]) if rows else None


def _ids(rows: Rows) -> frozenset[str]:
    return frozenset(id_ for _, id_ in rows)


def read_messages(
    connection: Connection, contacts: Iterable[str], since: datetime | None
) -> dict[str, list[PastMessage]]:
    """The messages of contacts queued after an instant, oldest first, that were neither withdrawn nor have failed."""
    found: dict[str, list[PastMessage]] = {contact: [] for contact in contacts}
    wanted = bulk.batch(connection, ((shard_of(contact), contact) for contact in found))
    same = and_(messages.c.shard == wanted.c.shard, messages.c.contact == wanted.c.contact)
    recent = forgotten.kept(connection, messages) if since is None else messages.c.queued_at > to_micros(since)
    same = and_(same, recent)
    columns = [messages.c[name] for name in ("status", "contact", *PastMessage._fields[:8], "opened_at", "clicked_at")]
    query = select(*columns).select_from(wanted.join(messages, same))
    for (
        status,
        contact,
        id_,
        channel,
        template,
        journey,
        node,
        run,
        transactional,
        queued_at,
        opened_at,
        clicked_at,
    ) in connection.execute(query.order_by(messages.c.queued_at, messages.c.number)):
        if status not in _GOING_OUT:
            continue
        found[contact].append(
            PastMessage(
                id_, channel, template or None, journey, node, run, bool(transactional), from_micros(queued_at),
                opened_at is not None, clicked_at is not None,
            )
        )  # fmt: skip
    return found


def read_seen(connection: Connection, arriving: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Of (contact, message id) those of which the contact has had an event (rule 1.5)."""
    asked = bulk.asked_triple_rows(connection, ((shard_of(contact), contact, id_) for contact, id_ in arriving))
    rows = connection.execute(_asked_seen(bulk.asked_triples(connection)), asked)
    return {(contact, message_id) for contact, message_id in rows.all()}


def read_addresses(connection: Connection, digests: Iterable[str]) -> dict[str, Address]:
    """What is known of addresses, by their hash; all that were asked for are in the answer."""
    found = {digest: Address() for digest in digests}
    asked = bulk.asked_rows(connection, ((shard_of(digest), digest) for digest in found))
    rows = connection.execute(_asked_addresses(bulk.asked(connection)), asked).all()
    for digest, suppressed, unsubscribed in rows:
        found[digest] = Address(bool(suppressed), bool(unsubscribed))
    return found


@cache
def _asked_addresses(asked: FromClause) -> Select[Any]:  # Any: the columns' types
    same = and_(addresses.c.shard == asked.c.shard, addresses.c.address == asked.c.contact)
    columns = (addresses.c.address, addresses.c.suppressed, addresses.c.unsubscribed)
    return select(*columns).select_from(asked.join(addresses, same))


@cache
def _asked_seen(asked: FromClause) -> Select[Any]:  # Any: as above
    same = and_(seen.c.shard == asked.c.shard, seen.c.contact == asked.c.contact, seen.c.message_id == asked.c.third)
    return select(seen.c.contact, seen.c.message_id).select_from(asked.join(seen, same))
