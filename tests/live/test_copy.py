"""Half of a story on one store, the other half on a copy of it on another: the trail is that of one clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import postgres, stores
from tests.live.books import balance
from tests.live.strategies import Arrivals, Document, arrivals, documents, turn_limits
from tests.live.test_random import EXAMPLES, decided_by_lost_messages, fewer, in_sight, numbers, simulated
from tests.live.test_same_trail import shop
from tests.live.world import START, LiveWorld, comparable, refused

from journeyflow.core.inputs import Event
from journeyflow.db import inbox, migrations
from journeyflow.db.store import open_engine, read, write
from journeyflow.services.copy import Copied, copy
from journeyflow.services.turn import next_due, take_turn

STORES = ("sqlite",)  # where the story begins; each test says where it goes on
MOMENT = timedelta(microseconds=1)
few = settings(fewer, max_examples=max(3, EXAMPLES // 4))


class Move(NamedTuple):
    """When an installation is moved: after so many inputs, or when a timer or a schedule is next due after these.

    ``turns`` are taken at that very instant, before it is moved.
    """

    inputs: int
    at_timer: bool
    turns: int


moves = st.builds(Move, st.integers(0, 30), st.booleans(), st.integers(0, 2))


class Moving(LiveWorld):
    """An installation that is copied to another database, and goes on there."""

    def move(self, url: str) -> list[Copied]:
        self._opened.close()
        postgres.disconnect(self.url)
        source, target = open_engine(self.url), open_engine(url)
        try:
            migrations.migrate(target)
            copied = copy(source, target)
        finally:
            source.dispose()
            target.dispose()
        self.open(url)
        return copied

    def next_due(self) -> datetime | None:
        with read(self.engine) as connection:
            return next_due(connection, self.installation.cache.current(connection), self.now)

    def one_turn(self) -> None:
        """One turn of the first group, whatever is left for others."""
        with write(self.engine) as connection:
            make_code = self.installation.make_code
            take_turn(connection, self.workers[0].cache, self.now, self.limit, make_code, self.groups[0])
        while asyncio.run(self.dispatcher.dispatch()):
            pass


@contextmanager
def installed(some: Sequence[Document], limit: int, store: stores.Store) -> Iterator[Moving]:
    with TemporaryDirectory() as directory, stores.chosen(store):
        world = Moving(Path(directory), some, START, limit)
        try:
            yield world
        finally:
            world.close()


@contextmanager
def elsewhere(store: stores.Store) -> Iterator[str]:
    with ExitStack() as stack:
        stack.enter_context(stores.chosen(store))
        if store == "workers":
            url = stack.enter_context(postgres.database())
            postgres.disconnect(url)
            yield url
        else:
            yield str(Path(stack.enter_context(TemporaryDirectory())) / "elsewhere.db")


def assert_goes_on(
    some: Sequence[Document], inputs: Arrivals, limit: int, move: Move, there: Sequence[stores.Store]
) -> None:
    """The trail of a story that is moved on to another store after some of its inputs, and again after as many."""
    with stores.chosen("workers"):
        inputs = in_sight(inputs)
    records, simulation = simulated(some, inputs)
    coming = sorted(inputs, key=lambda one: one[1].at)
    with ExitStack() as stack:
        world = stack.enter_context(installed(some, limit, there[0]))
        if len(world.groups) > 1:
            world.settle()  # what was published is in force before anything arrives, as in a simulation
        for store in there[1:]:
            coming = in_the_middle(world, coming, move)
            world.move(stack.enter_context(elsewhere(store)))
            world.settle()
        world.feed(coming, simulation.end)
        balance(world)
        if not decided_by_lost_messages(world, inputs):
            assert comparable(world.trail()) == comparable(records)
            assert world.refusals() == refused(records, world.people())
            assert numbers(world) == simulation.journeys


def in_the_middle(world: Moving, coming: Arrivals, move: Move) -> Arrivals:
    """Bring the world to an instant at which inputs or timers wait that nobody has looked at, or not at all of them.

    The inputs that have not arrived by then.
    """
    at = coming[min(move.inputs, len(coming) - 1)][1].at if coming else world.now
    at = max(at, world.now + MOMENT)
    world.feed([one for one in coming if one[1].at < at], at - MOMENT)
    due = world.next_due()
    if move.at_timer and due is not None and not any(at <= one[1].at <= due for one in coming):
        at = max(at, due)
    world.advance(at, included=False)
    world.now = at
    with write(world.engine) as connection:
        inbox.put(connection, [one for one in coming if one[1].at == at])
    for _ in range(move.turns):
        world.one_turn()
    return [one for one in coming if one[1].at > at]


@few
@given(documents, arrivals(), turn_limits, moves)
def test_a_story_goes_on_where_it_was_copied_to(some: list[Document], inputs: Arrivals, limit: int, move: Move) -> None:
    assert_goes_on(some, inputs, limit, move, ["sqlite", "workers"])


@few
@given(documents, arrivals(), turn_limits, moves)
def test_a_story_goes_there_and_back(some: list[Document], inputs: Arrivals, limit: int, move: Move) -> None:
    assert_goes_on(some, inputs, limit, move, ["sqlite", "workers", "sqlite"])


@pytest.mark.parametrize("there", [("sqlite", "workers"), ("workers", "workers"), ("workers", "sqlite")])
def test_the_shop_s_story_goes_on_wherever_it_is_copied_to(there: Sequence[stores.Store]) -> None:
    some, inputs = shop()
    assert_goes_on(some, inputs, 1_000, Move(len(inputs) // 2, at_timer=False, turns=0), there)


EVERYBODY: Document = {"segment": "everybody", "when": {"all": []}}
EVERY_MONDAY: Document = {
    "journey": "weekly",
    "triggers": [{"type": "schedule", "cron": "0 9 * * 1", "segment": "everybody"}],
    "start": "label",
    "nodes": {"label": {"type": "tag", "add": ["weekly"]}},
}


def test_rule_3_8_a_schedule_that_is_copied_while_it_lets_contacts_in_lets_in_each_of_them_once() -> None:
    people = [f"contact {number}" for number in range(300)]
    with (
        installed([EVERYBODY, EVERY_MONDAY], 40, "sqlite") as world,
        elsewhere("workers") as there,
        elsewhere("sqlite") as back,
    ):
        with write(world.engine) as connection:
            inbox.put(connection, [(key, Event(START, "Seen", START)) for key in people])
        world.settle()
        due = world.next_due()
        assert due is not None
        world.now = due
        for url in (there, back):
            for _ in range(3):
                world.one_turn()
            world.move(url)
            entered = Counter(record.contact for record in world.trail() if record.kind == "entered")
            assert 0 < len(entered) < len(people)
        world.settle()

        assert Counter(record.contact for record in world.trail() if record.kind == "entered") == Counter(people)
        balance(world)
