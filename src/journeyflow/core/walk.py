"""Moving one run along its graph (semantics, chapters 4 and 7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeGuard

from journeyflow.core.conditions import Because
from journeyflow.core.contact import Run
from journeyflow.core.decision import CHAIN_MAX, Decision
from journeyflow.core.flows import Flows, Published
from journeyflow.core.inputs import Event, Reply
from journeyflow.core.journey import Journey
from journeyflow.core.nodes.base import ActionNode, Case, Go, Leave, Move, Node, Stand, Stay, Visit
from journeyflow.core.values import JSON, iso

STEPS_MAX: Final = 100
"""So many node visits of a run at one instant; then it exits (rule 4.9)."""
WITHDRAWABLE: Final = timedelta(hours=36)
"""For so long after a run's end a message of it may still be in the outbox."""
FOR_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
Cause = Literal["timer", "event", "condition", "reply", "timeout"]


def _leads_on(to: str | None) -> TypeGuard[str]:
    return to is not None and to != "end"


class Walker:
    """Moves the runs of one contact within one decision."""

    __slots__ = ("_journey", "_passing", "_run", "_visit", "decision", "flows")

    def __init__(self, decision: Decision, flows: Flows) -> None:
        self.decision = decision
        self.flows = flows
        self._run: Run | None = None
        self._journey: Journey | None = None
        self._visit: Visit | None = None
        self._passing: Run | None = None

    def journey(self, run: Run) -> Journey:
        """The journey that a run is on, in its version."""
        if run is not self._run or self._journey is None:
            self._run, self._journey = run, self.flows.of(run).journey
        return self._journey

    # --- leaving ------------------------------------------------------------------------------------------------------

    def exit(self, run: Run, reason: str, detail: dict[str, JSON] | None = None, *, withdraws: bool = True) -> None:
        """The run leaves for a reason; what it queued and is not yet sending is withdrawn (rule 7.2).

        Not so where an ``end`` node gives the reason: what the run sent on its way there is meant to go out.
        """
        self._stop_standing(run)
        self._record_end(run, "exited", {"reason": reason, **(detail or {})})
        self._end(run, "exited", reason)
        if withdraws:
            self.withdraw(run, reason)

    def withdraw(self, run: Run, reason: str) -> None:
        """Take back what the run queued, as far as it is not being sent."""
        decision = self.decision
        run.last_message = None  # one that is withdrawn caused nothing (rule 7.3)
        freed: set[str] = set()
        for message in run.queued:
            if not decision.memory.still_queued(decision.contact.key, message.id):
                run.last_message = message.id
            else:
                decision.effects.withdrawn.append((decision.contact.key, message.id))
                decision.view.correspondence.withdraw(message.id)
                decision.messages_changed()
                freed.add(message.channel)
                detail: dict[str, JSON] = {
                    "channel": message.channel,
                    "template": message.template,
                    "to": message.to,
                    "outcome": "cancelled",
                    "reason": reason,
                }
                decision.record(run, "message", detail, message.node, message.channel)
        run.queued = []
        self.ask_again(freed)

    def ask_again(self, channels: set[str]) -> None:
        """Messages of these channels that wait for a cap ask again at once: a place in it is free (rule 5.9)."""
        if not channels:
            return
        for run in self.decision.contact.runs:
            waits = run.active and run.deferred_at is not None and run.due_at is not None and run.held is None
            if waits and self.node(run).type in channels:
                run.due_at = self.decision.now
                self.decision.effects.runs[run.id] = (self.decision.contact.key, run)

    def lose(self, run: Run, message: str) -> None:
        """A message of the run failed before it was sent: it caused nothing (rule 7.3), nor can it be withdrawn."""
        run.queued = [one for one in run.queued if one.id != message]
        if run.last_message == message:
            run.last_message = run.queued[-1].id if run.queued else None
        self.decision.effects.runs[run.id] = (self.decision.contact.key, run)

    def _complete(self, run: Run) -> None:
        self._record_end(run, "completed", {})
        self._end(run, "completed", None)

    def _record_end(self, run: Run, kind: str, detail: dict[str, JSON]) -> None:
        type_ = None if run.node is None else self.node(run).type
        self.decision.record(run, kind, detail, run.node, type_)

    def _end(self, run: Run, status: Literal["completed", "exited"], reason: str | None) -> None:
        run.status, run.reason, run.ended_at = status, reason, self.decision.now
        run.node = run.due_at = run.check_at = run.held = run.held_at = run.moved_from = None
        run.open_until = self.open_until(run)
        self._count(run, status if reason is None else f"{status}:{reason}")
        self.decision.journey_changed(run.journey)
        self.decision.compare()

    def open_until(self, run: Run) -> datetime | None:
        """Until when a goal or a withdrawal can concern a run that has ended, or was held out."""
        goal = self.journey(run).goal
        until = self.decision.now + WITHDRAWABLE if run.queued else None
        if goal is None or run.converted:
            return until
        end = FOR_EVER if goal.within is None else run.entered_at + goal.within
        return end if until is None else max(end, until)

    def _count(self, run: Run, kind: str, node: str = "", by: int = 1) -> None:
        self.decision.count(run.journey, run.version, node, kind, by)

    # --- by hand ------------------------------------------------------------------------------------------------------

    def move(self, run: Run, to: str, version: int | None, at: datetime) -> None:
        """The run goes to a node, wherever it stood; where there is no such node (any more) it stays.

        :param at: when this was asked for: what was asked of all runs before has been followed.
        """
        version = run.version if version is None else version
        published = self.flows.versions.get((run.journey, version))
        if published is None or to not in published.journey.nodes:
            return
        self._stop_standing(run)
        run.held, run.left, run.followed_at = None, {}, at
        self._transfer(run, to, version)
        self._walk(run, Go(to))

    def migrate(self, run: Run, to: str, version: int, at: datetime) -> None:
        """The run goes to a node of another version, and keeps the time that it has waited (rule 8.4).

        Where it waits at a node of the same type it stays standing; where a pause holds it, it stays held. Else it
        comes to the node as runs come to nodes.

        :param at: the instant at which all runs do so.
        """
        before, was = self.node(run), self.visit(run)
        since = run.steps_at or run.entered_at
        stay = Stay(was.name, was.number, since, run.awaited, run.left.get(was.name) == since)
        waits = run.held is None or run.held == "wait"
        if waits and self._may_stay(before, to, self.flows.versions[run.journey, version], was.name):
            self._transfer(run, to, version)
            self._take_over(run, stay, at)
        elif run.held is None or (run.held == "hold" and run.due_at is None):
            self._stop_standing(run)
            run.held = None
            self._transfer(run, to, version)
            self._walk(run, Go(to))
        else:
            self._transfer(run, to, version)
            self._keep_held(run, to)

    def _may_stay(self, node: Node, to: str, published: Published, name: str) -> bool:
        """Whether who stands at a node stands on at one of another version, and does not come before it.

        Before a node on hold that has another name it comes, unless it only waits there.
        """
        other = published.journey.nodes[to]
        return type(node) is type(other) and not (other.action and to != name and self._is_on_hold(published, to))

    def _transfer(self, run: Run, to: str, version: int) -> None:
        """The run is at a node of another version; where it stands, it stands there."""
        came_from, from_version = run.node, run.version
        if run.standing and came_from is not None:
            self._count(run, "waiting", came_from, -1)
        run.node, run.version = to, version
        if run.standing:
            self._count(run, "waiting", to)
        self._run = self._visit = None  # what is remembered of the run is of its version before
        self.visit(run).record("moved", {"from": came_from, "to": to, "from_version": from_version})

    def _take_over(self, run: Run, stay: Stay, at: datetime) -> None:
        """The run stands on, at a node of the same type as before."""
        visit = self.visit(run)
        if visit.name != stay.node:
            run.visits[visit.name] = run.visits.get(visit.name, 0) + 1
            self._count(run, "visits", visit.name)
            visit = self.visit(run)
        move = visit.node.take_over(visit, stay)
        if isinstance(move, Stand):
            self._stand_on(run, move, at, back=stay.back)
        elif run.held is not None and isinstance(move, Go) and _leads_on(move.to):
            self._keep_held(run, move.to)
        elif run.held is not None and not visit.node.action and not _leads_on(visit.node.next):
            self._record_waiting(run, run.due_at, "paused")  # it completes here, but not while it is held
        else:
            self._stop_standing(run)
            run.held = None
            self._walk(run, move)

    def _keep_held(self, run: Run, before: str) -> None:
        """A run that a pause holds is held before a node, and goes on when it was to."""
        assert run.node is not None
        self._count(run, "waiting", run.node, -1)
        run.node, run.held, run.moved_from = before, "node", None
        self._count(run, "waiting", before)
        self._record_waiting(run, run.due_at, "paused")

    def _stand_on(self, run: Run, stand: Stand, at: datetime, *, back: bool) -> None:
        """What the run waits for comes later by the length of pauses that were added to it; or it is over at ``at``."""
        due_at = run.due_at if run.held is None else run.held_at
        until, added = stand.until, timedelta()
        if due_at is not None and run.moved_from is not None:
            added = due_at - run.moved_from
        run.moved_from = until if added else None
        if until is not None:
            until = min(until, FOR_EVER - added) + added
        over = until is not None and until <= at
        if over and (run.held is not None or self.flows.paused(run)):
            if run.held is None:
                run.held, run.due_at, run.check_at = "wait", None, None
            run.held_at = until
            self._record_waiting(run, run.due_at, "paused")
            return
        run.held = run.held_at = None
        run.due_at, run.check_at = at if over else until, stand.check_at
        if not over:
            self._record_waiting(run, until, stand.reason)
        case = None if back else self.node(run).holding(self.visit(run))
        if case is not None:
            self.take(run, None, case)

    # --- waking -------------------------------------------------------------------------------------------------------

    def wake(self, run: Run) -> None:
        """The instant that the run waited for has come; on a paused journey it is held instead (rule 8.2)."""
        if self.flows.paused(run):
            self._hold(run)
            return
        if run.held is not None:
            self.release(run)
            return
        visit = self._leave_wait(run, self.node(run).woken_by)
        if visit is not None:
            self._walk(run, self._wake(visit))

    def _wake(self, visit: Visit) -> Move:
        return self._act(visit) if visit.node.acts_when_woken else visit.node.wake(visit)

    def is_held(self, run: Run) -> bool:
        """Whether what holds a standing run still does: its journey is paused, or its node has ``hold``."""
        return self.flows.paused(run) or (run.held == "hold" and self._on_hold(run, run.node or ""))

    def _hold(self, run: Run) -> None:
        if run.held is None:
            run.held, run.held_at = "wait", run.due_at
        run.due_at = run.check_at = None  # its timer is taken: what it waited for is over
        self._record_waiting(run, None, "paused")

    def postpone(self, run: Run, until: datetime, reason: str | None = None) -> None:
        """A run waits, or is held, until another instant than it did."""
        if run.held is None and run.moved_from is None:
            run.moved_from = run.due_at
        run.due_at = until
        self._record_waiting(run, until, reason)

    def release(self, run: Run, *, past_messages: bool = False) -> None:
        """What held a run does so no more: it goes on.

        :param past_messages: messages that it comes to before it next waits would be late, and are passed over.
        """
        self._passing = run if past_messages else None
        self._release(run)
        self._passing = None

    def _release(self, run: Run) -> None:
        held, run.held = run.held, None
        came_from = run.left.get(run.node or "")
        visit = self._leave_wait(run, self.node(run).woken_by if held == "wait" else "timer")
        if visit is None:
            return
        if held == "wait":
            self._walk(run, self._wake(visit))
            return
        if came_from is None:  # it never was at the node, so it does not come back to it (rule 4.9)
            del run.left[visit.name]
        else:
            run.left[visit.name] = came_from
        self._walk(run, Go(visit.name))

    def take(self, run: Run, event: Event | None, case: Case) -> None:
        """A waiting run takes a case of its ``wait_for``."""
        if event is not None and case.by_event:
            run.event = event.properties
        visit = self._leave_wait(run, "event" if case.by_event else "condition")
        if visit is not None:
            self._walk(run, visit.node.taken(visit, case))

    def answer(self, run: Run, reply: Reply) -> None:
        """What became of the call that the run waits for."""
        visit = self._leave_wait(run, "reply")
        if visit is not None:
            self._walk(run, visit.node.answered(visit, reply))

    def follow(self, run: Run) -> None:
        """A run that waits for an attribute's date follows the attribute (rule 4.5)."""
        move = self.node(run).follow(self.visit(run))
        if isinstance(move, Stand):
            run.due_at, run.moved_from = move.until, None
            self._record_waiting(run, move.until, move.reason)
        elif move is not None and self._leave_wait(run, "condition") is not None:
            self._walk(run, move)

    def _leave_wait(self, run: Run, cause: Cause) -> Visit | None:
        """``resumed``, then ``stay_if``; ``None`` where the run exits by it."""
        self._stop_standing(run)
        visit = self.visit(run)
        visit.record("resumed", {"by": cause})
        visit.mark_left()
        return visit if self._stays(visit) else None

    def _stop_standing(self, run: Run) -> None:
        if run.standing and run.node is not None:
            self._count(run, "waiting", run.node, -1)
        run.standing = False
        run.due_at = run.check_at = run.held_at = run.moved_from = run.called_as = None

    # --- walking ------------------------------------------------------------------------------------------------------

    def begin(self, run: Run) -> None:
        """A new run takes its first step."""
        self.decision.compare()
        self._walk(run, Go(self.journey(run).start))

    def _walk(self, run: Run, move: Move) -> None:
        while run.active:
            if isinstance(move, Stand):
                self._stand(run, move)
                return
            if isinstance(move, Leave):
                if move.reason is None:
                    self._complete(run)
                else:
                    self.exit(run, move.reason, withdraws=False)  # the end of its own way, as a completion is
                return
            if move.to is None or move.to == "end":
                self._note_passage(run, "end")
                self._complete(run)
                return
            entered = self._enter(run, move.to)
            if entered is None:
                return
            move = entered

    def _enter(self, run: Run, name: str) -> Move | None:
        """Visit the next node; ``None`` where the run was held or has left."""
        if self.flows.paused(run):
            run.held_at = self.decision.due or self.decision.now
            self._stand_before(run, name, "node", "paused")
            return None
        if self._on_hold(run, name):
            self._stand_before(run, name, "hold", "hold")
            return None
        if not self._may_step(run):
            self.decision.effects.alerts.append(
                f"journey {run.journey}, run {run.id}: {STEPS_MAX} node visits at one instant, stopped before {name}"
            )
            self.exit(run, "end:loop")
            return None
        self._note_passage(run, name)
        run.node = name
        run.deferred_at = None
        run.visits[name] = run.visits.get(name, 0) + 1
        self._count(run, "visits", name)
        visit = self.visit(run)
        if not visit.node.action:
            return visit.node.enter(visit)
        return self._act(visit) if self._stays(visit) else None

    def _note_passage(self, run: Run, name: str, *, held: bool = False) -> None:
        passages = self.decision.effects.passages
        if passages is not None:
            passages.note(run, name, held)

    def _act(self, visit: Visit) -> Move:
        """An action, unless its ``only_if`` says no (rule 4.2)."""
        node = visit.node
        if isinstance(node, ActionNode) and node.only_if is not None:
            because: Because = []
            if not node.only_if.holds(visit.view, visit.path("only_if"), because):
                visit.record("skipped", {"reason": "only_if", "because": because})
                return Go(node.next)
        if node.sends and visit.run is self._passing:
            visit.record("skipped", {"reason": "past"})
            return Go(node.next)
        dropped = self.decision.dropped
        move = node.enter(visit)
        self.decision.compare()
        if self.decision.dropped > dropped:
            visit.record("failed", {"error": f"more than {CHAIN_MAX} events in a chain; the rest was dropped"})
        return move

    def _stand_before(self, run: Run, name: str, held: Literal["node", "hold"], reason: str) -> None:
        """The run stands before a node that it has not visited yet."""
        self._note_passage(run, name, held=True)
        run.node, run.held = name, held
        run.standing = True
        self._count(run, "waiting", name)
        self._record_waiting(run, None, reason)

    def _may_step(self, run: Run) -> bool:
        if run.steps_at != self.decision.now:
            run.steps_at, run.steps = self.decision.now, 0
        run.steps += 1
        return run.steps <= STEPS_MAX

    def _stand(self, run: Run, stand: Stand) -> None:
        run.standing = True
        run.due_at, run.check_at = stand.until, stand.check_at
        assert run.node is not None
        self._count(run, "waiting", run.node)
        self._record_waiting(run, stand.until, stand.reason)

    def _record_waiting(self, run: Run, until: datetime | None, reason: str | None) -> None:
        assert run.node is not None
        detail: dict[str, JSON] = {"until": None if until is None else iso(until)}
        if reason is not None:
            detail["reason"] = reason
        self.decision.record(run, "waiting", detail, run.node, self.node(run).type)

    def ask_to_stay(self, run: Run) -> None:
        """A standing run is asked whether it may stay, though nothing has woken it (rule 10.3)."""
        self._stays(self.visit(run))

    def _stays(self, visit: Visit) -> bool:
        """Rule 4.1."""
        condition = self.journey(visit.run).stay_if
        if condition is None or condition.holds(visit.view):
            return True
        because: Because = []
        condition.holds(visit.view, "stay_if", because)
        self.exit(visit.run, "stay_if", {"because": because})
        return False

    # --- looking ------------------------------------------------------------------------------------------------------

    def _on_hold(self, run: Run, name: str) -> bool:
        """Whether a node is on hold: as the newest version says, where that still has the node."""
        return run.journey in self.flows.holding and self._is_on_hold(self.flows.of(run), name)

    def _is_on_hold(self, published: Published, name: str) -> bool:
        newest = self.flows.current.get(published.id)
        node = None if newest is None else newest.journey.nodes.get(name)
        return (published.journey.nodes[name] if node is None else node).hold

    def node(self, run: Run) -> Node:
        """The node at which a run is."""
        assert run.node is not None
        return self.journey(run).nodes[run.node]

    def visit(self, run: Run) -> Visit:
        """The present visit of a run to its node."""
        assert run.node is not None
        if self._visit is not None and self._visit.run is run:
            return self._visit.move(run.node)
        journey = self.journey(run)
        self._visit = Visit(self.decision, run, run.node, journey.nodes, journey.timezone)
        return self._visit
