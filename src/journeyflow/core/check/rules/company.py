"""What a journey lacks beside others, the workspace and its own goal (JF109, JF110, JF112)."""

from __future__ import annotations

from collections.abc import Iterator

from journeyflow.core.check.finding import Finding
from journeyflow.core.check.subject import Subject
from journeyflow.core.conditions import EventCondition, canonical, leaves
from journeyflow.core.journey import Journey
from journeyflow.core.nodes.wait_for import WaitForNode
from journeyflow.core.triggers import EventTrigger, ManualTrigger, TriggerBase


def messages_without_topic(subject: Subject) -> Iterator[Finding]:
    """JF109: once the workspace has topics."""
    workspace = subject.around.workspace
    if workspace is not None and workspace.topics:
        for name, node in subject.marketing():
            if node.topic is None:
                known = ", ".join(topic.id for topic in workspace.topics)
                message = f"expected a topic, one of {known}; or transactional: true, if it is no advertising"
                yield subject.finding("JF109", f"nodes.{name}.topic", message)


def shared_triggers(subject: Subject) -> Iterator[Finding]:
    """JF110: told once, of the journey that comes second."""
    mine = subject.journey
    for other in sorted(subject.around.documents.journeys.values(), key=lambda one: one.journey):
        if other.journey >= mine.journey or _decided(mine) or _decided(other):
            continue
        for place, trigger in enumerate(mine.triggers):
            if any(_same(trigger, one) for one in other.triggers):
                message = f"{other.journey} has this trigger too, and neither has a priority: it goes first by its id"
                yield subject.finding("JF110", f"triggers[{place}]", message, other.journey)


def _decided(journey: Journey) -> bool:
    return "priority" in journey.model_fields_set or journey.status != "live"


def _same(one: TriggerBase, other: TriggerBase) -> bool:
    """Whether one input can fire both, as far as that shows."""
    if isinstance(one, ManualTrigger) or type(one) is not type(other):
        return False
    if isinstance(one, EventTrigger) and isinstance(other, EventTrigger):
        if one.where is None or other.where is None:
            return one.event == other.event
        return one.event == other.event and canonical(one.where) == canonical(other.where)
    return one == other


def goals_that_go_on(subject: Subject) -> Iterator[Finding]:
    """JF112: who has done what the journey is for gets its messages all the same, and no node asks about it."""
    goal = subject.journey.goal
    if goal is not None and _writes_later(subject) and goal.event not in _events_asked(subject.journey):
        message = f"who has done it still gets the journey's messages; expected {{event: {goal.event}}} in exit_on too"
        yield subject.finding("JF112", "goal.event", message, goal.event)


def _writes_later(subject: Subject) -> bool:
    """Whether time passes before some message: what is sent on entry goes out before anybody can do anything."""
    waits = [name for name, node in subject.journey.nodes.items() if node.takes_time]
    return any(not subject.messages.keys().isdisjoint(subject.graph.after(name)) for name in waits)


def _events_asked(journey: Journey) -> set[str]:
    """The events that end a run, or by which it chooses its way."""
    asked = {match.event for match in journey.exit_on}
    for node in journey.nodes.values():
        if isinstance(node, WaitForNode):
            asked.update(case.event for case in node.cases if case.event is not None)
    for path, condition in journey.conditions():
        if path == "stay_if" or path.startswith("nodes."):
            asked.update(leaf.event for leaf in leaves(condition) if isinstance(leaf, EventCondition))
    return asked
