"""Half of a story on one store, a copy in the middle of it, the other half on another: the trail is that of one clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import postgres, stores
from tests.live.books import balance
from tests.live.strategies import Arrivals, Document, arrivals, documents, turn_limits
from tests.live.test_random import decided_by_lost_messages, numbers, simulated
from tests.live.test_same_trail import shop
from tests.live.test_workers import Together, apart, few
from tests.live.world import comparable, refused

from journeyflow.db import inbox, migrations
from journeyflow.db.store import open_engine, write
from journeyflow.services.copy import Copied, copy

STORES = ("sqlite",)  # where the story begins; each test says where it goes on
MOMENT = timedelta(microseconds=1)


class Moving(Together):
    """An installation that is copied to another database, and goes on there with several workers."""

    def move(self, url: str) -> list[Copied]:
        self.engine.dispose()
        source, target = open_engine(self.url), open_engine(url)
        try:
            migrations.migrate(target)
            copied = copy(source, target)
        finally:
            source.dispose()
            target.dispose()
        self.open(url)
        return copied


@contextmanager
def installed(some: Sequence[Document], limit: int, store: stores.Store) -> Iterator[Moving]:
    with TemporaryDirectory() as directory, stores.chosen(store):
        world = Moving(Path(directory), some, limit)
        try:
            yield world
        finally:
            world.close()


@contextmanager
def elsewhere(store: stores.Store) -> Iterator[str]:
    with ExitStack() as stack:
        if store == "postgresql":
            yield stack.enter_context(postgres.database())
        else:
            yield str(Path(stack.enter_context(TemporaryDirectory())) / "elsewhere.db")


def assert_goes_on(some: Sequence[Document], inputs: Arrivals, limit: int, cut: int, there: Sequence[stores.Store]) -> None:
    """The trail of a story that is moved on to another store after some of its inputs, and again after as many.

    At each move the inputs of one instant lie in the inbox, which nobody has looked at.
    """
    records, simulation = simulated(some, inputs)
    coming = sorted(inputs, key=lambda one: one[1].at)
    with ExitStack() as stack:
        world = stack.enter_context(installed(some, limit, there[0]))
        world.settle()  # what was published is in force before anything arrives, as in a simulation
        for store in there[1:]:
            at = max(coming[min(cut, len(coming) - 1)][1].at, world.now + MOMENT)
            world.feed([one for one in coming if one[1].at < at], at - MOMENT)
            world.advance(at, included=False)
            world.now = at
            with write(world.engine) as connection:
                inbox.put(connection, [one for one in coming if one[1].at == at])
            coming = [one for one in coming if one[1].at > at]
            world.move(stack.enter_context(elsewhere(store)))
            world.settle()
            if not coming:
                break
        world.feed(coming, simulation.end)
        balance(world)
        if not decided_by_lost_messages(world, inputs):
            assert comparable(world.trail()) == comparable(records)
            assert world.refusals() == refused(records, world.people())
            assert numbers(world) == simulation.journeys


@few
@given(documents, arrivals(), turn_limits, st.integers(0, 40))
def test_a_story_goes_on_where_it_was_copied_to(
    some: list[Document], inputs: Arrivals, limit: int, cut: int
) -> None:
    assert_goes_on(some, apart(inputs), limit, cut, ["sqlite", "postgresql"])


@few
@given(documents, arrivals(), turn_limits, st.integers(0, 20))
def test_a_story_goes_there_and_back(some: list[Document], inputs: Arrivals, limit: int, cut: int) -> None:
    assert_goes_on(some, apart(inputs), limit, cut, ["sqlite", "postgresql", "sqlite"])


@pytest.mark.parametrize("there", [("sqlite", "postgresql"), ("postgresql", "postgresql"), ("postgresql", "sqlite")])
def test_the_shop_s_story_goes_on_wherever_it_is_copied_to(there: Sequence[stores.Store]) -> None:
    some, inputs = shop()
    assert_goes_on(some, inputs, 1_000, len(inputs) // 2, there)
