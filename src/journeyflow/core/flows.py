"""The published documents, arranged for deciding: who listens to which event, what has to be counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from journeyflow.core.conditions import EventCondition, leaves
from journeyflow.core.contact import Run
from journeyflow.core.journey import Journey
from journeyflow.core.triggers import InactivityTrigger, Trigger
from journeyflow.core.view import Library

JourneyState = Literal["draft", "live", "entries_paused", "paused", "archived"]


class Published(NamedTuple):
    """One immutable version of a journey."""

    journey: Journey
    version: int

    @property
    def id(self) -> str:
        return self.journey.journey


class Entrance(NamedTuple):
    """A trigger of a journey that is open."""

    published: Published
    place: int
    trigger: Trigger


class Silence(NamedTuple):
    """An inactivity trigger, since when it watches, and the key of what it has fired for."""

    published: Published
    place: int
    trigger: InactivityTrigger
    armed_at: datetime
    key: str


@dataclass(slots=True)
class Flows:
    """Everything published: ``current`` is the newest version of each journey, ``versions`` all that runs may be on.

    ``states`` says how each journey stands; ``armed`` since when each inactivity trigger watches, by journey and
    trigger key.
    """

    library: Library
    current: Mapping[str, Published]
    versions: Mapping[tuple[str, int], Published]
    states: Mapping[str, JourneyState]
    armed: Mapping[tuple[str, str], datetime]
    entrances: dict[str, list[Entrance]] = field(default_factory=dict)
    starred: list[tuple[str, Entrance]] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    counted: dict[str, list[EventCondition]] = field(default_factory=dict)
    recalled: set[str] = field(default_factory=set)
    """The names of events whose history some condition reads."""
    kept: set[str] = field(default_factory=set)
    """The keys of the aggregates that are kept."""
    holding: set[str] = field(default_factory=set)
    """The journeys of which some version has a node on hold."""

    def __post_init__(self) -> None:
        for published in self.open():
            for index, trigger in enumerate(published.journey.triggers):
                self._listen(Entrance(published, index, trigger))
        for published in self.versions.values():
            if any(node.hold for node in published.journey.nodes.values()):
                self.holding.add(published.id)
        for leaf in self._questions():
            if leaf.aggregate_key is None:
                self.recalled.add(leaf.event)
            elif not leaf.by_name and leaf.aggregate_key not in self.kept:
                self.kept.add(leaf.aggregate_key)
                self.counted.setdefault(leaf.event, []).append(leaf)

    def open(self) -> Iterable[Published]:
        """The journeys that let contacts in, in the order of rule 1.4."""
        found = [one for one in self.current.values() if self.states.get(one.id) == "live"]
        return sorted(found, key=lambda one: (-one.journey.priority, one.id))

    def _listen(self, entrance: Entrance) -> None:
        trigger = entrance.trigger
        if isinstance(trigger, InactivityTrigger):
            armed_at = self.armed[entrance.published.id, trigger.key]
            key = f"{entrance.published.id}:{trigger.key}"
            self.silences.append(Silence(entrance.published, entrance.place, trigger, armed_at, key))
        for name in trigger.names():
            if name.endswith("*"):
                self.starred.append((name[:-1], entrance))
            else:
                self.entrances.setdefault(name, []).append(entrance)

    def _questions(self) -> Iterator[EventCondition]:
        for published in self.versions.values():
            for _, condition in published.journey.conditions():
                yield from (leaf for leaf in leaves(condition) if isinstance(leaf, EventCondition))
            for trigger in published.journey.triggers:
                if isinstance(trigger, InactivityTrigger):
                    yield from trigger.watched

    def listening(self, name: str, own: bool) -> list[Entrance]:
        """The triggers that an event of that name can fire, in order; ``*`` never matches the engine's own."""
        exact = self.entrances.get(name, [])
        if own or not self.starred:
            return exact
        matching = [entrance for prefix, entrance in self.starred if name.startswith(prefix)]
        if not matching:
            return exact
        return sorted(
            [*exact, *matching], key=lambda one: (-one.published.journey.priority, one.published.id, one.place)
        )

    def of(self, run: Run) -> Published:
        """The version that a run is on."""
        return self.versions[run.journey, run.version]

    def rank(self, run: Run) -> tuple[int, datetime, str, str]:
        """The order of rule 1.4."""
        return (-self.of(run).journey.priority, run.entered_at, run.journey, run.id)
