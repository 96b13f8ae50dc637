"""What another claim group does in the middle of a turn, and what fails in it that is nobody's fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Table, select
from tests import stores
from tests.live.world import START, LiveWorld

from journeyflow.core import actor
from journeyflow.core.errors import SystemFailure
from journeyflow.core.inputs import Event, Forget, Identify, Input, Merge
from journeyflow.db import aliases, bulk_postgresql, contacts, failures, forgetting, tables, turns
from journeyflow.db.documents import FlowsCache
from journeyflow.db.store import read, write
from journeyflow.services.turn import isolate, take_turn
from journeyflow.services.turn_stage import TurnStage

STORES: tuple[stores.Store, ...] = ("postgresql",)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    world = LiveWorld(tmp_path, [{"workspace": "shop"}], START, delivering=False)
    yield world
    world.close()


def people(world: LiveWorld, group: int, count: int) -> list[str]:
    """Keys of contacts of a group."""
    every = (f"contact {number}" for number in range(1_000))
    return [key for key in every if world.groups[group].holds(key)][:count]


def seen(key: str, *, known: bool = False) -> tuple[str, Input]:
    return key, Event(START, "Seen", START, {}, known=known)


def elsewhere(world: LiveWorld, contact: str) -> None:
    """The group of a contact has a turn on another worker."""
    (group,) = [one for one in world.groups if one.holds(contact)]
    one = world.installation
    with stores.engines(world.url, 2) as engines, write(engines[1]) as connection:
        take_turn(connection, FlowsCache(one.renderer), world.now, 1_000, one.make_code, group)


def once(
    before: Callable[[], None], real: Callable[..., Any]
) -> Callable[..., Any]:  # Any: those of what it stands for
    """The same function, with something that happens before its first call."""
    left = [before]

    def function(*arguments: Any) -> Any:  # Any: as above
        while left:
            left.pop()()
        return real(*arguments)

    return function


def standing(world: LiveWorld, *keys: str) -> dict[str, int]:
    """How often each contact that exists was seen."""
    with read(world.engine) as connection:
        return {key: one.counts["Seen"].count for key, one in contacts.load(connection, keys, START).items()}


def rows_of(world: LiveWorld, contact: str) -> set[str]:
    """The tables that know a contact by its key."""
    with read(world.engine) as connection:
        return {
            table.name
            for table in tables.metadata.sorted_tables
            if "contact" in table.c and connection.execute(select(table).where(table.c.contact == contact)).first()
        }


def test_rule_10_1_who_becomes_one_of_the_group_in_the_middle_of_a_turn_is_found(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, other, person = people(world, 0, 3)
    (between,) = people(world, 1, 1)
    world.put([seen(source), seen(other), seen(person, known=True), seen(between)])
    world.settle()
    world.put([(between, Merge(START, person)), (source, Merge(START, between)), (other, Merge(START, source))])
    with monkeypatch.context() as patched:
        patched.setattr(TurnStage, "leave", once(lambda: elsewhere(world, between), TurnStage.leave))
        world.turn_of(source)
    world.settle()

    assert standing(world, source, other, between, person) == {person: 4}


def test_who_is_erased_while_another_is_on_the_way_begins_anew_with_it(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    (person,) = people(world, 0, 1)
    source, between = people(world, 1, 2)
    world.put([seen(between), seen(source), seen(person, known=True), (between, Merge(START, person))])
    world.settle()
    world.put([(source, Merge(START, between)), (person, Forget(START))])
    with monkeypatch.context() as patched:
        patched.setattr(turns, "forget", once(lambda: elsewhere(world, source), forgetting.forget))
        world.turn_of(person)
    world.put([seen(source)])
    world.settle()

    assert standing(world, person, source, between) == {person: 2}
    with read(world.engine) as connection:
        assert aliases.find(connection, [source, between]) == {source: person}


def test_who_was_to_be_merged_and_was_set_aside_is_erased_with_the_other(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    (person,), (source,) = people(world, 0, 1), people(world, 1, 1)
    secret = (source, Identify(START, {"email": "secret@example.com"}, None, False, False))
    world.put([seen(source), secret, seen(person, known=True), (source, Merge(START, person))])
    world.turn_of(source)

    def fail(*_: object) -> None:
        raise ValueError("no")

    with monkeypatch.context() as patched, write(world.engine) as writing:
        patched.setattr(actor, "absorb", fail)
        one = world.installation
        assert isolate(writing, one.cache, world.now, one.make_code, 100, world.groups[0]) == 1
    assert rows_of(world, source) >= {"aliases", "events"}
    world.put([(person, Forget(START))])
    world.settle()

    assert (rows_of(world, source), rows_of(world, person)) == (set(), set())
    world.put([seen(source)])
    world.settle()
    assert standing(world, source) == {source: 1}


def test_a_full_disk_is_no_contact_s_fault_also_where_rows_are_copied(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    (person,) = people(world, 0, 1)
    world.put([seen(person)] * 10)
    real = bulk_postgresql.insert

    def fill(connection: Connection, table: Table, rows: Any) -> None:  # Any: of any types
        if table is tables.events:
            raise psycopg.errors.DiskFull("no space left")
        real(connection, table, rows)

    one = world.installation
    with monkeypatch.context() as patched:
        patched.setattr(bulk_postgresql, "insert", fill)
        with pytest.raises(SystemFailure, match="is full"), write(world.engine) as writing:
            isolate(writing, one.cache, world.now, one.make_code, 100, world.groups[0])
    world.settle()

    assert standing(world, person) == {person: 10}
    with read(world.engine) as connection:
        assert failures.count(connection) == 0
