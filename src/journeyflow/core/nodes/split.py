"""``split``: shares of the contacts go different ways (rule 3.4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt

from journeyflow.core.lottery import draw, pick
from journeyflow.core.nodes.base import Go, Node, Visit
from journeyflow.core.values import Model, Name, NodeName, of_the_whole

Weight = Annotated[StrictInt | StrictFloat, Field(ge=0, le=1e9, allow_inf_nan=False)]


class Arm(Model):
    """A way that a share of the contacts goes: its weight among those of all arms."""

    weight: Weight
    next: NodeName | None = None
    name: Name | None = None


class SplitNode(Node):
    """Draws an arm: the same one for a contact each time, or anew for each run."""

    type: Literal["split"]
    arms: Annotated[tuple[Arm, ...], Field(min_length=1, max_length=100)]
    per: Literal["contact", "run"] = "contact"

    @of_the_whole
    def _arms_to_tell_apart(self) -> SplitNode:
        if not any(arm.weight for arm in self.arms):
            raise ValueError("expected at least one arm with a weight above zero")
        if len({self.label(index) for index in range(len(self.arms))}) < len(self.arms):
            raise ValueError("expected a different name for each arm")
        return self

    def label(self, index: int) -> str:
        """What the trail calls an arm: its name, else its place from 0."""
        name = self.arms[index].name
        return str(index) if name is None else name

    def enter(self, visit: Visit) -> Go:
        decision, run = visit.decision, visit.run
        drawn_for = run.id if self.per == "run" else None
        workspace = decision.library.workspace.workspace
        lot = draw(workspace, run.journey, visit.name, decision.contact.key, drawn_for)
        index = pick(lot, [arm.weight for arm in self.arms])
        visit.record("ran", {"arm": self.label(index)})
        return Go(self.arms[index].next or self.next)

    def shortest_stay(self, exit_: str) -> timedelta | None:
        leading = (
            arm for index, arm in enumerate(self.arms) if exit_ == (f"arms[{index}].next" if arm.next else "next")
        )
        return timedelta() if any(arm.weight for arm in leading) else None

    def exits(self) -> Iterator[tuple[str, str | None]]:
        yield from ((f"arms[{index}].next", arm.next) for index, arm in enumerate(self.arms) if arm.next is not None)
        if any(arm.next is None for arm in self.arms):
            yield "next", self.next
