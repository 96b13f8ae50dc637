"""Who is let into a journey (semantics, chapter 3)."""

from __future__ import annotations

from typing import Final

from journeyflow.core.conditions import Because
from journeyflow.core.contact import Entry, Run
from journeyflow.core.decision import Decision
from journeyflow.core.flows import Published
from journeyflow.core.identity import key_text, run_id
from journeyflow.core.values import JSON, Missing
from journeyflow.core.view import View
from journeyflow.core.walk import Walker

RUNS_MAX: Final = 1_000
"""A contact in so many runs at once is let into no further one."""


class Doorman:
    """Decides entries of one contact within one decision."""

    __slots__ = ("decision", "walker")

    def __init__(self, decision: Decision, walker: Walker) -> None:
        self.decision = decision
        self.walker = walker

    def offer(
        self, published: Published, trigger: int | None, properties: dict[str, JSON], because: Because
    ) -> Run | None:
        """Key, ``enter_if``, active run, re-entry, in that order; the run that begins, or ``None`` (rule 3.1)."""
        journey = published.journey
        view = self.decision.view.of(None, properties, journey.timezone)
        key = self._key(published, view)
        if key is None:
            self._refuse(published, trigger, "no_key", [])
            return None
        if journey.enter_if is not None and not journey.enter_if.holds(view, "enter_if", because):
            self._refuse(published, trigger, "enter_if", because)
            return None
        active = self._active(published.id, key)
        entry = self._entry(published.id, key)
        if active is not None:
            if journey.on_duplicate == "ignore":
                self._refuse(published, trigger, "duplicate", [])
                return None
            self.walker.exit(active, "restarted")
        elif entry is not None and not self._may_return(published, entry):
            self._refuse(published, trigger, "reentry", [])
            return None
        elif self._full():
            self._refuse(published, trigger, "too_many_runs", [])
            return None
        self._remember(published.id, key, entry, restart=active is not None)
        return self._begin(published, trigger, properties, key, 0 if entry is None else entry.count, because)

    def _key(self, published: Published, view: View) -> str | None:
        """The key's text, empty for a journey without; ``None`` where it is missing (rule 3.2)."""
        if published.journey.key is None:
            return ""
        value = view.find(published.journey.key)
        return None if isinstance(value, Missing) else key_text(value)

    def _active(self, journey: str, key: str) -> Run | None:
        return next(
            (run for run in self.decision.contact.runs if run.active and (run.journey, run.key) == (journey, key)), None
        )

    def _full(self) -> bool:
        """Whether the contact is in so many runs that one more does it no good; somebody has to look at its journeys.

        A journey whose key is something that its own runs change lets the contact in anew with each of them.
        """
        runs = self.decision.contact.runs
        if len(runs) < RUNS_MAX or sum(run.active for run in runs) < RUNS_MAX:
            return False
        self.decision.effects.alerts.append(f"contact {self.decision.contact.key}: already in {RUNS_MAX:,} runs")
        return True

    def _entry(self, journey: str, key: str) -> Entry | None:
        if not key:
            return self.decision.contact.entries.get(journey)
        contact = self.decision.contact.key
        changed = self.decision.effects.entries.get((contact, journey, key))
        return self.decision.memory.entry(contact, journey, key) if changed is None else changed

    def _may_return(self, published: Published, entry: Entry) -> bool:
        """Rule 3.3; a gap that has passed exactly has passed (rule 1.7)."""
        reentry = published.journey.reentry
        if reentry.policy == "once":
            return False
        return reentry.gap is None or self.decision.now - entry.last_at >= reentry.gap

    def _remember(self, journey: str, key: str, entry: Entry | None, restart: bool) -> None:
        now = self.decision.now
        if entry is None:
            remembered = Entry(now, now, 1)
        else:
            remembered = Entry(entry.first_at, entry.last_at if restart else now, entry.count + 1)
        if key:
            self.decision.effects.entries[self.decision.contact.key, journey, key] = remembered
        else:
            self.decision.contact.entries[journey] = remembered

    def _begin(
        self, published: Published, trigger: int | None, properties: dict[str, JSON], key: str, number: int,
        because: Because,
    ) -> Run:  # fmt: skip
        decision = self.decision
        workspace = decision.library.workspace.workspace
        run = Run(
            id=run_id(workspace, published.id, decision.contact.key, key, number),
            journey=published.id,
            version=published.version,
            key=key,
            number=number,
            entered_at=decision.now,
            entered_event=decision.contact.events,
            trigger=properties,
        )
        decision.contact.runs.append(run)
        detail: dict[str, JSON] = {"trigger": trigger, "properties": properties}
        if because:
            detail["because"] = because
        decision.record(run, "entered", detail, None, None)
        decision.count(published.id, published.version, "", "entered")
        return run

    def _refuse(self, published: Published, trigger: int | None, reason: str, because: Because) -> None:
        detail: dict[str, JSON] = {"reason": reason}
        if because:
            detail["because"] = because
        self.decision.refuse(published.id, published.version, trigger, detail)
