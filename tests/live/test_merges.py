"""Merges in the live engine: what is on its way meanwhile, and what a turn can bear (rules 4.10, 10.2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests import stores
from tests.live.world import START, LiveWorld

from journeyflow.core.inputs import Event, Input, Merge
from journeyflow.core.values import JSON
from journeyflow.db import calls, contacts, inbox, tables
from journeyflow.db.calls import CallOutcome
from journeyflow.db.store import read, write
from journeyflow.services.call import pick_up
from journeyflow.services.turn import MERGES_MAX

STORES = stores.ALL

JOURNEY: dict[str, JSON] = {
    "journey": "asks",
    "triggers": [{"type": "event", "event": "Go"}],
    "start": "ask",
    "nodes": {
        "ask": {"type": "webhook", "url": "https://shop.example/ask", "save_as": "answer", "next": "label"},
        "label": {"type": "tag", "add": ["answered"]},
    },
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    world = LiveWorld(tmp_path, [JOURNEY], START, delivering=False)
    yield world
    world.close()


def put(world: LiveWorld, contact: str, item: Input) -> None:
    with write(world.engine) as connection:
        inbox.put(connection, [(contact, item)])
    world.settle()


def test_rule_10_2_a_reply_that_comes_after_the_merge_is_for_the_run_where_it_is_now(world: LiveWorld) -> None:
    put(world, "visitor", Event(START, "Go", START))
    with write(world.engine) as connection:
        (call,) = pick_up(connection, START, 10)
    put(world, "visitor", Merge(START, "ann"))
    with write(world.engine) as connection:
        assert calls.finish(connection, [CallOutcome(call, "answered", START, 200, {"n": 1})]) == 1
        assert calls.finish(connection, [CallOutcome(call, "answered", START, 200, {"n": 1})]) == 0, "only once"
    world.settle()

    with read(world.engine) as connection:
        assert connection.execute(select(tables.calls.c.contact, tables.calls.c.status)).all() == [("ann", "answered")]
        assert connection.scalars(select(tables.runs.c.status)).all() == ["completed"]
    went_on = ["resumed", "ran", "ran", "completed"]
    assert [one.kind for one in world.trail() if one.contact == "ann"] == went_on


def test_very_many_who_are_all_one_are_merged_in_several_turns(world: LiveWorld) -> None:
    """Each merge into one contact is a pass of its own, and a turn holds the database's one lock."""
    visitors = [f"visitor-{place}" for place in range(MERGES_MAX * 2 + 10)]
    with write(world.engine) as connection:
        inbox.put(connection, [(visitor, Event(START, "Seen", START)) for visitor in visitors])
        inbox.put(connection, [(visitor, Merge(START, "ann")) for visitor in visitors])
        inbox.put(connection, [("ann", Event(START, "Go", START))])

    taken = [world.turn().inputs for _ in range(3)]
    world.settle()

    if len(world.groups) == 1:
        assert taken == [len(visitors) + MERGES_MAX, MERGES_MAX, 11]
    assert world.turn().contacts == 0
    with read(world.engine) as connection:
        ann = contacts.load(connection, ["ann"], START)["ann"]
        assert connection.scalars(select(tables.contacts.c.contact)).all() == ["ann"]
    assert (ann.counts["Seen"].count, ann.events) == (len(visitors), 2 * len(visitors) + 1)
