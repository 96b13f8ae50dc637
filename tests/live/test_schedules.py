"""Schedules, dates and segments on the live engine: fired once, in slices, and by whom nobody touches (rule 3.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests import stores
from tests.live.books import balance
from tests.live.test_turns import changed, published, put
from tests.live.world import START, LiveWorld

from journeyflow.core.inputs import Appear, SetTags
from journeyflow.core.values import JSON
from journeyflow.db import inbox, tables, tasks
from journeyflow.db.documents import FlowsCache
from journeyflow.db.store import read, write
from journeyflow.services import operate
from journeyflow.services.turn import take_turn

STORES = (*stores.BOTH, "hashed")

Document = dict[str, JSON]
HOUR = timedelta(hours=1)
CROWD = [f"contact {number}" for number in range(30)]
VIP: Document = {"segment": "vip", "when": {"tag": "vip"}}
AT_TWELVE: Document = {"type": "schedule", "at": "2026-03-02T12:00:00Z", "segment": "vip"}
HOURLY: Document = {"type": "schedule", "cron": "0 * * * *", "segment": "vip", "catch_up": "150m"}


def letter(*triggers: JSON, **more: JSON) -> Document:
    nodes: Document = {"note": {"type": "tag", "add": ["written"]}}
    return {
        "journey": "letter",
        "triggers": [*triggers],
        "reentry": {"policy": "always"},
        "start": "note",
        "nodes": nodes,
        **more,
    }


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., LiveWorld]]:
    worlds: list[LiveWorld] = []

    def open_(*documents: Document, limit: int = 3, crowd: bool = True) -> LiveWorld:
        world = LiveWorld(tmp_path, [VIP, *documents], START, limit)
        worlds.append(world)
        if crowd:
            some = [(key, Appear(START, START, {}, ("vip",) if place % 2 else ())) for place, key in enumerate(CROWD)]
            with write(world.engine) as connection:
                inbox.put(connection, some)
            world.settle()
        return world

    yield open_
    for world in worlds:
        world.close()


def entered(world: LiveWorld) -> dict[str, list[datetime]]:
    """When each contact entered."""
    found: dict[str, list[datetime]] = {}
    for record in world.trail():
        if record.kind == "entered":
            found.setdefault(record.contact, []).append(record.at)
    return found


def count(world: LiveWorld, table: str) -> int:
    with read(world.engine) as connection:
        return connection.scalar(select(func.count()).select_from(tables.metadata.tables[table])) or 0


def test_rule_3_8_a_schedule_fires_once_for_everybody_in_the_segment(opened: Callable[..., LiveWorld]) -> None:
    world = opened(letter(AT_TWELVE))
    world.advance(START + 24 * HOUR, included=True)

    assert entered(world) == {key: [START + 2 * HOUR] for key in CROWD[1::2]}
    assert count(world, "firings") == len(world.groups)
    balance(world)


def test_rule_3_8_it_fires_once_however_many_engines_look(opened: Callable[..., LiveWorld]) -> None:
    world = opened(letter(AT_TWELVE))
    caches = [FlowsCache(world.installation.renderer) for _ in range(3)]
    world.now = START + 2 * HOUR
    for turn in range(20):
        for group in world.groups:
            with write(world.engine) as connection:
                take_turn(connection, caches[turn % 3], world.now, 3, world.installation.make_code, group)

    assert entered(world) == {key: [START + 2 * HOUR] for key in CROWD[1::2]}
    assert count(world, "firings") == len(world.groups)
    balance(world)


def test_a_firing_is_a_task_in_slices_and_who_is_touched_takes_part_first(opened: Callable[..., LiveWorld]) -> None:
    """The last of the crowd sends an event in between, with which it leaves the segment."""
    world = opened(letter(AT_TWELVE))
    world.now = START + 2 * HOUR
    world.turn()
    assert 0 < len(entered(world)) <= 3 * len(world.groups), "a slice"
    waiting = [key for key in CROWD[1::2] if key not in entered(world)]
    world.now += timedelta(seconds=30)
    with write(world.engine) as connection:
        inbox.put(connection, [(waiting[-1], SetTags(world.now, remove=("vip",)))])
        inbox.put(connection, [("new", Appear(world.now, world.now, {}, ("vip",)))])
        inbox.put(connection, [(CROWD[0], SetTags(world.now, add=("vip",)))])
    world.settle()

    assert entered(world).keys() == {*CROWD[1::2]}, "who has left since, and not who has come"
    late = [record for record in world.trail() if record.kind == "entered" and record.at > START + 2 * HOUR]
    assert {record.detail["due"] for record in late} == {"2026-03-02T12:00:00.000000Z"}
    balance(world)


def test_rule_1_3_what_arrived_at_the_instant_goes_first(opened: Callable[..., LiveWorld]) -> None:
    world = opened(letter(AT_TWELVE), limit=1)
    world.now = START + 2 * HOUR
    with write(world.engine) as connection:
        inbox.put(connection, [(key, SetTags(world.now, remove=("vip",))) for key in CROWD[1:25:2]])
        inbox.put(connection, [(key, SetTags(world.now, add=("vip",))) for key in CROWD[0:25:2]])
    world.settle()

    assert entered(world).keys() == {*CROWD[0:25:2], *CROWD[25::2]}


def test_rule_3_8_what_was_missed_while_all_were_down_fires_if_it_is_no_older_than_catch_up(
    opened: Callable[..., LiveWorld],
) -> None:
    world = opened(letter(HOURLY))
    world.now = START + timedelta(hours=5, minutes=30)
    world.settle()

    first = CROWD[1]
    due = [record.detail["properties"] for record in world.trail() if record.contact == first and record.node is None]
    assert due == [{"fire_at": f"2026-03-02T{hour}:00:00.000000Z"} for hour in (10, 13, 14, 15)]
    assert count(world, "firings") == (1 + 3) * len(world.groups), "and the one at the start"
    balance(world)


def test_what_comes_while_nobody_is_let_in_has_passed(opened: Callable[..., LiveWorld]) -> None:
    world = opened(letter({**HOURLY, "cron": "30 * * * *"}))
    changed(world, lambda one: operate.pause(one, "letter", world.now, entries_only=True))
    world.advance(START + HOUR, included=True)
    world.now = START + HOUR
    changed(world, lambda one: operate.resume(one, "letter", world.now))
    world.advance(START + 2 * HOUR, included=True)

    assert entered(world)[CROWD[1]] == [START + timedelta(minutes=90)]


def test_a_schedule_that_is_published_again_goes_on_where_it_was(opened: Callable[..., LiveWorld]) -> None:
    world = opened(letter(AT_TWELVE))
    world.advance(START + 2 * HOUR, included=True)
    published(world, letter(AT_TWELVE, name="Another name"))
    world.advance(START + 9 * HOUR, included=True)

    assert entered(world) == {key: [START + 2 * HOUR] for key in CROWD[1::2]}


def test_rule_3_7_time_alone_moves_contacts_that_nobody_has_touched_since_publishing(
    opened: Callable[..., LiveWorld],
) -> None:
    world = opened(crowd=False)
    for place, key in enumerate(CROWD):
        put(world, key, "Seen", START + timedelta(minutes=place))
    world.now = START + HOUR
    world.settle()
    trigger: Document = {"type": "segment", "entered": "quiet"}
    published(world, {"segment": "quiet", "when": {"event": "Seen", "within": "2h", "count": {"eq": 0}}})
    published(world, letter(trigger))
    world.settle()
    world.advance(START + 9 * HOUR, included=True)

    assert entered(world) == {key: [START + timedelta(hours=2, minutes=place)] for place, key in enumerate(CROWD)}
    balance(world)


def test_members_and_dates_are_looked_for_when_a_journey_is_published(opened: Callable[..., LiveWorld]) -> None:
    world = opened()
    with write(world.engine) as connection:
        inbox.put(connection, [(CROWD[0], Appear(world.now, None, {"day": "2026-03-03"}))])
    world.settle()
    members: Document = {"type": "segment", "entered": "vip", "include_members": True}
    world.now = START + HOUR
    published(world, letter(members, {"type": "date", "attribute": "day"}))
    with read(world.engine) as connection:
        assert not tasks.is_empty(connection)
    world.settle()
    world.advance(START + 48 * HOUR, included=True)

    found = entered(world)
    assert {key: found[key] for key in CROWD[1::2]} == {key: [START + HOUR] for key in CROWD[1::2]}
    assert found[CROWD[0]] == [START + 23 * HOUR]
    assert len(found) == 16


def test_asking_for_the_same_task_twice_is_asking_once(opened: Callable[..., LiveWorld]) -> None:
    world = opened()
    world.settle()
    for name in ("one", "two", "three"):
        published(world, {"segment": name, "when": {"tag": name}})

    assert count(world, "tasks") == len(world.groups)
