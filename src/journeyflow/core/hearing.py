"""Which changes of where a contact stands some journey can notice (rules 2.7 and 3.7).

``Segment Entered``, ``Segment Left`` and ``Stage Changed`` of what nobody listens to are written into the contact's
history and no more: they fire nothing, and are no link of a chain. So a simulation need not judge by them at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from journeyflow.core.conditions import Condition, EventCondition, leaves
from journeyflow.core.journey import Journey
from journeyflow.core.nodes.stage import StageNode
from journeyflow.core.standing import Standing, reads_stage, referred
from journeyflow.core.triggers import SegmentTrigger

SEGMENTS: Final = frozenset(["Segment Entered", "Segment Left"])
STAGES: Final = "Stage Changed"


def heard(standing: Standing, journeys: Iterable[Journey]) -> Standing:
    """The same definitions, knowing which of them these journeys listen to."""
    conditions = list(standing.conditions())
    staged = any(reads_stage(one) for one in conditions)
    names: set[str] = set()
    segments: set[str] = set()
    for journey in journeys:
        inside = [condition for _, condition in journey.conditions()]
        conditions.extend(inside)
        names.update(journey.events())
        segments.update(one.segment for one in journey.triggers if isinstance(one, SegmentTrigger))
        segments.update(name for one in inside for name in referred(one))
        staged = staged or any(reads_stage(one) for one in inside)
        staged = staged or any(isinstance(node, StageNode) for node in journey.nodes.values())
    names.update(_counted(conditions))
    return standing.heard(None if names & SEGMENTS else segments, stages=staged or STAGES in names)


def _counted(conditions: Iterable[Condition]) -> Iterator[str]:
    return (leaf.event for one in conditions for leaf in leaves(one) if isinstance(leaf, EventCondition))
