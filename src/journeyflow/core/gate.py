"""What the nodes ``enroll`` and ``remove`` do to the contact's other journeys (rule 2.7)."""

from __future__ import annotations

from collections.abc import Callable

from journeyflow.core.decision import Decision
from journeyflow.core.entry import Doorman
from journeyflow.core.values import JSON
from journeyflow.core.walk import Walker


class Gate:
    """Lets a contact into journeys and takes it out; see :class:`journeyflow.core.decision.Gatekeeper`."""

    __slots__ = ("decision", "walker")

    def __init__(self, decision: Decision, walker: Walker) -> None:
        self.decision = decision
        self.walker = walker

    def enroll(self, journey: str, properties: dict[str, JSON], told: Callable[[bool], None]) -> None:
        """Let the contact in, if the journey does."""
        flows = self.walker.flows
        published = flows.current.get(journey)
        if published is None or flows.states.get(journey) != "live":
            told(False)
            return
        doorman = Doorman(self.decision, self.walker)
        verdict = doorman.judge(published, None, properties, [])
        admitted = verdict.refusal is None and self.decision.lengthen_chain(f"enroll {journey}")
        told(admitted)
        if admitted or verdict.refusal is not None:
            run = doorman.carry_out(verdict)
            if run is not None:
                self.decision.made.append(run)

    def remove(self, journey: str, properties: dict[str, JSON] | None, told: Callable[[bool], None]) -> None:
        """End the contact's runs of the journey; with properties, those of the key that they make."""
        flows = self.walker.flows
        runs = [run for run in self.decision.contact.runs if run.active and run.journey == journey]
        published = flows.current.get(journey)
        if runs and properties is not None and published is not None:
            key = Doorman(self.decision, self.walker).key(published, properties)
            runs = [run for run in runs if run.key == key]
        removed = bool(runs) and self.decision.lengthen_chain(f"remove {journey}")
        told(removed)
        for run in sorted(runs, key=flows.rank) if removed else ():
            self.walker.exit(run, "removed")
