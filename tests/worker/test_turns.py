"""How the turn loop puts claim groups together, and shares them with other workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from tests import postgres

from journeyflow.bootstrap import Installation, open_installation
from journeyflow.core.inputs import Event
from journeyflow.db import claims, inbox
from journeyflow.db.claims import Group
from journeyflow.db.store import read, write
from journeyflow.services.turn import Done
from journeyflow.settings import Settings
from journeyflow.worker.turns import TurnLoop, spans_of

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
A, B, C, D, E = (Group(first, first + 63) for first in range(0, 320, 64))
PEOPLE = [f"c{number}" for number in range(200)]


@pytest.fixture
def one() -> Iterator[Installation]:
    with postgres.database() as url:
        opened = open_installation(Settings(database_url=url), lambda: NOW)
        yield opened
        opened.engine.dispose()


@pytest.fixture
def turns(one: Installation) -> list[Done]:
    """The turns that the loop has taken."""
    return []


@pytest.fixture
def loop(one: Installation, turns: list[Done]) -> TurnLoop:
    return TurnLoop(one.engine, one.cache, one.clock, one.make_code, lambda done, _: turns.append(done))


def arrive(one: Installation) -> None:
    """Something arrives for contacts of every group."""
    with write(one.engine) as connection:
        inbox.put(connection, [(key, Event(NOW, "Seen", NOW)) for key in PEOPLE])


def test_groups_are_put_together_with_those_that_follow_them() -> None:
    assert [*spans_of([A, B, C, D, E], 2)] == [(A, B), (C, D), (E,)]
    assert [*spans_of([A, C, D], 16)] == [(A,), (C, D)]
    assert [*spans_of([], 16)] == []


def test_a_worker_that_is_alone_takes_what_there_is_for_all_groups_in_one_turn(
    one: Installation, loop: TurnLoop, turns: list[Done]
) -> None:
    arrive(one)
    loop.turn()

    assert [(done.groups, done.contacts) for done in turns] == [(16, len(PEOPLE))]


def test_workers_that_meet_take_fewer_groups_together_until_they_do_not(
    one: Installation, loop: TurnLoop, turns: list[Done]
) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(write(one.engine))
        with read(one.engine) as connection:
            groups = claims.groups(connection)
        claims.take(other, groups[8:], NOW)
        for _ in range(4):
            arrive(one)
            loop.turn()
    taken = [done.groups for done in turns]

    assert taken[0] == 8
    assert all(count <= 8 for count in taken)
    with read(one.engine) as connection:
        left = inbox.oldest(connection, claims.WHOLE, 10_000)
    assert {any(group.holds(item.contact) for group in groups[8:]) for item in left} == {True}


def test_a_worker_whose_others_are_gone_takes_all_groups_together_again(
    one: Installation, loop: TurnLoop, turns: list[Done]
) -> None:
    with write(one.engine) as other:
        with read(one.engine) as connection:
            groups = claims.groups(connection)
        claims.take(other, groups[1:], NOW)
        arrive(one)
        loop.turn()
    for _ in range(30):
        arrive(one)
        while loop.turn().contacts:
            pass

    assert turns[0].groups == 1
    assert turns[-1].groups == 16
