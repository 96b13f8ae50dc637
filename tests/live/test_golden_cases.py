"""Every golden case through the live engine on every store: the trail of the simulation, as interfaces.md has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import stores
from tests.golden.cases import GoldenCase, golden_cases, write_contacts, write_events
from tests.live.books import balance
from tests.live.world import LiveWorld, comparable, refused

from journeyflow.core.effects import TrailRecord
from journeyflow.core.inputs import Input
from journeyflow.core.workspace import DEFAULT
from journeyflow.rendering.renderer import LiquidRenderer
from journeyflow.services.check import check_folder
from journeyflow.services.simulate import Simulator, choose
from journeyflow.services.simulate_input import Timeline, read_timeline

STORES = stores.EVERY


def timeline_of(case: GoldenCase, directory: Path, timezone: str) -> Timeline:
    """The inputs of a case, by way of the files that ``simulate`` reads."""
    write_events(directory / "events.jsonl", case.events)
    write_contacts(directory / "contacts.csv", case.contacts)
    return read_timeline([directory / "events.jsonl"], [directory / "contacts.csv"], None, timezone)


def in_order_of_the_file(timeline: Timeline) -> list[tuple[str, Input]]:
    """What arrives at one instant for contacts of whom some are one person stays as it stood in the file."""
    apart = [(key, item) for at, key, item in timeline.arrivals if at not in timeline.together]
    return [*apart, *(one for arrivals in timeline.together.values() for one in arrivals)]


@pytest.mark.parametrize("limit", [1_000, 2])
@pytest.mark.parametrize("case", golden_cases(), ids=lambda case: case.name)
def test_the_live_engine_writes_the_trail_of_the_simulation(case: GoldenCase, limit: int, tmp_path: Path) -> None:
    renderer = LiquidRenderer()
    checked = check_folder([case.flows], renderer).demand()
    timeline = timeline_of(case, tmp_path, (checked.documents.workspace or DEFAULT).timezone)
    inputs = in_order_of_the_file(timeline)
    simulated: list[TrailRecord] = []
    documents = choose(checked.documents, case.journeys)
    Simulator(documents, renderer, timeline, 0, simulated.append).run(case.until, None)

    chosen = [one.data for one in checked.sources if one.kind != "journey" or one.id in documents.journeys]
    world = LiveWorld(tmp_path, chosen, timeline.start, limit)
    try:
        world.feed(inputs, case.until)
        balance(world)
        assert comparable(world.trail()) == comparable(simulated)
        assert world.refusals() == refused(simulated, world.people())
    finally:
        world.close()
