"""The conditions that ask one thing of a contact, and how they are noted for the trail.

``holds`` and ``next_change`` are those of :mod:`journeyflow.core.conditions`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson
from pydantic import Field, PrivateAttr, model_validator

from journeyflow.core.compare import Operators
from journeyflow.core.local_time import in_window, window_edge
from journeyflow.core.sight import Sight
from journeyflow.core.values import (
    JSON,
    Missing,
    Model,
    Name,
    Path,
    PathKeys,
    PositiveDuration,
    Slug,
    TimeOfDay,
    Weekday,
    iso,
    of_the_whole,
    parse_path,
    weekday_numbers,
)

Because = list[JSON]
Answer = tuple[bool, datetime | None]
"""Whether a condition holds, and when time alone can next change that."""


class Leaf(Model):
    """A condition that asks something, rather than combining others."""

    _document: JSON = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_document(cls, data: Any, handler: Any) -> Any:  # Any: pydantic's protocol for wrap validators
        made = handler(data)
        if isinstance(data, dict):
            made._document = data
        return made

    @cached_property
    def document(self) -> JSON:
        """The condition as its author wrote it."""
        return self._document

    def note(self, because: Because | None, path: str, value: JSON, held: bool) -> bool:
        """Write down what was seen, where somebody asked for it."""
        if because is not None:
            because.append({"path": path, "leaf": self.document, "value": value, "held": held})
        return held

    def next_change(self, view: Sight) -> datetime | None:
        return None

    def answer(self, view: Sight) -> Answer:
        """Both at once: whether it holds, and when time alone can next change that."""
        return self.holds(view), self.next_change(view)

    @abstractmethod
    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        """Whether it holds now; what was looked at is added to ``because``."""

    # Any: a condition; what a condition can be is said where all of them are known
    def parts(self) -> Iterator[Any]:
        """The conditions inside this one."""
        return iter(())


class Comparison(Leaf, Operators):
    """A value compared."""

    @of_the_whole
    def _some_operator(self) -> Comparison:
        if not self.given:
            raise ValueError(f"expected an operator, one of {', '.join(name.rstrip('_') for name in self.names)}")
        return self

    def compared(self, seen: JSON | Missing, view: Sight, path: str, because: Because | None) -> bool:
        held, mismatch = self.compare(seen, view)
        return held if because is None else self.note(because, path, shown(seen, mismatch), held)


def shown(seen: JSON | Missing, mismatch: bool) -> JSON:
    """How the trail tells a value that was seen."""
    if isinstance(seen, Missing):
        return "missing"
    if not mismatch:
        return seen
    try:
        text = orjson.dumps(seen).decode()
    except TypeError:  # what JSON can't hold: half a surrogate pair, a number of more than 64 bits
        text = ascii(seen)
    return f"type mismatch: {text if len(text) <= 200 else text[:200] + '…'}"


class AttributeCondition(Comparison):
    """``{attribute: PATH, OP: VALUE}``."""

    attribute: Path

    @cached_property
    def _keys(self) -> PathKeys:
        return parse_path(self.attribute)

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        return self.compared(view.attribute(self._keys), view, path, because)

    def next_change(self, view: Sight) -> datetime | None:
        edge, other = self.edge(view.attribute(self._keys), view), view.attribute_change(self._keys)
        return other if edge is None or (other is not None and other < edge) else edge


class PropertyCondition(Comparison):
    """``{property: PATH, OP: VALUE}``: of the event at hand."""

    property: Path

    @cached_property
    def _keys(self) -> PathKeys:
        return parse_path(self.property)

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        return self.compared(view.event_property(self._keys), view, path, because)

    def next_change(self, view: Sight) -> datetime | None:
        return self.edge(view.event_property(self._keys), view)


class VariableCondition(Comparison):
    """``{var: PATH, OP: VALUE}``: saved in the run."""

    var: Path

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        return self.compared(view.variable(parse_path(self.var)), view, path, because)

    def next_change(self, view: Sight) -> datetime | None:
        return self.edge(view.variable(parse_path(self.var)), view)


class TagCondition(Leaf):
    """``{tag: NAME}``."""

    tag: Name

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        held = self.tag in view.contact.tags
        return self.note(because, path, held, held)


class TopicCondition(Leaf):
    """``{topic: ID}``: subscribed to it."""

    topic: Slug

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        held = view.subscribed(self.topic)
        return self.note(because, path, held, held)


class SegmentCondition(Leaf):
    """``{segment: ID}``: its definition holds now."""

    segment: Slug

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        held = view.in_segment(self.segment)
        return self.note(because, path, "missing" if held is None else held, bool(held))

    def next_change(self, view: Sight) -> datetime | None:
        return view.segment_change(self.segment)


class InJourneyCondition(Leaf):
    """``{in_journey: ID}``: a run of it is active."""

    in_journey: Slug

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        held = view.in_journey(self.in_journey)
        return self.note(because, path, held, held)


class BeenInJourneyCondition(Leaf):
    """``{been_in_journey: ID, within: D?}``: the contact is in it, or was (within that time).

    Who left at t was in it until t, so that ``within`` ends at exactly t + D (rule 1.7).
    """

    been_in_journey: Slug
    within: PositiveDuration | None = None

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        if view.in_journey(self.been_in_journey):
            return self.note(because, path, "active", True)
        left = view.left_journey(self.been_in_journey)
        held = left is not None and (self.within is None or left > view.now - self.within)
        return self.note(because, path, "missing" if left is None else iso(left), held)

    def next_change(self, view: Sight) -> datetime | None:
        if self.within is None or view.in_journey(self.been_in_journey):
            return None
        left = view.left_journey(self.been_in_journey)
        return None if left is None or left + self.within <= view.now else left + self.within


class Count(Operators):
    """How often: operators over a number."""

    @of_the_whole
    def _some_operator(self) -> Count:
        if not self.given:
            raise ValueError("expected an operator such as gte: 1")
        return self


class LocalHours(Model):
    """Weekdays and times of day where the contact is."""

    weekdays: tuple[Weekday, ...] | None = None
    from_: TimeOfDay | None = Field(default=None, alias="from")
    to: TimeOfDay | None = None


class LocalTimeCondition(Leaf):
    """``{local_time: {weekdays, from, to}}``."""

    local_time: LocalHours

    @cached_property
    def _weekdays(self) -> frozenset[int] | None:
        return weekday_numbers(self.local_time.weekdays)

    def holds(self, view: Sight, path: str = "", because: Because | None = None) -> bool:
        hours = self.local_time
        held = in_window(view.now, view.zone, hours.from_, hours.to, self._weekdays)
        return self.note(because, path, view.now.astimezone(view.zone).strftime("%a %H:%M:%S").lower(), held)

    def next_change(self, view: Sight) -> datetime | None:
        hours = self.local_time
        return window_edge(view.now, view.zone, hours.from_, hours.to, self._weekdays)
