"""``wait_for``: until an event comes or a condition holds, or the time is over (rules 4.6, 4.9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from journeyflow.core.conditions import Because, Condition
from journeyflow.core.inputs import Event
from journeyflow.core.nodes.base import Case, Go, Move, Node, Stand, Stay, Visit
from journeyflow.core.values import EventName, Model, Name, NodeName, PositiveDuration, of_the_whole
from journeyflow.core.view import View


class WaitCase(Model):
    """A way that is taken when its event comes, or as soon as its condition holds."""

    event: EventName | None = None
    where: Condition | None = None
    when: Condition | None = None
    next: NodeName | None = None
    name: Name | None = None

    @of_the_whole
    def _event_or_condition(self) -> WaitCase:
        if (self.event is None) == (self.when is None):
            raise ValueError("expected either event (with where) or when")
        if self.where is not None and self.event is None:
            raise ValueError("expected where only beside event")
        return self


class WaitForNode(Node):
    """Stands until one of its cases, or its timeout."""

    woken_by: ClassVar[Literal["timer", "timeout"]] = "timeout"

    type: Literal["wait_for"]
    cases: Annotated[tuple[WaitCase, ...], Field(min_length=1, max_length=100)]
    timeout: PositiveDuration | Literal["never"]
    on_timeout: NodeName | None = None

    @property
    def takes_time(self) -> bool:
        return True

    def shortest_stay(self, exit_: str) -> timedelta | None:
        if exit_.startswith("cases"):
            return timedelta()
        return None if isinstance(self.timeout, str) else self.timeout

    @property
    def watching(self) -> bool:
        return True

    def enter(self, visit: Visit) -> Move:
        case = None if visit.back_at_once else self.holding(visit)
        if case is not None:
            visit.mark_left()
            return self.taken(visit, case)
        return self._stand(visit, visit.now)

    def take_over(self, visit: Visit, stay: Stay) -> Move:
        return self._stand(visit, stay.since)

    def _stand(self, visit: Visit, since: datetime) -> Stand:
        until = None if isinstance(self.timeout, str) else since + self.timeout
        return Stand(until, None, self.check_at(visit))

    def wake(self, visit: Visit) -> Move:
        visit.record("ran", {"case": None})
        return Go(self.next if self.on_timeout is None else self.on_timeout)

    def takes(self, visit: Visit, event: Event) -> Case | None:
        for index, case in enumerate(self.cases):
            if case.event == event.name:
                view = visit.decision.view.of(visit.run, event.properties, visit.timezone)
                if case.where is None or case.where.holds(view):
                    return Case(index, self._because(visit, f"cases[{index}].where", case.where, view), by_event=True)
            if case.when is not None and case.when.holds(visit.view):
                return self._holding(visit, index, case.when)
        return None

    def holding(self, visit: Visit) -> Case | None:
        for index, case in enumerate(self.cases):
            if case.when is not None and case.when.holds(visit.view):
                return self._holding(visit, index, case.when)
        return None

    def _holding(self, visit: Visit, index: int, when: Condition) -> Case:
        return Case(index, self._because(visit, f"cases[{index}].when", when, visit.view), by_event=False)

    @staticmethod
    def _because(visit: Visit, path: str, condition: Condition | None, view: View) -> Because:
        because: Because = []
        if condition is not None:
            condition.holds(view, visit.path(path), because)
        return because

    def taken(self, visit: Visit, case: Case) -> Move:
        because = case.because
        visit.record("ran", {"case": case.place, "because": because} if because else {"case": case.place})
        return Go(self.cases[case.place].next)

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
