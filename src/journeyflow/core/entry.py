"""Who is let into a journey (semantics, chapter 3)."""

from __future__ import annotations

from typing import Final, NamedTuple

from journeyflow.core.conditions import Because
from journeyflow.core.contact import Entry, Run
from journeyflow.core.decision import Decision
from journeyflow.core.flows import Published
from journeyflow.core.identity import key_text, run_id
from journeyflow.core.lottery import draw, held_out
from journeyflow.core.values import JSON, Missing
from journeyflow.core.view import View
from journeyflow.core.walk import Walker

RUNS_MAX: Final = 1_000
"""A contact in so many runs at once is let into no further one."""


class Verdict(NamedTuple):
    """Whether a contact is let in; ``refusal`` is why not. ``active`` is the run whose place the new one takes."""

    published: Published
    trigger: int | None
    properties: dict[str, JSON]
    key: str
    refusal: str | None
    because: Because
    active: Run | None = None
    entry: Entry | None = None
    held_out: bool = False


class Doorman:
    """Decides entries of one contact within one decision."""

    __slots__ = ("decision", "walker")

    def __init__(self, decision: Decision, walker: Walker) -> None:
        self.decision = decision
        self.walker = walker

    def judge(
        self,
        published: Published,
        trigger: int | None,
        properties: dict[str, JSON],
        because: Because,
        view: View | None = None,
    ) -> Verdict:
        """Key, ``enter_if``, active run, re-entry and holdout, in that order (rule 3.1); nothing is changed.

        :param view: how these properties are seen in the journey's time zone, where somebody has looked already.
        """
        journey = published.journey
        if view is None:
            view = self.decision.view.of(None, properties, journey.timezone)
        asked = (published, trigger, properties)
        key = self._key(published, view)
        if key is None:
            return Verdict(*asked, "", "no_key", [])
        if journey.enter_if is not None and not journey.enter_if.holds(view, "enter_if", because):
            return Verdict(*asked, key, "enter_if", because)
        active = self._active(published.id, key)
        entry = self._entry(published.id, key)
        if active is not None:  # it alone decides, so that who is being treated stays treated
            refusal = "duplicate" if journey.on_duplicate == "ignore" else None
            return Verdict(*asked, key, refusal, [] if refusal else because, active, entry)
        if entry is not None and not self._may_return(published, entry):
            return Verdict(*asked, key, "reentry", [])
        if self._full():
            return Verdict(*asked, key, "too_many_runs", [])
        return Verdict(*asked, key, None, because, None, entry, self._held_out(published))

    def carry_out(self, verdict: Verdict) -> Run | None:
        """Write down what was judged; the run that begins, or ``None`` for who is refused or held out."""
        if verdict.refusal is not None:
            self._refuse(verdict.published, verdict.trigger, verdict.refusal, verdict.because)
            return None
        if verdict.active is not None:
            self.walker.exit(verdict.active, "restarted")
        self._remember(verdict.published.id, verdict.key, verdict.entry, restart=verdict.active is not None)
        if verdict.held_out:
            self._hold_out(verdict)
            return None
        return self._begin(verdict)

    def key(self, published: Published, properties: dict[str, JSON]) -> str | None:
        """The key that a journey makes of these properties, as :meth:`judge` does."""
        return self._key(published, self.decision.view.of(None, properties, published.journey.timezone))

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
        return len(runs) >= RUNS_MAX and sum(run.active for run in runs) >= RUNS_MAX

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

    def _held_out(self, published: Published) -> bool:
        """Rule 3.4."""
        percent = published.journey.holdout
        if not percent:
            return False
        decision = self.decision
        workspace = decision.library.workspace.workspace
        return held_out(draw(workspace, published.id, "holdout", decision.contact.key), percent)

    def _begin(self, verdict: Verdict) -> Run:
        run = self._new_run(verdict)
        self.decision.journey_changed(run.journey)
        detail: dict[str, JSON] = {"trigger": verdict.trigger, "properties": verdict.properties}
        if verdict.because:
            detail["because"] = verdict.because
        self.decision.record(run, "entered", detail, None, None)
        self.decision.count(run.journey, run.version, "", "entered")
        return run

    def _hold_out(self, verdict: Verdict) -> None:
        run = self._new_run(verdict)
        run.status, run.ended_at = "holdout", self.decision.now
        run.open_until = self.walker.open_until(run)
        self.decision.record(run, "holdout", {"because": verdict.because} if verdict.because else {}, None, None)
        self.decision.count(run.journey, run.version, "", "holdout")

    def _new_run(self, verdict: Verdict) -> Run:
        decision, published = self.decision, verdict.published
        workspace = decision.library.workspace.workspace
        number = 0 if verdict.entry is None else verdict.entry.count
        run = Run(
            id=run_id(workspace, published.id, decision.contact.key, verdict.key, number),
            journey=published.id,
            version=published.version,
            key=verdict.key,
            number=number,
            entered_at=decision.now,
            entered_event=decision.contact.events,
            trigger=verdict.properties,
        )
        decision.contact.runs.append(run)
        return run

    def _refuse(self, published: Published, trigger: int | None, reason: str, because: Because) -> None:
        if reason == "too_many_runs":
            self.decision.effects.alerts.append(f"contact {self.decision.contact.key}: already in {RUNS_MAX:,} runs")
        detail: dict[str, JSON] = {"reason": reason}
        if because:
            detail["because"] = because
        self.decision.refuse(published.id, published.version, trigger, detail)
