"""What an event means for the runs of a contact: that they leave, or that their goal is reached (rules 2.2, 2.3)."""

from __future__ import annotations

from datetime import timedelta

from journeyflow.core.conditions import Because
from journeyflow.core.contact import Run
from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON, Missing, iso, look_up, parse_path
from journeyflow.core.walk import Walker


def exit_on(walker: Walker, run: Run, event: Event) -> None:
    """A run leaves by one of its journey's ``exit_on``; what an ended one queued is withdrawn (rule 7.2)."""
    if not run.active and not run.queued:
        return
    journey = walker.journey(run)
    for index, match in enumerate(journey.exit_on):
        if match.event != event.name:
            continue
        because: Because = []
        view = walker.decision.view.of(run, event.properties, journey.timezone)
        if match.where is not None and not match.where.holds(view, f"exit_on[{index}].where", because):
            continue
        if not run.active:
            walker.withdraw(run, "exit_on")
            return
        detail: dict[str, JSON] = {"because": because} if because else {}
        if walker.decision.now - event.occurred_at > timedelta(seconds=1):
            detail["occurred_at"] = iso(event.occurred_at)
        walker.exit(run, "exit_on", detail)
        return


def convert(walker: Walker, run: Run, event: Event) -> None:
    """A run's goal is reached, once (rule 7.3)."""
    decision = walker.decision
    journey = walker.journey(run)
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
