"""What the report of a simulation shows beyond its summary, counted from trail records and messages as they come."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, tzinfo
from typing import NamedTuple

from journeyflow.core.effects import Message, TrailRecord
from journeyflow.core.passages import Passages


class SendDay(NamedTuple):
    """A day's messages of one journey on one channel."""

    day: date
    journey: str
    channel: str


class MessagePlace(NamedTuple):
    """Where a message comes from."""

    journey: str
    node: str
    channel: str
    template: str


@dataclass(slots=True)
class Worth:
    """Values of goals added up; what is no number is only counted as a conversion."""

    total: float = 0.0
    numbers: int = 0

    def add(self, value: object) -> None:
        """Take in the value of one conversion."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.total += value
            self.numbers += 1


@dataclass(slots=True)
class ReportCounts:
    """Counters by journey and node; days are those of ``zone``.

    ``ended`` is by journey, node (empty before the first one) and reason (empty for a completion); ``skipped`` and
    ``failed`` are what nodes other than messages wrote; ``got`` has the runs that got a message of a node, ``done``
    how often another node did its work, by journey and node.
    """

    zone: tzinfo
    passages: Passages = field(default_factory=Passages)
    sent: Counter[SendDay] = field(default_factory=Counter)
    receivers: Counter[tuple[str, str]] = field(default_factory=Counter)
    queued: Counter[MessagePlace] = field(default_factory=Counter)
    unsent: Counter[tuple[MessagePlace, str]] = field(default_factory=Counter)
    got: defaultdict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    ended: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    skipped: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    worth: defaultdict[str, Worth] = field(default_factory=lambda: defaultdict(Worth))
    worth_held_out: defaultdict[str, Worth] = field(default_factory=lambda: defaultdict(Worth))
    _held_out: set[str] = field(default_factory=set)

    def record(self, record: TrailRecord) -> None:
        """One record of the trail."""
        node = record.node or ""
        match record.kind:
            case "exited":
                self.ended[record.journey, node, str(record.detail["reason"])] += 1
            case "completed":
                self.ended[record.journey, node, ""] += 1
            case "skipped":
                self.skipped[record.journey, node, str(record.detail.get("reason"))] += 1
            case "failed":
                self.failed[record.journey, node] += 1
            case "converted":
                worth = self.worth_held_out if record.run in self._held_out else self.worth
                worth[record.journey].add(record.detail.get("value"))
            case "holdout" if record.run is not None:
                self._held_out.add(record.run)
            case "ran" if record.type == "coupon":
                self.codes[record.journey, node, str(record.detail["pool"])] += 1

    def message(self, message: Message) -> None:
        """One message that was queued or skipped."""
        place = MessagePlace(message.journey, message.node, message.channel, message.template or "its own text")
        if message.status != "queued":
            self.unsent[place, message.reason or ""] += 1
            return
        day = message.queued_at.astimezone(self.zone).date()
        self.sent[SendDay(day, message.journey, message.channel)] += 1
        self.receivers[message.contact, message.journey] += 1
        self.queued[place] += 1
        self.got[message.journey, message.node].add(message.run)
