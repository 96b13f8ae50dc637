"""Journeys under an operator's hands: however large the turns are, and whoever is touched first, the same happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select
from tests import stores
from tests.live.books import balance
from tests.live.strategies import JOURNEYS, Arrivals, Document, arrivals, documents, journeys, turn_limits
from tests.live.test_random import AFTERMATH, RENDERER, WHOLE, fewer, installed
from tests.live.world import START, LiveWorld, comparable, sources_of

from journeyflow.core.errors import Conflict
from journeyflow.core.inputs import Event, Input
from journeyflow.core.instructions import ResumeMode
from journeyflow.core.values import JSON
from journeyflow.db import claims, inbox, tables, tasks
from journeyflow.db.documents import versions
from journeyflow.db.store import read, write
from journeyflow.services import operate, publish

Operation = tuple[int, str, Callable[[Connection, str, datetime], object]]
"""Before which arrival, on which journey, what."""

STORES = stores.EVERY
HOUR = timedelta(hours=1)


def _resume(mode: ResumeMode) -> Callable[[Connection, str, datetime], object]:
    return lambda connection, journey, now: operate.resume(connection, journey, now, mode, 2 * HOUR)


def _pause(connection: Connection, journey: str, now: datetime) -> object:
    return operate.pause(connection, journey, now, entries_only=False)


def _pause_entries(connection: Connection, journey: str, now: datetime) -> object:
    return operate.pause(connection, journey, now, entries_only=True)


def _renew(document: Document, leaving: bool) -> Callable[[Connection, str, datetime], object]:
    """Publish another version, and let runs go there: where it has no place for them, to its start or out."""

    def do(connection: Connection, journey: str, now: datetime) -> object:
        publish.apply(connection, sources_of([document]), False, now, RENDERER)
        older = {node for one in versions(connection, "journey", journey) for node in _nodes(one.document)}
        lacking = older - _nodes(document).keys()
        return operate.migrate(
            connection, journey, now, dict.fromkeys(lacking, "exit" if leaving else str(document["start"]))
        )

    return do


def _nodes(document: Document) -> dict[str, JSON]:
    found = document["nodes"]
    assert isinstance(found, dict)
    return found


resumes = st.sampled_from([_resume("now"), _resume("over"), _resume("shift"), _resume("skip")])
rare = st.sampled_from([_pause_entries, operate.archive])
places = st.integers(0, 25)
by_name = st.tuples(
    places, st.sampled_from(JOURNEYS), st.one_of(st.just(_pause), resumes, st.just(_pause), resumes, rare)
)
renewals = st.builds(
    lambda place, document, leaving: (place, str(document["journey"]), _renew(document, leaving)),
    places,
    st.one_of([journeys(name) for name in JOURNEYS]),
    st.booleans(),
)
operations = st.lists(
    st.one_of(by_name, by_name, renewals),
    min_size=2,
    max_size=12,
)


def operated(world: LiveWorld, inputs: Arrivals, hands: Sequence[Operation], until: datetime) -> None:
    """Everything happens at its instant; what an operator does, just before the arrival that it names."""
    for place, (contact, item) in enumerate(inputs):
        mine = [(journey, do) for before, journey, do in hands if before == place]
        if mine:
            world.advance(item.at, included=False)
            world.now = max(world.now, item.at)
        for journey, do in mine:
            try:
                with write(world.engine) as connection:
                    do(connection, journey, world.now)
            except Conflict:  # it is not paused, or is archived
                continue
        world.feed([(contact, item)], max(world.now, item.at))
    world.advance(until, included=True)


@fewer  # each lives twice
@given(documents, arrivals(), operations, turn_limits)
def test_the_size_of_turns_changes_nothing_in_what_operators_do(
    some: list[Document], inputs: Arrivals, hands: list[Operation], limit: int
) -> None:
    until = inputs[-1][1].at + AFTERMATH
    with installed(some, limit) as one, installed(some, WHOLE) as other:
        for world in (one, other):
            operated(world, inputs, hands, until)
            balance(world)
            with read(world.engine) as connection:
                assert tasks.is_empty(connection)
                assert not connection.scalar(select(func.count()).select_from(tables.instructions))

        assert comparable(one.trail()) == comparable(other.trail())


LATER: Document = {
    "journey": "walk",
    "triggers": [{"type": "event", "event": "Go"}],
    "start": "pause",
    "nodes": {
        "pause": {"type": "wait", "for": "1h", "next": "label"},
        "label": {"type": "tag", "add": ["done"]},
    },
}
OTHER: Document = {**LATER, "journey": "other", "triggers": [{"type": "event", "event": "Other"}]}
CROWD = [f"contact {number}" for number in range(60)]


def go(world: LiveWorld, contacts: Sequence[str], name: str = "Go") -> None:
    arriving: list[tuple[str, Input]] = [(contact, Event(world.now, name, world.now)) for contact in contacts]
    with write(world.engine) as connection:
        inbox.put(connection, arriving)


def test_several_tasks_share_the_turns(tmp_path: Path) -> None:
    world = LiveWorld(tmp_path, [LATER, OTHER], START, limit=20)
    go(world, CROWD)
    go(world, CROWD, "Other")
    world.settle()
    with write(world.engine) as connection:
        operate.archive(connection, "walk", world.now)
        operate.archive(connection, "other", world.now)

    world.turn()

    ended = {record.journey for record in world.trail() if record.kind == "exited"}
    world.close()
    assert ended == {"walk", "other"}


@pytest.mark.one_group  # a round of turns is over with the whole crowd where each group has but a few of it
def test_an_event_that_comes_while_a_task_goes_on_is_handled_in_the_next_turn(tmp_path: Path) -> None:
    world = LiveWorld(tmp_path, [LATER, OTHER], START, limit=20)
    go(world, CROWD)
    world.settle()
    with write(world.engine) as connection:
        operate.archive(connection, "walk", world.now)
    world.turn()
    go(world, ["late"], "Other")

    done = world.turn()

    told = [(record.kind, record.journey) for record in world.trail() if record.contact == "late"]
    world.settle()
    balance(world)
    world.close()
    assert done.more
    assert told == [("entered", "other"), ("waiting", "other")]


@pytest.mark.one_group  # else there are too few runs for it
def test_a_slice_looks_at_a_bounded_number_of_runs_of_other_journeys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "LOOKED_AT_MAX", 10)
    world = LiveWorld(tmp_path, [LATER, OTHER], START, limit=1_000)
    go(world, CROWD, "Other")
    go(world, ["ann"])
    world.settle()
    with write(world.engine) as connection:
        operate.archive(connection, "walk", world.now)
        claim = claims.take(connection, [claims.WHOLE], world.now)
        assert claim is not None
        (task,) = tasks.oldest(connection, claim, world.now)
        first = tasks.take_slice(connection, claim, task, 30, 1, None)

    assert not first.last
    assert len(first.contacts) <= 2
    world.settle()
    assert [record.kind for record in world.trail() if record.contact == "ann"][-1] == "exited"
    world.close()


def test_rule_8_2_a_spread_is_worked_off_as_its_time_goes_by(tmp_path: Path) -> None:
    world = LiveWorld(tmp_path, [LATER], START, limit=7)
    go(world, CROWD)
    world.settle()
    with write(world.engine) as connection:
        operate.pause(connection, "walk", world.now, entries_only=False)
    world.advance(START + 30 * HOUR, included=True)
    world.now = START + 48 * HOUR
    with write(world.engine) as connection:
        operate.resume(connection, "walk", world.now, "over", 4 * HOUR)
    world.settle()
    done = []
    for hours in (49, 50, 51, 52):
        world.advance(START + hours * HOUR, included=True)
        done.append(sum(record.kind == "completed" for record in world.trail()))

    balance(world)
    world.close()
    assert done[-1] == len(CROWD)
    assert all(5 <= later - earlier <= 25 for earlier, later in zip([0, *done], done, strict=False))
