"""The published documents, arranged for deciding: who listens to which event, what has to be counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from journeyflow.core.conditions import Condition, EventCondition, leaves
from journeyflow.core.contact import Run
from journeyflow.core.hearing import heard
from journeyflow.core.instructions import Instruction, Resumption
from journeyflow.core.journey import Journey
from journeyflow.core.leaf import BeenInJourneyCondition, InJourneyCondition
from journeyflow.core.local_time import zone
from journeyflow.core.message_condition import MessageCondition
from journeyflow.core.nodes.message import MessageNode
from journeyflow.core.timetable import Timetable
from journeyflow.core.triggers import DateTrigger, InactivityTrigger, ScheduleTrigger, SegmentTrigger, Trigger
from journeyflow.core.values import PathKeys, parse_path
from journeyflow.core.view import Library
from journeyflow.core.workspace import Channel

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


TimedTrigger = InactivityTrigger | DateTrigger | ScheduleTrigger


class Timed(NamedTuple):
    """A trigger that time fires, since when it watches, and the key of what it was last handled for.

    ``tables`` are the timetables of a schedule, by zone; ``zone`` where it is not each contact's own. ``steady`` tells
    that time alone does not change when it next fires.
    """

    published: Published
    place: int
    trigger: TimedTrigger
    armed_at: datetime
    key: str
    zone: ZoneInfo | None
    tables: dict[ZoneInfo, Timetable]
    steady: bool

    def table(self, local: ZoneInfo | None = None) -> Timetable:
        """When the schedule comes; a ``local`` one for a contact that is there."""
        zone_ = self.zone or local
        assert isinstance(self.trigger, ScheduleTrigger)
        assert zone_ is not None, "a local schedule comes somewhere"
        if zone_ not in self.tables:
            self.tables[zone_] = self.trigger.timetable(zone_)
        return self.tables[zone_]


class Invitation(NamedTuple):
    """A segment trigger that also lets in who was in the segment when it was published."""

    published: Published
    place: int
    segment: str
    armed_at: datetime
    key: str


@dataclass(slots=True)
class Flows:
    """Everything published: ``current`` is the newest version of each journey, ``versions`` all that runs may be on.

    ``states`` says how each journey stands; ``armed`` since when each trigger that time fires, or that lets members in,
    is there: by journey and trigger key. ``instructions`` are, by journey and in order, those that not all runs
    have followed.
    """

    library: Library
    current: Mapping[str, Published]
    versions: Mapping[tuple[str, int], Published]
    states: Mapping[str, JourneyState]
    armed: Mapping[tuple[str, str], datetime]
    instructions: Mapping[str, Sequence[Instruction]] = field(default_factory=dict)
    entrances: dict[str, list[Entrance]] = field(default_factory=dict)
    starred: list[tuple[str, Entrance]] = field(default_factory=list)
    timed: list[Timed] = field(default_factory=list)
    """The triggers that time fires, in the order of journeys."""
    schedules: list[Timed] = field(default_factory=list)
    """Those of them that come for all contacts at one instant."""
    dated: bool = False
    """Whether any of them is a date or a schedule."""
    silenced: dict[str, list[str]] = field(default_factory=dict)
    """By the names of events whose absence some triggers wait for the keys of these."""
    invitations: list[Invitation] = field(default_factory=list)
    """Those of closed journeys too: who comes into being meanwhile is not among the members."""
    ending: set[str] = field(default_factory=set)
    """The names of events that end runs, or are the goal of some."""
    counted: dict[str, list[EventCondition]] = field(default_factory=dict)
    recalled: set[str] = field(default_factory=set)
    """The names of events whose history some condition reads."""
    followed: set[str] = field(default_factory=set)
    """The journeys of which some condition asks whether the contact is, or was, in them."""
    kept: set[str] = field(default_factory=set)
    """The keys of the aggregates that are kept."""
    channels: set[Channel] = field(default_factory=set)
    """The channels that some journey sends messages by."""
    messages_for: timedelta | None = None
    """How far back caps and conditions look at a contact's messages; ``None`` where none does."""
    awaits_messages: bool = False
    """Whether some condition looks at messages, so that one more of them may be what a run waits for."""
    holding: set[str] = field(default_factory=set)
    """The journeys of which some version has a node on hold."""
    keyed: dict[str, PathKeys] = field(default_factory=dict)
    """By journey, where an event that lets contacts in has its key; those that let nobody in are left out."""

    def __post_init__(self) -> None:
        for published in self.open():
            for index, trigger in enumerate(published.journey.triggers):
                self._listen(Entrance(published, index, trigger))
            if published.journey.key is not None:
                root, *keys = parse_path(published.journey.key)
                if root in ("trigger", "event"):
                    self.keyed[published.id] = tuple(keys)
        self._look_at_messages()
        self.library.standing = heard(self.library.standing, (one.journey for one in self.versions.values()))
        for published in self.versions.values():
            self.ending.update(match.event for match in published.journey.exit_on)
            if published.journey.goal is not None:
                self.ending.add(published.journey.goal.event)
            if any(node.hold for node in published.journey.nodes.values()):
                self.holding.add(published.id)
        for published in self.current.values():
            self._invite(published)
        for leaf in self._leaves():
            if isinstance(leaf, InJourneyCondition):
                self.followed.add(leaf.in_journey)
            elif isinstance(leaf, BeenInJourneyCondition):
                self.followed.add(leaf.been_in_journey)
            if not isinstance(leaf, EventCondition):
                continue
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
        if isinstance(trigger, TimedTrigger):
            self._watch(entrance.published, entrance.place, trigger)
        for name in trigger.names():
            if name.endswith("*"):
                self.starred.append((name[:-1], entrance))
            else:
                self.entrances.setdefault(name, []).append(entrance)

    def _look_at_messages(self) -> None:
        workspace = self.library.workspace
        self.library.tracking.update(
            (one.id, one.journey.tracking) for one in self.current.values() if one.journey.tracking is not None
        )
        self.library.stand()
        spans = [cap.per for cap in workspace.frequency_caps]
        for published in self.versions.values():
            self.channels.update(
                node.channel for node in published.journey.nodes.values() if isinstance(node, MessageNode)
            )
        asked = [leaf for leaf in self._leaves() if isinstance(leaf, MessageCondition)]
        spans.extend(leaf.span(workspace.retention.messages) for leaf in asked)
        self.awaits_messages = bool(asked)
        self.messages_for = max(spans, default=None)

    def _watch(self, published: Published, place: int, trigger: TimedTrigger) -> None:
        armed_at = self.armed[published.id, trigger.key]
        fixed = None
        if isinstance(trigger, ScheduleTrigger) and not trigger.local:
            fixed = zone(trigger.timezone, published.journey.timezone, self.library.workspace.timezone)
        steady = not isinstance(trigger, InactivityTrigger) or all(one.aggregate_key for one in trigger.watched)
        timed = Timed(published, place, trigger, armed_at, f"{published.id}:{trigger.key}", fixed, {}, steady)
        self.timed.append(timed)
        if fixed is not None:
            self.schedules.append(timed)
        if isinstance(trigger, InactivityTrigger):
            for one in trigger.watched:
                self.silenced.setdefault(one.event, []).append(timed.key)
        else:
            self.dated = True

    def _invite(self, published: Published) -> None:
        for place, trigger in enumerate(published.journey.triggers):
            if isinstance(trigger, SegmentTrigger) and trigger.key is not None:
                armed_at = self.armed.get((published.id, trigger.key))
                if armed_at is not None:
                    key = f"{published.id}:{trigger.key}"
                    self.invitations.append(Invitation(published, place, trigger.segment, armed_at, key))

    def _leaves(self) -> Iterator[Condition]:
        for published in self.versions.values():
            for _, condition in published.journey.conditions():
                yield from leaves(condition)
            for trigger in published.journey.triggers:
                if isinstance(trigger, InactivityTrigger):
                    yield from trigger.watched
        for segment in self.library.segments.values():
            yield from leaves(segment.when)
        for stage in self.library.workspace.stages:
            yield from leaves(stage.when)

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

    def pending(self, run: Run) -> Iterator[Instruction]:
        """The instructions that the run has yet to follow, in order."""
        mine = self.instructions.get(run.journey, ()) if self.instructions and run.active else ()
        return (one for one in mine if one.concerns(run))

    def paused(self, run: Run) -> bool:
        """Whether the run stands still: its journey does, or went on and the run has not followed yet."""
        if self.states.get(run.journey) == "paused":
            return True
        return bool(self.instructions) and any(isinstance(one, Resumption) for one in self.pending(run))

    def rank(self, run: Run) -> tuple[int, datetime, str, str]:
        """The order of rule 1.4."""
        return (-self.of(run).journey.priority, run.entered_at, run.journey, run.id)
