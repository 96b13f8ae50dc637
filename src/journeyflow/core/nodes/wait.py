"""``wait``: for a time, until an instant, or until a time of day (rules 4.3 to 4.5, 4.9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from journeyflow.core.local_time import moved, next_at, wait_until
from journeyflow.core.nodes.base import Go, Move, Node, Stand, Stay, Visit
from journeyflow.core.values import (
    Duration,
    InstantText,
    Missing,
    Model,
    NodeName,
    Path,
    SignedDuration,
    TimeOfDay,
    Weekday,
    demand_one,
    of_the_whole,
    parse_instant,
    parse_path,
    weekday_numbers,
)

Weekdays = Annotated[tuple[Weekday, ...], Field(min_length=1)]
DAY = timedelta(days=1)


class Until(Model):
    """An instant: written here, or in an attribute of the contact, or in a property of the event."""

    date: InstantText | None = None
    attribute: Path | None = None
    property: Path | None = None
    offset: SignedDuration | None = None
    at: TimeOfDay | None = None

    @of_the_whole
    def _one_source(self) -> Until:
        demand_one({"date": self.date, "attribute": self.attribute, "property": self.property})
        if self.date is not None and (self.offset is not None or self.at is not None):
            raise ValueError("expected offset and at only beside attribute or property")
        return self

    def instant(self, visit: Visit) -> datetime | str:
        """The instant meant, or why there is none: ``missing`` or ``unreadable``."""
        view = visit.view
        if self.date is not None:
            return parse_instant(self.date, view.zone) or "unreadable"
        path = parse_path(self.attribute or self.property or "")
        seen = view.attribute(path) if self.attribute is not None else view.event_property(path)
        if isinstance(seen, Missing):
            return "missing"
        base = parse_instant(seen, view.zone)
        if base is None:
            return "unreadable"
        try:
            return moved(base, view.zone, self.offset or timedelta(), self.at)
        except OverflowError:
            return "unreadable"


class UntilTime(Model):
    """The next such local time, now included."""

    at: TimeOfDay
    weekdays: Weekdays | None = None


class WaitNode(Node):
    """Lets time pass."""

    type: Literal["wait"]
    for_: Duration | None = Field(default=None, alias="for")
    at: TimeOfDay | None = None
    weekdays: Weekdays | None = None
    until: Until | None = None
    until_time: UntilTime | None = None
    on_past: NodeName | None = None

    @of_the_whole
    def _one_form(self) -> WaitNode:
        demand_one({"for": self.for_, "until": self.until, "until_time": self.until_time})
        if self.for_ is None and (self.at is not None or self.weekdays is not None):
            raise ValueError("expected at and weekdays only beside for (until_time has its own)")
        if self.at is not None and self.for_ is not None and self.for_ % DAY:
            raise ValueError("expected whole days in for, because at is given")
        if self.on_past is not None and self.until is None:
            raise ValueError("expected on_past only beside until")
        return self

    @property
    def takes_time(self) -> bool:
        return bool(self.for_) or self.for_ is None or self.at is not None or self.weekdays is not None

    def shortest_stay(self, exit_: str) -> timedelta | None:
        if self.for_ is None:
            return timedelta()
        return self.for_ if self.at is None else max(timedelta(), self.for_ - DAY)

    @property
    def watching(self) -> bool:
        return self.until is not None and self.until.attribute is not None

    def enter(self, visit: Visit) -> Move:
        if self.until is not None:
            return self._enter_until(self.until, visit)
        until = self._end(visit, visit.now, visit.back_at_once)
        if until <= visit.now:
            visit.mark_left()
            visit.record("ran", {})
            return Go(self.next)
        return Stand(until)

    def take_over(self, visit: Visit, stay: Stay) -> Move:
        if self.until is None:
            return Stand(self._end(visit, stay.since, stay.back))
        found = self.until.instant(visit)
        if isinstance(found, datetime) and found == stay.until:  # not past, however late this is
            return Stand(found)
        visit.run.moved_from = None  # the length of a pause was added to another date
        return self._enter_until(self.until, visit)

    def _end(self, visit: Visit, since: datetime, back: bool) -> datetime:
        """When a wait is over that began at an instant; not then, where the run had come back at once."""
        if self.until_time is not None:
            days = weekday_numbers(self.until_time.weekdays)
            return next_at(since, visit.view.zone, self.until_time.at, days, after=back)
        assert self.for_ is not None
        if self.at is None and self.weekdays is None:
            return since + self.for_
        days = weekday_numbers(self.weekdays)
        return wait_until(since, self.for_, self.at, days, visit.view.zone, after=back)

    def _enter_until(self, until: Until, visit: Visit) -> Move:
        found = until.instant(visit)
        if isinstance(found, datetime) and found > visit.now:
            return Stand(found)
        if found == visit.now:
            visit.record("ran", {})
            return Go(self.next)
        visit.record("skipped", {"reason": found if isinstance(found, str) else "past"})
        return Go(self.next if self.on_past is None else self.on_past)

    def follow(self, visit: Visit) -> Stand | Go | None:
        if self.until is None or self.until.attribute is None:
            return None
        found = self.until.instant(visit)
        run = visit.run
        if found == (run.due_at if run.moved_from is None else run.moved_from):
            return None
        if isinstance(found, datetime) and found > visit.now:
            return Stand(found)
        return Go(self.next if self.on_past is None or found == visit.now else self.on_past)

    def exits(self) -> Iterator[tuple[str, str | None]]:
        yield "next", self.next
        if self.on_past is not None:
            yield "on_past", self.on_past
