"""What every node has, and what a node sees when a run visits it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal, NamedTuple

from pydantic import StrictBool

from journeyflow.core.conditions import Because, Condition
from journeyflow.core.contact import Run
from journeyflow.core.decision import Decision
from journeyflow.core.errors import TemplateError
from journeyflow.core.inputs import Event, Reply
from journeyflow.core.values import JSON, MISSING, Missing, Model, NodeName, Ref, iso, too_deep
from journeyflow.core.view import View


class Go(NamedTuple):
    """The run goes on to a node; ``None`` and ``end`` complete it."""

    to: str | None


class Stand(NamedTuple):
    """The run waits here: until an instant, or for ever; ``check_at`` is when its conditions can next change."""

    until: datetime | None
    reason: str | None = None
    check_at: datetime | None = None


class Leave(NamedTuple):
    """The run ends here; with a reason it is an exit, without one a completion."""

    reason: str | None


Move = Go | Stand | Leave


class Stay(NamedTuple):
    """Where a run stood in another version: the node and the number of the visit, since when, and until when.

    ``until`` is as the node reckoned it, without the length of any pause. ``back`` tells that it had come back at once,
    and so stands in spite of a match (rule 4.9).
    """

    node: str
    visit: int
    since: datetime
    until: datetime | None
    back: bool


MAPPINGS: Final = ("contact", "trigger", "event", "vars", "journey", "run")
LIQUID_ROOTS: Final = (*MAPPINGS, "now", "timezone", "locale", "currency")


class Case(NamedTuple):
    """The case of a wait that is taken, what its condition saw, and whether an event (no condition) takes it."""

    place: int
    because: Because
    by_event: bool


class Visit:
    """One visit of a run to a node: ``number`` counts this run's visits to it from 0 (rule 4.7)."""

    __slots__ = ("_view", "decision", "name", "node", "nodes", "number", "run", "timezone", "type")

    def __init__(
        self, decision: Decision, run: Run, name: str, nodes: Mapping[str, Node], timezone: str | None
    ) -> None:
        self.decision = decision
        self.run = run
        self.nodes = nodes
        self.timezone = timezone
        self._view: View | None = None
        self.move(name)

    def move(self, name: str) -> Visit:
        """The same run's visit to another node."""
        self.name = name
        self.node = node = self.nodes[name]
        self.type = node.type
        self.number = self.run.visits.get(name, 1) - 1
        return self

    @property
    def view(self) -> View:
        """The contact as this run sees it; made when somebody looks."""
        if self._view is None:
            self._view = self.decision.view.of(self.run, None, self.timezone)
        return self._view

    @property
    def now(self) -> datetime:
        return self.decision.now

    @property
    def back_at_once(self) -> bool:
        """Whether the run left this very node at this very instant (rule 4.9)."""
        return self.run.left.get(self.name) == self.decision.now

    def mark_left(self) -> None:
        """The run goes on from this wait, so that a return at this instant does not take the same match again."""
        self.run.left[self.name] = self.decision.now

    def record(self, kind: str, detail: dict[str, JSON]) -> None:
        """Write this node's step into the trail."""
        self.decision.record(self.run, kind, detail, self.name, self.type)

    def path(self, rest: str) -> str:
        """The place of something inside this node's document."""
        return f"nodes.{self.name}.{rest}"

    def texts(self) -> dict[str, JSON]:
        """What Liquid sees (format.md, "Values"), and what its filters for dates and money go by."""
        return {name: self.root(name) for name in LIQUID_ROOTS}

    def root(self, name: str) -> JSON:
        """One of the values that Liquid sees; nothing for a name that it does not know."""
        run, contact, library = self.run, self.decision.contact, self.decision.library
        match name:
            case "contact":
                made = {} if contact.created_at is None else {"created_at": iso(contact.created_at)}
                stage = {"stage": self._stage()} if library.workspace.stages else {}
                return {**made, **contact.attributes, **stage, "id": contact.key, "tags": [*contact.tags]}
            case "trigger":
                return run.trigger
            case "event":
                return run.trigger if run.event is None else run.event
            case "vars":
                return run.vars
            case "journey":
                return {"id": run.journey, "version": run.version}
            case "run":
                return {"id": run.id, "entered_at": iso(run.entered_at)}
            case "now":
                return iso(self.now)
            case "timezone":
                return self.view.zone.key
            case "locale":
                return contact.attributes.get("locale") or library.workspace.locale
            case "currency":
                return library.workspace.currency
        return None

    def member(self, root: str, key: str) -> JSON | Missing:
        """One value inside such a root; :data:`MISSING` where it is not there, or the root is nothing to look into."""
        if root == "contact":
            if key == "stage" and self.decision.library.workspace.stages:
                return self._stage()
            if key not in ("id", "tags", "created_at"):
                return self.decision.contact.attributes.get(key, MISSING)
        holder = self.root(root)
        return holder.get(key, MISSING) if isinstance(holder, dict) else MISSING

    def _stage(self) -> str | None:
        return self.view.of(None, None, None).stage()

    def fill(self, text: str) -> str:
        """A Liquid text of this node, filled in.

        :raises TemplateError: when it fails.
        """
        if "{" not in text:
            return text
        return self.decision.library.renderer.text(text).render(self.texts())

    def value(self, value: object) -> JSON | Missing:
        """A literal (its text filled in), or what a reference names."""
        if isinstance(value, Ref):
            return self.view.find(value.ref)
        return self.fill(value) if isinstance(value, str) else value  # type: ignore[return-value]  # JSON by model

    def filled(self, value: object) -> JSON | Missing:
        """A value with all the texts and references inside it filled in; what is missing is left out.

        In a list it is ``null``, so that the others keep their places.
        """
        if isinstance(value, dict):
            return self.mapping(value)
        if isinstance(value, list):
            return [None if isinstance(one, Missing) else one for one in map(self.filled, value)]
        found = self.value(value)
        # A loop that puts a value into itself, again and again, would make one that nobody can keep.
        return MISSING if isinstance(found, list | dict) and too_deep(found) else found

    def mapping(self, values: Mapping[str, object]) -> dict[str, JSON]:
        """Properties, filled in likewise."""
        found = {name: self.filled(one) for name, one in values.items()}
        return {name: one for name, one in found.items() if not isinstance(one, Missing)}


