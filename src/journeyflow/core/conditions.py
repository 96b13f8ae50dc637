"""What can be asked of a contact (format.md, "Conditions").

``holds(view, path, because)`` answers now; with a list it also notes each leaf that was looked at, for the trail.
``next_change(view)`` is the earliest instant after now at which time alone can change the answer: it may be early,
never late, and is ``None`` when time alone changes nothing (rule 3.7).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Final, Literal

import orjson
from pydantic import Discriminator, Field, Tag

from journeyflow.core.compare import Operators
from journeyflow.core.contact import Aggregate, PastEvent
from journeyflow.core.leaf import (
    Answer,
    AttributeCondition,
    BeenInJourneyCondition,
    Count,
    InJourneyCondition,
    Leaf,
    LocalTimeCondition,
    PropertyCondition,
    SegmentCondition,
    TagCondition,
    TopicCondition,
    VariableCondition,
    shown,
)
from journeyflow.core.leaf import Because as Because
from journeyflow.core.message_condition import MessageCondition
from journeyflow.core.sight import Sight
from journeyflow.core.values import (
    JSON,
    MISSING,
    EventName,
    Missing,
    Model,
    Path,
    PathKeys,
    PositiveDuration,
    look_up,
    number_or_none,
    of_the_whole,
    parse_path,
    references,
)

_NEVER: Final = Aggregate()
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""An event may claim to be this far in the future (rule 1.10)."""


