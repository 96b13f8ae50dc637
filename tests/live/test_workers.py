"""Several workers on one PostgreSQL: what they write together is what one clock over all contacts writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import func, select
from tests.live.books import balance
from tests.live.strategies import Arrivals, Document, arrivals, documents, turn_limits
from tests.live.test_random import EXAMPLES, decided_by_lost_messages, numbers, simulated
from tests.live.test_same_trail import shop
from tests.live.world import START, LiveWorld, added_up, comparable, refused

from journeyflow.core.errors import Overloaded
from journeyflow.core.inputs import Event, Merge
from journeyflow.core.values import JSON
from journeyflow.db import aliases, claims, contacts, inbox, tables
from journeyflow.db.documents import FlowsCache
from journeyflow.db.store import read, write
from journeyflow.services.turn import Done, take_turn
from journeyflow.worker.turns import spans_of

STORES = ("postgresql",)
WORKERS = 4
SPANS = (1, 16, 5, 2)
few = settings(
    max_examples=max(3, EXAMPLES // 4),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Together(LiveWorld):
    """One installation on which several workers take turns at the same time."""

    def __init__(self, directory: Path, some: Sequence[Document], limit: int = 1_000) -> None:
        super().__init__(directory, some, START, limit)
        self._caches = [FlowsCache(self.installation.renderer) for _ in range(WORKERS)]

    def _turns(self) -> Done:
        with ThreadPoolExecutor(WORKERS) as pool:
            parts = list(pool.map(self._work, range(WORKERS)))
        done = Done()
        for part in parts:
            done = added_up(done, part)
        return done

    def _work(self, worker: int) -> Done:
        """Turns of all groups, each worker beginning with another one, until it finds nothing to do.

        Each puts another number of groups together.
        """
        first = worker * len(self.groups) // WORKERS
        spans = [*spans_of(self.groups[first:], SPANS[worker]), *spans_of(self.groups[:first], SPANS[worker])]
        done = Done()
        while True:
            went_on = False
            for together in spans:
                part = self._turn(worker, together)
                went_on = went_on or part.contacts > 0 or part.more
                done = added_up(done, part)
            if not went_on:
                return done

    def _turn(self, worker: int, together: Sequence[claims.Group]) -> Done:
        try:
            with write(self.engine) as connection:
                cache, make_code = self._caches[worker], self.installation.make_code
                return take_turn(connection, cache, self.now, self.limit, make_code, *together)
        except Overloaded:
            return Done(more=True)


def apart(inputs: Arrivals) -> Arrivals:
    """Merges, a few microseconds later: at their very instant the other contact's group may have had its turn."""
    return [
        (key, replace(item, at=item.at + timedelta(microseconds=place + 1)) if isinstance(item, Merge) else item)
        for place, (key, item) in enumerate(inputs)
    ]


def assert_like_a_simulation(world: LiveWorld, some: Sequence[Document], inputs: Arrivals) -> None:
    records, simulation = simulated(some, inputs)
    world.settle()  # what was published is in force before anything arrives, as in a simulation
    world.feed(inputs, simulation.end)
    balance(world)
    if decided_by_lost_messages(world, inputs):
        return
    assert comparable(world.trail()) == comparable(records)
    assert world.refusals() == refused(records, world.people())
    assert numbers(world) == simulation.journeys


@few
@given(documents, arrivals(), turn_limits)
def test_one_worker_writes_what_a_simulation_writes(some: list[Document], inputs: Arrivals, limit: int) -> None:
    with TemporaryDirectory() as directory:
        world = LiveWorld(Path(directory), some, START, limit)
        try:
            assert_like_a_simulation(world, some, apart(inputs))
        finally:
            world.close()


@few
@given(documents, arrivals(), turn_limits)
def test_four_workers_write_what_a_simulation_writes(some: list[Document], inputs: Arrivals, limit: int) -> None:
    with TemporaryDirectory() as directory:
        world = Together(Path(directory), some, limit)
        try:
            assert_like_a_simulation(world, some, apart(inputs))
        finally:
            world.close()


def test_four_workers_write_the_shop_s_trail(tmp_path: Path) -> None:
    some, inputs = shop()
    world = Together(tmp_path, some)
    assert_like_a_simulation(world, some, inputs)
    world.close()


# --- a crowd ---------------------------------------------------------------------------------------------------------

