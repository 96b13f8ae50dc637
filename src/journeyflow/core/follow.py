"""How a run follows what operators ask of all runs of its journey (rules 8.2 and 8.4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from journeyflow.core.contact import Run
from journeyflow.core.flows import Published
from journeyflow.core.instructions import Instruction, Migration
from journeyflow.core.nodes.coupon import CouponNode
from journeyflow.core.resume import resume
from journeyflow.core.walk import Walker


def follow(walker: Walker, run: Run, instruction: Instruction) -> Callable[[], None] | None:
    """A run follows an instruction, once; where it moves by it, that is what is returned."""
    run.followed_at = instruction.at
    walker.decision.effects.runs[run.id] = (walker.decision.contact.key, run)
    if isinstance(instruction, Migration):
        return partial(_migrate, walker, run, instruction)
    return resume(walker, run, instruction)


def _migrate(walker: Walker, run: Run, migration: Migration) -> None:
    """A run that stands where nobody could stand when the places were given stays on its version."""
    place = migration.place(run.node or "")
    published = walker.flows.versions.get((run.journey, migration.version))
    if place is None:
        walker.exit(run, "migrated")
    elif published is not None and place in published.journey.nodes:
        _keep_promises(walker, run, migration, published)
        walker.migrate(run, place, migration.version, migration.at)
    else:
        walker.decision.effects.alerts.append(
            f"journey {run.journey}, run {run.id}: stays on version {run.version}, since version {migration.version} "
            f"has no place for {run.node}"
        )


def _keep_promises(walker: Walker, run: Run, migration: Migration, published: Published) -> None:
    """A code that a coupon node was to give and did not is missing under the node's new name as well (rule 5.1)."""
    before, after = walker.journey(run).nodes, published.journey.nodes
    for name, place in migration.places.items():
        if place in after and name in run.visits and isinstance(before.get(name), CouponNode):
            run.visits.setdefault(place, run.visits[name])
