"""What decides where a contact stands: the segments and the stages, prepared for asking (rules 2.7 and 3.7).

A definition has a key that names what it depends on besides the contact: its condition, what that refers to, and the
settings by which conditions are read. Membership is remembered under that key; so an edited definition is one by which
nobody has been judged yet, and editing fires nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

import orjson

from journeyflow.core.address import ATTRIBUTES
from journeyflow.core.compare import Operators
from journeyflow.core.conditions import All, Any_, Condition, EventCondition, Not, canonical, leaves
from journeyflow.core.contact import Membership, StageReached
from journeyflow.core.leaf import (
    AttributeCondition,
    BeenInJourneyCondition,
    InJourneyCondition,
    LocalTimeCondition,
    PropertyCondition,
    SegmentCondition,
    TagCondition,
    TopicCondition,
    VariableCondition,
)
from journeyflow.core.message_condition import MessageCondition
from journeyflow.core.question import Question
from journeyflow.core.segment import Segment
from journeyflow.core.sight import Sight
from journeyflow.core.stage import Stage
from journeyflow.core.values import JSON, references
from journeyflow.core.workspace import Workspace

EVERYTHING: Final = "*"
"""The change of a contact that comes into being."""
NOTHING: Final = frozenset[str]()


class Definition(NamedTuple):
    """One segment; ``heard`` tells whether some journey can notice that a contact enters or leaves it."""

    id: str
    key: str
    question: Question
    heard: bool = True


class Step(NamedTuple):
    """One stage that a condition brings a contact into; ``rests_on``: that it is this one, and none of those above."""

    id: str
    question: Question
    rests_on: frozenset[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """All definitions: segments by id, and stages, of which the last that holds counts, the last one first."""

    segments: tuple[Definition, ...]
    stages: frozenset[str]
    steps: tuple[Step, ...]
    stages_key: str
    segment_keys: frozenset[str]
    rests_on: frozenset[str]
    stages_heard: bool = True

    def __bool__(self) -> bool:
        return bool(self.segments or self.stages)

    @property
    def keys(self) -> frozenset[str]:
        """What there is to be judged by."""
        return self.segment_keys | {self.stages_key} if self.stages else self.segment_keys

    def conditions(self) -> Iterator[Condition]:
        """Everything that contacts are judged by."""
        yield from (one.question.condition for one in self.segments)
        yield from (one.question.condition for one in self.steps)

    def heard(self, segments: Collection[str] | None, *, stages: bool) -> Standing:
        """The same, knowing that only these segments (``None``: all of them) are listened to, and stages or not."""
        marked = (one._replace(heard=segments is None or one.id in segments) for one in self.segments)
        return replace(self, segments=tuple(marked), stages_heard=stages)

    def only_heard(self) -> Standing:
        """Only what somebody listens to."""
        kept = tuple(one for one in self.segments if one.heard)
        steps = self.steps if self.stages_heard else ()
        return replace(
            self,
            segments=kept,
            segment_keys=frozenset(one.key for one in kept),
            rests_on=_rests_on(kept, steps),
            stages=self.stages if self.stages_heard else NOTHING,
            steps=steps,
        )

    def judge(self, definition: Definition, view: Sight) -> Membership:
        """Whether the contact is in a segment."""
        return Membership(*definition.question.ask(view))

    def stage(self, wanted: str | None, view: Sight) -> StageReached:
        """The stage that a node set, as long as there is such a one, else the last whose condition holds."""
        if wanted is not None and wanted in self.stages:
            return StageReached(self.stages_key, wanted, None, NOTHING)
        earliest: datetime | None = None
        rests_on = NOTHING
        for step in self.steps:  # what comes before the stage that holds makes no difference while it does
            held, edge, _ = step.question.ask(view)
            rests_on = step.rests_on
            if edge is not None and (earliest is None or edge < earliest):
                earliest = edge
            if held:
                return StageReached(self.stages_key, step.id, earliest, rests_on)
        return StageReached(self.stages_key, None, earliest, rests_on)


def standing_of(workspace: Workspace, segments: Mapping[str, Segment], tracked: JSON = None) -> Standing:
    """The definitions that a workspace and its segments make.

    :param tracked: what templates and journeys say of tracking, by which conditions on messages are read.
    """
    reader = _Reader(workspace, segments, tracked)
    definitions = tuple(
        Definition(name, f"{name}:{reader.digest([segments[name].when])}", reader.question(segments[name].when))
        for name in sorted(segments)
    )
    stages = workspace.stages
    whens = [stage.when for stage in stages if stage.when is not None]
    named: JSON = [[stage.id, stage.when is None] for stage in stages]
    steps = tuple(_steps(stages, reader))
    return Standing(
        segments=definitions,
        stages=frozenset(stage.id for stage in stages),
        steps=steps,
        rests_on=_rests_on(definitions, steps),
        stages_key=f"stages:{reader.digest(whens, named)}",
        segment_keys=frozenset(one.key for one in definitions),
    )


def _rests_on(segments: Iterable[Definition], steps: Iterable[Step]) -> frozenset[str]:
    """The changes that can make a difference to anything; a node sets the stage."""
    questions = [*(one.question for one in segments), *(one.question for one in steps)]
    return frozenset(["stage"]).union(*(one.rests_on for one in questions))


def _steps(stages: Sequence[Stage], reader: _Reader) -> Iterator[Step]:
    rests_on = NOTHING
    for stage in reversed(stages):
        if stage.when is not None:
            question = reader.question(stage.when)
            rests_on |= question.rests_on
            yield Step(stage.id, question, rests_on)


def referred(condition: Condition) -> Iterator[str]:
    """The segments that a condition names."""
    yield from (leaf.segment for leaf in leaves(condition) if isinstance(leaf, SegmentCondition))


def reads_stage(condition: Condition) -> bool:
    """Whether a condition asks for the contact's stage, by itself or in a value it compares with."""
    return any(name == "attribute:stage" for leaf in leaves(condition) for name in _own_changes(leaf))


