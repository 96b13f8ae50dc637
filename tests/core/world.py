"""A small world for tests of the core: documents, contacts, and a clock that only moves when it is told to.

What happens is queued at the present instant and handled, events first and then timers, when the clock moves on or
when somebody looks. Every look audits what the core wrote (see :mod:`tests.core.audit`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from functools import cache
from textwrap import dedent, indent
from typing import NamedTuple

from tests.core.audit import audit
from tests.core.world_memory import WorldMemory

from journeyflow.core.actor import Actor
from journeyflow.core.check.references import findings
from journeyflow.core.contact import Contact, Run
from journeyflow.core.documents import KINDS, Documents
from journeyflow.core.effects import Call, Effects, Message, Statistic, TrailRecord
from journeyflow.core.flows import Flows, JourneyState, Published
from journeyflow.core.inputs import (
    Appear,
    Enroll,
    Event,
    Forget,
    Identify,
    Input,
    Merge,
    MessageFailed,
    Move,
    Remove,
    Reply,
    SetTags,
    SetTopics,
    Wake,
)
from journeyflow.core.instructions import Instruction, Migration, ResumeMode, Resumption
from journeyflow.core.journey import Journey
from journeyflow.core.meeting import Item, Joining, OnePlace, meet
from journeyflow.core.overview import overview
from journeyflow.core.values import JSON, Model, iso, parse_duration, parse_instant
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.folder import read_content

RENDERER = LiquidRenderer()
MONDAY_NINE = "2026-03-02T09:00Z"
LETTER = "{template: letter, subject: Hello, body: 'Dear {{ contact.first_name }}'}"

Step = tuple[str, ...]
"""A trail record in a few words, such as ``("waiting", "pause", "2026-03-02T10:00Z")``."""


class Merged(NamedTuple):
    """A merge, and how many effects were written before it."""

    place: int
    source: str
    into: str


class World(OnePlace):
    """Documents published at ``start``, and everybody they deal with."""

    def __init__(self, *documents: str | Model, start: str = MONDAY_NINE) -> None:
        self.now = instant(start)
        self.documents = Documents.of([*read(LETTER), *_models(documents)])
        assert list(findings(self.documents, RENDERER)) == []
        self.library = self.documents.library(RENDERER)
        self.current = {name: Published(journey, 1) for name, journey in self.documents.journeys.items()}
        self.versions = {(one.id, one.version): one for one in self.current.values()}
        self.states: dict[str, JourneyState] = dict.fromkeys(self.current, "live")
        self.armed: dict[tuple[str, str], datetime] = {}
        self.paused: dict[str, datetime] = {}
        self.instructions: dict[str, list[Instruction]] = {}
        self._arm()
        self.flows = self._flows()
        self.memory = WorldMemory()
        self.contacts: dict[str, Contact] = {}
        self.effects: list[Effects] = []
        self.aliases: dict[str, str] = {}
        self.merges: list[Merged] = []
        self._arriving: dict[str, list[Input]] = {}
        self._order: list[tuple[str, Input]] = []

    # --- time ---------------------------------------------------------------------------------------------------------

    def at(self, when: str) -> World:
        """Move the clock to an instant, or to a time of the present UTC day, handling what is due on the way."""
        target = instant(when) if len(when) > 8 else datetime.combine(self.now, time.fromisoformat(when), UTC)
        return self._move(target)

    def after(self, duration: str) -> World:
        """Move the clock on by a duration, handling what is due on the way."""
        return self._move(self.now + parse_duration(duration))

    def engine_down_until(self, when: str) -> World:
        """Move the clock to an instant while nobody handles anything."""
        self.settle()
        self.now = instant(when)
        return self

    def _move(self, target: datetime) -> World:
        assert target >= self.now, f"the clock never runs backwards, from {self.now} to {target}"
        self.settle()
        while (due := self.next_timer()) is not None and due < target:
            self.now = max(self.now, due)
            self.settle()
        self.now = target
        return self

    def next_timer(self) -> datetime | None:
        """The earliest timer of all contacts."""
        return min((one.timer_at for one in self.contacts.values() if one.timer_at is not None), default=None)

    def settle(self) -> World:
        """Handle what has arrived and what is due, contact by contact."""
        due = {key for key, one in self.contacts.items() if one.timer_at is not None and one.timer_at <= self.now}
        order, self._order = sorted(self._order, key=lambda one: one[1].at), []
        arriving, self._arriving = self._arriving, {}
        if any(isinstance(item, Merge) or key in self.aliases for key, item in order):
            meet(self, order, due, self.now)
            return self
        for key in sorted(due | arriving.keys()):
            actor = self.open({})
            actor(key).handle(sorted(arriving.get(key, []), key=lambda one: one.at))
            self.close()
        return self

    def _actor(self, key: str) -> Actor:
        contact = self.contacts.setdefault(key, Contact(key))
        if contact.timer_at is not None and contact.timer_at <= self.now:
            contact.timer_at = None
        return Actor(contact, self.now, self.flows, self.memory, self.memory.effects)

    # --- what a merge needs (see journeyflow.core.meeting) ------------------------------------------------------------

    def resolve(self, key: str) -> str:
        return self.resolve(self.aliases[key]) if key in self.aliases else key

    def open(self, inputs: Mapping[str, Sequence[Item]]) -> Callable[[str], Actor]:
        self.memory.effects = Effects()
        self.memory.now = self.now
        return cache(self._actor)

    def close(self) -> None:
        self.memory.keep(self.memory.effects)
        self.effects.append(self.memory.effects)

    def join(self, moves: Sequence[Joining]) -> None:
        for source, into, _ in moves:
            self.aliases[source.key] = into.key
            self.merges.append(Merged(len(self.effects), source.key, into.key))
            self.contacts.pop(source.key)
            self.memory.move(source, into)

    # --- what happens -------------------------------------------------------------------------------------------------

    def put(self, contact: str, item: Input) -> World:
        """An input arrives; it is handled when the clock moves or somebody looks."""
        self._arriving.setdefault(contact, []).append(item)
        self._order.append((contact, item))
        return self

    def track(
        self,
        contact: str,
        name: str,
        properties: Mapping[str, JSON] | None = None,
        *,
        occurred: str | None = None,
        arrived: str | None = None,
        message_id: str | None = None,
        imported: bool = False,
        **more: JSON,
    ) -> World:
        """An event arrives now, or arrived earlier while the engine was down."""
        at = self.now if arrived is None else instant(arrived)
        occurred_at = at if occurred is None else instant(occurred)
        given = {**(properties or {}), **more}
        return self.put(contact, Event(at, name, occurred_at, given, message_id, imported=imported))

    def identify(
        self, contact: str, attributes: Mapping[str, JSON] | None = None, *, imported: bool = False, **more: JSON
    ) -> World:
        return self.put(contact, Identify(self.now, {**(attributes or {}), **more}, imported=imported))

    def appear(
        self,
        contact: str,
        *tags: str,
        attributes: Mapping[str, JSON] | None = None,
        announced: bool = False,
        **more: JSON,
    ) -> World:
        """The contact comes into being now."""
        return self.put(contact, Appear(self.now, self.now, {**(attributes or {}), **more}, tags, announced))

    def tag(self, contact: str, *tags: str, imported: bool = False) -> World:
        return self.put(contact, SetTags(self.now, add=tags, imported=imported))

    def untag(self, contact: str, *tags: str) -> World:
        return self.put(contact, SetTags(self.now, remove=tags))

    def topics(self, contact: str, **topics: bool) -> World:
        return self.put(contact, SetTopics(self.now, topics))

    def enroll(self, contact: str, journey: str, **properties: JSON) -> World:
        """Let a contact in by hand; one of whom nothing is known comes into being first."""
        if contact not in self.contacts and contact not in self._arriving:
            self.appear(contact)
        return self.put(contact, Enroll(self.now, journey, properties))

    def remove(self, contact: str, run: str) -> World:
        return self.put(contact, Remove(self.now, run))

    def merge(self, contact: str, into: str) -> World:
        return self.put(contact, Merge(self.now, into))

    def move(self, contact: str, run: str, node: str, version: int | None = None) -> World:
        return self.put(contact, Move(self.now, run, node, version))

    def put_wake(self, contact: str) -> World:
        """Something looks at the contact."""
        return self.put(contact, Wake(self.now)).settle()

    def forget(self, contact: str) -> World:
        return self.put(contact, Forget(self.now))

    def reply(
        self, contact: str, node: str, *, status: int | None = 200, body: JSON = None, error: str | None = None
    ) -> World:
        """What became of the contact's last call at that node arrives."""
        self.settle()
        calls = [one for effects in self.effects for one in effects.calls if (one.contact, one.node) == (contact, node)]
        return self.put(contact, Reply(self.now, calls[-1].run, node, calls[-1].visit, status, body, error))

    def calls(self, contact: str | None = None) -> list[Call]:
        """What was written to the outbox of calls."""
        self.settle()
        return [one for effects in self.effects for one in effects.calls if contact in (None, one.contact)]

    def send_queued(self) -> World:
        """The dispatcher sends all that is in the outbox."""
        self.settle()
        self.memory.outbox.clear()
        return self

    def fail(self, message: Message) -> World:
        """The dispatcher can't send a message, and tells its contact."""
        self.memory.forget(message.contact, message.id)
        return self.put(message.contact, MessageFailed(self.now, message.id, message.channel))

    # --- what operators do --------------------------------------------------------------------------------------------

    def pause(self, journey: str) -> World:
        self.settle()
        self.paused[journey] = self.now
        return self._set_state(journey, "paused")

    def pause_entries(self, journey: str) -> World:
        return self._set_state(journey, "entries_paused")

    def resume(self, journey: str, mode: ResumeMode = "now", over: str = "0s") -> World:
        """The pause ends, and every contact follows its end at once."""
        self.end_pause(journey, mode, over)
        return self._look_again()

    def end_pause(self, journey: str, mode: ResumeMode = "now", over: str = "0s") -> World:
        """The pause ends; a contact follows its end when something touches it."""
        self.settle()
        self.states[journey] = "live"
        paused_at = self.paused.pop(journey, self.now)
        if paused_at < self.now:
            end = Resumption(journey, self.now, paused_at, mode, parse_duration(over))
            self._ask(end)
        self.flows = self._flows()
        return self

    def migrate(self, journey: str, **places: str | None) -> World:
        """Every run goes to the newest version at once; ``None`` lets runs leave that stand there."""
        self.begin_migration(journey, **places)
        return self._look_again()

    def begin_migration(self, journey: str, **places: str | None) -> World:
        """A contact's runs go to the newest version when something touches it."""
        self.settle()
        asked = Migration(journey, self.now, self.current[journey].version, places)
        self._ask(asked)
        self.flows = self._flows()
        return self

    def asked_now(self, journey: str) -> bool:
        """Whether something was asked of all runs of a journey at this very instant."""
        return any(one.at == self.now for one in self.instructions.get(journey, ()))

    def _ask(self, one: Instruction) -> None:
        assert not self.asked_now(one.journey), "each has an instant of its own"
        self.instructions.setdefault(one.journey, []).append(one)

    def archive(self, journey: str) -> World:
        return self._set_state(journey, "archived")

    def publish(self, document: str | Journey) -> World:
        """The next version of a journey."""
        self.settle()
        (journey,) = _models([document])
        assert isinstance(journey, Journey)
        version = self.current[journey.journey].version + 1 if journey.journey in self.current else 1
        published = Published(journey, version)
        self.current[published.id] = self.versions[published.id, version] = published
        self.states.setdefault(published.id, "live")
        self._arm()
        return self._look_again()

    def _set_state(self, journey: str, state: JourneyState) -> World:
        self.settle()
        self.states[journey] = state
        return self._look_again()

    def _look_again(self) -> World:
        self.flows = self._flows()
        for key in self.contacts:
            self.put(key, Wake(self.now))
        return self.settle()

    def _flows(self) -> Flows:
        instructions = {journey: list(asked) for journey, asked in self.instructions.items()}
        return Flows(
            self.library, dict(self.current), dict(self.versions), dict(self.states), dict(self.armed), instructions
        )

    def _arm(self) -> None:
        for published in self.current.values():
            for trigger in published.journey.triggers:
                if trigger.key is not None:
                    self.armed.setdefault((published.id, trigger.key), self.now)

    # --- what can be seen ---------------------------------------------------------------------------------------------

    def trail(self, contact: str | None = None, journey: str | None = None) -> list[TrailRecord]:
        """The records so far, in order of handling."""
        self.settle()
        audit(self)
        return [
            record
            for effects in self.effects
            for _, record in effects.trail
            if contact in (None, record.contact) and journey in (None, record.journey)
        ]

    def story(self, contact: str = "ann", journey: str | None = None) -> list[Step]:
        """The trail of a contact in a few words a record."""
        return [told(record) for record in self.trail(contact, journey)]

    def times(self, kind: str, contact: str = "ann") -> list[str]:
        """When records of a kind were written."""
        return [short(record.at) for record in self.trail(contact) if record.kind == kind]

    def details(self, kind: str, contact: str = "ann") -> list[dict[str, JSON]]:
        """The details of the records of a kind."""
        return [record.detail for record in self.trail(contact) if record.kind == kind]

    def messages(self, contact: str | None = None) -> list[Message]:
        """What was written to the outbox, skipped messages included."""
        self.settle()
        return [one for effects in self.effects for one in effects.messages if contact in (None, one.contact)]

    def runs(self, contact: str = "ann", journey: str | None = None) -> list[Run]:
        """Every run of a contact, ended ones included, in order of entry."""
        self.settle()
        found = {
            run.id: run for effects in self.effects for key, run in effects.runs.values() if key in (contact, None)
        }
        return sorted(
            (run for run in found.values() if journey in (None, run.journey)), key=lambda run: run.entered_event
        )

    def run(self, contact: str = "ann", journey: str | None = None) -> Run:
        """The contact's latest run."""
        return self.runs(contact, journey)[-1]

    def contact(self, key: str = "ann") -> Contact:
        """A contact, or the one that it was merged into."""
        self.settle()
        return self.contacts[self.resolve(key)]

    def made(self, contact: str = "ann") -> list[tuple[str, dict[str, JSON]]]:
        """The contact's stored events, the engine's own included: name and properties."""
        self.settle()
        return [
            (one.name, one.properties) for effects in self.effects for one in effects.events if one.contact == contact
        ]

    def alerts(self) -> list[str]:
        self.settle()
        return [alert for effects in self.effects for alert in effects.alerts]

    def statistics(self) -> dict[Statistic, int]:
        """All counters, summed."""
        found: dict[Statistic, int] = {}
        for effects in self.effects:
            for one, count in ((Statistic(*key), count) for key, count in effects.statistics.items()):
                statistic = Statistic(*one)
                found[statistic] = found.get(statistic, 0) + count
        return found

    def numbers(self, journey: str) -> dict[str, JSON]:
        """A journey's object of ``simulate --json``."""
        self.settle()
        mine: dict[tuple[str, int, str, str], int] = {
            one: count for one, count in self.statistics().items() if one.journey == journey
        }
        return overview(mine, self.current[journey].journey.nodes)


