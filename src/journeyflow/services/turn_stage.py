"""What a turn works on, and where it writes: the store's side of decisions, and of merges (rules 10.1 to 10.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection

from journeyflow.core.actor import Actor
from journeyflow.core.contact import Address, Contact
from journeyflow.core.effects import Effects, TrailRecord
from journeyflow.core.facts import Firings
from journeyflow.core.flows import Flows
from journeyflow.core.identity import address_hash
from journeyflow.core.inputs import Absorb, AddressTurned, Merge
from journeyflow.core.meeting import Item, Joining
from journeyflow.db import aliases, contacts, holders, inbox, turns
from journeyflow.db.aliases import Alias
from journeyflow.db.claims import WHOLE, Claim
from journeyflow.db.holders import NONE, Addresses, addresses_of
from journeyflow.db.memory import CodeMaker, TurnMemory, read_addresses
from journeyflow.db.store import on_postgresql, one_at_a_time

Timers = Mapping[str, Sequence[datetime]]


class TurnStage:
    """The contacts of one turn, loaded at once; see :class:`journeyflow.core.meeting.Stage`.

    Both turns of a merge within a claim group (on SQLite there is but one) are taken under one lock, in one
    transaction: nobody ever finds the one contact gone and the other without what it brings. Of one between two groups
    the second turn follows when the other group's comes; until then who looks finds what the inbox holds.
    """

    def __init__(
        self,
        connection: Connection,
        flows: Flows,
        claim: Claim,
        timers: Timers,
        make_code: CodeMaker,
        firings: Callable[[str], Firings],
        ids: Sequence[int] = (),
    ) -> None:
        """``ids`` are those of the inputs, in order of arrival: what is handed on keeps its place by them."""
        self._ids = ids
        self.alerts: list[str] = []
        self.trail: list[tuple[int, TrailRecord]] = []
        self.messages = 0
        self.calls = 0
        self.stocked: Counter[str] = Counter()
        self._connection = connection
        self._flows = flows
        self._claim = claim
        self._now = claim.now
        self._timers = timers
        self._make_code = make_code
        self._firings = firings
        self._contacts: dict[str, Contact] = {}
        self._aliases: dict[str, str] = {}
        self._effects = Effects()
        self._memory: TurnMemory | None = None
        self._addresses: dict[str, Addresses] = {}

    def load(self, inputs: Mapping[str, Sequence[Item]], others: Iterable[str]) -> bool:
        """Load the contacts of these inputs, the others, and whoever they are or become; whether anybody is merged."""
        merges = {item.into for items in inputs.values() for item in items if isinstance(item, Merge)}
        absorbed = [item.other for items in inputs.values() for item in items if isinstance(item, Absorb)]
        self._load({*inputs, *others, *merges})
        if absorbed:
            contacts.load_runs(self._connection, absorbed, self._now)
        return bool(merges or absorbed or self._aliases)

    def _load(self, keys: Iterable[str]) -> None:
        wanted = set(keys)
        self._fetch(wanted if self._claim.group is WHOLE else {key for key in wanted if self.here(key)})
        missing = wanted - self._contacts.keys()
        if missing:
            # Who is new, or is another one now: who is there already has no alias.
            found = aliases.find(self._connection, missing)
            self._aliases.update(found)
            self._fetch({key for key in found.values() if self.here(key)} - self._contacts.keys())

    def _fetch(self, keys: Iterable[str]) -> None:
        """Load contacts that are not loaded yet, as far as they exist."""
        found = contacts.load(self._connection, keys, self._now)
        self._contacts.update(found)
        for contact in found.values():
            self._addresses[contact.key] = addresses_of(contact)
            if contact.timer_at is not None and contact.timer_at in self._timers.get(contact.key, ()):
                contact.timer_at = None

    # --- what a meeting needs -----------------------------------------------------------------------------------------

    def resolve(self, key: str) -> str:
        while key in self._aliases:
            key = self._aliases[key]
        return key

    def open(self, inputs: Mapping[str, Sequence[Item]]) -> Callable[[str], Actor]:
        effects = self._effects = Effects()
        flows = self._flows
        recent_after = None if flows.messages_for is None else self._now - flows.messages_for
        memory = self._memory = TurnMemory(
            self._connection,
            self._contacts,
            inputs,
            effects,
            self._make_code,
            flows.channels | {"email"},
            recent_after,
            flows.keyed,
            self._claim.group,
        )

        def actor(key: str) -> Actor:
            contact = self._contacts.get(key)
            if contact is None:
                contact = self._contacts[key] = Contact(key)
            return Actor(contact, self._now, self._flows, memory, effects, self._firings(key))

        return cache(actor)

    def close(self) -> None:
        effects = self._effects
        known = {} if self._memory is None else self._memory.known_addresses
        turns.save(self._connection, effects, self._claim, known)
        self._follow_addresses(effects, known)
        self.alerts.extend(effects.alerts)
        self.trail = [*self.trail, *effects.trail] if self.trail else effects.trail
        self.messages += sum(message.status == "queued" for message in effects.messages)
        self.calls += len(effects.calls)
        if effects.allocations:
            self.stocked.update(one.coupon.pool for one in effects.allocations if one.stocked)

    def _follow_addresses(self, effects: Effects, known: Mapping[str, Address]) -> None:
        """Keep who has which address; who shares one that was turned learns of it (rules 3.7 and 5.8).

        :param known: what was known of addresses when it was decided.
        """
        changes = []
        for key in [*effects.contacts, *effects.forgotten]:
            before, after = self._addresses.get(key, NONE), addresses_of(self._contacts[key])
            if before != after:
                changes.append((key, before, after))
                self._addresses[key] = after
        if not changes and not effects.turned:
            return
        gained = {one: keys for one, keys in holders.gained(changes).items() if one in known}
        holders.keep_apart(self._connection, gained, effects.turned)
        holders.save(self._connection, changes)
        told = holders.others(self._connection, effects.turned) if effects.turned else []
        told.extend((key, False) for key in self._overtaken(effects, known, gained))
        inbox.put(self._connection, [(key, AddressTurned(self._now, imported)) for key, imported in told])

    def _overtaken(
        self, effects: Effects, known: Mapping[str, Address], gained: Mapping[str, list[str]]
    ) -> Iterator[str]:
        """Those whose new address another group has turned since it was looked at."""
        if not gained or not on_postgresql(self._connection):
            return
        own = {address_hash(channel, address): stands for (channel, address), stands in effects.addresses.items()}
        for digest, stands in read_addresses(self._connection, gained).items():
            if stands.unsubscribed != own.get(digest, known[digest]).unsubscribed:
                yield from gained[digest]

    def join(self, moves: Sequence[Joining]) -> None:
        aliases.leave(self._connection, [Alias(source.key, into.key, at) for source, into, at in moves])
        self.receive(moves)
        self._forget_addresses(source for source, _, _ in moves)
        for source, _, _ in moves:
            del self._contacts[source.key]

    def receive(self, moves: Sequence[Joining]) -> None:
        aliases.move(self._connection, moves)
        for source, into, _ in moves:
            self._aliases[source.key] = into.key

    def _forget_addresses(self, gone: Iterable[Contact]) -> None:
        holders.save(self._connection, [(one.key, self._addresses.pop(one.key, NONE), NONE) for one in gone])

    # --- other groups -------------------------------------------------------------------------------------------------

    def here(self, key: str) -> bool:
        return self._claim.group is WHOLE or self._claim.group.holds(key)

    def send(self, key: str, items: Sequence[tuple[int, Item]]) -> None:
        inbox.hand_on(self._connection, [(self._ids[place], key, item) for place, item in items])

    def leave(self, source: Contact, into: str, at: datetime, guarded: bool, place: int) -> bool:
        for key in sorted((source.key, into)):  # two that are merged into each other must not both leave
            one_at_a_time(self._connection, f"merge {key}")
        person = aliases.resolve(self._connection, into)
        if person == source.key:
            self.alerts.append(f"contact {source.key} was not merged into {into}, which is {person} by now")
            return False
        aliases.leave(self._connection, [Alias(source.key, person, at)])
        aliases.take_out(self._connection, source)
        self.send(person, [(place, Absorb(at, source, guarded))])
        self._forget_addresses([source])
        self._aliases[source.key] = person
        del self._contacts[source.key]
        if self.here(person) and person not in self._contacts:  # another group has made it one of ours meanwhile
            self._fetch([person])
        return True
