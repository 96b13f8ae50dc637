"""``enroll`` and ``remove``: let the contact into another journey, or take it out of one (rules 2.7, 3.5, 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from journeyflow.core.nodes.base import ActionNode, Go, Visit
from journeyflow.core.values import Name, Nested, Slug, texts_inside


class EnrollNode(ActionNode):
    """Asks a journey to let the contact in; ``properties`` are what the run gets as ``trigger.``."""

    type: Literal["enroll"]
    journey: Slug
    properties: dict[Name, Nested] = Field(default_factory=dict)

    def act(self, visit: Visit) -> Go:
        def told(done: bool) -> None:
            visit.record("ran", {"journey": self.journey, "done": done})

        visit.decision.gatekeeper.enroll(self.journey, visit.mapping(self.properties), told)
        return Go(self.next)

    def liquid(self) -> Iterator[tuple[str, str]]:
        yield from texts_inside("properties", self.properties)

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        yield "journey", "journey", self.journey


class RemoveNode(ActionNode):
    """Ends the contact's runs of a journey: all, or in a journey with a key those that ``properties`` name."""

    type: Literal["remove"]
    journey: Slug
    properties: dict[Name, Nested] | None = None

    def act(self, visit: Visit) -> Go:
        def told(done: bool) -> None:
            visit.record("ran", {"journey": self.journey, "done": done})

        properties = None if self.properties is None else visit.mapping(self.properties)
        visit.decision.gatekeeper.remove(self.journey, properties, told)
        return Go(self.next)

    def liquid(self) -> Iterator[tuple[str, str]]:
        yield from texts_inside("properties", self.properties)

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        yield "journey", "journey", self.journey
