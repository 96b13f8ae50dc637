"""What lets a contact into a journey (format.md, "Triggers")."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from pydantic import AfterValidator, Field, StrictBool

from journeyflow.core.conditions import Because, Condition, EventCondition, canonical
from journeyflow.core.contact import Contact
from journeyflow.core.inputs import Event
from journeyflow.core.local_time import anniversary, at_local, moved
from journeyflow.core.timetable import Timetable, check_cron
from journeyflow.core.values import (
    JSON,
    Duration,
    EventName,
    InstantText,
    Missing,
    Model,
    Name,
    Path,
    PositiveDuration,
    SignedDuration,
    Slug,
    TimeOfDay,
    Value,
    demand_one,
    look_up,
    of_the_whole,
    parse_instant,
    parse_path,
)
from journeyflow.core.view import View
from journeyflow.core.workspace import ZoneName


def _pattern(name: str) -> str:
    if "*" in name[:-1]:
        raise ValueError("expected * only as the last character of an event's name")
    return name


EventPattern = Annotated[Name, AfterValidator(_pattern)]
_YEARS = 5
"""A yearly date comes within so many of them, wherever its offset leads."""


class Occasion(NamedTuple):
    """What time brings: the instant, the mark by which it is remembered as taken, and the run's properties."""

    at: datetime
    mark: datetime
    properties: dict[str, JSON]


class TriggerBase(Model):
    """What every trigger has."""

    type: str

    def names(self) -> tuple[str, ...]:
        """The events that can fire it; a name that ends in ``*`` stands for all that begin so."""
        return ()

    def fits(self, event: Event, view: View, path: str, because: Because | None = None) -> bool:
        """Whether that event fires it; ``view`` sees the event."""
        return True

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        return iter(())

    @property
    def key(self) -> str | None:
        """Names what is remembered of a trigger that watches from its publishing on, in whatever version; else none."""
        return None

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        """Other documents that the trigger needs: (path inside it, kind, id)."""
        return iter(())


def _key(*parts: JSON) -> str:
    return sha256(orjson.dumps(parts)).hexdigest()[:12]


class EventTrigger(TriggerBase):
    """The contact sends such an event."""

    type: Literal["event"]
    event: EventPattern
    where: Condition | None = None

    def names(self) -> tuple[str, ...]:
        return (self.event,)

    def fits(self, event: Event, view: View, path: str, because: Because | None = None) -> bool:
        return self.where is None or self.where.holds(view, f"{path}.where", because)

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        if self.where is not None:
            yield "where", self.where


class ChangeTrigger(TriggerBase):
    """Something about the contact changes: the engine's own word for it fires it, no other event of that name."""

    def fits(self, event: Event, view: View, path: str, because: Because | None = None) -> bool:
        return event.change and self.concerns(event, view)

    def concerns(self, event: Event, view: View) -> bool:
        """Whether what the event tells of is the change in question."""
        raise NotImplementedError


class ContactTrigger(ChangeTrigger):
    """The contact is new, or an attribute changed."""

    type: Literal["contact"]
    change: Literal["created", "updated"]
    attribute: Path | None = None
    to: Value = None

    @of_the_whole
    def _attribute_of_change(self) -> ContactTrigger:
        if self.change == "created" and self.attribute is not None:
            raise ValueError("expected attribute only beside change: updated")
        if "to" in self.model_fields_set and self.attribute is None:
            raise ValueError("expected to only beside attribute")
        return self

    def names(self) -> tuple[str, ...]:
        return ("Contact Created" if self.change == "created" else "Contact Updated",)

    def concerns(self, event: Event, view: View) -> bool:
        if self.attribute is None:
            return True
        changed = str(event.properties.get("attribute"))
        if changed.startswith((f"{self.attribute}.", f"{self.attribute}[")):  # a part of it changed
            return self._wanted(view.attribute(parse_path(self.attribute)), view)
        if changed != self.attribute and not self.attribute.startswith((f"{changed}.", f"{changed}[")):
            return False
        inside = parse_path(self.attribute)[len(parse_path(changed)) :] if changed != self.attribute else ()
        before, after = (look_up(event.properties.get(side), inside) for side in ("from", "to"))
        return not (inside and before == after) and self._wanted(after, view)

    def _wanted(self, value: JSON | Missing, view: View) -> bool:
        if "to" not in self.model_fields_set:
            return True
        wanted = view.resolve(self.to)
        if isinstance(value, Missing) or value is None or isinstance(wanted, Missing):
            return (isinstance(value, Missing) or value is None) and wanted is None
        return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


