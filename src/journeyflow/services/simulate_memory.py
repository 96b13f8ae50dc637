"""What the core remembers during a simulation: history, entries, addresses, duplicates and codes, all in memory."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from hashlib import shake_256
from operator import attrgetter
from typing import Final

from journeyflow.core.contact import EVENT_NAMES_MAX, Address, Contact, Entry, PastEvent, PastMessage
from journeyflow.core.coupon_pool import ALPHABET, CouponPool
from journeyflow.core.effects import Effects, Engaged, past_message
from journeyflow.core.identity import address_hash
from journeyflow.core.merge import join_entries
from journeyflow.core.values import EPOCH

REMEMBERED: Final = timedelta(days=30)
"""So long after the first event of an id another one of that id is ignored (rule 1.5)."""
_SIGNS: Final = ALPHABET.encode() * (256 // len(ALPHABET))
"""For each byte a sign of the alphabet, all as often."""
_UNKNOWN: Final = Address()
_handled_at = attrgetter("handled_at")
_queued_at = attrgetter("queued_at")


class SimulationMemory:
    """The :class:`journeyflow.core.contact.Memory` of a simulation; ``now`` is its clock.

    Of history it keeps only events of the names in ``recalled``, of runs only those of the journeys in ``followed``:
    nothing else is ever asked for. Properties are kept as they came, not copied.
    """

    def __init__(self, recalled: set[str], seed: int, followed: Set[str] = frozenset()) -> None:
        self.now = EPOCH
        self._recalled = recalled
        self._seed = seed
        self._followed = followed
        self._left: dict[tuple[str, str], datetime] = {}
        self._events: dict[tuple[str, str], list[PastEvent]] = {}
        self._entries: dict[str, dict[tuple[str, str], Entry]] = {}
        self._addresses: dict[str, Address] = {}
        self.sent: dict[str, list[PastMessage]] = {}
        """The messages of each contact, in order."""
        self._seen: dict[tuple[str, str], datetime] = {}
        self._ageing: deque[tuple[datetime, tuple[str, str]]] = deque()
        self._codes: set[tuple[str, str]] = set()
        self._names: dict[str, list[str]] = {}
        self._handed_out: dict[str, int] = {}

    # --- what the core asks -------------------------------------------------------------------------------------------

    def events(self, contact: str, name: str, since: datetime | None) -> Sequence[PastEvent]:
        """The contact's events of that name handled after ``since``, oldest first."""
        assert name in self._recalled, f"no condition was expected to read the history of {name}"
        kept = self._events.get((contact, name), [])
        return kept if since is None else kept[bisect_right(kept, since, key=_handled_at) :]

    def entry(self, contact: str, journey: str, key: str) -> Entry | None:
        """The contact's entries into that journey under that key."""
        mine = self._entries.get(contact)
        return None if mine is None else mine.get((journey, key))

    def left_journey(self, contact: str, journey: str) -> datetime | None:
        """When the last of the contact's runs of that journey ended; held-out ones are none."""
        return self._left.get((contact, journey))

    def address(self, channel: str, address: str) -> Address:
        """Whether that address is suppressed, or unsubscribed from everything."""
        return self._addresses.get(address_hash(channel, address), _UNKNOWN) if self._addresses else _UNKNOWN

    def seen(self, contact: str, message_id: str) -> bool:
        """Whether the contact has had an event of that id within the last 30 days."""
        names = [contact, *self._names[contact]] if contact in self._names else [contact]
        found = [self._seen.get((name, message_id)) for name in names]
        return any(first is not None and self.now - first <= REMEMBERED for first in found)

    def messages(self, contact: str, since: datetime | None) -> Sequence[PastMessage]:
        """The contact's messages queued after ``since``, oldest first: all that were queued have been sent."""
        kept = self.sent.get(contact, [])
        return kept if since is None else kept[bisect_right(kept, since, key=_queued_at) :]

    def still_queued(self, contact: str, message: str) -> bool:
        """Never: a simulation sends at once (rule 7.2)."""
        return False

    def coupon_code(self, pool: CouponPool, contact: str, identity: str) -> str | None:
        """The next code of a list, a dummy for an uploaded one, else one made from the seed (rule 6.4)."""
        if not pool.stocked:
            return self._generated(pool, identity)
        place = self._handed_out.get(pool.coupon_pool, 0)
        if pool.codes != "uploaded" and place >= len(pool.listed):
            return None
        self._handed_out[pool.coupon_pool] = place + 1
        return f"DUMMY-{pool.coupon_pool}-{place + 1:06d}" if pool.codes == "uploaded" else pool.listed[place]

    def _generated(self, pool: CouponPool, identity: str) -> str | None:
        """A code made from the seed and the effect's identity; for a code that was given out already, the next one."""
        for attempt in range(1 << 32):
            text = f"{self._seed}\x1f{pool.coupon_pool}\x1f{identity}\x1f{attempt}"
            digest = shake_256(text.encode("utf-8", "surrogatepass")).digest(pool.length)
            code = pool.prefix + digest.translate(_SIGNS).decode()
            if (pool.coupon_pool, code) not in self._codes:
                self._codes.add((pool.coupon_pool, code))
                return code
        return None

    # --- what the core decided ----------------------------------------------------------------------------------------

    def keep(self, effects: Effects) -> None:
        """Take in what has to be remembered of one decision."""
        for stored in effects.events:
            if stored.name in self._recalled:
                past = PastEvent(stored.number, stored.occurred_at, stored.handled_at, stored.properties)
                kept = self._events.setdefault((stored.contact, stored.name), [])
                # Only history comes out of order.
                insort(kept, past, key=_handled_at)
        if self._followed:
            for contact, run in effects.runs.values():
                if run.ended_at is not None and run.status != "holdout" and run.journey in self._followed:
                    left = self._left.get((contact, run.journey))
                    self._left[contact, run.journey] = run.ended_at if left is None else max(left, run.ended_at)
        for (contact, journey, name), entry in effects.entries.items():
            self._entries.setdefault(contact, {})[journey, name] = entry
        for (channel, address), known in effects.addresses.items():
            self._addresses[address_hash(channel, address)] = known
        for message in effects.messages:
            if message.status == "queued":
                self.sent.setdefault(message.contact, []).append(past_message(message))
        for engaged in effects.engaged:
            self._engage(engaged)
        if effects.seen:
            self._keep_seen(effects.seen)
        for contact in effects.forgotten:
            self._forget(contact)

    def _forget(self, contact: str) -> None:
        self._events = {key: kept for key, kept in self._events.items() if key[0] != contact}
        self._entries.pop(contact, None)
        self.sent.pop(contact, None)
        for journey in self._followed:
            self._left.pop((contact, journey), None)
        names = {contact, *self._names.pop(contact, ())}
        self._seen = {key: at for key, at in self._seen.items() if key[0] not in names}
        self._ageing = deque((at, key) for at, key in self._ageing if key[0] not in names)

    def _engage(self, engaged: Engaged) -> None:
        kept = self.sent.get(engaged.contact, [])
        for place, message in enumerate(kept):
            if message.id == engaged.message:
                opened = engaged.what == "opened"
                kept[place] = message._replace(opened=True) if opened else message._replace(clicked=True)

    def _keep_seen(self, seen: Mapping[tuple[str, str], datetime]) -> None:
        for key, at in seen.items():
            self._seen[key] = at
            self._ageing.append((at, key))
        while self._ageing and self.now - self._ageing[0][0] > REMEMBERED:
            at, key = self._ageing.popleft()
            if self._seen[key] == at:
                del self._seen[key]

    # --- one person, two contacts -------------------------------------------------------------------------------------

    def move(self, source: Contact, into: Contact) -> None:
        """What is remembered of one contact is remembered of another, its events numbered behind (rule 10.2)."""
        self._names.setdefault(into.key, []).extend([source.key, *self._names.pop(source.key, ())])
        names = source.counts if len(source.counts) < EVENT_NAMES_MAX else self._recalled
        for name in names:
            for past in self._events.pop((source.key, name), ()):
                kept = self._events.setdefault((into.key, name), [])
                insort(kept, past._replace(number=past.number + into.events), key=_handled_at)
        for journey in self._followed:
            left = [at for key in (source.key, into.key) if (at := self._left.pop((key, journey), None)) is not None]
            if left:
                self._left[into.key, journey] = max(left)
        for message in self.sent.pop(source.key, ()):
            insort(self.sent.setdefault(into.key, []), message, key=_queued_at)
        for key, entry in self._entries.pop(source.key, {}).items():
            mine = self._entries.setdefault(into.key, {})
            mine[key] = join_entries(mine[key], entry) if key in mine else entry
