"""Random journeys and inputs: the live engine writes what a simulation writes, however large its turns are, on SQLite,
on PostgreSQL, and there with several workers at the same time.

`JOURNEYFLOW_LIVE_EXAMPLES=2000 pytest tests/live/test_random.py` looks longer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import stores
from tests.live.books import balance
from tests.live.strategies import Arrivals, Document, arrivals, documents, turn_limits
from tests.live.world import START, LiveWorld, comparable, refused, withdrawing

from journeyflow.core.documents import KINDS, Documents
from journeyflow.core.effects import TrailRecord
from journeyflow.core.engagement import ENGAGEMENT
from journeyflow.core.inputs import Event, Merge
from journeyflow.db.statistics import totals
from journeyflow.db.store import read
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.simulate import simulate_inputs
from journeyflow.services.simulate_summary import JourneyNumbers, Simulation

STORES = stores.EVERY
EXAMPLES = int(os.environ.get("JOURNEYFLOW_LIVE_EXAMPLES", "20"))
WHOLE = 1_000
AFTERMATH = timedelta(days=2)
several = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
fewer = settings(several, max_examples=EXAMPLES // 2)
RENDERER = LiquidRenderer()


def handed_on(inputs: Arrivals) -> set[int]:
    """The places of what comes for a contact that may be somebody else by then.

    On PostgreSQL the turn of its own group hands it on to where its person is, which may have had a turn meanwhile.
    """
    merged: dict[str, datetime] = {}
    for key, item in inputs:
        if isinstance(item, Merge):
            merged.setdefault(key, item.at)
    return {place for place, (key, item) in enumerate(inputs) if key in merged and merged[key] < item.at}


def in_sight(inputs: Arrivals) -> Arrivals:
    """Where there are several claim groups, what is handed on arrives by itself, a few microseconds later.

    So nothing else has its turn at that very instant: which of both would be first, nobody says.
    """
    if not stores.several_groups():
        return inputs
    late = handed_on(inputs)
    return [
        (key, replace(item, at=item.at + timedelta(microseconds=place + 1)) if place in late else item)
        for place, (key, item) in enumerate(inputs)
    ]


def without_delay(inputs: Arrivals) -> Arrivals:
    """Where there are several claim groups, nothing is handed on: after a pause of the engine each group works off its
    own backlog, and what is handed on is behind what came meanwhile and has had its turn.
    """
    if not stores.several_groups():
        return inputs
    late = handed_on(inputs)
    return [one for place, one in enumerate(inputs) if place not in late]


@contextmanager
def installed(some: Sequence[Document], limit: int) -> Iterator[LiveWorld]:
    with TemporaryDirectory() as directory:
        world = LiveWorld(Path(directory), some, START, limit)
        try:
            yield world
        finally:
            world.close()


def simulated(some: Sequence[Document], inputs: Arrivals) -> tuple[list[TrailRecord], Simulation]:
    models = [KINDS[next(iter(document))].model_validate(document) for document in some]
    records: list[TrailRecord] = []
    until = inputs[-1][1].at + AFTERMATH
    found = simulate_inputs(Documents.of(models), RENDERER, inputs, start=START, until=until, on_trail=records.append)
    return records, found


def numbers(world: LiveWorld) -> dict[str, JourneyNumbers]:
    """What the live engine counted, as a simulation shows it."""
    with read(world.engine) as connection:
        current = world.installation.cache.current(connection).current
        counted: dict[str, dict[tuple[str, int, str, str], int]] = {
            name: {(*one,): count for one, count in totals(connection, name).items()} for name in current
        }
    return {name: JourneyNumbers.of(counted[name], one.journey.nodes) for name, one in current.items()}


def decided_by_lost_messages(world: LiveWorld, inputs: Arrivals) -> bool:
    """Whether something looked at messages of which some were withdrawn, or failed, before they could be sent.

    A simulation sends at once, and turns of another size would have sent them: what follows from it differs.
    """
    if not world.lost_messages():
        return False
    with read(world.engine) as connection:
        counted = world.installation.cache.current(connection).messages_for is not None
    return counted or any(isinstance(item, Event) and item.name in ENGAGEMENT for _, item in inputs)


@several
@given(documents, arrivals(), turn_limits)
def test_live_and_simulated_trails_are_the_same(some: list[Document], inputs: Arrivals, limit: int) -> None:
    inputs = in_sight(inputs)
    records, simulation = simulated(some, inputs)
    with installed(some, limit) as world:
        world.feed(inputs, simulation.end)

        balance(world)
        if decided_by_lost_messages(world, inputs):
            return
        assert comparable(world.trail()) == comparable(records)
        assert world.refusals() == refused(records, world.people())
        assert numbers(world) == simulation.journeys


@fewer  # each lives twice
@given(documents, arrivals(), turn_limits, st.integers(5, 25))
def test_a_backlog_is_worked_off_the_same_in_turns_of_any_size(
    some: list[Document], inputs: Arrivals, limit: int, every: int
) -> None:
    """The engine is down most of the time: inputs and timers are overdue, and keep their order (rule 1.9)."""
    inputs = without_delay(inputs)
    until = inputs[-1][1].at + AFTERMATH
    with installed(some, limit) as one, installed(some, WHOLE) as other:
        for world in (one, other):
            world.pile_up(inputs, until, every)
            balance(world)
        if any(decided_by_lost_messages(world, inputs) for world in (one, other)):
            return

        withdrawn = withdrawing(one.trail(), other.trail())
        assert comparable(one.trail(), withdrawn) == comparable(other.trail(), withdrawn)
        assert one.refusals() == other.refusals()
        assert numbers(one) == numbers(other)