class TagTrigger(ChangeTrigger):
    """A tag is put on, or taken off."""

    type: Literal["tag"]
    added: Name | None = None
    removed: Name | None = None

    @of_the_whole
    def _one_change(self) -> TagTrigger:
        demand_one({"added": self.added, "removed": self.removed})
        return self

    def names(self) -> tuple[str, ...]:
        return ("Tag Removed" if self.added is None else "Tag Added",)

    def concerns(self, event: Event, view: View) -> bool:
        return event.properties.get("tag") == (self.removed if self.added is None else self.added)


class TopicTrigger(TriggerBase):
    """Consent to a topic is given, or taken away (rule 5.8)."""

    type: Literal["topic"]
    subscribed: Slug | None = None
    unsubscribed: Slug | None = None

    @of_the_whole
    def _one_change(self) -> TopicTrigger:
        demand_one({"subscribed": self.subscribed, "unsubscribed": self.unsubscribed})
        return self

    @property
    def topic(self) -> str:
        return self.subscribed or self.unsubscribed or ""

    def names(self) -> tuple[str, ...]:
        return ("Unsubscribed" if self.subscribed is None else "Subscribed",)

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        yield ("unsubscribed" if self.subscribed is None else "subscribed"), "topic", self.topic


class SegmentTrigger(ChangeTrigger):
    """Membership changes (rule 3.7); with ``include_members`` also who is there on publishing."""

    type: Literal["segment"]
    entered: Slug | None = None
    left: Slug | None = None
    include_members: StrictBool = False

    @of_the_whole
    def _one_change(self) -> SegmentTrigger:
        demand_one({"entered": self.entered, "left": self.left})
        if self.include_members and self.entered is None:
            raise ValueError("expected include_members only beside entered")
        return self

    @property
    def segment(self) -> str:
        return self.entered or self.left or ""

    @cached_property
    def key(self) -> str | None:
        return _key("members", self.segment) if self.include_members else None

    def names(self) -> tuple[str, ...]:
        return ("Segment Left" if self.entered is None else "Segment Entered",)

    def concerns(self, event: Event, view: View) -> bool:
        return event.properties.get("segment") == self.segment

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        yield ("left" if self.entered is None else "entered"), "segment", self.segment


class InactivityTrigger(TriggerBase):
    """So long has passed since the contact's last such event (rule 3.6)."""

    type: Literal["inactivity"]
    event: EventName | Annotated[tuple[EventName, ...], Field(min_length=1, max_length=50)]
    for_: PositiveDuration = Field(alias="for")
    where: Condition | None = None
    include_silent: StrictBool = False

    @cached_property
    def watched(self) -> tuple[EventCondition, ...]:
        """One question per event name, whose aggregate knows the last such event."""
        names = (self.event,) if isinstance(self.event, str) else self.event
        return tuple(EventCondition(event=name, where=self.where) for name in names)

    @cached_property
    def key(self) -> str:
        where = None if self.where is None else canonical(self.where)
        names: list[JSON] = [one.event for one in self.watched]
        parts: list[JSON] = [names, self.for_.total_seconds(), where]
        return _key(*parts, "silent") if self.include_silent else _key(*parts)

    def last(self, contact: Contact, view: View) -> tuple[datetime, str] | None:
        """The contact's last such event: when, and its name."""
        found: tuple[datetime, str] | None = None
        for watched in self.watched:
            counted = contact.counts.get(watched.event)
            if counted is None:
                continue
            seen = counted.last if watched.by_name else watched.last(view)
            if seen is not None and (found is None or seen > found[0]):
                found = (seen, watched.event)
        return found

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        if self.where is not None:
            yield "where", self.where


