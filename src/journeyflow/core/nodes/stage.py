"""``stage``: bring the contact into a stage of the customer journey map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from journeyflow.core.nodes.base import ActionNode, Go, Visit
from journeyflow.core.values import Slug


class StageNode(ActionNode):
    """The contact is in that stage from now on, whatever the stages' conditions say, until another node sets one."""

    type: Literal["stage"]
    to: Slug

    def act(self, visit: Visit) -> Go:
        visit.decision.set_stage(self.to)
        visit.record("ran", {"to": self.to})
        return Go(self.next)

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        yield "to", "stage", self.to
