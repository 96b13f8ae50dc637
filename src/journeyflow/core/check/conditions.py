"""What conditions say of other documents, and is not so; and what a segment or a stage can't ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from journeyflow.core.check.broken import Broken
from journeyflow.core.check.finding import Finding, unknown_id
from journeyflow.core.compare import Operators
from journeyflow.core.conditions import All, Any_, Condition, EventCondition, Not
from journeyflow.core.documents import Documents
from journeyflow.core.leaf import (
    BeenInJourneyCondition,
    InJourneyCondition,
    PropertyCondition,
    SegmentCondition,
    TopicCondition,
    VariableCondition,
)
from journeyflow.core.message_condition import MessageCondition
from journeyflow.core.standing import reads_stage, referred
from journeyflow.core.values import duration_text, references
from journeyflow.core.workspace import DEFAULT, Retention

STAGES = "the stages"


class Placed(NamedTuple):
    """A condition with its place: the document, the path inside it, and whether an event is at hand there."""

    kind: str
    id: str
    path: str
    condition: Condition
    of_event: bool = False


def condition_findings(documents: Documents, broken: Broken) -> Iterator[Finding]:
    """Everything that is wrong with the conditions of a set of documents; ``broken`` ones can't be judged."""
    known = {
        "segment": {*documents.segments, *broken.ids("segment")},
        "journey": {*documents.journeys, *broken.ids("journey")},
        "template": {*documents.templates, *broken.ids("template")},
    }
    if broken.topics is not None:
        known["topic"] = {topic.id for topic in (documents.workspace or DEFAULT).topics} | broken.topics
    retention = (documents.workspace or DEFAULT).retention
    if not broken.workspace:
        yield from _goals(documents, retention)
    for top in placed_conditions(documents):
        for placed in placed_inside(top):
            yield from _mentions(placed, known)
            if not broken.workspace:
                yield from _windows(placed, retention)
            if top.kind != "journey":
                yield from _without_run(placed)
    yield from _circles(documents)


def placed_conditions(documents: Documents) -> Iterator[Placed]:
    """Every condition of a set of documents, whatever is inside it left out."""
    for name, journey in documents.journeys.items():
        yield from (Placed("journey", name, path, condition) for path, condition in journey.conditions())
    for name, segment in documents.segments.items():
        yield Placed("segment", name, "when", segment.when)
    if documents.workspace is not None:
        for index, stage in enumerate(documents.workspace.stages):
            if stage.when is not None:
                yield Placed("workspace", documents.workspace.workspace, f"stages[{index}].when", stage.when)


def placed_inside(placed: Placed) -> Iterator[Placed]:
    """The condition and everything inside it, each at its own place."""
    yield placed
    condition = placed.condition
    parts: list[tuple[str, Condition]] = []
    of_event = placed.of_event
    if isinstance(condition, All):
        parts = [(f"all[{index}]", part) for index, part in enumerate(condition.all)]
    elif isinstance(condition, Any_):
        parts = [(f"any[{index}]", part) for index, part in enumerate(condition.any)]
    elif isinstance(condition, Not):
        parts = [("not", condition.not_)]
    elif isinstance(condition, EventCondition) and condition.where is not None:
        parts, of_event = [("where", condition.where)], True
    for step, part in parts:
        yield from placed_inside(Placed(placed.kind, placed.id, f"{placed.path}.{step}", part, of_event))


def _mentions(placed: Placed, known: dict[str, set[str]]) -> Iterator[Finding]:
    for key, kind, target in _named_by(placed.condition):
        if kind in known and target not in known[kind]:
            yield unknown_id(placed.kind, placed.id, f"{placed.path}.{key}", kind, target, known[kind])


def _named_by(condition: Condition) -> Iterator[tuple[str, str, str]]:
    """The documents that a condition names: (path inside it, kind, id)."""
    if isinstance(condition, TopicCondition):
        yield "topic", "topic", condition.topic
    elif isinstance(condition, SegmentCondition):
        yield "segment", "segment", condition.segment
    elif isinstance(condition, InJourneyCondition):
        yield "in_journey", "journey", condition.in_journey
    elif isinstance(condition, BeenInJourneyCondition):
        yield "been_in_journey", "journey", condition.been_in_journey
    elif isinstance(condition, MessageCondition):
        if condition.message.template is not None:
            yield "message.template", "template", condition.message.template
        if condition.message.journey is not None:
            yield "message.journey", "journey", condition.message.journey