class DateTrigger(TriggerBase):
    """The date in an attribute comes (format.md, "Triggers")."""

    type: Literal["date"]
    attribute: Path
    offset: SignedDuration = timedelta()
    at: TimeOfDay = time(9)
    yearly: StrictBool = False

    @cached_property
    def key(self) -> str:
        return _key("date", self.attribute, self.offset.total_seconds(), self.at.isoformat(), self.yearly)

    def coming(self, view: View, since: datetime, mark: datetime | None) -> Occasion | None:
        """The first time at or after an instant, but for the one that was taken last.

        The mark of a date is its day, as it was local; of a yearly one its year. So a contact that moves, or whose
        date is corrected, is not let in twice.
        """
        value = view.attribute(parse_path(self.attribute))
        base = None if isinstance(value, Missing) else parse_instant(value, view.zone)
        if base is None:
            return None
        try:
            return (
                self._yearly(base, view.zone, since, mark) if self.yearly else self._once(base, view.zone, since, mark)
            )
        except (OverflowError, ValueError):  # beyond the calendar
            return None

    def _once(self, base: datetime, zone: ZoneInfo, since: datetime, mark: datetime | None) -> Occasion | None:
        at = moved(base, zone, self.offset, self.at)
        day = datetime.combine(at.astimezone(zone).date(), time(), UTC)
        return None if at < since or day == mark else self._occasion(at, day, base.astimezone(zone).date())

    def _yearly(self, base: datetime, zone: ZoneInfo, since: datetime, mark: datetime | None) -> Occasion | None:
        local = base.astimezone(zone)
        first = (since - self.offset).astimezone(zone).year - 1
        for year in range(max(first, 1), min(first + _YEARS, 9999)):
            day = anniversary(local.date(), year)
            at = moved(at_local(zone, day, local.time()), zone, self.offset, self.at)
            if at >= since and (mark is None or mark.year != year):
                return self._occasion(at, datetime(year, 1, 1, tzinfo=UTC), day)
        return None

    def _occasion(self, at: datetime, mark: datetime, day: date) -> Occasion:
        return Occasion(at, mark, {"attribute": self.attribute, "date": day.isoformat()})


class ScheduleTrigger(TriggerBase):
    """At that time, everyone in the segment (rule 3.8)."""

    type: Literal["schedule"]
    cron: Annotated[str, AfterValidator(check_cron)] | None = None
    at: InstantText | None = None
    segment: Slug
    timezone: Literal["local"] | ZoneName | None = None
    catch_up: Duration = timedelta(hours=1)

    @of_the_whole
    def _cron_or_once(self) -> ScheduleTrigger:
        demand_one({"cron": self.cron, "at": self.at})
        return self

    @property
    def local(self) -> bool:
        """Whether it comes for each contact when it is that time where the contact is."""
        return self.timezone == "local"

    @cached_property
    def key(self) -> str:
        return _key("schedule", self.cron, self.at, self.segment, self.timezone)

    def timetable(self, zone: ZoneInfo) -> Timetable:
        """When it comes in a zone."""
        return Timetable(self.cron, self.at, zone)

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        yield "segment", "segment", self.segment


class ManualTrigger(TriggerBase):
    """The API, the command line or the web page enrolls the contact."""

    type: Literal["manual"]


Trigger = Annotated[
    EventTrigger
    | ContactTrigger
    | TagTrigger
    | TopicTrigger
    | SegmentTrigger
    | InactivityTrigger
    | DateTrigger
    | ScheduleTrigger
    | ManualTrigger,
    Field(discriminator="type"),
]