class EventCondition(Leaf, Operators):
    """``{event: NAME, ...}``: how many such events the contact has had, or the sum of a property over them."""

    event: EventName
    where: Condition | None = None
    within: PositiveDuration | None = None
    since: Literal["entry"] | None = None
    count: Count | None = None
    sum: Path | None = None
    avg: Path | None = None
    min: Path | None = None
    max: Path | None = None

    @of_the_whole
    def _one_question(self) -> EventCondition:
        measures = [name for name in ("sum", "avg", "min", "max") if getattr(self, name) is not None]
        if len(measures) + (self.count is not None) > 1:
            raise ValueError("expected only one of count, sum, avg, min, max")
        if measures and not self.given:
            raise ValueError(f"expected an operator beside {measures[0]}, such as gte: 100")
        if self.given and not measures:
            raise ValueError("expected count: {OP: N}, or one of sum, avg, min, max beside the operator")
        return self

    @cached_property
    def measured(self) -> PathKeys | None:
        """The summed property."""
        text = self.sum or self.avg or self.min or self.max
        return None if text is None else parse_path(text)

    @cached_property
    def aggregate_key(self) -> str | None:
        """Names the aggregate that answers this leaf without reading history; ``None`` where only history can."""
        if self.within is not None or self.since is not None or not _plain(self.where):
            return None
        where = None if self.where is None else canonical(self.where)
        question = orjson.dumps([self.event, where, self.sum or self.avg or self.min or self.max])
        return sha256(question).hexdigest()[:16]

    @cached_property
    def by_name(self) -> bool:
        """Whether the count kept for every event name answers this leaf."""
        return self.where is None and self.within is None and self.since is None and self.measured is None

    def number(self, properties: dict[str, JSON]) -> float | None:
        """The summed property of one event."""
        return None if self.measured is None else number_or_none(look_up(properties, self.measured))

    def takes(self, properties: dict[str, JSON], view: Sight) -> bool:
        """Whether ``where`` holds of one event; ``view.event`` is left at it."""
        view.event = properties
        return self.where is None or self.where.holds(view)

    def collect(self, view: Sight, since: datetime | None) -> Aggregate:
        """The aggregate over the matching history since an instant."""
        found = Aggregate()
        probe = None if self.where is None else view.probe()
        for past in view.past(self.event, None if since is None else since - CLOCK_TOLERANCE):
            if self._counts(past, view, since) and (probe is None or self.takes(past.properties, probe)):
                found.add(past.occurred_at, self.number(past.properties))
        return found

    def _counts(self, past: PastEvent, view: Sight, since: datetime | None) -> bool:
        return self._after_entry(past, view) and (since is None or since < past.occurred_at <= view.now)

    def _after_entry(self, past: PastEvent, view: Sight) -> bool:
        run = view.run if self.since == "entry" else None
        # The instant decides first: the events of a contact that was merged are numbered behind those they joined.
        return run is None or (past.handled_at, past.number) > (run.entered_at, run.entered_event)

    def _window_start(self, view: Sight) -> datetime:
        return view.now - (self.within if self.within is not None else view.retention)

    def _aggregate(self, view: Sight) -> Aggregate:
        contact = view.contact
        if self.by_name:
            return contact.counts.get(self.event, _NEVER)
        key = self.aggregate_key
        if key is None:
            return self.collect(view, self._window_start(view))
        if self.event not in contact.counts:
            return _NEVER
        if key not in contact.leaves:
            contact.leaves[key] = self.collect(view, None)
        return contact.leaves[key]

    def last(self, view: Sight) -> datetime | None:
        """When the last such event occurred."""
        return self._aggregate(view).last

    def _answer(self, found: Aggregate) -> JSON | Missing:
        if self.sum is not None:
            return round(found.total, 6)
        if self.avg is not None:
            return round(found.total / found.numbers, 6) if found.numbers else MISSING
        if self.min is not None:
            return MISSING if found.least is None else found.least
        if self.max is not None:
            return MISSING if found.most is None else found.most
        return found.count

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        seen = self._answer(self._aggregate(view))
        held, mismatch = self._compared(seen, view)
        return held if because is None else self.note(because, path, shown(seen, mismatch), held)

    def _compared(self, seen: JSON | Missing, view: Sight) -> tuple[bool, bool]:
        if self.count is not None:
            return self.count.compare(seen, view)
        return self.compare(seen, view) if self.measured is not None else (seen != 0, False)

    def next_change(self, view: Sight) -> datetime | None:
        return None if self.aggregate_key is not None else self.answer(view)[1]

    def answer(self, view: Sight) -> Answer:
        if self.aggregate_key is not None:
            return self.holds(view), None
        start = self._window_start(view)
        if not _plain(self.where) or self.avg is not None or self.min is not None or self.max is not None:
            return self.holds(view), self._first_edge(view, start)
        counted = [one for one in view.past(self.event, start - CLOCK_TOLERANCE) if one.occurred_at > start]
        if self.since is not None:
            counted = [one for one in counted if self._after_entry(one, view)]
        if self.where is not None:
            probe = view.probe()
            counted = [one for one in counted if self.takes(one.properties, probe)]
        return self._flip(counted, view, view.now - start)

    def _first_edge(self, view: Sight, start: datetime) -> datetime | None:
        """The first instant at which an event begins or ceases to count, whether or not that changes the answer."""
        length = view.now - start
        probe = None if _plain(self.where) else view.probe()
        edges: list[datetime] = []
        for past in view.past(self.event, start - CLOCK_TOLERANCE):
            if past.occurred_at > start:
                edges.append(past.occurred_at if past.occurred_at > view.now else past.occurred_at + length)
                if probe is not None:
                    edges.extend(self._change_of(past, probe))
        return min(edges, default=None)

    def _change_of(self, past: PastEvent, probe: Sight) -> Iterator[datetime]:
        """When time alone can next change whether that event counts."""
        probe.event = past.properties
        edge = None if self.where is None else self.where.next_change(probe)
        if edge is not None:
            yield edge

    def _flip(self, counted: Sequence[PastEvent], view: Sight, length: timedelta) -> Answer:
        """The answer, and the instant at which it changes as these events begin and cease to count one by one."""
        if self.measured is None and all(one.occurred_at <= view.now for one in counted):
            return self._count_down(sorted(one.occurred_at for one in counted), view, length)
        found = Aggregate()
        edges: list[tuple[datetime, int, float | None]] = []
        for one in counted:
            number = self.number(one.properties)
            if one.occurred_at > view.now:
                edges.append((one.occurred_at, 1, number))
            else:
                found.add(one.occurred_at, number)
            edges.append((one.occurred_at + length, -1, number))
        edges.sort(key=itemgetter(0))
        held = self._holds_of(found, view)
        at: datetime
        for at, group in groupby(edges, key=itemgetter(0)):
            for _, step, number in group:
                found.count += step
                found.total += 0.0 if number is None else step * number
            if self._holds_of(found, view) != held:
                return held, at
        return held, None

    def _count_down(self, times: list[datetime], view: Sight, length: timedelta) -> Answer:
        """The same where events only cease to count, which is nearly always."""
        left = len(times)
        held = self._compared(left, view)[0]
        for place, at in enumerate(times, start=1):
            if place < left and times[place] == at:  # they cease together
                continue
            if self._compared(left - place, view)[0] != held:
                return held, at + length
        return held, None

    def _holds_of(self, found: Aggregate, view: Sight) -> bool:
        return self._compared(self._answer(found), view)[0]

    def parts(self) -> Iterator[Condition]:
        if self.where is not None:
            yield self.where


def _plain(where: Condition | None) -> bool:
    """Whether the answer depends on the event alone, so that it never changes afterwards."""
    if where is None:
        return True
    if isinstance(where, PropertyCondition):
        fixed = not any(any(references(wanted)) for _, wanted in where.given)
        return fixed and not any(name in ("before", "after", "anniversary_in") for name, _ in where.given)
    return isinstance(where, All | Any_ | Not) and all(_plain(part) for part in where.parts())