CODES: Document = {"coupon_pool": "few", "codes": "uploaded"}
GIFT: Document = {
    "journey": "gift",
    "triggers": [{"type": "event", "event": "Go"}],
    "start": "code",
    "nodes": {
        "code": {"type": "coupon", "pool": "few", "next": "got", "on_empty": "none"},
        "got": {"type": "tag", "add": ["got"]},
        "none": {"type": "tag", "add": ["none"]},
    },
}


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Together]:
    world = Together(tmp_path, [CODES, GIFT], limit=40)
    yield world
    world.close()


def test_rule_6_1_no_code_goes_to_two_contacts_and_the_last_one_is_found(crowd: Together) -> None:
    """There are 500 codes for 600 contacts."""
    people = [f"contact {number}" for number in range(600)]
    with write(crowd.engine) as connection:
        inbox.put(connection, [(key, Event(START, "Go", START, {}, key)) for key in people])
    crowd.settle()

    given = tables.coupons.c.code
    with read(crowd.engine) as connection:
        assert connection.execute(select(func.count(given), func.count(given.distinct()))).one() == (500, 500)
        tags = [one.tags[0] for one in contacts.load(connection, people, START).values()]
    assert (tags.count("got"), tags.count("none")) == (500, 100)
    balance(crowd)


def test_each_event_is_handled_once_however_many_workers_there_are(crowd: Together) -> None:
    people = [f"contact {number}" for number in range(300)]
    for _ in range(3):  # the same message ids again: only one of each counts (rule 1.5)
        with write(crowd.engine) as connection:
            inbox.put(connection, [(key, Event(START, "Seen", START, {}, f"{key}-1")) for key in people])
            inbox.put(connection, [(key, Event(START, "Seen", START, {}, f"{key}-2")) for key in people])
    crowd.settle()

    with read(crowd.engine) as connection:
        found = contacts.load(connection, people, START)
        assert {one.counts["Seen"].count for one in found.values()} == {2}
        assert inbox.is_empty(connection)


# --- merges between groups -------------------------------------------------------------------------------------------


def test_rule_10_1_a_visitor_is_merged_into_a_contact_of_another_group(crowd: Together) -> None:
    visitors = [f"visitor-{number}" for number in range(40)]
    with write(crowd.engine) as connection:
        inbox.put(connection, [(key, Event(START, "Seen", START)) for key in visitors])
        inbox.put(connection, [(key, Merge(START, "ann")) for key in visitors])
        inbox.put(connection, [(key, Event(START, "Later", START)) for key in visitors])
    crowd.settle()

    with read(crowd.engine) as connection:
        ann = contacts.load(connection, ["ann"], START)["ann"]
        assert connection.scalars(select(tables.contacts.c.contact)).all() == ["ann"]
        assert set(connection.scalars(select(tables.events.c.contact))) == {"ann"}
        assert inbox.is_empty(connection)
    assert (ann.counts["Seen"].count, ann.counts["Later"].count) == (40, 40)


@pytest.mark.parametrize("round_", range(5))
def test_two_that_are_merged_into_each_other_are_one_and_not_none(crowd: Together, round_: int) -> None:
    pairs = [(f"a-{round_}-{number}", f"b-{round_}-{number}") for number in range(30)]
    with write(crowd.engine) as connection:
        inbox.put(connection, [(key, Event(START, "Seen", START)) for pair in pairs for key in pair])
    crowd.settle()
    with write(crowd.engine) as connection:
        inbox.put(connection, [(one, Merge(START, two)) for a, b in pairs for one, two in ((a, b), (b, a))])
    crowd.settle()

    with read(crowd.engine) as connection:
        for pair in pairs:
            people = contacts.load(connection, pair, START)
            assert [one.counts["Seen"].count for one in people.values()] == [2], pair
            (left,) = people.keys()
            assert aliases.find(connection, pair) == {key: left for key in pair if key != left}
        assert inbox.is_empty(connection)


def test_rule_10_4_what_comes_for_an_alias_is_handed_on_to_where_its_person_is(crowd: Together) -> None:
    with write(crowd.engine) as connection:
        inbox.put(connection, [("visitor", Event(START, "Seen", START)), ("visitor", Merge(START, "ann"))])
    crowd.settle()
    with write(crowd.engine) as connection:
        go: JSON = {"why": "later"}
        inbox.put(connection, [("visitor", Event(START, "Go", START, {"because": go}))])
    crowd.settle()

    assert {record.contact for record in crowd.trail()} == {"ann"}
    assert crowd.trail()[0].kind == "entered"