def _models(documents: Iterable[str | Model]) -> Iterator[Model]:
    for one in documents:
        if isinstance(one, str):
            yield from read(one)
        else:
            yield one


def flow(nodes: str, *lines: str, name: str = "walk", trigger: str = "{type: event, event: Go}") -> str:
    """The text of a journey that begins at the first of its nodes; the event ``Go`` lets a contact in."""
    nodes = indent(dedent(nodes).strip(), "  ")
    start = nodes.split(":", 1)[0].strip()
    return "\n".join(
        [f"journey: {name}", f"triggers: [{trigger}]", f"start: {start}", *lines, "nodes:", nodes, "---", ""]
    )


def read(text: str) -> list[Model]:
    """The documents of a YAML text."""
    folder = read_content("flows.yaml", text.encode())
    assert folder.problems == []
    return [KINDS[source.kind].model_validate(source.data) for source in folder.sources]


def instant(text: str) -> datetime:
    found = parse_instant(text)
    assert found is not None, f"{text} is no instant"
    return found


def short(moment: datetime) -> str:
    """An instant without what is zero in it: ``2026-03-02T09:00Z``."""
    return iso(moment).replace(".000000Z", "Z").replace(":00Z", "Z")


def told(record: TrailRecord) -> Step:
    """A record in a few words: its kind, its node, and what is to be known besides."""
    detail = record.detail
    words = [record.kind, *([] if record.node is None or record.kind in ("exited", "completed") else [record.node])]
    if record.kind == "waiting":
        until = parse_instant(detail["until"])
        words.append("for ever" if until is None else short(until))
    if record.kind == "ran" and "arm" in detail:
        words.append(str(detail["arm"]))
    if record.kind == "ran" and "done" in detail:
        words.append("done" if detail["done"] else "not done")
    if record.kind == "ran" and "case" in detail:
        words.append("else" if detail["case"] is None else f"case {detail['case']}")
    words.extend(str(detail[name]) for name in ("by", "outcome", "reason", "error") if detail.get(name) is not None)
    return tuple(words)
