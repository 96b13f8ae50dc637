"""What lets a contact into a journey (format.md, "Triggers")."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, Field, model_validator

from journeyflow.core.conditions import Because, Condition, EventCondition, canonical
from journeyflow.core.contact import Contact
from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON, Missing, Model, Name, Path, PositiveDuration, Value, look_up, parse_path
from journeyflow.core.view import View


def _pattern(name: str) -> str:
    if "*" in name[:-1]:
        raise ValueError("expected * only as the last character of an event's name")
    return name


EventPattern = Annotated[Name, AfterValidator(_pattern)]


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


class ContactTrigger(TriggerBase):
    """The contact is new, or an attribute changed."""

    type: Literal["contact"]
    change: Literal["created", "updated"]
    attribute: Path | None = None
    to: Value = None

    @model_validator(mode="after")
    def _attribute_of_change(self) -> ContactTrigger:
        if self.change == "created" and self.attribute is not None:
            raise ValueError("expected attribute only beside change: updated")
        if "to" in self.model_fields_set and self.attribute is None:
            raise ValueError("expected to only beside attribute")
        return self

    def names(self) -> tuple[str, ...]:
        return ("Contact Created" if self.change == "created" else "Contact Updated",)

    def fits(self, event: Event, view: View, path: str, because: Because | None = None) -> bool:
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


class TagTrigger(TriggerBase):
    """A tag is put on, or taken off."""

    type: Literal["tag"]
    added: Name | None = None
    removed: Name | None = None

    @model_validator(mode="after")
    def _one_change(self) -> TagTrigger:
        if (self.added is None) == (self.removed is None):
            raise ValueError("expected one of added, removed")
        return self

    def names(self) -> tuple[str, ...]:
        return ("Tag Removed" if self.added is None else "Tag Added",)

    def fits(self, event: Event, view: View, path: str, because: Because | None = None) -> bool:
        return event.properties.get("tag") == (self.removed if self.added is None else self.added)


class InactivityTrigger(TriggerBase):
    """So long has passed since the contact's last such event (rule 3.6)."""

    type: Literal["inactivity"]
    event: Name | Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]
    for_: PositiveDuration = Field(alias="for")
    where: Condition | None = None

    @cached_property
    def watched(self) -> tuple[EventCondition, ...]:
        """One question per event name, whose aggregate knows the last such event."""
        names = (self.event,) if isinstance(self.event, str) else self.event
        return tuple(EventCondition(event=name, where=self.where) for name in names)

    @cached_property
    def key(self) -> str:
        """The same for the same trigger, in whatever version of the journey."""
        where = None if self.where is None else canonical(self.where)
        names = [one.event for one in self.watched]
        return sha256(orjson.dumps([names, self.for_.total_seconds(), where])).hexdigest()[:12]

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


class ManualTrigger(TriggerBase):
    """The API, the command line or the web page enrolls the contact."""

    type: Literal["manual"]


Trigger = Annotated[
    EventTrigger | ContactTrigger | TagTrigger | InactivityTrigger | ManualTrigger, Field(discriminator="type")
]
