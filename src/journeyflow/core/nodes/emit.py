"""``emit``: an event of the engine's own that other journeys can listen to (rule 2.7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from journeyflow.core.nodes.base import ActionNode, Go, Visit
from journeyflow.core.values import EventName, Name, Nested, texts_inside


class EmitNode(ActionNode):
    """Makes an event of the contact; texts of its properties are Liquid."""

    type: Literal["emit"]
    event: EventName
    properties: dict[Name, Nested] = Field(default_factory=dict)

    def act(self, visit: Visit) -> Go:
        properties = visit.mapping(self.properties)
        visit.record("ran", {"event": self.event})
        visit.decision.make(self.event, properties, change=False)
        return Go(self.next)

    def liquid(self) -> Iterator[tuple[str, str]]:
        yield from texts_inside("properties", self.properties)
