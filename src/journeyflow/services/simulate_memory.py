"""What the core remembers during a simulation: history, entries, addresses, duplicates and codes, all in memory."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import shake_256
from operator import attrgetter
from typing import Final

from journeyflow.core.contact import Address, Entry, PastEvent, PastMessage
from journeyflow.core.coupon_pool import ALPHABET, CouponPool
from journeyflow.core.effects import Effects, Engaged, past_message
from journeyflow.core.identity import address_hash
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

    Of history it keeps only events of the names in ``recalled``: nothing else is ever asked for. Properties are kept
    as they came, not copied.
    """

    def __init__(self, recalled: set[str], seed: int) -> None:
        self.now = EPOCH
        self._recalled = recalled
        self._seed = seed
        self._events: dict[tuple[str, str], list[PastEvent]] = {}
        self._entries: dict[tuple[str, str, str], Entry] = {}
        self._addresses: dict[str, Address] = {}
        self.sent: dict[str, list[PastMessage]] = {}
        """The messages of each contact, in order."""
        self._seen: dict[tuple[str, str], datetime] = {}
        self._ageing: deque[tuple[datetime, tuple[str, str]]] = deque()
        self._codes: set[tuple[str, str]] = set()
        self._handed_out: dict[str, int] = {}

    # --- what the core asks -------------------------------------------------------------------------------------------

    def events(self, contact: str, name: str, since: datetime | None) -> Sequence[PastEvent]:
        """The contact's events of that name handled after ``since``, oldest first."""
        assert name in self._recalled, f"no condition was expected to read the history of {name}"
        kept = self._events.get((contact, name), [])
        return kept if since is None else kept[bisect_right(kept, since, key=_handled_at) :]

    def entry(self, contact: str, journey: str, key: str) -> Entry | None:
        """The contact's entries into that journey under that key."""
        return self._entries.get((contact, journey, key))

    def address(self, channel: str, address: str) -> Address:
        """Whether that address is suppressed, or unsubscribed from everything."""
        return self._addresses.get(address_hash(channel, address), _UNKNOWN) if self._addresses else _UNKNOWN

    def seen(self, contact: str, message_id: str) -> bool:
        """Whether the contact has had an event of that id within the last 30 days."""
        first = self._seen.get((contact, message_id))
        return first is not None and self.now - first <= REMEMBERED

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
        if effects.entries:
            self._entries.update(effects.entries)
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
        self._entries = {key: kept for key, kept in self._entries.items() if key[0] != contact}
        self.sent.pop(contact, None)
        self._seen = {key: at for key, at in self._seen.items() if key[0] != contact}
        self._ageing = deque((at, key) for at, key in self._ageing if key[0] != contact)

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
