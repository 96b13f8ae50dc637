"""Several workers on one PostgreSQL: what they write together is what one clock over all contacts writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.live.books import balance
from tests.live.strategies import Document
from tests.live.world import START, LiveWorld

from journeyflow.core.inputs import Event, Merge
from journeyflow.core.values import JSON
from journeyflow.db import aliases, contacts, inbox, tables
from journeyflow.db.store import read, write
from journeyflow.services.turn import PoolLow

STORES = ("workers",)

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
def crowd(tmp_path: Path) -> Iterator[LiveWorld]:
    world = LiveWorld(tmp_path, [CODES, GIFT], START, limit=40)
    yield world
    world.close()


def test_rule_6_1_no_code_goes_to_two_contacts_and_the_last_one_is_found(crowd: LiveWorld) -> None:
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


def test_that_few_codes_are_left_is_told_once_by_whoever_takes_that_many(crowd: LiveWorld) -> None:
    """The pool falls below its ``low_water`` of 100 when 401 of its 500 codes are given."""
    people = [f"contact {number}" for number in range(450)]
    with write(crowd.engine) as connection:
        inbox.put(connection, [(key, Event(START, "Go", START, {}, key)) for key in people])
    told: list[PoolLow] = []
    while (done := crowd.turn()).contacts:
        told.extend(done.pools_low)

    assert [one.pool for one in told] == ["few"]
    assert 50 <= told[0].left < 100


def test_each_event_is_handled_once_however_many_workers_there_are(crowd: LiveWorld) -> None:
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


def test_rule_10_1_a_visitor_is_merged_into_a_contact_of_another_group(crowd: LiveWorld) -> None:
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
def test_two_that_are_merged_into_each_other_are_one_and_not_none(crowd: LiveWorld, round_: int) -> None:
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


def test_rule_10_4_what_comes_for_an_alias_is_handed_on_to_where_its_person_is(crowd: LiveWorld) -> None:
    with write(crowd.engine) as connection:
        inbox.put(connection, [("visitor", Event(START, "Seen", START)), ("visitor", Merge(START, "ann"))])
    crowd.settle()
    with write(crowd.engine) as connection:
        go: JSON = {"why": "later"}
        inbox.put(connection, [("visitor", Event(START, "Go", START, {"because": go}))])
    crowd.settle()

    assert {record.contact for record in crowd.trail()} == {"ann"}
    assert crowd.trail()[0].kind == "entered"
