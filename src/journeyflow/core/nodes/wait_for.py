"""``wait_for``: until an event comes or a condition holds, or the time is over (rules 4.6, 4.9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from journeyflow.core.conditions import Because, Condition
from journeyflow.core.inputs import Event
from journeyflow.core.nodes.base import Go, Move, Node, Stand, Visit
from journeyflow.core.values import Model, Name, NodeName, PositiveDuration


class WaitCase(Model):
    """A way that is taken when its event comes, or as soon as its condition holds."""

    event: Name | None = None
    where: Condition | None = None
    when: Condition | None = None
    next: NodeName | None = None
    name: Name | None = None

    @model_validator(mode="after")
    def _event_or_condition(self) -> WaitCase:
        if (self.event is None) == (self.when is None):
            raise ValueError("expected either event (with where) or when")
        if self.where is not None and self.event is None:
            raise ValueError("expected where only beside event")
        return self


class WaitForNode(Node):
    """Stands until one of its cases, or its timeout."""

    type: Literal["wait_for"]
    cases: Annotated[tuple[WaitCase, ...], Field(min_length=1, max_length=100)]
    timeout: PositiveDuration | Literal["never"]
    on_timeout: NodeName | None = None

    @property
    def watching(self) -> bool:
        return True

    def enter(self, visit: Visit) -> Move:
        case = None if visit.back_at_once else self.holding(visit)
        if case is not None:
            return self.taken(visit, None, case)
        until = None if isinstance(self.timeout, str) else visit.now + self.timeout
        return Stand(until, None, self.check_at(visit))

    def wake(self, visit: Visit) -> Move:
        visit.record("ran", {"case": None})
        return Go(self.next if self.on_timeout is None else self.on_timeout)

    def takes(self, visit: Visit, event: Event) -> int | None:
        for index, case in enumerate(self.cases):
            if case.event == event.name and self._fits(visit, case, event):
                return index
            if case.when is not None and case.when.holds(visit.view):
                return index
        return None

    def taken(self, visit: Visit, event: Event | None, case: int) -> Move:
        because: Because = []
        chosen = self.cases[case]
        if chosen.when is not None:
            chosen.when.holds(visit.view, visit.path(f"cases[{case}].when"), because)
        elif chosen.where is not None and event is not None:
            view = visit.decision.view.of(visit.run, event.properties, visit.timezone)
            chosen.where.holds(view, visit.path(f"cases[{case}].where"), because)
        visit.record("ran", {"case": case, "because": because} if because else {"case": case})
        return Go(chosen.next)

    def holding(self, visit: Visit) -> int | None:
        for index, case in enumerate(self.cases):
            if case.when is not None and case.when.holds(visit.view):
                return index
        return None

    @staticmethod
    def _fits(visit: Visit, case: WaitCase, event: Event) -> bool:
        if case.where is None:
            return True
        return case.where.holds(visit.decision.view.of(visit.run, event.properties, visit.timezone))

    def check_at(self, visit: Visit) -> datetime | None:
        edges = [edge for case in self.cases if case.when and (edge := case.when.next_change(visit.view)) is not None]
        return min(edges, default=None)

    def exits(self) -> Iterator[tuple[str, str | None]]:
        yield from ((f"cases[{index}].next", case.next) for index, case in enumerate(self.cases))
        yield ("next", self.next) if self.on_timeout is None else ("on_timeout", self.on_timeout)

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        for index, case in enumerate(self.cases):
            if case.where is not None:
                yield f"cases[{index}].where", case.where
            if case.when is not None:
                yield f"cases[{index}].when", case.when