def canonical(condition: Condition) -> JSON:
    """The condition as data, the same for the same question."""
    if isinstance(condition, All):
        return {"all": [canonical(part) for part in condition.all]}
    if isinstance(condition, Any_):
        return {"any": [canonical(part) for part in condition.any]}
    if isinstance(condition, Not):
        return {"not": canonical(condition.not_)}
    return condition.document


class All(Model):
    """``{all: [C, ...]}``."""

    all: tuple[Condition, ...]

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        for index, part in enumerate(self.all):
            if not part.holds(view, path if because is None else f"{path}.all[{index}]", because):
                return False
        return True

    def next_change(self, view: Sight) -> datetime | None:
        return self.answer(view)[1]

    def answer(self, view: Sight) -> Answer:
        return _answer(self.all, view, deciding=False)

    def parts(self) -> Iterator[Condition]:
        return iter(self.all)


class Any_(Model):
    """``{any: [C, ...]}``."""

    any: tuple[Condition, ...]

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        for index, part in enumerate(self.any):
            if part.holds(view, path if because is None else f"{path}.any[{index}]", because):
                return True
        return False

    def next_change(self, view: Sight) -> datetime | None:
        return self.answer(view)[1]

    def answer(self, view: Sight) -> Answer:
        return _answer(self.any, view, deciding=True)

    def parts(self) -> Iterator[Condition]:
        return iter(self.any)


class Not(Model):
    """``{not: C}``."""

    not_: Condition = Field(alias="not")

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        return not self.not_.holds(view, path if because is None else f"{path}.not", because)

    def next_change(self, view: Sight) -> datetime | None:
        return self.not_.next_change(view)

    def answer(self, view: Sight) -> Answer:
        held, edge = self.not_.answer(view)
        return not held, edge

    def parts(self) -> Iterator[Condition]:
        yield self.not_


def _answer(parts: tuple[Condition, ...], view: Sight, *, deciding: bool) -> Answer:
    """The answer, and when it can change that every part whose own is ``deciding`` gives alone.

    As long as one of these has not changed, nothing has; where there is none, any change of any part can be one.
    """
    earliest: datetime | None = None
    last: datetime | None = None
    for part in parts:
        held, edge = part.answer(view)
        if held == deciding:
            if edge is None:
                return deciding, None
            last = edge if last is None else max(last, edge)
        elif edge is not None:
            earliest = edge if earliest is None else min(earliest, edge)
    return (not deciding, earliest) if last is None else (deciding, last)


KINDS: Final = (
    "all", "any", "not", "event", "attribute", "property", "var", "tag", "segment", "topic", "local_time",
    "in_journey", "been_in_journey", "message",
)  # fmt: skip


def _kind(data: object) -> str | None:
    if isinstance(data, dict):
        return next((kind for kind in KINDS if kind in data), None)
    return _KIND_OF.get(type(data))


Condition = Annotated[
    Annotated[All, Tag("all")]
    | Annotated[Any_, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[EventCondition, Tag("event")]
    | Annotated[AttributeCondition, Tag("attribute")]
    | Annotated[PropertyCondition, Tag("property")]
    | Annotated[VariableCondition, Tag("var")]
    | Annotated[TagCondition, Tag("tag")]
    | Annotated[SegmentCondition, Tag("segment")]
    | Annotated[TopicCondition, Tag("topic")]
    | Annotated[LocalTimeCondition, Tag("local_time")]
    | Annotated[InJourneyCondition, Tag("in_journey")]
    | Annotated[BeenInJourneyCondition, Tag("been_in_journey")]
    | Annotated[MessageCondition, Tag("message")],
    Discriminator(
        _kind,
        custom_error_type="condition",
        custom_error_message=f"expected a condition: a mapping with one of {', '.join(KINDS)}",
    ),
]

_KIND_OF: Final[dict[type, str]] = {
    All: "all",
    Any_: "any",
    Not: "not",
    EventCondition: "event",
    AttributeCondition: "attribute",
    PropertyCondition: "property",
    VariableCondition: "var",
    TagCondition: "tag",
    SegmentCondition: "segment",
    TopicCondition: "topic",
    LocalTimeCondition: "local_time",
    InJourneyCondition: "in_journey",
    BeenInJourneyCondition: "been_in_journey",
    MessageCondition: "message",
}

for _model in (All, Any_, Not, EventCondition):
    _model.model_rebuild()


def leaves(condition: Condition | None) -> Iterator[Condition]:
    """The condition and everything inside it."""
    if condition is not None:
        yield condition
        for part in condition.parts():
            yield from leaves(part)
