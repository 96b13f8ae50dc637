"""One handling of one contact at one instant: what it may change, and where it writes what it decided."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Protocol

from journeyflow.core.contact import EVENT_NAMES_MAX, Aggregate, Contact, Memory, Run
from journeyflow.core.effects import Effects, StoredEvent, TrailRecord
from journeyflow.core.inputs import Event
from journeyflow.core.judge import Judge
from journeyflow.core.values import JSON, Missing, PathKeys, iso, look_up
from journeyflow.core.view import Library, View

CHAIN_MAX: Final = 50
"""So many events the engine makes itself in answer to one input (rule 2.7)."""
_make_tuple: Final = tuple.__new__
"""Makes a named tuple of all its fields without asking it; several million of them are made a minute."""
LATE: Final = timedelta(seconds=1)


class Gatekeeper(Protocol):
    """Lets the contact into journeys, and takes it out of them, for a node of another run.

    ``told`` is called with whether anything comes of it, before it does: so a run whose own node ends it has its step
    in the trail before its end.
    """

    def enroll(self, journey: str, properties: dict[str, JSON], told: Callable[[bool], None]) -> None:
        """Let the contact in, if the journey does; the new run walks after the present step (rule 2.7)."""
        ...

    def remove(self, journey: str, properties: dict[str, JSON] | None, told: Callable[[bool], None]) -> None:
        """End the contact's runs; with ``properties`` of a journey with a key, only those of the key they give."""
        ...


class Decision:
    """Reads and changes one contact; what is to be written goes to ``effects``."""

    __slots__ = (
        "chain",
        "contact",
        "dropped",
        "due",
        "effects",
        "gatekeeper",
        "judge",
        "library",
        "made",
        "memory",
        "moved_journeys",
        "now",
        "view",
    )
    gatekeeper: Gatekeeper

    def __init__(self, contact: Contact, now: datetime, library: Library, memory: Memory, effects: Effects) -> None:
        self.contact = contact
        self.now = now
        self.library = library
        self.memory = memory
        self.effects = effects
        self.view = View(contact, now, library, memory, effects)
        judged = library.standing and now >= library.begins
        self.judge = Judge(contact, self.view, library.standing) if judged else None
        self.made: deque[Event | Run] = deque()
        self.chain = 0
        self.dropped = 0
        self.due: datetime | None = None
        self.moved_journeys = False

    def begin_input(self, instant: datetime) -> None:
        """The next input starts a chain of its own; one that is overdue says so in the trail (rule 1.9)."""
        self.chain = 0
        self.due = instant if self.now - instant > LATE else None

    # --- writing ------------------------------------------------------------------------------------------------------

    def record(self, run: Run, kind: str, detail: dict[str, JSON], node: str | None, type_: str | None) -> None:
        """One step of a run for the trail."""
        if self.due is not None:
            detail["due"] = iso(self.due)
        key = self.contact.key
        seq, identity = run.seq, run.id
        run.seq = seq + 1
        effects = self.effects
        effects.runs[identity] = (key, run)
        trail = _make_tuple(
            TrailRecord, (self.now, key, run.journey, run.version, identity, seq, kind, node, type_, detail)
        )
        contact = self.contact
        effects.trail.append((contact.records, trail))
        contact.records += 1

    def refuse(self, journey: str, version: int, trigger: int | None, detail: dict[str, JSON]) -> None:
        """Somebody was not let in."""
        if self.due is not None:
            detail["due"] = iso(self.due)
        trail = TrailRecord(self.now, self.contact.key, journey, version, None, None, "refused", None, None, detail)
        self.effects.trail.append((self.contact.records, trail))
        self.contact.records += 1
        self.effects.refusals.append((trigger, trail))
        self.count(journey, version, "", f"refused:{detail['reason']}")

    def count(self, journey: str, version: int, node: str, kind: str, by: int = 1) -> None:
        """Move a statistic."""
        self.effects.statistics[journey, version, node, kind] += by

    # --- events -------------------------------------------------------------------------------------------------------

    def make(self, name: str, properties: dict[str, JSON], *, change: bool = True) -> bool:
        """An event of the engine's own, handled after the present step; false where the chain is too long.

        :param change: whether it tells of something that has changed.
        """
        if not self.lengthen_chain(name):
            return False
        self.made.append(Event(self.now, name, self.now, properties, own=True, change=change))
        return True

    def lengthen_chain(self, what: str) -> bool:
        """One more link of the present chain; false where it is too long, and ``what`` is dropped (rule 2.7)."""
        if self.chain >= CHAIN_MAX:
            self.dropped += 1
            self.effects.alerts.append(
                f"contact {self.contact.key}: more than {CHAIN_MAX} events in a chain; {what} dropped"
            )
            return False
        self.chain += 1
        return True

    def store(self, event: Event) -> None:
        """Rule 2.1: history and aggregates."""
        contact = self.contact
        contact.events += 1
        if self.judge is not None:
            self.judge.changes.add(f"event:{event.name}")
        handled_at = event.occurred_at if event.imported else self.now
        stored = StoredEvent(
            contact.key, contact.events, event.name, event.occurred_at, handled_at, event.properties, event.claimed_at
        )
        self.effects.events.append(stored)
        self.view.fresh.append(stored)
        counted = contact.counts.get(event.name)
        if counted is None:
            if len(contact.counts) >= EVENT_NAMES_MAX:
                return
            counted = contact.counts[event.name] = Aggregate()
        counted.add(event.occurred_at, None)

    # --- the contact --------------------------------------------------------------------------------------------------

    def create(self, created_at: datetime, announced: bool = True) -> None:
        """Rule 1.6: the contact comes into being."""
        self.contact.created_at = created_at
        self.contact.reckoned.clear()
        if announced:
            self.make("Contact Created", {})
            if self.judge is not None:
                self.judge.begin()

    def set_attributes(self, changes: Iterable[tuple[PathKeys, JSON]], announced: bool = True) -> bool:
        """Change attributes; ``null`` takes one away. False where a chain was cut."""
        found: list[tuple[str, JSON, JSON]] = []
        changes = [*changes]
        self.contact.reckoned.clear()
        for keys, value in changes:
            before = _plain(look_up(self.contact.attributes, keys))
            _assign(self.contact.attributes, keys, value)
            found.extend(_differences(path_text(keys), before, value))
        if self.judge is not None:
            self.judge.changes.update(f"attribute:{keys[0]}" for keys, _ in changes)
        if not announced:
            return True
        made = [
            self.make("Contact Updated", {"attribute": path, "from": old, "to": new})
            for path, old, new in sorted(found, key=lambda change: change[0])
        ]
        return all(made)

    def change_tags(
        self, add: Iterable[str], remove: Iterable[str], announced: bool = True
    ) -> tuple[list[str], list[str]]:
        """Put tags on and take tags off; returns those that changed."""
        tags = self.contact.tags
        added = [tag for tag in dict.fromkeys(add) if tag not in tags]
        tags.extend(added)
        removed = [tag for tag in dict.fromkeys(remove) if tag in tags]
        for tag in removed:
            tags.remove(tag)
        if self.judge is not None and (added or removed):
            self.judge.changes.add("tag")
        if announced:
            for tag in added:
                self.make("Tag Added", {"tag": tag})
            for tag in removed:
                self.make("Tag Removed", {"tag": tag})
        return added, removed

    def change_topics(self, topics: dict[str, bool]) -> list[tuple[str, bool]]:
        """Give and take consent; returns the topics whose effective consent changed."""
        changed = []
        for topic, consent in topics.items():
            before = self.view.subscribed(topic)
            self.contact.topics[topic] = consent
            if self.view.subscribed(topic) != before:
                changed.append((topic, consent))
        self.consent_changed()
        return changed

    def consent_changed(self) -> None:
        """Consent to a topic, or what is known of an address, is another."""
        if self.judge is not None:
            self.judge.changes.add("topic")

    def messages_changed(self) -> None:
        """A message was queued, or withdrawn."""
        if self.judge is not None:
            self.judge.changes.add("message")

    def journey_changed(self, journey: str) -> None:
        """A run of that journey began or ended."""
        self.moved_journeys = True
        if self.judge is not None:
            self.judge.changes.add(f"journey:{journey}")

    def set_stage(self, stage: str) -> None:
        """The contact is in that stage until another one is set."""
        self.contact.stage_set = stage
        if self.judge is not None:
            self.judge.changes.add("stage")
            self.compare()

    def compare(self, *, silently: bool = False) -> None:
        """Where the contact stands now, against before: the events that this makes follow what the step made."""
        judge = self.judge
        if judge is None or not (judge.changes or judge.due or silently) or not self.contact.exists:
            return
        if silently:
            judge.settle()
        for name, properties, heard in judge.compare():
            if silently:
                continue
            if heard:
                self.make(name, properties)
            else:
                self.made.append(Event(self.now, name, self.now, properties, own=True, heard=False))