def _own_changes(leaf: Condition) -> Iterator[str]:
    """The changes that can make a difference to one leaf."""
    if isinstance(leaf, All | Any_ | Not | LocalTimeCondition):
        return iter(())
    if isinstance(leaf, AttributeCondition):
        return iter([f"attribute:{leaf.attribute.partition('.')[0].partition('[')[0]}", *_refs(leaf)])
    if isinstance(leaf, PropertyCondition | VariableCondition):
        return _refs(leaf)
    if isinstance(leaf, EventCondition):
        return iter([f"event:{leaf.event}", *_refs(leaf), *(_refs(leaf.count) if leaf.count is not None else ())])
    if isinstance(leaf, TagCondition):
        return iter(["tag"])
    if isinstance(leaf, TopicCondition):
        return iter(["topic", *(f"attribute:{name}" for name in ATTRIBUTES.values())])
    if isinstance(leaf, MessageCondition):
        return iter(["message", "event:Email Opened", "event:Email Link Clicked", "attribute:tracking"])
    if isinstance(leaf, InJourneyCondition):
        return iter([f"journey:{leaf.in_journey}"])
    if isinstance(leaf, BeenInJourneyCondition):
        return iter([f"journey:{leaf.been_in_journey}"])
    assert isinstance(leaf, SegmentCondition), "there is no other kind"
    return iter(())


def _refs(operators: Operators) -> Iterator[str]:
    for _, wanted in operators.given:
        for _, one in references(wanted):
            if one.ref.startswith("contact."):
                yield f"attribute:{one.ref.split('.')[1].partition('[')[0]}"


class _Reader:
    """Follows what definitions refer to; a reference in a circle, which ``check`` refuses, is followed once."""

    def __init__(self, workspace: Workspace, segments: Mapping[str, Segment], tracked: JSON) -> None:
        self._workspace = workspace
        self._tracked = tracked
        self._segments = segments
        self._stages = [stage.when for stage in workspace.stages if stage.when is not None]

    def _closure(self, conditions: list[Condition]) -> tuple[dict[str, Condition], bool]:
        """The segments that are referred to, directly or by way of others, and whether the stage is."""
        found: dict[str, Condition] = {}
        coming, staged = [*conditions], False
        while coming:
            condition = coming.pop()
            for name in referred(condition):
                if name in self._segments and name not in found:
                    found[name] = self._segments[name].when
                    coming.append(found[name])
            if not staged and self._workspace.stages and reads_stage(condition):
                staged = True
                coming.extend(self._stages)
        return found, staged

    def digest(self, conditions: list[Condition], more: JSON = None) -> str:
        """Names the conditions, what they refer to and how they are read: 12 characters."""
        found, staged = self._closure(conditions)
        workspace = self._workspace
        data = [
            [canonical(one) for one in conditions],
            more,
            [[name, canonical(found[name])] for name in sorted(found)],
            [[stage.id, None if stage.when is None else canonical(stage.when)] for stage in workspace.stages]
            if staged
            else None,
            workspace.timezone,
            [[topic.id, topic.default] for topic in workspace.topics],
            workspace.retention.events.total_seconds(),
        ]
        asked = [*conditions, *found.values(), *(self._stages if staged else ())]
        if any(isinstance(leaf, MessageCondition) for one in asked for leaf in leaves(one)):
            data.append(workspace.retention.messages.total_seconds())
            data.append([workspace.tracking.opens, workspace.tracking.clicks, self._tracked])
        return sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    def question(self, condition: Condition) -> Question:
        """The condition taken apart, with what each part rests on."""
        parts = () if isinstance(condition, EventCondition) else tuple(map(self.question, condition.parts()))
        deciding = isinstance(condition, Any_) if isinstance(condition, All | Any_) else None
        return Question(condition, self._rests_on(condition), parts, deciding)

    def _rests_on(self, condition: Condition) -> frozenset[str]:
        """The changes that can make a difference; where the contact is matters to many comparisons, so always that."""
        found, staged = self._closure([condition])
        changes = {EVERYTHING, "attribute:timezone"}
        for one in [condition, *found.values(), *(self._stages if staged else ())]:
            for leaf in leaves(one):
                changes.update(_own_changes(leaf))
        return frozenset(changes)
