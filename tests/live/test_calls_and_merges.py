"""Webhooks that are being called while their contact turns out to be another one (rules 4.10, 10.2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.live.world import START, LiveWorld

from journeyflow.core.inputs import Event, Input, Merge
from journeyflow.core.values import JSON
from journeyflow.db import calls, inbox, tables
from journeyflow.db.calls import CallOutcome
from journeyflow.db.sqlite import read, write
from journeyflow.services.call import pick_up

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
