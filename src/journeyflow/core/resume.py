"""How the runs of a paused journey go on (rule 8.2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from journeyflow.core.contact import Run
from journeyflow.core.instructions import Resumption
from journeyflow.core.lottery import draw
from journeyflow.core.walk import FOR_EVER, Walker

LOT: Final = "resume"
"""What stands for the node where a run draws its place in a spread."""


def resume(walker: Walker, run: Run, resumption: Resumption) -> Callable[[], None] | None:
    """A run follows the end of a pause: its due time changes, or it moves, by what is returned.

    Where the journey was paused again meanwhile it stays held, and that pause's end decides.
    """
    if resumption.mode == "shift":
        return _shift(walker, run, resumption.at - resumption.paused_at)
    if run.held is None or walker.is_held(run):
        return None
    if resumption.mode == "over":
        walker.postpone(run, _place(walker, run, resumption), "paused")
        return None
    return partial(walker.release, run, past_messages=resumption.mode == "skip")


def _place(walker: Walker, run: Run, resumption: Resumption) -> datetime:
    """The same whenever it is asked for; over many runs evenly spread."""
    workspace = walker.decision.library.workspace.workspace
    lot = draw(workspace, run.journey, LOT, walker.decision.contact.key, run.id)
    return resumption.at + lot * resumption.over


def _shift(walker: Walker, run: Run, length: timedelta) -> Callable[[], None] | None:
    """What the run waited for comes later by the length of the pause; one that waits for nothing goes on."""
    was_held = run.held is not None and run.due_at is None
    if was_held and (run.held != "wait" or run.held_at is None):
        return None if walker.is_held(run) else partial(walker.release, run)
    if was_held:  # it waits on as if nothing had been
        run.due_at, run.held, run.held_at = run.held_at, None, None
    if run.due_at is None:
        return None
    walker.postpone(run, min(run.due_at, FOR_EVER - length) + length)
    return _look_up_again(walker, run) if was_held else None


def _look_up_again(walker: Walker, run: Run) -> Callable[[], None] | None:
    """While it was held the run looked at nothing that happened to its contact."""
    node, visit = walker.node(run), walker.visit(run)
    case = node.holding(visit)
    if case is not None:
        return partial(walker.take, run, None, case)
    run.check_at = node.check_at(visit)
    return partial(walker.follow, run) if node.follow(visit) is not None else None
