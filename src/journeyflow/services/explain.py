"""Why a contact got, or did not get, what: its trail as a story (``journeyflow explain``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from journeyflow.core.check.problem import first_of
from journeyflow.core.contact import Contact
from journeyflow.core.effects import TrailRecord
from journeyflow.core.errors import NotFound
from journeyflow.core.local_time import zone
from journeyflow.core.values import JSON, iso, parse_path
from journeyflow.db import aliases, calls, contacts, documents, history, holders, trail
from journeyflow.db.aliases import Alias
from journeyflow.db.calls import StoredCall
from journeyflow.db.history import RunRow, StoredRefusal
from journeyflow.db.outbox import StoredMessage
from journeyflow.services.explain_behind import not_handled, overdue
from journeyflow.services.explain_old import too_old
from journeyflow.services.explain_paused import kept_out
from journeyflow.services.explain_steps import Calls, Messages, Step, steps
from journeyflow.services.explain_words import (
    REFUSED,
    Document,
    because_lines,
    event_fits,
    listed,
    local,
    trigger_words,
    watched_events,
)
from journeyflow.services.unusable import Dates, unusable

RECORDS_MAX: Final = 5_000
"""So many of the newest trail records are told; also so many messages, runs and refusals."""
SIMILAR_MAX: Final = 5

Versions = Mapping[tuple[str, int], Document]


@dataclass(frozen=True, slots=True)
class RunStory:
    """One run: how it stands, and its steps in order."""

    run: str
    journey: str
    version: int
    status: str
    timezone: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class RefusalStory:
    """Entries that were refused on one day for one reason; the rest is of the last of them."""

    journey: str
    reason: str
    count: int
    at: datetime
    local: str
    text: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say: runs newest first, refusals newest first, and what never happened.

    ``contact`` is who was asked for, or was merged into; ``merged`` tells who was merged into it, and when.
    ``timezone`` is where the contact is; ``trail`` has the records of rule 9.1 in order, with the last of the refusals
    of each day as a record of its own, whose ``count`` says how many there were.
    """

    contact: str
    timezone: str
    merged: tuple[str, ...]
    runs: tuple[RunStory, ...]
    refusals: tuple[RefusalStory, ...]
    notes: tuple[str, ...]
    trail: tuple[dict[str, JSON], ...]


def explain(connection: Connection, key: str, journey: str | None, now: datetime) -> Explanation:
    """What happened to a contact in its journeys (or in one), and why.

    :raises NotFound: when there is no such contact, or no such journey.
    """
    person = aliases.resolve(connection, key)
    found = contacts.load(connection, [person], now).get(person)
    if found is None:
        raise NotFound(_no_contact(connection, key, person, now))
    if journey is not None and journey not in documents.journey_rows(connection):
        raise NotFound(f"there is no journey {journey}")
    return _Historian(connection, found, journey, now).explanation()


def _no_contact(connection: Connection, key: str, person: str, now: datetime) -> str:
    here = zone(history.current_workspace(connection).timezone)
    waiting = ", and ".join(not_handled(connection, {key, person}, now, here))
    similar = ", ".join(first_of(history.similar_contacts(connection, key), SIMILAR_MAX))
    having = ", ".join(first_of([holder for _, holder in holders.of(connection, "email", key)], SIMILAR_MAX))
    if waiting:
        hint = waiting
    elif similar:
        hint = f"there is {similar}"
    elif having:
        hint = f"that is the address of {having}"
    else:
        hint = "nothing has come in for it; is the key spelled as in its events?"
    return f"there is no contact {key!r}; {hint}"


