"""The numbers of a simulation (interfaces.md, "simulate"), and its trail as lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, tzinfo
from typing import Final

import orjson
from pydantic import TypeAdapter

from journeyflow.core.effects import Allocation, Message, TrailRecord
from journeyflow.core.overview import overview
from journeyflow.core.values import EPOCH, JSON, iso


def trail_line(record: TrailRecord) -> bytes:
    """A trail record as one line of JSON, its keys in the order of rule 9.1, with the line's end."""
    return orjson.dumps(dict(zip(_KEYS, (iso(record.at), *record[1:]), strict=True)), option=orjson.OPT_APPEND_NEWLINE)


_KEYS: Final = TrailRecord._fields


@dataclass(slots=True)
class NodeNumbers:
    """How often a node was visited, and how many runs stand there."""

    visits: int
    waiting: int


@dataclass(slots=True)
class JourneyNumbers:
    """A journey's numbers; reasons are those of the trail (rules 3.1, 7.1)."""

    entered: int
    refused: dict[str, int]
    active: int
    completed: int
    exited: dict[str, int]
    converted: int
    holdout: int
    holdout_converted: int
    nodes: dict[str, NodeNumbers]

    @classmethod
    def of(cls, counts: Mapping[tuple[str, int, str, str], int], nodes: Iterable[str]) -> JourneyNumbers:
        """The counters of one journey (by the fields of ``Statistic``) put together; ``nodes`` are its document's."""
        return _NUMBERS.validate_python(overview(counts, nodes))


_NUMBERS: Final = TypeAdapter(JourneyNumbers)


@dataclass(slots=True)
class ChannelNumbers:
    """Messages of one channel by outcome."""

    queued: int = 0
    skipped: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Simulation:
    """What a simulation found.

    ``events`` counts the events handled, history and duplicates included (``$identify`` and ``$merge`` are none);
    ``contacts`` those that exist at the end. ``start`` and ``end`` are the clock's; ``end`` is the last thing that
    happened (an input, or a record of the trail) where nobody said when. ``messages`` has the channels, ``coupons`` the
    pools that were used. ``busiest_day`` is the day (in the workspace's time zone) with most messages queued,
    ``most_messages`` the contact with most, each with the number; of several the first.
    ``alerts`` are what an operator of the live engine would be told; ``notes`` say what is odd about the files.
    """

    start: datetime
    end: datetime
    events: int
    contacts: int
    journeys: dict[str, JourneyNumbers]
    messages: dict[str, ChannelNumbers]
    coupons: dict[str, int]
    busiest_day: tuple[date, int] | None
    most_messages: tuple[str, int] | None
    alerts: list[str]
    notes: tuple[str, ...] = ()

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """Start and end of the clock; ``None`` where nothing started it."""
        return None if self.start == EPOCH else (self.start, self.end)

    def summary(self) -> dict[str, JSON]:
        """The JSON object of ``simulate --json``."""
        return {
            "events": self.events,
            "contacts": self.contacts,
            "journeys": {name: asdict(numbers) for name, numbers in self.journeys.items()},
            "messages": {channel: asdict(numbers) for channel, numbers in self.messages.items()},
            "coupons": {**self.coupons},
        }


class MessageTally:
    """Counts messages and coupons as they come; days are those of ``zone``."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._days: Counter[date] = Counter()
        self._contacts: Counter[str] = Counter()
        self._pools: Counter[str] = Counter()

    def add(self, messages: Iterable[Message]) -> None:
        """Messages that were queued or skipped."""
        for message in messages:
            self._outcomes[message.channel, message.reason or ""] += 1
            if message.status == "queued":
                self._days[message.queued_at.astimezone(self._zone).date()] += 1
                self._contacts[message.contact] += 1

    def allocate(self, allocations: Iterable[Allocation]) -> None:
        """Coupon codes that were given out."""
        self._pools.update(allocation.coupon.pool for allocation in allocations)

    def move(self, contact: str, into: str) -> None:
        """One contact's messages are another's."""
        count = self._contacts.pop(contact, 0)
        if count:
            self._contacts[into] += count

    def channels(self) -> dict[str, ChannelNumbers]:
        """Messages by channel and outcome."""
        found: dict[str, ChannelNumbers] = {}
        for (channel, reason), number in sorted(self._outcomes.items()):
            numbers = found.setdefault(channel, ChannelNumbers())
            if reason:
                numbers.skipped[reason] = number
            else:
                numbers.queued = number
        return found

    def pools(self) -> dict[str, int]:
        """Codes given out, by pool."""
        return dict(sorted(self._pools.items()))

    def busiest_day(self) -> tuple[date, int] | None:
        """The day with most messages; of several the first."""
        return min(self._days.items(), key=lambda item: (-item[1], item[0]), default=None)

    def most_messages(self) -> tuple[str, int] | None:
        """The contact with most messages; of several the first."""
        return min(self._contacts.items(), key=lambda item: (-item[1], item[0]), default=None)
