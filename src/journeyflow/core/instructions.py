"""What operators ask of all runs of a journey: each follows it once, at its place among what happens to its contact.

A run follows instructions in the order of their instants, whoever is first to touch its contact: a task, or anything
else that happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from journeyflow.core.contact import Run

ResumeMode = Literal["now", "over", "shift", "skip"]
EXIT: Final = "exit"
"""What stands for the node where a migration lets runs leave."""


class Resumption(NamedTuple):
    """The end of a pause, and how runs go on whose time came meanwhile (rule 8.2). ``over`` is for that mode alone."""

    journey: str
    at: datetime
    paused_at: datetime
    mode: ResumeMode
    over: timedelta = timedelta()

    def concerns(self, run: Run) -> bool:
        """Whether the run was there during the pause and has not followed its end yet."""
        return _is_to_follow(run, self.at)


class Migration(NamedTuple):
    """Runs of older versions go to a version (rule 8.4).

    ``places`` says by node where runs go that stand there: to a node, or, where it says ``None``, out of the journey.
    Without an entry they go to the node of the same name.
    """

    journey: str
    at: datetime
    version: int
    places: Mapping[str, str | None]

    def concerns(self, run: Run) -> bool:
        """Whether the run was on an older version, and has not followed yet."""
        return run.version < self.version and _is_to_follow(run, self.at)

    def place(self, node: str) -> str | None:
        """Where a run goes that stands at a node; ``None``: it leaves."""
        return self.places.get(node, node)


Instruction = Resumption | Migration


def _is_to_follow(run: Run, at: datetime) -> bool:
    """Whether the run was there at an instant, and has followed nothing since."""
    return run.entered_at < at and (run.followed_at is None or run.followed_at < at)
