"""A merge between claim groups is two turns. Whoever is awaited has the place that the merge had (rules 1.2, 10.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from tests import stores
from tests.live.books import balance
from tests.live.test_turns import loop_of, set_aside
from tests.live.world import START, LiveWorld

from journeyflow.core.inputs import Appear, Event, Input, Merge
from journeyflow.core.values import JSON
from journeyflow.db import contacts, inbox, tables
from journeyflow.db.store import read, write
from journeyflow.db.tables import metadata

Document = dict[str, JSON]
Open = Callable[..., LiveWorld]
HOUR = timedelta(hours=1)
STORES = stores.EVERY
CART: Document = {
    "journey": "cart",
    "triggers": [{"type": "event", "event": "Checkout Started"}],
    "exit_on": [{"event": "Order Completed"}],
    "start": "wait",
    "nodes": {"wait": {"type": "wait", "for": "2h", "next": "remind"}, "remind": {"type": "tag", "add": ["reminded"]}},
}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    worlds: list[LiveWorld] = []

    def open_(*documents: Document, limit: int = 1_000) -> LiveWorld:
        worlds.append(LiveWorld(tmp_path, [CART, *documents], START, limit))
        return worlds[-1]

    yield open_
    for world in worlds:
        balance(world)
        world.close()


def put(world: LiveWorld, *arriving: tuple[str, Input]) -> None:
    for one in arriving:  # each by a request of its own
        with write(world.engine) as connection:
            inbox.put(connection, [one])


def did(key: str, name: str, at: datetime = START) -> tuple[str, Input]:
    return key, Event(at, name, at)


def steps(world: LiveWorld, journey: str = "cart") -> list[tuple[str, str, object]]:
    """What was written of the journey: whose, what, and why."""
    return [
        (one.contact, one.kind, one.detail.get("reason"))
        for one in world.trail()
        if one.journey == journey and one.kind in ("entered", "exited", "completed")
    ]


@pytest.mark.parametrize("visitor", ["visitor", "guest", "bob"])
def test_those_whom_these_tests_are_about_are_of_two_groups(opened: Open, visitor: str) -> None:
    world = opened()
    assert len(world.groups) == 1 or not any(group.holds("ann") and group.holds(visitor) for group in world.groups)


@pytest.mark.parametrize("limit", [1, 1_000])
@pytest.mark.parametrize("visitor", ["visitor", "guest"])
def test_rule_1_2_an_order_right_after_the_merge_ends_what_the_visitor_was_in(
    opened: Open, visitor: str, limit: int
) -> None:
    world = opened(limit=limit)
    put(world, did("ann", "Seen"), did(visitor, "Checkout Started"))
    world.settle()
    world.now = at = START + HOUR
    put(world, (visitor, Merge(at, "ann")), did("ann", "Order Completed", at), did(visitor, "Order Completed", at))

    if len(world.groups) > 1:
        assert world.turn_of("ann").inputs == 0, "it waits for the visitor"
    world.settle()

    assert steps(world) == [(visitor, "entered", None), ("ann", "exited", "exit_on")]
    with read(world.engine) as connection:
        assert contacts.load(connection, ["ann"], START)["ann"].counts["Order Completed"].count == 2


@pytest.mark.parametrize("limit", [1, 1_000])
def test_rule_1_2_a_timer_behind_the_merge_waits_for_the_visitor(opened: Open, limit: int) -> None:
    """Of two runs the older stays (rule 10.2); what is due after the merge is due for what is left."""
    world = opened(limit=limit)
    put(world, did("visitor", "Checkout Started", START - HOUR))
    world.settle()
    world.now = START + HOUR / 2
    put(world, did("ann", "Checkout Started", world.now))
    world.settle()
    put(world, ("visitor", Merge(START + HOUR, "ann")))  # while the engine is down
    world.now = START + 3 * HOUR

    world.turn_of("ann")
    world.settle()

    assert steps(world) == [
        ("visitor", "entered", None), ("ann", "entered", None), ("ann", "exited", "merged"), ("ann", "completed", None)
    ]  # fmt: skip


def test_rule_3_8_who_waits_for_a_visitor_misses_no_firing(opened: Open) -> None:
    everybody: Document = {"segment": "everybody", "when": {"all": []}}
    letter: Document = {
        "journey": "letter",
        "triggers": [{"type": "schedule", "at": "2026-03-02T12:00:00Z", "segment": "everybody"}],
        "start": "note",
        "nodes": {"note": {"type": "tag", "add": ["written"]}},
    }
    world = opened(everybody, letter)
    put(world, did("ann", "Seen"), did("visitor", "Seen"))
    world.settle()
    put(world, ("visitor", Merge(START + HOUR, "ann")))
    world.now = START + 3 * HOUR / 2 + HOUR  # half an hour after the instant of the schedule

    world.turn_of("ann")
    world.settle()

    assert steps(world, "letter") == [("ann", "entered", None), ("ann", "completed", None)]


def test_rule_10_4_nobody_waits_for_a_merge_that_does_not_take_place(opened: Open) -> None:
    world = opened()
    put(world, ("visitor", Appear(START, START, {}, known=True)), did("ann", "Seen"))
    world.settle()
    put(world, ("visitor", Merge(START, "ann")), did("ann", "Checkout Started"))
    world.settle()

    assert steps(world) == [("ann", "entered", None)]


def test_nobody_waits_for_a_visitor_whose_turn_fails(opened: Open) -> None:
    """``BrokenPool`` breaks whatever Bob does."""
    gift: Document = {
        "journey": "gift",
        "triggers": [{"type": "event", "event": "Go"}],
        "start": "code",
        "nodes": {"code": {"type": "coupon", "pool": "ten"}},
    }
    world = opened({"coupon_pool": "ten", "codes": "generated"}, gift)
    _, work = loop_of(world)
    put(world, did("ann", "Seen"), did("bob", "Go"), ("bob", Merge(START, "ann")), did("ann", "Checkout Started"))
    work()

    assert steps(world) == [("ann", "entered", None)]
    assert [(contact, type(item)) for contact, item, _ in set_aside(world)] == [("bob", Event), ("bob", Merge)]
    with write(world.engine) as connection:  # that it failed is what this test is about, and no fault of the books
        connection.execute(metadata.tables["failures"].delete())


def test_very_many_who_become_one_another_come_to_rest(opened: Open) -> None:
    """Each waits for the one before, through all groups; nobody waits in a circle."""
    world = opened(limit=3)
    people = [f"person {number}" for number in range(30)]
    put(world, *[did(key, "Seen") for key in people])
    world.settle()
    chain = zip(people, [*people[1:], people[0]], strict=True)
    put(world, *[(one, Merge(START, other)) for one, other in chain])
    world.settle()

    with read(world.engine) as connection:
        assert inbox.is_empty(connection)
        left = contacts.load(connection, connection.scalars(select(tables.contacts.c.contact)).all(), START)
    assert sum(one.counts["Seen"].count for one in left.values()) == len(people)
