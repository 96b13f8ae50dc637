"""``branch``: the first case that holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from journeyflow.core.conditions import Because, Condition
from journeyflow.core.nodes.base import Go, Node, Visit
from journeyflow.core.values import Model, Name, NodeName


class BranchCase(Model):
    """A way that is taken when its condition holds."""

    when: Condition
    next: NodeName | None = None
    name: Name | None = None


class BranchNode(Node):
    """Goes along the first case that holds, else along ``else``."""

    type: Literal["branch"]
    cases: Annotated[tuple[BranchCase, ...], Field(min_length=1, max_length=100)]
    else_: NodeName | None = Field(default=None, alias="else")

    def enter(self, visit: Visit) -> Go:
        because: Because = []
        for index, case in enumerate(self.cases):
            if case.when.holds(visit.view, visit.path(f"cases[{index}].when"), because):
                visit.record("ran", {"case": index, "because": because})
                return Go(case.next)
        visit.record("ran", {"case": None, "because": because})
        return Go(self.next if self.else_ is None else self.else_)

    def exits(self) -> Iterator[tuple[str, str | None]]:
        yield from ((f"cases[{index}].next", case.next) for index, case in enumerate(self.cases))
        yield ("next", self.next) if self.else_ is None else ("else", self.else_)

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        yield from ((f"cases[{index}].when", case.when) for index, case in enumerate(self.cases))
