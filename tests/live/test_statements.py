"""What a turn reads of its contacts' history it reads for all of them at once (architecture, "turns")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, event
from tests.live.world import START, LiveWorld

from journeyflow.core.inputs import Appear, Event, Input
from journeyflow.core.values import JSON
from journeyflow.db import ahead, inbox, tasks
from journeyflow.db.store import write
from journeyflow.services.turn import take_turn

Document = dict[str, JSON]
DAY = timedelta(days=1)
LIMIT = 100_000
SPENT: JSON = {"event": "Order Completed", "within": "60d", "sum": "total", "gte": 30}
BOUGHT_THIS: JSON = {
    "event": "Order Completed",
    "where": {"property": "sku", "eq": {"ref": "event.sku"}},
    "count": {"gte": 2},
}
WATCHING: Document = {
    "journey": "watching",
    "triggers": [{"type": "event", "event": "Product Viewed"}],
    "key": "trigger.sku",
    "reentry": {"policy": "always"},
    "enter_if": {"all": [SPENT, BOUGHT_THIS, {"not": {"been_in_journey": "old", "within": "3d"}}]},
    "exit_on": [{"event": "Order Completed"}],
    "start": "first",
    "nodes": {
        "first": {"type": "sms", "text": "Still there?", "next": "wait"},
        "wait": {
            "type": "wait_for",
            "cases": [{"when": {"event": "Product Viewed", "since": "entry", "count": {"gte": 5}}}],
            "timeout": "20d",
        },
    },
}
OLD: Document = {
    "journey": "old",
    "triggers": [{"type": "event", "event": "Old"}],
    "start": "done",
    "nodes": {"done": {"type": "end"}},
}
FREQUENT: Document = {
    "segment": "frequent",
    "when": {"event": "Product Viewed", "within": "7d", "count": {"gte": 3}},
}
BIG: Document = {"segment": "big", "when": SPENT}


@contextmanager
def statements(connection: Connection) -> Iterator[list[str]]:
    """What is executed meanwhile."""
    told: list[str] = []

    def tell(_1: object, _2: object, statement: str, _3: object, _4: object, _5: object) -> None:
        told.append(statement)

    event.listen(connection, "before_cursor_execute", tell)
    yield told
    event.remove(connection, "before_cursor_execute", tell)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    made = LiveWorld(tmp_path, [WATCHING, OLD, FREQUENT, BIG], START, LIMIT, delivering=False)
    yield made
    made.close()


def turn(world: LiveWorld, inputs: list[tuple[str, Input]]) -> int:
    """One turn over the inputs; how many statements it took."""
    with write(world.engine) as connection:
        inbox.put(connection, inputs)
        with statements(connection) as told:
            done = take_turn(connection, world.installation.cache, world.now, LIMIT, world.installation.make_code)
    assert done.inputs == len(inputs)
    return len(told)


def crowd(world: LiveWorld, name: str, count: int) -> list[str]:
    """Contacts who bought before."""
    keys = [f"{name} {number}" for number in range(count)]
    inputs: list[tuple[str, Input]] = []
    for key in keys:
        at = world.now
        inputs.append((key, Appear(at, at, {"phone": "+48600100200"}, ())))
        for days in (9, 5):
            properties: dict[str, JSON] = {"total": 20, "sku": "tea"}
            inputs.append((key, Event(at, "Order Completed", at - days * DAY, properties, imported=True)))
    turn(world, inputs)
    world.settle()
    return keys


def viewed(world: LiveWorld, keys: list[str]) -> list[tuple[str, Input]]:
    return [(key, Event(world.now, "Product Viewed", world.now, {"sku": "tea"})) for key in keys]


def bought(world: LiveWorld, keys: list[str]) -> list[tuple[str, Input]]:
    return [(key, Event(world.now, "Order Completed", world.now, {"sku": "tea", "total": 1})) for key in keys]


def test_a_turn_over_many_contacts_takes_hardly_more_statements_than_one_over_few(world: LiveWorld) -> None:
    few, many = crowd(world, "few", 60), crowd(world, "many", 500)
    turn(world, [*viewed(world, few[:1]), *bought(world, few[:1])])  # what is read once for all

    for inputs in (viewed, viewed, bought):
        world.now += timedelta(minutes=1)
        for_few = turn(world, inputs(world, few))
        for_many = turn(world, inputs(world, many))

        questions = 7  # windows, references, journeys, messages: each asks once more as the crowd grows eightfold
        assert for_many <= for_few + questions
        assert for_many < 60
    entered = [record for record in world.trail() if record.kind == "entered"]
    withdrawn = [record for record in world.trail() if record.detail.get("outcome") == "cancelled"]
    assert (len(entered), len(withdrawn)) == (561, 561), "the conditions held, so that all of them were asked"


def test_new_contacts_ask_together_as_well(world: LiveWorld) -> None:
    keys = [f"new {number}" for number in range(200)]

    assert turn(world, viewed(world, keys)) < 60


def test_a_slice_of_a_task_judges_its_contacts_together(world: LiveWorld) -> None:
    keys = crowd(world, "many", 300)
    turn(world, viewed(world, keys))
    with write(world.engine) as connection:
        tasks.add(connection, "look_at_all", "", world.now)
    world.now += 8 * DAY  # out of the week's window

    assert turn(world, []) < 40


def test_contacts_with_long_histories_are_read_a_part_at_a_time(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = crowd(world, "many", 40)
    monkeypatch.setattr(ahead, "ROWS_MAX", 7)  # a contact has two rows of orders

    turn(world, viewed(world, keys))

    entered = {record.contact for record in world.trail() if record.kind == "entered"}
    assert entered == {*keys}
