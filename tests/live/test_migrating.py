"""Runs go to the newest version of their journey on the live engine, a slice at a time (rule 8.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests import stores
from tests.live.books import balance
from tests.live.test_operators import CROWD, HOUR, go
from tests.live.test_turns import published
from tests.live.world import START, LiveWorld

from journeyflow.core.effects import Statistic
from journeyflow.core.inputs import Event
from journeyflow.core.values import JSON
from journeyflow.db import inbox, statistics, tables, tasks
from journeyflow.db.store import read, write
from journeyflow.services import operate

STORES = stores.EVERY
Document = dict[str, JSON]


def walk(pause: str, length: str, tag: str) -> Document:
    return {
        "journey": "walk",
        "triggers": [{"type": "event", "event": "Go"}],
        "exit_on": [{"event": f"Left {tag}"}],
        "start": pause,
        "nodes": {
            pause: {"type": "wait", "for": length, "next": "label"},
            "label": {"type": "tag", "add": [tag]},
        },
    }


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    """A crowd that has waited for two days of five; the second version is published."""
    world = LiveWorld(tmp_path, [walk("pause", "5d", "old")], START, limit=7)
    go(world, CROWD)
    world.settle()
    world.now += 48 * HOUR
    published(world, walk("rest", "6d", "new"))
    world.settle()
    yield world
    world.close()


def migrate(world: LiveWorld, **places: str) -> Sequence[tuple[int, str, str | None, int]]:
    with write(world.engine) as connection:
        return operate.migrate(connection, "walk", world.now, places).crowds


def waiting(world: LiveWorld) -> dict[tuple[int, str], int]:
    with read(world.engine) as connection:
        return statistics.standing(connection, "walk")


def test_rule_8_4_a_crowd_goes_in_many_turns_and_the_time_that_it_waited_counts(world: LiveWorld) -> None:
    assert migrate(world, pause="rest") == [(1, "pause", "rest", len(CROWD))]

    world.settle()

    assert waiting(world) == {(2, "rest"): len(CROWD)}
    with read(world.engine) as connection:
        assert tasks.is_empty(connection)
        assert not connection.scalar(select(func.count()).select_from(tables.instructions))
    world.advance(START + timedelta(days=6, seconds=-1), included=True)
    assert "completed" not in {record.kind for record in world.trail()}
    world.advance(START + timedelta(days=6), included=True)
    balance(world)
    ends = [record for record in world.trail() if record.kind == "completed"]
    assert {(record.at, record.version) for record in ends} == {(START + timedelta(days=6), 2)}
    assert len(ends) == len(CROWD)
    with read(world.engine) as connection:
        totals = statistics.totals(connection, "walk")
    assert (totals[Statistic("walk", 1, "", "entered")], totals[Statistic("walk", 2, "", "completed")]) == (60, 60)


@pytest.mark.one_group  # a round of turns is over with the whole crowd where each group has but a few of it
def test_rule_8_4_a_turn_does_a_slice_of_the_crowd(world: LiveWorld) -> None:
    migrate(world, pause="rest")

    world.turn()

    found = waiting(world)
    assert found[1, "pause"] + found[2, "rest"] == len(CROWD)
    assert 0 < found[2, "rest"] < len(CROWD)


def test_rule_8_4_whoever_is_touched_before_the_task_comes_by_goes_first(world: LiveWorld) -> None:
    with write(world.engine) as connection:  # both arrive before; what an older version listens to ends but one
        inbox.put(connection, [(CROWD[-1], Event(world.now, "Left old", world.now))])
    world.now += timedelta(seconds=5)
    migrate(world, pause="rest")
    world.now += timedelta(seconds=5)
    with write(world.engine) as connection:
        inbox.put(connection, [(CROWD[-2], Event(world.now, "Left old", world.now))])
        inbox.put(connection, [(CROWD[-3], Event(world.now, "Left new", world.now))])
    world.settle()

    balance(world)
    told = {one: [record.kind for record in world.trail() if record.contact == one][2:] for one in CROWD[-3:]}
    assert told == {CROWD[-1]: ["exited"], CROWD[-2]: ["moved", "waiting"], CROWD[-3]: ["moved", "waiting", "exited"]}


def test_rule_8_4_who_comes_while_runs_go_is_on_the_newest_version_and_stays_as_they_are(world: LiveWorld) -> None:
    migrate(world, pause="rest")
    world.turn()
    go(world, ["late"])
    world.settle()

    balance(world)
    assert [record.kind for record in world.trail() if record.contact == "late"] == ["entered", "waiting"]
    assert waiting(world) == {(2, "rest"): len(CROWD) + 1}


def test_rule_8_4_a_second_migration_before_the_first_is_done_reaches_everybody(world: LiveWorld) -> None:
    migrate(world, pause="rest")
    world.turn()
    published(world, walk("calm", "7d", "newer"))

    migrate(world, pause="exit", rest="calm")
    world.settle()

    assert waiting(world) == {(3, "calm"): len(CROWD)}
    world.advance(START + timedelta(days=7), included=True)
    balance(world)
    assert {record.at for record in world.trail() if record.kind == "completed"} == {START + timedelta(days=7)}


def test_rule_8_4_a_paused_crowd_goes_over_and_then_on(world: LiveWorld) -> None:
    with write(world.engine) as connection:
        operate.pause(connection, "walk", world.now, entries_only=False)
    world.advance(START + timedelta(days=6), included=True)
    world.now = START + timedelta(days=6)
    migrate(world, pause="rest")
    with write(world.engine) as connection:
        operate.resume(connection, "walk", world.now, "shift")
    world.settle()

    assert waiting(world) == {(2, "rest"): len(CROWD)}
    world.advance(START + timedelta(days=11), included=True)
    balance(world)
    assert {record.at.date() for record in world.trail() if record.kind == "completed"} == {
        (START + timedelta(days=10)).date()
    }


def test_rule_8_4_an_archived_journey_takes_nobody_over(world: LiveWorld) -> None:
    migrate(world, pause="rest")
    with write(world.engine) as connection:
        operate.archive(connection, "walk", world.now)
    world.settle()

    balance(world)
    assert {record.kind for record in world.trail()} == {"entered", "waiting", "exited"}