class _Historian:
    """Reads what was recorded of one contact, and tells it."""

    def __init__(self, connection: Connection, contact: Contact, journey: str | None, now: datetime) -> None:
        self._connection = connection
        self._contact = contact
        self._journey = journey
        self._now = now
        self._merged_into = aliases.into(connection, contact.key)
        self._records = self._own(record for _, record in trail.of_contact(connection, contact.key))
        self._runs = history.runs_of(connection, contact.key, journey, RECORDS_MAX)
        self._refusals = history.refusals_of(connection, contact.key, journey, RECORDS_MAX)
        self._workspace = history.current_workspace(connection)
        self._versions: Versions = history.journey_documents(connection, self._mentioned())

    def _mentioned(self) -> set[tuple[str, int]]:
        found = {(record.journey, record.version) for record in self._records}
        found.update((run.journey, run.version) for run in self._runs)
        return found | {(refusal.journey, refusal.version) for refusal in self._refusals}

    def _own(self, records: Iterable[TrailRecord]) -> list[TrailRecord]:
        mine = [record for record in records if self._journey in (None, record.journey)]
        return mine[-RECORDS_MAX:]

    def explanation(self) -> Explanation:
        return Explanation(
            contact=self._contact.key,
            timezone=str(self._zone({})),
            merged=tuple(self._merged(one) for one in self._merged_into),
            runs=tuple(self._run_stories()),
            refusals=tuple(self._refusal(one) for one in self._refusals),
            notes=tuple(self._notes()),
            trail=tuple(_in_order(self._records, self._refusals)),
        )

    def _merged(self, one: Alias) -> str:
        return f"{one.contact} was merged into it on {local(one.at, self._zone({}))}"

    def _zone(self, document: Document) -> ZoneInfo:
        """Where the contact is (format.md, "Local")."""
        return zone(self._contact.attributes.get("timezone"), document.get("timezone"), self._workspace.timezone)

    # --- runs ---------------------------------------------------------------------------------------------------------

    def _run_stories(self) -> list[RunStory]:
        records: dict[str | None, list[TrailRecord]] = {}
        for record in self._records:
            records.setdefault(record.run, []).append(record)
        messages: dict[str, list[StoredMessage]] = {}
        for message in history.messages_of(self._connection, self._contact.key, self._journey, RECORDS_MAX):
            messages.setdefault(message.run, []).append(message)
        made: dict[str, list[StoredCall]] = {}
        for call in calls.of_contact(self._connection, self._contact.key, RECORDS_MAX):
            made.setdefault(call.run, []).append(call)
        return [
            self._story(run, records.get(run.id, []), messages.get(run.id, []), made.get(run.id, []))
            for run in self._runs
        ]

    def _story(
        self, run: RunRow, records: Sequence[TrailRecord], messages: Sequence[StoredMessage],
        made: Sequence[StoredCall],
    ) -> RunStory:  # fmt: skip
        documents = {version: one for (journey, version), one in self._versions.items() if journey == run.journey}
        here = self._zone(documents.get(run.version, {}))
        sent: Messages = {(message.node, message.queued_at): message for message in messages}
        called: Calls = {(call.node, call.queued_at): call for call in made}
        told = tuple(steps(records, documents, here, sent, called))
        return RunStory(run.id, run.journey, run.version, _status(run, here), str(here), told)

    def _refusal(self, one: StoredRefusal) -> RefusalStory:
        document = self._versions.get((one.journey, one.version), {})
        here = self._zone(document)
        reason = str(one.detail.get("reason"))
        triggers = listed(document, "triggers")
        known = one.trigger is not None and one.trigger < len(triggers)
        by = f" by {trigger_words(triggers[one.trigger])}" if known and one.trigger is not None else ""
        times = "" if one.count == 1 else f" {one.count} times that day, last"
        text = f"refused{times}{by}: {reason} ({REFUSED.get(reason, 'see the docs')})"
        return RefusalStory(
            one.journey, reason, one.count, one.at, local(one.at, here), text, because_lines(one.detail)
        )

    # --- what never happened ------------------------------------------------------------------------------------------

    def _notes(self) -> list[str]:
        """What no record tells: what is not done yet, what a journey never tried waits for, events that came late or in
        a pause, attributes that can't be used.
        """
        here = self._zone({})
        keys = [self._contact.key, *(one.contact for one in self._merged_into)]
        waiting = not_handled(self._connection, keys, self._now, here)
        own = [run for run in self._contact.runs if self._journey in (None, run.journey)]
        undone = overdue(self._connection, own, self._now, here)
        late = too_old(self._connection, self._contact.key, self._journey, self._workspace, here)
        paused = kept_out(self._connection, self._contact.key, self._journey, here)
        return [
            *waiting,
            *undone,
            *self._never_tried(),
            *late,
            *paused,
            *unusable(self._contact.attributes, self._dates()),
        ]

    def _dates(self) -> Dates:
        """The attributes in which the triggers of journeys wait for a date."""
        return [
            (str(trigger["attribute"]), parse_path(str(trigger["attribute"])), one.id)
            for one in documents.in_force(self._connection)
            if one.kind == "journey" and self._journey in (None, one.id)
            for trigger in listed(one.document, "triggers")
            if isinstance(trigger, dict) and trigger.get("type") == "date"
        ]

    def _never_tried(self) -> list[str]:
        if self._runs or self._refusals:
            return []
        if self._journey is None:
            return ["no journey has let it in, and none has refused it in 30 days"]
        known = documents.versions(self._connection, "journey", self._journey)
        triggers = listed(known[0].document, "triggers") if known else []
        state = documents.journey_rows(self._connection)[self._journey].state
        had = history.event_names(self._connection, self._contact.key)
        lines = [f"journey {self._journey} (it is {state}) has not let it in, and not refused it in 30 days"]
        return lines + [line for trigger in triggers for line in self._trigger_notes(trigger, had)]

    def _trigger_notes(self, trigger: JSON, had: Mapping[str, tuple[int, datetime]]) -> list[str]:
        lines = [f"it lets in by {trigger_words(trigger)}"]
        for name in watched_events(trigger):
            alike = [one for one in had if event_fits(one, name)]
            if not alike:
                lines.append(f"  the contact has had no {name}")
            for one in alike:
                count, last = had[one]
                when = local(last, self._zone({}))
                reasons = "before it was live, while it was paused, too late, or its where did not hold"
                lines.append(f"  the contact has had {count} {one}, the last {when}: {reasons}")
        return lines


def _status(run: RunRow, here: ZoneInfo) -> str:
    match run.status:
        case "active" if run.node is None:
            return "active"
        case "active":
            until = "" if run.due_at is None else f" until {local(run.due_at, here)}"
            return f"active, stands at {run.node}{until}"
        case "exited":
            return f"exited: {run.reason}"
        case other:
            return other


def _in_order(records: Sequence[TrailRecord], refusals: Sequence[StoredRefusal]) -> list[dict[str, JSON]]:
    written = [(record.at, record_json(record)) for record in records]
    written.extend((one.at, refusal_json(one)) for one in refusals)
    return [found for _, found in sorted(written, key=lambda one: one[0])]


def record_json(record: TrailRecord) -> dict[str, JSON]:
    """A trail record as JSON (rule 9.1)."""
    return {**record._asdict(), "at": iso(record.at)}


def refusal_json(one: StoredRefusal) -> dict[str, JSON]:
    """The last refusal of a day as a trail record, with ``count``."""
    record = TrailRecord(one.at, one.contact, one.journey, one.version, None, None, "refused", None, None, one.detail)
    return {**record_json(record), "count": one.count}
