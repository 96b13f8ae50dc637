"""What is written so that it matches nothing (JF113, JF114)."""

from __future__ import annotations

from collections.abc import Iterator

from journeyflow.core.check.conditions import Placed, placed_conditions, placed_inside
from journeyflow.core.check.finding import Finding
from journeyflow.core.check.subject import Around, Subject
from journeyflow.core.compare import Operators
from journeyflow.core.conditions import EventCondition
from journeyflow.core.journey import Journey
from journeyflow.core.leaf import TagCondition
from journeyflow.core.nodes.wait_for import WaitForNode
from journeyflow.core.triggers import EventTrigger, InactivityTrigger, TagTrigger
from journeyflow.core.values import parse_instant

ORDERED = ("gt", "gte", "lt", "lte")
WHOLE = ("eq", "ne", "in", "not_in")
"""Operators that compare all of a text."""


def blanks_around_names(subject: Subject) -> Iterator[Finding]:
    """JF113, of what a journey listens to."""
    for path, name in _names(subject.journey):
        if name != name.strip():
            yield subject.finding("JF113", path, _blanks(name), repr(name))


def _names(journey: Journey) -> Iterator[tuple[str, str]]:
    """What triggers, exits, the goal and waits listen to, with its place."""
    for index, trigger in enumerate(journey.triggers):
        if isinstance(trigger, EventTrigger):
            yield f"triggers[{index}].event", trigger.event
        elif isinstance(trigger, InactivityTrigger):
            yield from ((f"triggers[{index}].event", one.event) for one in trigger.watched)
        elif isinstance(trigger, TagTrigger):
            tags = {"added": trigger.added, "removed": trigger.removed}
            yield from ((f"triggers[{index}].{key}", tag) for key, tag in tags.items() if tag is not None)
    yield from ((f"exit_on[{index}].event", match.event) for index, match in enumerate(journey.exit_on))
    if journey.goal is not None:
        yield "goal.event", journey.goal.event
    for name, node in journey.nodes.items():
        if isinstance(node, WaitForNode):
            for index, case in enumerate(node.cases):
                if case.event is not None:
                    yield f"nodes.{name}.cases[{index}].event", case.event


def doubtful_values(around: Around) -> Iterator[Finding]:
    """JF113 and JF114, of conditions wherever they stand."""
    for top in placed_conditions(around.documents):
        for placed in placed_inside(top):
            yield from _of_name(placed)
            yield from _of_values(placed)


def _of_name(placed: Placed) -> Iterator[Finding]:
    condition = placed.condition
    if isinstance(condition, EventCondition):
        key, name = "event", condition.event
    elif isinstance(condition, TagCondition):
        key, name = "tag", condition.tag
    else:
        return
    if name != name.strip():
        yield Finding(placed.kind, placed.id, f"{placed.path}.{key}", "JF113", _blanks(name), repr(name))


def _of_values(placed: Placed) -> Iterator[Finding]:
    if not isinstance(placed.condition, Operators):
        return
    for attribute, wanted in placed.condition.given:
        name = attribute.rstrip("_")
        for value in wanted if isinstance(wanted, list) else [wanted]:
            if not isinstance(value, str):
                continue
            if name in WHOLE and value != value.strip():
                yield Finding(placed.kind, placed.id, f"{placed.path}.{name}", "JF113", _blanks(value), repr(value))
            if name in ORDERED and parse_instant(value) is None:
                message = f"{name} compares numbers and instants, and this is text: it never holds; {_instead(value)}"
                yield Finding(placed.kind, placed.id, f"{placed.path}.{name}", "JF114", message, repr(value))


def _blanks(text: str) -> str:
    return f"expected no blanks around it: only what has the same blanks is the same; write {text.strip()}"


def _instead(value: str) -> str:
    try:
        float(value)
    except ValueError:
        return "expected a number, or an instant such as 2026-03-02"
    return f"write {value.strip()} without quotes"
