"""What time alone brings about for one contact: silences, dates, schedules, where it stands (rules 1.4, 3.6 to 3.8).

All of it that comes at one instant is one input, before runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from journeyflow.core.contact import Contact
from journeyflow.core.decision import Decision
from journeyflow.core.flows import Flows, Timed
from journeyflow.core.inputs import Event
from journeyflow.core.timetable import Coming
from journeyflow.core.triggers import DateTrigger, InactivityTrigger, Occasion, ScheduleTrigger
from journeyflow.core.values import iso

Firings = Mapping[str, Sequence[datetime]]
"""By the key of a schedule the instants at which it has fired and that contacts are still taking, in order."""
EARLIER_MAX: Final = 10_000
"""So many times of a schedule are passed over at most that a contact, which has moved, has had where it was before."""


class Facts:
    """The facts of one contact within one decision.

    :param firings: where an installation fires its schedules for all contacts; without it each contact reckons for
        itself when a schedule comes, as in a simulation. ``local`` schedules it always reckons for itself.
    """

    __slots__ = ("contact", "decision", "firings", "flows")

    def __init__(self, decision: Decision, flows: Flows, firings: Firings | None) -> None:
        self.contact: Contact = decision.contact
        self.decision = decision
        self.flows = flows
        self.firings = firings

    # --- when ---------------------------------------------------------------------------------------------------------

    def coming(self) -> tuple[datetime | None, datetime | None]:
        """When a fact next comes, and the earliest instant at which time alone has any work for this contact."""
        fact = earliest = self.next()
        runs = self.contact.runs
        for run in runs:
            due = run.due_at
            if due is not None and (earliest is None or due < earliest):
                earliest = due
        if self.flows.instructions:
            asked = [one.at for run in runs if (one := next(self.flows.pending(run), None)) is not None]
            earliest = min(asked if earliest is None else [*asked, earliest], default=None)
        return fact, earliest

    def nothing_comes(self, until: datetime) -> bool:
        """Whether the timer that is set, which never is late, says that time has no work up to an instant.

        It does not know what other flows than those it was set by would do, nor what happens to all at once.
        """
        contact, flows = self.contact, self.flows
        if flows.instructions or self.firings or contact.timer_at is None or contact.timer_at <= until:
            return False
        return contact.met is flows

    def next(self) -> datetime | None:
        """When time alone next brings something about."""
        contact = self.contact
        if not contact.exists:
            return None
        earliest: datetime | None = None
        for run in contact.runs:
            due = run.check_at
            if due is not None and (earliest is None or due < earliest):
                earliest = due
        if self.flows.timed:
            occasion = self._next_occasion()
            if occasion is not None and (earliest is None or occasion < earliest):
                earliest = occasion
        stands = self._next_standing()
        return stands if earliest is None or (stands is not None and stands < earliest) else earliest

    def _next_occasion(self) -> datetime | None:
        """When a trigger next fires, as it was reckoned before where that has not come and nothing has changed."""
        now, reckoned = self.decision.now, self.contact.reckoned
        earliest: datetime | None = None
        for timed in self.flows.timed:
            at = reckoned.get(timed.key, now) if timed.steady and not self.firings else now
            if at is not None and at <= now:
                occasion = self._occasion(timed)
                at = None if occasion is None else occasion.at
                reckoned[timed.key] = at
            if at is not None and (earliest is None or at < earliest):
                earliest = at
        return earliest

    def _take_mark(self, key: str, mark: datetime) -> None:
        """A trigger was handled for what is marked so."""
        self.contact.fired[key] = mark
        self.contact.reckoned.pop(key, None)

    def _next_standing(self) -> datetime | None:
        judge = self.decision.judge
        if judge is not None:
            return judge.next()
        library = self.flows.library
        return library.begins if library.standing and self.decision.now < library.begins else None

    def saw(self, instant: datetime) -> None:
        """Everything up to an instant has been looked at: what is dated before it, and is new, lies in the past."""
        contact = self.contact
        if self.flows.dated and contact.exists and (contact.seen_at is None or contact.seen_at < instant):
            contact.seen_at = instant

    # --- taking -------------------------------------------------------------------------------------------------------

    def take(self, due: datetime) -> Iterator[tuple[Timed, Occasion]]:
        """What has come by an instant and lets the contact in, in the order of journeys; each comes once."""
        for timed in self.flows.timed:
            occasion = self._occasion(timed)
            if occasion is None or occasion.at > due:
                continue
            self._take_mark(timed.key, occasion.mark)
            trigger = timed.trigger
            if not isinstance(trigger, ScheduleTrigger) or self._attends(trigger, occasion):
                yield timed, occasion

    def _attends(self, trigger: ScheduleTrigger, occasion: Occasion) -> bool:
        """Whether the contact is in the segment, and the schedule was not missed by too much (rule 3.8)."""
        if self.decision.now - occasion.at > trigger.catch_up:
            return False
        return bool(self.decision.view.in_segment(trigger.segment))

    def _occasion(self, timed: Timed) -> Occasion | None:
        trigger = timed.trigger
        if isinstance(trigger, InactivityTrigger):
            return self._silence(timed, trigger)
        if isinstance(trigger, DateTrigger):
            if trigger.attribute.partition(".")[0].partition("[")[0] not in self.contact.attributes and (
                trigger.attribute != "created_at"
            ):
                return None
            view = self.decision.view.of(None, None, timed.published.journey.timezone)
            return trigger.coming(view, self._since(timed), self.contact.fired.get(timed.key))
        if trigger.local or self.firings is None:
            return self._schedule(timed, trigger)
        return self._firing(timed)

    def _since(self, timed: Timed) -> datetime:
        seen_at = self.contact.seen_at
        return timed.armed_at if seen_at is None else max(timed.armed_at, seen_at)

    # --- silences -----------------------------------------------------------------------------------------------------

    def _silence(self, timed: Timed, trigger: InactivityTrigger) -> Occasion | None:
        """When the present silence is long enough, unless it was handled already (rule 3.6)."""
        found = trigger.last(self.contact, self.decision.view)
        if found is None or self.contact.fired.get(timed.key) == found[0]:
            return None
        due = found[0] + trigger.for_
        if due <= timed.armed_at:
            if not trigger.include_silent:
                return None
            due = timed.armed_at
        return Occasion(due, found[0], {"event": found[1], "last_at": iso(found[0])})

    def forget_silences(self, event: Event) -> None:
        """A silence that began with an event of history, and is long enough already, lets nobody in (rule 1.11)."""
        now = self.decision.now
        for timed in self.flows.timed:
            trigger = timed.trigger
            if isinstance(trigger, InactivityTrigger) and any(one.event == event.name for one in trigger.watched):
                silence = self._silence(timed, trigger)
                if silence is not None and silence.at <= now and silence.mark == event.occurred_at:
                    self._take_mark(timed.key, event.occurred_at)

    # --- schedules ----------------------------------------------------------------------------------------------------

    def _firing(self, timed: Timed) -> Occasion | None:
        """The schedule fires for all at once: whoever has not taken part yet does so now."""
        assert self.firings is not None
        mark = self.contact.fired.get(timed.key)
        for fire_at in self.firings.get(timed.key, ()):
            if mark is None or fire_at > mark:
                return Occasion(fire_at, fire_at, {"fire_at": iso(fire_at)})
        return None

    def _schedule(self, timed: Timed, trigger: ScheduleTrigger) -> Occasion | None:
        """When the schedule next comes for this contact, where it is.

        What was missed by more than ``catch_up`` never comes. A contact that moves has each time on the wall once.
        """
        mark = self.contact.fired.get(timed.key)
        if mark is not None and trigger.at is not None:
            return None
        local = None if timed.zone is not None else self._zone(timed)
        table = timed.table(local)
        since = self._since(timed)
        missed = self.decision.now - trigger.catch_up
        coming = table.first(max(since, missed))
        for _ in range(EARLIER_MAX):
            if coming is None or mark is None or _mark(trigger, coming) > mark:
                break
            coming = table.after(coming)
        return None if coming is None else Occasion(coming.at, _mark(trigger, coming), {"fire_at": iso(coming.at)})

    def _zone(self, timed: Timed) -> ZoneInfo:
        return self.decision.view.of(None, None, timed.published.journey.timezone).zone

    def pass_over(self, at: datetime) -> None:
        """The contact came into being at an instant: it had no part in what fired before."""
        for key, instants in (self.firings or {}).items():
            before = [fire_at for fire_at in instants if fire_at < at]
            if before:
                self._take_mark(key, before[-1])


def _mark(trigger: ScheduleTrigger, coming: Coming) -> datetime:
    return coming.wall if trigger.local else coming.at