class Node(Model):
    """What every node has. ``action`` nodes are asked ``stay_if`` and ``only_if`` first (rules 4.1, 4.2)."""

    action: ClassVar[bool] = False
    sends: ClassVar[bool] = False
    """Whether it queues a message."""
    woken_by: ClassVar[Literal["timer", "timeout"]] = "timer"
    """What the trail calls the end of a wait here."""
    acts_when_woken: ClassVar[bool] = False
    """Whether a run that was waiting here is asked everything again and then acts."""

    type: str
    next: NodeName | None = None
    note: str | None = None
    hold: StrictBool = False

    @property
    def takes_time(self) -> bool:
        """Whether time can pass at the node, so that a loop through it ends at some instant."""
        return False

    def shortest_stay(self, exit_: str) -> timedelta | None:
        """The least time between arriving and leaving by that exit (its path in ``exits``); ``None``: nobody does."""
        return timedelta()

    @property
    def watching(self) -> bool:
        """Whether a run that stands here looks at what happens to the contact."""
        return False

    def enter(self, visit: Visit) -> Move:
        """The run arrives."""
        raise TypeError(f"{type(self).__name__} says nothing of arrivals")

    def take_over(self, visit: Visit, stay: Stay) -> Move:
        """A run that stood at such a node in another version is here (rule 8.4); it comes anew where nothing is said.

        It may stand until an instant that is past: then its wait is over.
        """
        return self.enter(visit)

    def wake(self, visit: Visit) -> Move:
        """The instant that the run waited for has come."""
        return Go(self.next)

    def takes(self, visit: Visit, event: Event) -> Case | None:
        """The case that an event, or what it changed, makes a waiting run take."""
        return None

    def holding(self, visit: Visit) -> Case | None:
        """The case whose condition holds now."""
        return None

    def taken(self, visit: Visit, case: Case) -> Move:
        """The run goes on by the case that was found; writes what the node did."""
        return Go(self.next)

    def answered(self, visit: Visit, reply: Reply) -> Move:
        """What became of the call that the run waits for."""
        raise TypeError(f"{type(self).__name__} calls nobody")

    def follow(self, visit: Visit) -> Stand | Go | None:
        """Something about the contact changed while the run waits: a moved wait, its end, or nothing."""
        return None

    def check_at(self, visit: Visit) -> datetime | None:
        """When time alone can next make a case hold."""
        return None

    def exits(self) -> Iterator[tuple[str, str | None]]:
        """The edges out of the node: (path inside the node, target)."""
        yield "next", self.next

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        """The conditions inside the node, by their path."""
        return iter(())

    def liquid(self) -> Iterator[tuple[str, str]]:
        """The Liquid texts inside the node, by their path."""
        return iter(())

    def mentions(self) -> Iterator[tuple[str, str, str]]:
        """Other documents that the node needs: (path inside the node, kind, id)."""
        return iter(())


class ActionNode(Node):
    """A node that does something; ``only_if`` skips it alone."""

    action: ClassVar[bool] = True
    acts_when_woken: ClassVar[bool] = True

    only_if: Condition | None = None

    def act(self, visit: Visit) -> Move:
        """Do it."""
        raise TypeError(f"{type(self).__name__} does nothing")

    def enter(self, visit: Visit) -> Move:
        try:
            return self.act(visit)
        except TemplateError as error:
            return self.failed(visit, str(error))

    def failed(self, visit: Visit, error: str) -> Go:
        """It failed for reasons of its own, and the run goes on (rule 4.8)."""
        visit.record("failed", {"error": error})
        return Go(self.next)

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        if self.only_if is not None:
            yield "only_if", self.only_if
