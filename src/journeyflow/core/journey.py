"""One automation: triggers, the rules of entering and leaving, and a graph of nodes (format.md, "A journey")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictFloat, StrictInt

from journeyflow.core.conditions import Condition
from journeyflow.core.nodes.branch import BranchNode
from journeyflow.core.nodes.coupon import CouponNode
from journeyflow.core.nodes.email import EmailNode
from journeyflow.core.nodes.emit import EmitNode
from journeyflow.core.nodes.end import EndNode
from journeyflow.core.nodes.enroll import EnrollNode, RemoveNode
from journeyflow.core.nodes.push import PushNode
from journeyflow.core.nodes.sms import SmsNode
from journeyflow.core.nodes.split import SplitNode
from journeyflow.core.nodes.stage import StageNode
from journeyflow.core.nodes.tag import TagNode
from journeyflow.core.nodes.topic import TopicNode
from journeyflow.core.nodes.update import UpdateNode
from journeyflow.core.nodes.wait import WaitNode
from journeyflow.core.nodes.wait_for import WaitForNode
from journeyflow.core.nodes.webhook import WebhookNode
from journeyflow.core.triggers import InactivityTrigger, SegmentTrigger, Trigger
from journeyflow.core.values import (
    Duration,
    EventName,
    Model,
    Name,
    NodeName,
    Path,
    PositiveDuration,
    ReferencePath,
    Slug,
    of_the_whole,
)
from journeyflow.core.workspace import Tracking, ZoneName

Node = Annotated[
    WaitNode
    | WaitForNode
    | BranchNode
    | SplitNode
    | EmailNode
    | SmsNode
    | PushNode
    | WebhookNode
    | TagNode
    | UpdateNode
    | TopicNode
    | CouponNode
    | StageNode
    | EmitNode
    | EnrollNode
    | RemoveNode
    | EndNode,
    Field(discriminator="type"),
]
NODES_MAX = 500


def _not_end(name: str) -> str:
    if name == "end":
        raise ValueError("expected another name than end for a node: end is where runs complete")
    return name


NewName = Annotated[NodeName, AfterValidator(_not_end)]


class EventMatch(Model):
    """An event that ends runs."""

    event: EventName
    where: Condition | None = None


class Goal(Model):
    """What the journey is there to cause; counted once a run, within that time of its entry."""

    event: EventName
    where: Condition | None = None
    within: PositiveDuration | None = None
    value: Path | None = None


class Reentry(Model):
    """Whether a contact may come again; ``gap`` counts from the last entry."""

    policy: Literal["once", "always", "after"] = "once"
    gap: Duration | None = None

    @of_the_whole
    def _gap_of_after(self) -> Reentry:
        if (self.policy == "after") != (self.gap is not None):
            raise ValueError("expected gap beside policy: after, and only there")
        return self


class Journey(Model):
    """One journey's document."""

    journey: Slug
    status: Literal["live", "draft", "archived"] = "live"
    name: Name | None = None
    description: str | None = None
    stage: Slug | None = None
    labels: tuple[Name, ...] = ()
    timezone: ZoneName | None = None
    priority: Annotated[int, Field(strict=True, ge=0, le=100)] = 50
    tracking: Tracking | None = None
    triggers: tuple[Trigger, ...] = ()
    key: ReferencePath | None = None
    enter_if: Condition | None = None
    stay_if: Condition | None = None
    exit_on: tuple[EventMatch, ...] = ()
    reentry: Reentry = Reentry()
    on_duplicate: Literal["ignore", "restart"] = "ignore"
    goal: Goal | None = None
    holdout: Annotated[StrictInt | StrictFloat, Field(ge=0, le=100, description="per cent, 0 to 100")] = 0
    start: NodeName
    nodes: Annotated[dict[NewName, Node], Field(min_length=1, max_length=NODES_MAX)]

    def events(self) -> Iterator[str]:
        """The names of the events that it listens to, apart from those that conditions count."""
        for trigger in self.triggers:
            if not isinstance(trigger, SegmentTrigger):  # it listens to one segment's alone
                yield from trigger.names()
            if isinstance(trigger, InactivityTrigger):
                yield from (one.event for one in trigger.watched)
        yield from (match.event for match in self.exit_on)
        if self.goal is not None:
            yield self.goal.event
        for node in self.nodes.values():
            if isinstance(node, WaitForNode):
                yield from (case.event for case in node.cases if case.event is not None)

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        """Every condition of the document with its path."""
        for index, trigger in enumerate(self.triggers):
            yield from ((f"triggers[{index}].{path}", found) for path, found in trigger.conditions())
        yield from ((path, found) for path, found in (("enter_if", self.enter_if), ("stay_if", self.stay_if)) if found)
        for index, match in enumerate(self.exit_on):
            if match.where is not None:
                yield f"exit_on[{index}].where", match.where
        if self.goal is not None and self.goal.where is not None:
            yield "goal.where", self.goal.where
        for name, node in self.nodes.items():
            yield from ((f"nodes.{name}.{path}", found) for path, found in node.conditions())
