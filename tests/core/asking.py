"""Conditions asked of a contact that is put together by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import TypeAdapter
from tests.core.world import MONDAY_NINE, RENDERER, instant
from tests.core.world_memory import WorldMemory

from journeyflow.core.actor import Actor
from journeyflow.core.conditions import Because, Condition
from journeyflow.core.contact import Contact, PastEvent, Run
from journeyflow.core.documents import Documents
from journeyflow.core.effects import Effects
from journeyflow.core.flows import Flows
from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON
from journeyflow.core.view import View
from journeyflow.core.workspace import DEFAULT, Workspace

NOW = instant(MONDAY_NINE)
CONDITIONS: TypeAdapter[Condition] = TypeAdapter(Condition)


def condition(document: JSON) -> Condition:
    return CONDITIONS.validate_python(document)


class Asked:
    """A contact with its history, to be asked at any instant."""

    def __init__(
        self,
        attributes: Mapping[str, JSON] | None = None,
        tags: Sequence[str] = (),
        workspace: Workspace = DEFAULT,
        timezone: str | None = None,
        flows: Flows | None = None,
    ) -> None:
        self.contact = Contact("ann", NOW, dict(attributes or {}), list(tags))
        self.memory = WorldMemory()
        self.flows = flows or Documents(workspace).published(RENDERER, NOW)
        self.timezone = timezone
        self.run: Run | None = None
        self.past: list[PastEvent] = []

    def happen(
        self, name: str, at: datetime, properties: Mapping[str, JSON], occurred: datetime, *, imported: bool = False
    ) -> None:
        """The contact gets an event, as it gets them from outside."""
        effects = Effects()
        event = Event(at, name, occurred, dict(properties), imported=imported)
        Actor(self.contact, at, self.flows, self.memory, effects).handle([event])
        self.memory.keep(effects)
        self.past.extend(
            PastEvent(one.number, one.occurred_at, one.handled_at, one.properties)
            for one in effects.events
            if one.name == name
        )

    def enter(self, at: datetime, trigger: Mapping[str, JSON]) -> None:
        """From now on conditions are asked from within a run."""
        self.run = Run("run", "walk", 1, "", 0, at, self.contact.events, dict(trigger))

    def view(self, now: datetime = NOW, event: Mapping[str, JSON] | None = None) -> View:
        base = View(self.contact, now, self.flows.library, self.memory, Effects())
        return base.of(self.run, None if event is None else dict(event), self.timezone)

    def holds(self, asked: Condition, now: datetime = NOW, event: Mapping[str, JSON] | None = None) -> bool:
        """The answer, which must be the same whether or not somebody wants to know why."""
        because: Because = []
        held = asked.holds(self.view(now, event))
        assert asked.holds(self.view(now, event), "here", because) is held
        return held

    def sees(self, asked: Condition, now: datetime = NOW) -> JSON:
        """The value that a condition of one leaf saw."""
        because: Because = []
        asked.holds(self.view(now), "here", because)
        (seen,) = because
        assert isinstance(seen, dict)
        return seen["value"]
