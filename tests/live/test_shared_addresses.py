"""What is said of an address holds for everybody who has it, and they notice at once (rules 3.7 and 5.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from tests import stores
from tests.live.test_same_trail import assert_same, both
from tests.live.world import START, LiveWorld

from journeyflow.core.effects import TrailRecord
from journeyflow.core.inputs import Appear, Event, Forget, Identify, Input, Merge
from journeyflow.core.values import JSON
from journeyflow.db import inbox, tables
from journeyflow.db.store import read, write
from journeyflow.services import members

Document = dict[str, JSON]
STORES = stores.EVERY
HOUR = timedelta(hours=1)
SHARED = "Office@shop.example"
SHOP: Document = {
    "workspace": "shop",
    "sender": {"email": "hello@shop.example"},
    "topics": [{"id": "offers", "name": "Offers"}],
}
OFFERED: Document = {"segment": "offered", "when": {"topic": "offers"}}
LEAVING: Document = {
    "journey": "leaving",
    "triggers": [{"type": "segment", "left": "offered"}],
    "reentry": {"policy": "always"},
    "start": "note",
    "nodes": {"note": {"type": "tag", "add": ["left"]}},
}
PATIENT: Document = {
    "journey": "patient",
    "triggers": [{"type": "event", "event": "Started"}],
    "start": "wait",
    "nodes": {
        "wait": {
            "type": "wait_for",
            "cases": [{"when": {"not": {"topic": "offers"}}, "next": "note"}],
            "timeout": "5d",
        },
        "note": {"type": "tag", "add": ["waited"]},
    },
}
DOCUMENTS = [SHOP, OFFERED, LEAVING, PATIENT]


def appear(key: str, email: str) -> tuple[str, Input]:
    return key, Appear(START, START, {"email": email})


def said(key: str, name: str, hours: int, imported: bool = False) -> tuple[str, Input]:
    at = START + hours * HOUR
    return key, Event(at, name, at, {}, imported=imported)


FAMILY = [appear("bob", SHARED.lower()), appear("dan", SHARED), appear("eve", "eve@shop.example")]
STORY = [
    *FAMILY,
    *[said(key, "Started", 1) for key in ("bob", "dan", "eve")],
    said("dan", "Unsubscribed", 2),
    said("bob", "Subscribed", 3),
    said("bob", "Unsubscribed", 4),
]


def steps(records: list[TrailRecord], journey: str, kind: str) -> list[tuple[str, int]]:
    """Who, and how many hours after the start."""
    return [(one.contact, (one.at - START) // HOUR) for one in records if (one.journey, one.kind) == (journey, kind)]


def test_rule_5_8_who_shares_an_address_leaves_a_segment_and_a_wait_with_it(tmp_path: Path) -> None:
    simulated, world = both(tmp_path, (DOCUMENTS, STORY), START + 24 * HOUR, 1_000)
    world.close()

    assert steps(simulated, "leaving", "entered") == [("bob", 2), ("dan", 2), ("bob", 4), ("dan", 4)]
    assert steps(simulated, "patient", "completed") == [("bob", 2), ("dan", 2)]


@pytest.mark.parametrize("limit", [1, 3, 1_000])
def test_rule_5_8_the_live_engine_tells_who_shares_an_address_as_a_simulation_does(tmp_path: Path, limit: int) -> None:
    assert_same(tmp_path, (DOCUMENTS, STORY), START + 24 * HOUR, limit)


def test_rule_5_8_an_address_that_was_given_up_is_nobody_elses_affair(tmp_path: Path) -> None:
    moved = ("bob", Identify(START + HOUR, {"email": "bob@home.example"}))
    simulated, world = both(
        tmp_path, (DOCUMENTS, [*FAMILY, moved, said("dan", "Unsubscribed", 2)]), START + 24 * HOUR, 5
    )
    live = world.trail()
    world.close()

    assert steps(simulated, "leaving", "entered") == steps(live, "leaving", "entered") == [("dan", 2)]


def test_rule_10_2_an_address_follows_who_was_merged(tmp_path: Path) -> None:
    anonymous = ("anonymous", Appear(START, START, {"email": SHARED}))
    merged = ("anonymous", Merge(START + HOUR, "zoe"))
    inputs = [anonymous, *FAMILY, ("zoe", Appear(START, START, {}, known=True)), merged, said("dan", "Unsubscribed", 2)]
    simulated, world = both(tmp_path, (DOCUMENTS, inputs), START + 24 * HOUR, 5)
    live = world.trail()
    world.close()

    assert steps(simulated, "leaving", "entered") == [("bob", 2), ("dan", 2), ("zoe", 2)]
    assert steps(live, "leaving", "entered") == steps(simulated, "leaving", "entered")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], LiveWorld]]:
    worlds: list[LiveWorld] = []

    def open_() -> LiveWorld:
        worlds.append(LiveWorld(tmp_path, DOCUMENTS, START))
        return worlds[-1]

    yield open_
    for world in worlds:
        world.close()


def count(world: LiveWorld) -> int:
    with read(world.engine) as connection:
        library = world.installation.cache.current(connection).library
        return members.count(connection, library, "offered", world.now)


def test_rule_1_11_history_moves_nobody_who_shares_the_address_and_is_counted(opened: Callable[[], LiveWorld]) -> None:
    world = opened()
    world.feed([*FAMILY, said("dan", "Unsubscribed", 1, imported=True)], START + 2 * HOUR)

    assert world.trail() == []
    assert count(world) == 1


def test_rule_5_8_who_was_erased_is_not_called_back(opened: Callable[[], LiveWorld]) -> None:
    world = opened()
    at = START + HOUR
    world.feed([*FAMILY, ("bob", Forget(at)), said("dan", "Unsubscribed", 1)], at)
    world.feed([said("eve", "Unsubscribed", 2)], START + 2 * HOUR)

    with read(world.engine) as connection:
        assert sorted(connection.scalars(select(tables.contacts.c.contact))) == ["dan", "eve"]
        assert sorted(connection.scalars(select(tables.holders.c.holder))) == ["dan", "eve"]


# --- several groups at the same time ---------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["dan", "bob"])
def test_rule_5_8_who_gets_an_address_while_another_unsubscribes_it_learns_of_it(
    opened: Callable[[], LiveWorld], first: str
) -> None:
    """Two turns at the same time, of which neither sees what the other does before it is done."""
    world = opened()
    started = said("bob", "Started", 0)
    world.feed([appear("dan", SHARED), ("bob", Appear(START, START, {})), started], START)
    world.now = at = START + HOUR
    with write(world.engine) as connection:
        arriving = [("bob", Identify(at, {"email": SHARED})), said("dan", "Unsubscribed", 1)]
        inbox.put(connection, arriving)
    second = "bob" if first == "dan" else "dan"
    with ThreadPoolExecutor(1) as pool:
        with write(world.engine) as connection:
            world.turn_on(connection, first)
            going_on = pool.submit(world.turn_of, second)
            if len(world.groups) > 1:
                wait_until_it_waits(world)
        going_on.result()
    world.settle()

    assert [step for step in steps(world.trail(), "leaving", "entered") if step[0] == "bob"] == [("bob", 1)]
    assert steps(world.trail(), "patient", "completed") == [("bob", 1)]


def wait_until_it_waits(world: LiveWorld) -> None:
    """Until a transaction waits for another one's lock."""
    waiting = text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database"
        " WHERE datname = current_database())"
    )
    for _ in range(10_000):
        with read(world.engine) as connection:
            if connection.scalar(waiting):
                return
    raise AssertionError("nobody waits: the other turn is done already, or never began")