def _plain(value: JSON | Missing) -> JSON:
    return None if isinstance(value, Missing) else value


def _assign(root: dict[str, JSON], keys: PathKeys, value: JSON) -> None:
    """Set the value at a path, making mappings on the way; ``None`` takes it away.

    What lies on the way is copied, because an event of the history may share it.
    """
    holder: JSON = root
    for here, following in pairwise(keys):
        inner = _copied(look_up(holder, (here,)), following)
        if inner is None and value is None:
            return
        inner = inner if inner is not None else [] if isinstance(following, int) else {}
        _put(holder, here, inner)
        holder = inner
    _put(holder, keys[-1], value)


def _copied(value: JSON | Missing, following: str | int) -> JSON:
    if isinstance(following, int):
        return list(value) if isinstance(value, list) else None
    return dict(value) if isinstance(value, dict) else None


def _put(holder: JSON, key: str | int, value: JSON) -> None:
    if isinstance(holder, dict):
        if value is None:
            holder.pop(str(key), None)
        else:
            holder[str(key)] = value
    elif isinstance(holder, list) and isinstance(key, int):
        if key < len(holder):
            holder[key] = value
        elif value is not None:
            holder.append(value)


def path_text(keys: PathKeys) -> str:
    """``("items", 0, "sku")`` → ``items[0].sku``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def _differences(path: str, before: JSON, after: JSON) -> list[tuple[str, JSON, JSON]]:
    """The paths below which two values differ, mappings taken apart."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted({*before, *after})
        return [one for name in names for one in _differences(f"{path}.{name}", before.get(name), after.get(name))]
    return [] if same(before, after) else [(path, before, after)]


def same(before: JSON, after: JSON) -> bool:
    """Equality that keeps ``true`` and ``1`` apart."""
    return before == after and isinstance(before, bool) == isinstance(after, bool)
