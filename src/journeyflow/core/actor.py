"""A contact is an actor: inputs go in, in order; effects and the new state come out (semantics, chapters 1 and 2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial

from journeyflow.core.conditions import CLOCK_TOLERANCE, Because
from journeyflow.core.consent import Turned, take_over
from journeyflow.core.consent import apply as apply_consent
from journeyflow.core.contact import Contact, Memory, Run
from journeyflow.core.counting import store
from journeyflow.core.decision import Decision
from journeyflow.core.effects import Effects
from journeyflow.core.elsewhere import learn
from journeyflow.core.engagement import ENGAGEMENT, belonging
from journeyflow.core.entry import Doorman
from journeyflow.core.facts import Facts, Firings
from journeyflow.core.flows import Entrance, Flows, Published
from journeyflow.core.follow import follow
from journeyflow.core.gate import Gate
from journeyflow.core.inputs import (
    GUARDED,
    Absorb,
    AddressTurned,
    Appear,
    Enroll,
    Event,
    Forget,
    Identify,
    Input,
    MessageFailed,
    MessageRetried,
    Move,
    Remove,
    Reply,
    SetTags,
    SetTopics,
)
from journeyflow.core.merge import absorb
from journeyflow.core.outcomes import convert, exit_on
from journeyflow.core.triggers import TopicTrigger
from journeyflow.core.values import JSON
from journeyflow.core.view import View
from journeyflow.core.walk import Walker

Continuation = tuple[Run, Callable[[], None]]


class Actor:
    """Handles what happened to one contact, at one instant of handling, and writes what follows into ``effects``."""

    __slots__ = ("contact", "decision", "effects", "facts", "flows", "memory", "now", "walker")

    def __init__(
        self,
        contact: Contact,
        now: datetime,
        flows: Flows,
        memory: Memory,
        effects: Effects,
        firings: Firings | None = None,
    ) -> None:
        self.contact = contact
        self.now = now
        self.flows = flows
        self.memory = memory
        self.effects = effects
        self.decision = Decision(contact, now, flows.library, memory, effects)
        self.walker = Walker(self.decision, flows)
        self.facts = Facts(self.decision, flows, firings)

    def handle(self, inputs: Sequence[Input | Absorb], until: datetime | None = None) -> None:
        """Take all inputs (in order of their instants) and due timers, each at its place (rules 1.2 to 1.4).

        Timers after ``until`` wait if no input is after them: those that came before may still be on their way.
        """
        self._set_timer(self.take(inputs, self.now if until is None else until))
        unjudged = self.decision.judge is None and bool(self.flows.library.standing)  # as long as nothing has begun
        self.contact.met = None if unjudged else self.flows
        if self.contact.exists:
            self.effects.contacts[self.contact.key] = self.contact

    def take(self, inputs: Sequence[Input | Absorb], until: datetime) -> datetime | None:
        """The same for a contact that more will be handled of before it is kept; when time next has work for it."""
        self.decision.gatekeeper = Gate(self.decision, self.walker)
        if self.contact.met is not self.flows:
            self._meet_flows()
        self._tidy_runs()
        self._reconsider_messages()
        waiting = iter(inputs)
        upcoming = next(waiting, None)
        end = max(until, inputs[-1].at) if inputs else until
        fact, due = (None, None) if self.facts.nothing_comes(end) else self.facts.coming()
        reached: datetime | None = None
        while True:
            # An input may be later than `until`, and than this clock: whom it comes from has a clock of its own.
            if upcoming is not None and (due is None or upcoming.at <= due or due > self.now):
                reached = upcoming.at
                self.decision.begin_input(reached)
                self._take(upcoming)
                self.facts.saw(reached)
                upcoming = next(waiting, None)
            elif due is not None and (due <= until or upcoming is not None):
                self.decision.begin_input(due)
                self._pass_time(due, fact)
                self.facts.saw(due)
            else:
                break
            self._drain()
            self._reconsider_messages()
            fact, due = self.facts.coming()
            if due is not None and reached is not None and due < reached:
                due = reached  # a late event can show that a silence is over: at the instant that showed it
        del self.decision.gatekeeper  # it knows the decision: what refers to itself dies only when Python looks for it
        return due

    # --- time ---------------------------------------------------------------------------------------------------------

    def _set_timer(self, due: datetime | None) -> None:
        """One timer a contact: an earlier one is set, a later one waits for the earlier to fire."""
        contact = self.contact
        if due is not None and (contact.timer_at is None or due < contact.timer_at):
            contact.timer_at = due
            self.effects.timers.append((contact.key, due))

    def _pass_time(self, due: datetime, fact: datetime | None) -> None:
        """Instructions; then facts, together, then one run (rule 1.4)."""
        if self.flows.instructions and self._follow(due):
            return
        if fact is not None and fact <= due:
            self._look_at_facts(due)
            return
        ready = [run for run in self.contact.runs if run.due_at is not None and run.due_at <= due]
        self.walker.wake(min(ready, key=self.flows.rank))

    def _look_at_facts(self, due: datetime) -> None:
        moving: list[Continuation] = []
        for run in self.contact.runs:
            if run.check_at is not None and run.check_at <= due:
                visit = self.walker.visit(run)
                case = self.walker.node(run).holding(visit)
                if case is None:
                    run.check_at = self.walker.node(run).check_at(visit)
                    self.effects.runs[run.id] = (self.contact.key, run)
                else:
                    moving.append((run, partial(self.walker.take, run, None, case)))
        if self.decision.judge is not None:
            self.decision.judge.due = due
            self.decision.compare()
        entered: set[str] = set()
        for timed, occasion in self.facts.take(due):
            if timed.published.id not in entered:
                entered.add(timed.published.id)
                moving.extend(self._offer(timed.published, timed.place, occasion.properties, []))
        self._walk(moving)

    def _follow(self, due: datetime) -> bool:
        """Follow the earliest instruction up to an instant; whether there was one."""
        pending = [(one, run) for run in self.contact.runs if (one := next(self.flows.pending(run), None)) is not None]
        at = min((one.at for one, _ in pending), default=None)
        if at is None or at > due:
            return False
        moving = [(run, follow(self.walker, run, one)) for one, run in pending if one.at == at]
        self._walk([(run, go_on) for run, go_on in moving if go_on is not None])
        return True

    # --- inputs -------------------------------------------------------------------------------------------------------

    def _take(self, item: Input | Absorb) -> None:
        if isinstance(item, Event):
            self._receive(item)
        elif isinstance(item, Identify):
            self._identify(item)
        elif isinstance(item, Appear):
            self._appear(item)
        elif isinstance(item, SetTags):
            self._exist(not item.imported, item.at)
            self.decision.change_tags(item.add, item.remove, announced=not item.imported)
            self._after_change(item.imported)
        elif isinstance(item, SetTopics):
            self._exist(True, item.at)
            for topic, consent in self.decision.change_topics(item.topics):
                self.decision.make("Subscribed" if consent else "Unsubscribed", {"topic": topic})
            self._after_change(imported=False)
        elif isinstance(item, Enroll):
            self._enroll(item)
        elif isinstance(item, Remove):
            for run in [run for run in self.contact.runs if run.active and run.id == item.run]:
                self.walker.exit(run, "removed")
        elif isinstance(item, MessageFailed):
            self._lose(item)
        elif isinstance(item, Reply):
            self._answer(item)
        elif isinstance(item, Move):
            runs = [run for run in self.contact.runs if run.active and run.id == item.run]
            self._walk([(run, partial(self.walker.move, run, item.node, item.version, item.at)) for run in runs])
        elif isinstance(item, AddressTurned | MessageRetried) and self.contact.exists:
            learn(self.walker, item)
            self._after_change(isinstance(item, AddressTurned) and item.imported)
        elif isinstance(item, Forget):
            self._forget()
        elif isinstance(item, Absorb):
            absorb(self.walker, item.other, guarded=item.guarded)
            self._walk(self._reconsider())

    def _forget(self) -> None:
        """Runs leave, what is queued is withdrawn, and the contact is nobody again (rule 7.1)."""
        for run in self._ranked(self.contact.runs):
            if run.active:
                self.walker.exit(run, "contact_deleted")
            else:
                self.walker.withdraw(run, "contact_deleted")
        self.contact.forget()
        self.decision.view.fresh.clear()
        self.effects.forgotten.append(self.contact.key)

    def _exist(self, announced: bool, at: datetime, created_at: datetime | None = None) -> None:
        if not self.contact.exists:
            self.decision.create(created_at or self.now, announced)
            self._arrive(at, announced)

    def _arrive(self, at: datetime, announced: bool) -> None:
        """A contact that is new has no part in what was there before it: firings, and invitations to members."""
        self.facts.pass_over(at)
        for invitation in self.flows.invitations:
            if announced or at > invitation.armed_at:
                self.contact.fired[invitation.key] = invitation.armed_at

    def _repeated(self, message_id: str | None) -> bool:
        """Rule 1.5."""
        if message_id is None:
            return False
        key = (self.contact.key, message_id)
        if key in self.effects.seen or self.memory.seen(*key):
            return True
        self.effects.seen[key] = self.now
        return False

    def _meet(self, known: bool, guarded: bool) -> None:
        """The contact was named: by its user id or not, by a browser or by a server."""
        if known:
            self.contact.known = True
            self.contact.server = self.contact.server or not guarded

    def _receive(self, event: Event) -> None:
        self._meet(event.known, event.guarded)
        if self._repeated(event.message_id):
            return
        self._exist(not event.imported, event.at, event.occurred_at if event.imported else None)
        if event.occurred_at > event.at + CLOCK_TOLERANCE:  # rule 1.10
            claimed = event.occurred_at
            event = Event(
                event.at, event.name, event.at, event.properties, event.message_id, claimed, False, event.imported
            )
        if event.name in ENGAGEMENT:
            event = belonging(self.decision, event)
        if event.imported:
            store(self.decision, self.flows, event)
            apply_consent(self.decision, event)
            self.facts.forget_silences(event)
            self._after_change(imported=True)
        else:
            self._step(event)

    def _identify(self, item: Identify) -> None:
        self._meet(item.known, item.guarded)
        self.contact.server = self.contact.server or not item.guarded
        if self._repeated(item.message_id):
            return
        self._exist(not item.imported, item.at, item.occurred_at)
        guarded: Collection[str] = GUARDED if item.guarded and self.contact.server else ()
        changes = [((name,), value) for name, value in item.attributes.items() if name not in guarded]
        self.decision.set_attributes(changes, announced=not item.imported)
        self._after_change(item.imported)

    def _appear(self, item: Appear) -> None:
        """A row of a contacts file; one that an event made before keeps its time of creation."""
        self._meet(item.known, guarded=False)
        new = not self.contact.exists and item.created_at is not None
        if new and item.created_at is not None:
            self.decision.create(item.created_at, announced=item.announced)
            self._arrive(item.at, item.announced)
        self.decision.set_attributes([((name,), value) for name, value in item.attributes.items()], announced=False)
        self.decision.change_tags(item.tags, (), announced=False)
        take_over(self.decision, item)
        self.decision.compare(silently=not (new and item.announced))
        self._welcome_members()

    def _enroll(self, item: Enroll) -> None:
        published = self.flows.current.get(item.journey) if self.contact.exists else None
        if published is not None and self.flows.states.get(item.journey) == "live":
            self._walk(self._offer(published, None, item.properties, []))

    def _lose(self, item: MessageFailed) -> None:
        for run in self.contact.runs:
            if any(message.id == item.message for message in run.queued):
                self.walker.lose(run, item.message)
        self.decision.view.correspondence.withdraw(item.message)
        self.decision.messages_changed()
        self.walker.ask_again({item.channel})

    def _answer(self, reply: Reply) -> None:
        """A reply to a call that nobody waits for any more is dropped."""
        for run in self.contact.runs:
            if run.id == reply.run and run.standing and run.held is None:
                if (reply.node, reply.visit) == (run.called_as or (run.node, self.walker.visit(run).number)):
                    self._walk([(run, partial(self.walker.answer, run, reply))])
                return

    # --- one event, step by step (chapter 2) --------------------------------------------------------------------------

    def _step(self, event: Event) -> None:
        store(self.decision, self.flows, event)  # 2.1
        turned = apply_consent(self.decision, event)
        self.decision.compare()
        too_old = not event.own and event.at - event.occurred_at > self.flows.library.workspace.max_event_age
        if too_old:
            self.facts.forget_silences(event)
        moving: list[Continuation] = []
        if self.contact.runs:
            if event.name in self.flows.ending:
                runs = self._ranked(self.contact.runs)
                for run in runs:  # 2.2
                    exit_on(self.walker, run, event)
                for run in runs:  # 2.3
                    convert(self.walker, run, event)
            if not too_old:
                moving = self._reconsider(event)  # 2.4
        if too_old:
            self._check_all_again()
            return
        entrances = self.flows.listening(event.name, event.own)
        if entrances:
            moving.extend(self._enter(event, entrances, turned))  # 2.5
        self._walk(moving)  # 2.6

    def _ranked(self, runs: list[Run]) -> list[Run]:
        """A list of its own, in the order of rule 1.4."""
        return sorted(runs, key=self.flows.rank) if len(runs) > 1 else [*runs]

    def _reconsider_messages(self) -> None:
        """What was queued or withdrawn may be what another run waits for; who moves may queue more."""
        correspondence = self.decision.view.correspondence
        while correspondence.changed and self.flows.awaits_messages:
            correspondence.changed = False
            self._walk(self._reconsider())
            self._drain()

    def _drain(self) -> None:
        """Rule 2.7: the events the engine made, and the runs that nodes began, in order.

        Then waits that look at journeys look again (rule 4.6).
        """
        decision = self.decision
        while True:
            decision.compare()
            if decision.made:
                made = decision.made.popleft()
                if isinstance(made, Run):
                    self._walk([(made, partial(self.walker.begin, made))])
                elif made.heard:
                    self._step(made)
                else:
                    store(decision, self.flows, made)
            elif decision.moved_journeys and self.flows.followed:
                decision.moved_journeys = False
                self._walk(self._reconsider())
            else:
                return

    def _reconsider(self, event: Event | None = None) -> list[Continuation]:
        """Waiting runs look at the event, and at what has changed (rules 2.4, 4.5, 4.6)."""
        moving: list[Continuation] = []
        for run in self.contact.runs:
            if not run.standing or run.held is not None or not run.active or not self.walker.node(run).watching:
                continue
            node, visit = self.walker.node(run), self.walker.visit(run)
            case = node.holding(visit) if event is None else node.takes(visit, event)
            if case is not None:
                moving.append((run, partial(self.walker.take, run, event, case)))
            elif node.follow(visit) is not None:
                moving.append((run, partial(self.walker.follow, run)))
            else:
                self._check_again(run)
        return moving

    def _after_change(self, imported: bool) -> None:
        """Waiting runs look at what has changed; at history they don't (rule 1.11)."""
        if imported:
            self.decision.compare(silently=True)
            self._check_all_again()
        else:
            self.decision.compare()
            self._walk(self._reconsider())

    def _check_all_again(self) -> None:
        """What moved nobody may yet have changed when time alone will."""
        for run in self.contact.runs:
            if run.standing and run.held is None:
                self._check_again(run)

    def _check_again(self, run: Run) -> None:
        check_at = self.walker.node(run).check_at(self.walker.visit(run))
        if check_at != run.check_at:
            run.check_at = check_at
            self.effects.runs[run.id] = (self.contact.key, run)

    def _enter(self, event: Event, entrances: list[Entrance], turned: Turned) -> list[Continuation]:
        begun: list[Continuation] = []
        matched: set[str] = set()
        view = self.decision.view.of(None, event.properties, None)
        for published, place, trigger in entrances:
            if published.id in matched:
                continue
            if view.timezone != published.journey.timezone:
                view = self.decision.view.of(None, event.properties, published.journey.timezone)
            because: Because = []
            if isinstance(trigger, TopicTrigger):
                if trigger.topic in turned:
                    matched.add(published.id)
                    properties: dict[str, JSON] = {**event.properties, "topic": trigger.topic}
                    begun.extend(self._offer(published, place, properties, because))
            elif trigger.fits(event, view, f"triggers[{place}]", because):  # silently, where not (rule 3.1)
                matched.add(published.id)
                begun.extend(self._offer(published, place, event.properties, because, view))
        return begun

    def _offer(
        self,
        published: Published,
        index: int | None,
        properties: dict[str, JSON],
        because: Because,
        view: View | None = None,
    ) -> list[Continuation]:
        doorman = Doorman(self.decision, self.walker)
        run = doorman.carry_out(doorman.judge(published, index, properties, because, view))
        return [] if run is None else [(run, partial(self.walker.begin, run))]

    def _walk(self, moving: list[Continuation]) -> None:
        """Rule 2.6, in the order of 1.4."""
        if len(moving) > 1:
            moving.sort(key=lambda item: self.flows.rank(item[0]))
        for run, go_on in moving:
            if run.active:
                go_on()

    # --- what the journeys' states ask for ----------------------------------------------------------------------------

    def _tidy_runs(self) -> None:
        """Runs that have ended go, as soon as neither a goal nor a withdrawal can concern them."""
        runs, now = self.contact.runs, self.now
        for run in runs:
            if run.ended_at is not None and not run.concerned(now):
                self.contact.runs = [one for one in runs if one.active or one.concerned(now)]
                return

    def _meet_flows(self) -> None:
        """The contact is handled by these flows for the first time, or loaded anew.

        Runs of archived journeys leave; runs that nothing holds any more are released (rules 8.2, 8.3). How those go on
        that a pause held is :meth:`_follow`'s affair, until all have followed its end.
        """
        self.contact.reckoned.clear()
        if self.contact.exists:
            if self.decision.judge is not None:
                self.decision.judge.settle()
            if self.flows.invitations:
                self._welcome_members()
        states = self.flows.states
        unsettled = [run for run in self.contact.runs if run.held is not None or states.get(run.journey) == "archived"]
        for run in self._ranked([run for run in unsettled if run.active]):
            if not run.active:  # what another of them did has ended it
                continue
            if states.get(run.journey) == "archived":
                self.decision.begin_input(self.now)
                self.walker.exit(run, "archived")
                self._drain()
            elif run.held is not None and run.due_at is None and not self.walker.is_held(run):
                self.decision.begin_input(self.now)
                self.walker.release(run)
                self._drain()

    def _welcome_members(self) -> None:
        """Who was in a segment when a trigger with ``include_members`` was published is let in, once."""
        for invitation in self.flows.invitations:
            armed_at = invitation.armed_at
            if invitation.key in self.contact.fired or not self.contact.exists or self.now < armed_at:
                continue
            if self.flows.states.get(invitation.published.id) != "live":
                continue
            self.contact.fired[invitation.key] = armed_at
            if self.decision.view.in_segment(invitation.segment):
                self.decision.begin_input(armed_at)
                properties: dict[str, JSON] = {"segment": invitation.segment}
                self._walk(self._offer(invitation.published, invitation.place, properties, []))
                self._drain()
