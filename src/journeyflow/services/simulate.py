"""Journeys over a file of events, on one virtual clock for all contacts, through the core that runs live.

Nothing is sent and no real coupon code is used. The order of handling is fixed: by instant, at one instant by contact
(code points), for one contact as the core orders its inputs and timers. Trail records come out in that order, which is
the order of rule 9.1, so that they can be written as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from heapq import heappop, heappush
from operator import attrgetter
from pathlib import Path
from typing import Final

from journeyflow.core.actor import Actor
from journeyflow.core.consent import turns_address
from journeyflow.core.contact import Contact
from journeyflow.core.documents import Documents
from journeyflow.core.effects import AddressTurn, Call, Effects, Message, TrailRecord
from journeyflow.core.errors import InvalidInput, NotFound
from journeyflow.core.flows import Flows
from journeyflow.core.inputs import AddressTurned, Event, Input, Merge, Reply
from journeyflow.core.local_time import zone
from journeyflow.core.meeting import Item, Joining, OnePlace, meet
from journeyflow.core.passages import Passages
from journeyflow.core.values import EPOCH
from journeyflow.core.view import Renderer
from journeyflow.core.workspace import DEFAULT
from journeyflow.services.report_counts import ReportCounts
from journeyflow.services.simulate_errors import Told
from journeyflow.services.simulate_holders import Holders
from journeyflow.services.simulate_input import Timeline, read_timeline, timeline
from journeyflow.services.simulate_memory import SimulationMemory
from journeyflow.services.simulate_summary import JourneyNumbers, MessageTally, Simulation

AFTERMATH: Final = timedelta(days=400)
"""So long after the last event the clock ends where nobody says when."""
LATEST_END: Final = datetime(9000, 1, 1, tzinfo=UTC)
ALERTS_MAX: Final = 100
REPLIES_MAX: Final = 1_000
"""So many webhooks of a contact are answered at one instant: live, a journey that calls in a circle takes its time."""
PROGRESS_EVERY: Final = 500

OnTrail = Callable[[TrailRecord], None]
OnMessage = Callable[[Message], None]
OnCall = Callable[[Call], None]
OnProgress = Callable[[int, int], None]


def simulate(
    documents: Documents,
    renderer: Renderer,
    events: Sequence[Path],
    contacts: Sequence[Path],
    *,
    journeys: Sequence[str] = (),
    start: datetime | None = None,
    until: datetime | None = None,
    seed: int = 0,
    on_trail: OnTrail | None = None,
    on_progress: OnProgress | None = None,
    counts: ReportCounts | None = None,
) -> Simulation:
    """Run the journeys of a folder (all, or those named) over files of events and contacts.

    :param start: where the clock starts; earlier events are history. The first event where it is not given.
    :param until: where the clock ends, itself included; else when nothing is left to happen, or 400 days after the
        last event.
    :param seed: makes the coupon codes, nothing else.
    :param on_trail: gets every trail record, in the order of the trail; nothing is kept.
    :param on_progress: gets how many inputs of how many are done.
    :param counts: is filled with what the report shows beyond the summary.
    :raises NotFound: for a journey that the folder does not have.
    :raises InvalidInput: naming every line of the files that can't be taken.
    """
    if start is not None and until is not None and until < start:
        raise InvalidInput(f"expected an end of the clock that is not before its start, {start.isoformat()}")
    chosen = choose(documents, journeys)
    inputs = read_timeline(events, contacts, start, (documents.workspace or DEFAULT).timezone)
    if counts is None:
        simulator = Simulator(chosen, renderer, inputs, seed, on_trail)
    else:
        watched = _both(on_trail, counts.record)
        simulator = Simulator(chosen, renderer, inputs, seed, watched, counts.message, passages=counts.passages)
    if until is None and inputs.start == EPOCH:  # nothing started the clock
        until = EPOCH
    found = simulator.run(until, on_progress)
    found.notes = inputs.notes
    return found


def _both(first: OnTrail | None, second: OnTrail) -> OnTrail:
    if first is None:
        return second

    def tell(record: TrailRecord) -> None:
        first(record)
        second(record)

    return tell


def simulate_inputs(
    documents: Documents,
    renderer: Renderer,
    inputs: Iterable[tuple[str, Input]],
    *,
    start: datetime | None = None,
    until: datetime | None = None,
    seed: int = 0,
    on_trail: OnTrail | None = None,
) -> Simulation:
    """The same over inputs at hand, each with its contact's key; those of history are marked as imported already."""
    return Simulator(documents, renderer, timeline(inputs, start), seed, on_trail).run(until, None)