def _windows(placed: Placed, retention: Retention) -> Iterator[Finding]:
    condition = placed.condition
    asked: list[tuple[str, timedelta | None, timedelta, str]] = []
    if isinstance(condition, EventCondition | BeenInJourneyCondition):
        asked = [("within", condition.within, retention.events, "events")]
    elif isinstance(condition, MessageCondition):
        kept = retention.messages
        asked = [
            ("message.within", condition.message.within, kept, "messages"),
            ("message.settled", condition.message.settled, kept, "messages"),
        ]
    for place, length, kept, what in asked:
        if length is not None and length > kept:
            yield too_long(placed.kind, placed.id, f"{placed.path}.{place}", length, kept, what)


def _goals(documents: Documents, retention: Retention) -> Iterator[Finding]:
    """A goal is an event of the run's history, which has to be known for as long as the goal counts."""
    for name, journey in documents.journeys.items():
        within = None if journey.goal is None else journey.goal.within
        if within is not None and within > retention.events:
            yield too_long("journey", name, "goal.within", within, retention.events, "events")


def too_long(kind: str, id_: str, path: str, length: timedelta, kept: timedelta, what: str) -> Finding:
    """A window that is longer than what it looks at is kept."""
    message = f"expected at most the {duration_text(kept)} for which the workspace keeps {what}"
    return Finding(kind, id_, path, "JF014", message, duration_text(length))


def _without_run(placed: Placed) -> Iterator[Finding]:
    """A segment and a stage are asked of a contact: there is no run, and no event but those it has had."""
    condition = placed.condition
    wrong: tuple[str, str] | None = None
    if isinstance(condition, VariableCondition):
        wrong = ("var", condition.var)
    elif isinstance(condition, PropertyCondition) and not placed.of_event:
        wrong = ("property", condition.property)
    elif isinstance(condition, EventCondition) and condition.since is not None:
        wrong = ("since", condition.since)
    if wrong is not None:
        message = f"expected a condition on the contact: a {placed.kind} knows no run, and no event at hand"
        yield Finding(placed.kind, placed.id, f"{placed.path}.{wrong[0]}", "JF021", message, wrong[1])
    for path, ref in _references(condition):
        root = ref.partition(".")[0]
        if root != "contact":
            message = f"expected a reference to contact.: a {placed.kind} knows no run, and no event at hand"
            yield Finding(placed.kind, placed.id, f"{placed.path}.{path}", "JF021", message, ref)


def _references(condition: Condition) -> Iterator[tuple[str, str]]:
    if not isinstance(condition, Operators):
        return
    given = [(name.rstrip("_"), wanted) for name, wanted in condition.given]
    if isinstance(condition, EventCondition) and condition.count is not None:
        given.extend((f"count.{name.rstrip('_')}", wanted) for name, wanted in condition.count.given)
    yield from ((path + inside, one.ref) for path, wanted in given for inside, one in references(wanted))


# --- circles ---------------------------------------------------------------------------------------------------------


def _circles(documents: Documents) -> Iterator[Finding]:
    """Segments, and the stages, that refer to each other in a circle; each of them is told of."""
    stages = documents.workspace.stages if documents.workspace is not None else ()
    conditions: dict[str, list[Condition]] = {name: [one.when] for name, one in documents.segments.items()}
    conditions[STAGES] = [stage.when for stage in stages if stage.when is not None]
    follows = {
        name: {
            *(target for one in some for target in referred(one) if target in documents.segments),
            *([STAGES] if stages and any(reads_stage(one) for one in some) else []),
        }
        for name, some in conditions.items()
    }
    for name in conditions:
        way = _way_back(name, follows)
        if way is not None:
            message = f"expected a definition that does not lead back to itself: {' → '.join(way)}"
            if name != STAGES:
                yield Finding("segment", name, "when", "JF020", message, name)
            elif documents.workspace is not None:
                yield Finding("workspace", documents.workspace.workspace, "stages", "JF020", message, "stages")


def _way_back(begin: str, follows: dict[str, set[str]]) -> list[str] | None:
    """The shortest way from a definition back to itself."""
    ways = [[begin]]
    seen: set[str] = set()
    for way in ways:  # grows while it is walked
        for target in sorted(follows[way[-1]]):
            if target == begin:
                return [*way, begin]
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return None
