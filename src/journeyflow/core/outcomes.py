"""What an event does to runs wherever they are: it ends them, or is their goal (rules 2.2, 2.3, 7.2 and 7.3)."""

from __future__ import annotations

from datetime import timedelta

from journeyflow.core.conditions import Because
from journeyflow.core.contact import Run
from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON, Missing, iso, look_up, parse_path
from journeyflow.core.walk import Walker


def exit_on(walker: Walker, run: Run, event: Event) -> None:
    """An event of ``exit_on`` ends the run, or withdraws what a run that has ended queued (rules 2.2, 7.2)."""
    decision = walker.decision
    if not run.active and not run.queued:
        return
    journey = walker.flows.of(run).journey
    for index, match in enumerate(journey.exit_on):
        if match.event != event.name:
            continue
        because: Because = []
        view = decision.view.of(run, event.properties, journey.timezone)
        if match.where is not None and not match.where.holds(view, f"exit_on[{index}].where", because):
            continue
        if not run.active:
            walker.withdraw(run, "exit_on")
            return
        detail: dict[str, JSON] = {"because": because} if because else {}
        if decision.now - event.occurred_at > timedelta(seconds=1):
            detail["occurred_at"] = iso(event.occurred_at)
        walker.exit(run, "exit_on", detail)
        return


def convert(walker: Walker, run: Run, event: Event) -> None:
    """Rule 7.3."""
    decision = walker.decision
    journey = walker.flows.of(run).journey
    goal = journey.goal
    if goal is None or run.converted or goal.event != event.name:
        return
    if goal.within is not None and decision.now > run.entered_at + goal.within:
        return
    because: Because = []
    view = decision.view.of(run, event.properties, journey.timezone)
    if goal.where is not None and not goal.where.holds(view, "goal.where", because):
        return
    run.converted = True
    value = None if goal.value is None else look_up(event.properties, parse_path(goal.value))
    detail: dict[str, JSON] = {
        "value": None if isinstance(value, Missing) else value,
        "since_message": run.last_message,
    }
    if because:
        detail["because"] = because
    decision.record(run, "converted", detail, None, None)
    kind = "holdout_converted" if run.status == "holdout" else "converted"
    decision.count(run.journey, run.version, "", kind)