def choose(documents: Documents, journeys: Sequence[str]) -> Documents:
    """The documents with only these journeys; with all of them where none is named.

    :raises NotFound: for a journey that is not there.
    """
    unknown = [name for name in journeys if name not in documents.journeys]
    if unknown:
        known = ", ".join(sorted(documents.journeys)) or "none"
        raise NotFound(f"no journey {', '.join(unknown)}; the folder has {known}")
    if not journeys:
        return documents
    picked = {name: one for name, one in documents.journeys.items() if name in journeys}
    return replace(documents, journeys=picked)


class Simulator(OnePlace):
    """The clock and everybody's state.

    Its clock can be moved step by step, with inputs that come in between: :meth:`take` and :meth:`advance`.
    """

    def __init__(
        self,
        documents: Documents,
        renderer: Renderer,
        inputs: Timeline,
        seed: int,
        on_trail: OnTrail | None,
        on_message: OnMessage | None = None,
        on_call: OnCall | None = None,
        *,
        passages: Passages | None = None,
    ) -> None:
        self._flows: Flows = documents.published(renderer, inputs.start)
        self._memory = SimulationMemory(self._flows.recalled, seed, self._flows.followed)
        self._effects = Effects(passages=passages)
        # Emptied after each decision and used again: new ones for each would cost more than many decisions do.
        kept = ("statistics", "passages")
        self._settled = [getattr(self._effects, one.name) for one in fields(Effects) if one.name not in kept]
        self._inputs = inputs
        # The next one is the last, so that what was handled can be dropped.
        self._coming = inputs.arrivals
        self._coming.reverse()
        self._total = len(self._coming)
        self._timers: list[tuple[datetime, str]] = []
        self._contacts: dict[str, Contact] = {}
        self._together = inputs.together
        self._aliases: dict[str, str] = {}
        self._replied: tuple[datetime, str] | None = None
        self._replies = 0
        self._events = 0
        self._last = inputs.start
        self._alerts = Told(ALERTS_MAX)
        self._on_trail = on_trail
        self._on_message = on_message
        self._on_call = on_call
        self._holders: Holders | None = None
        self._tally = MessageTally(zone(self._flows.library.workspace.timezone))

    def run(self, until: datetime | None, on_progress: OnProgress | None) -> Simulation:
        end = min(until or self._inputs.last + AFTERMATH, LATEST_END)
        told = 0
        for step in self._steps(end):
            self._handle(*step)
            done = self._total - len(self._coming)
            if on_progress is not None and done - told >= PROGRESS_EVERY:
                on_progress(done, self._total)
                told = done
        if on_progress is not None:
            on_progress(self._total, self._total)
        return self._result(self._last if until is None else end)

    def take(self, key: str, item: Input) -> None:
        """One more input of a contact, at an instant that the clock has not passed."""
        self._coming.insert(0, (item.at, key, item))
        if item.at in self._together:
            self._together[item.at].append((key, item))
        elif turns_address(item) or isinstance(item, Merge) or key in self._aliases:
            self._together[item.at] = [(key, one) for at, key, one in reversed(self._coming) if at == item.at]

    def advance(self, until: datetime) -> None:
        """Let everything happen that happens up to an instant, itself included."""
        for step in self._steps(until):
            self._handle(*step)

    def contact(self, key: str) -> Contact:
        """How a contact stands; one that nothing has made yet does not exist."""
        key = self.resolve(key)
        return self._contacts.get(key) or Contact(key)

    def _steps(self, end: datetime) -> Iterator[tuple[datetime, str | None, list[Input]]]:
        """Every instant at which something happens to a contact, in order: the instant, the contact, its inputs.

        Without a contact: everything that happens at that instant, to contacts of whom some are one person.
        """
        coming, timers, contacts = self._coming, self._timers, self._contacts
        while True:
            # A contact has one live timer; what else is in the heap was overtaken by an earlier one.
            while timers and contacts[timers[0][1]].timer_at != timers[0][0]:
                heappop(timers)
            # Of a timer and an arrival with one instant and contact the timer is the smaller tuple.
            timer_next = timers and not (coming and coming[-1] < timers[0])
            if not timer_next and not coming:
                return
            at, key = timers[0] if timer_next else coming[-1][:2]
            if at > end:
                return
            inputs: list[Input] = []
            if at in self._together:
                yield at, None, inputs
                continue
            if timer_next:
                heappop(timers)
            while coming and coming[-1][1] == key and coming[-1][0] == at:
                inputs.append(coming.pop()[2])
            yield at, key, inputs

    def _handle(self, at: datetime, key: str | None, inputs: list[Input]) -> None:
        self._memory.now = at
        if key is None:
            self._handle_together(at)
            return
        self._actor(key).handle(inputs)
        self._count(inputs)
        self.close()

    def _actor(self, key: str) -> Actor:
        now = self._memory.now
        contact = self._contacts.get(key)
        if contact is None:
            contact = self._contacts[key] = Contact(key)
        if contact.timer_at is not None and contact.timer_at <= now:
            contact.timer_at = None
        return Actor(contact, now, self._flows, self._memory, self._effects)

    def _count(self, inputs: Iterable[Input]) -> None:
        for item in inputs:
            self._last = max(self._last, item.at)
            if isinstance(item, Event):
                self._events += 1

    # --- one person, two contacts -------------------------------------------------------------------------------------

    def _handle_together(self, at: datetime) -> None:
        """Everything that happens at one instant; the trail of it is put in the order of rule 9.1."""
        arrivals = self._together.pop(at)
        self._arrived(at)
        woken = set()
        while self._timers and self._timers[0][0] == at:
            key = heappop(self._timers)[1]
            if self._contacts[key].timer_at == at:
                woken.add(key)
        on_trail, records = self._on_trail, list[TrailRecord]()
        self._on_trail = None if on_trail is None else records.append
        while arrivals or woken:
            meet(self, arrivals, woken, at)
            self._count(item for _, item in arrivals)
            arrivals, woken = self._arrived(at), set()  # what webhooks replied at once
        self._on_trail = on_trail
        for record in sorted(records, key=attrgetter("contact")):
            assert on_trail is not None
            on_trail(record)

    def _arrived(self, at: datetime) -> list[tuple[str, Input]]:
        """Take what comes next, as far as it comes at that instant."""
        found = []
        while self._coming and self._coming[-1][0] == at:
            found.append(self._coming.pop()[1:])
        return found

    def resolve(self, key: str) -> str:
        """The key a contact goes by."""
        while key in self._aliases:
            key = self._aliases[key]
        return key

    def open(self, inputs: Mapping[str, Sequence[Item]]) -> Callable[[str], Actor]:
        """The actors of one turn at the present instant."""
        return cache(self._actor)

    def join(self, moves: Sequence[Joining]) -> None:
        """From now on the one goes by the key of the other, and what is remembered of it too."""
        for source, into, _ in moves:
            self._aliases[source.key] = into.key
            self._contacts[source.key] = Contact(source.key)  # timers of it may still be in the heap
            self._memory.move(source, into)
            if self._holders is not None:
                self._holders.follow(self._contacts[source.key])
            self._tally.move(source.key, into.key)

    # --- what was decided ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Put away what one decision wants written; only statistics and passages go on adding up where they are."""
        effects = self._effects
        self._memory.keep(effects)
        if effects.trail:
            self._last = self._memory.now
        if self._on_trail is not None:
            for _, record in effects.trail:
                self._on_trail(record)
        for key, due in effects.timers:
            heappush(self._timers, (due, key))
        if effects.messages:
            self._tally.add(effects.messages)
            if self._on_message is not None:
                for message in effects.messages:
                    self._on_message(message)
        if self._holders is not None:
            for contact in effects.contacts.values():
                self._holders.follow(contact)
        if effects.turned:
            self._tell_others(effects.turned)
        if effects.calls:
            self._answer(effects.calls)
            if self._on_call is not None:
                for call in effects.calls:
                    self._on_call(call)
        if effects.allocations:
            self._tally.allocate(effects.allocations)
        for alert in effects.alerts:
            self._alerts.add(alert)
        for settled in self._settled:
            if settled:
                settled.clear()

    def _tell_others(self, turned: Iterable[AddressTurn]) -> None:
        """Who shares an address that was turned learns of it at the same instant (rules 3.7 and 5.8)."""
        if self._holders is None:
            self._holders = Holders(self._contacts.values())
        now = self._memory.now
        told = [(now, key, AddressTurned(now, imported)) for key, imported in self._holders.others(turned)]
        self._coming.extend(reversed(told))

    def _answer(self, calls: Iterable[Call]) -> None:
        """The replies that runs wait for come at the same instant, behind what that instant holds for the contact."""
        for call in reversed([call for call in calls if call.awaited]):
            moment = (call.queued_at, call.contact)
            self._replies = self._replies + 1 if self._replied == moment else 1
            self._replied = moment
            if self._replies <= REPLIES_MAX:
                self._coming.append((*moment, Reply(call.queued_at, call.run, call.node, call.visit, 200, call.sample)))
            elif self._replies == REPLIES_MAX + 1:
                self._alerts.add(f"contact {call.contact}: {REPLIES_MAX} webhook replies at one instant; no more come")

    def _result(self, end: datetime) -> Simulation:
        counted = self._effects.statistics
        journeys = {
            name: JourneyNumbers.of({one: n for one, n in counted.items() if one[0] == name}, published.journey.nodes)
            for name, published in self._flows.current.items()
        }
        return Simulation(
            start=self._inputs.start,
            end=end,
            events=self._events,
            contacts=sum(contact.exists for contact in self._contacts.values()),
            journeys=journeys,
            messages=self._tally.channels(),
            coupons=self._tally.pools(),
            busiest_day=self._tally.busiest_day(),
            most_messages=self._tally.most_messages(),
            alerts=self._alerts.sentences(),
        )
