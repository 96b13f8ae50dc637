"""What turns take: claims, the inbox, timers, tasks. Each group has its own; together they are everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from journeyflow.core.contact import Contact
from journeyflow.core.effects import Call
from journeyflow.core.errors import JourneyflowError
from journeyflow.core.identity import SHARDS
from journeyflow.core.inputs import Event, Merge
from journeyflow.db import bulk, calls, claims, inbox, tables, tasks, timers
from journeyflow.db.claims import WHOLE, Claim, Group
from journeyflow.db.contacts import contact_row
from journeyflow.db.inbox import Arrived, Awaited
from journeyflow.db.store import WriteConnection, read, write

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PEOPLE = [f"person {number}" for number in range(200)]


def groups_of(engine: Engine) -> tuple[Group, ...]:
    with read(engine) as connection:
        return claims.groups(connection)


def claimed(connection: WriteConnection, group: Group, clock: datetime = NOW) -> Claim:
    claim = claims.take(connection, (group,), clock)
    assert claim is not None, "nobody else works on it"
    return claim


# --- claims ----------------------------------------------------------------------------------------------------------


def test_the_groups_hold_every_shard_once(engine: Engine) -> None:
    found = groups_of(engine)

    assert [shard for group in found for shard in range(group.first, group.last + 1)] == [*range(SHARDS)]
    assert all(sum(group.holds(person) for group in found) == 1 for person in PEOPLE)


def test_rule_1_1_the_clock_of_a_group_never_runs_backwards(engine: Engine) -> None:
    for group in groups_of(engine):
        for clock, expected in ((NOW, NOW), (NOW - SECOND, NOW), (NOW + SECOND, NOW + SECOND)):
            with write(engine) as connection:
                claim = claimed(connection, group, clock)
                claims.keep(connection, claim)
            assert claim.now == expected


def test_what_happens_to_the_whole_installation_happens_after_all_that_groups_have_done(engine: Engine) -> None:
    last = groups_of(engine)[-1]
    with write(engine) as connection:
        claims.keep(connection, claimed(connection, last, NOW + SECOND))
    with write(engine) as connection:
        assert claims.advance_all(connection, NOW) == NOW + SECOND
    for group in groups_of(engine):
        with write(engine) as connection:
            assert claimed(connection, group, NOW).now == NOW + SECOND


def test_a_claim_that_failed_has_claimed_nothing(engine: Engine) -> None:
    group = groups_of(engine)[0]

    def fail() -> None:
        with write(engine) as connection:
            claims.keep(connection, claimed(connection, group, NOW + SECOND))
            raise JourneyflowError("the turn failed")

    with pytest.raises(JourneyflowError):
        fail()
    with write(engine) as connection:
        assert claimed(connection, group, NOW).now == NOW


# --- the inbox -------------------------------------------------------------------------------------------------------


def test_inputs_come_out_in_order_of_arrival_each_once(engine: Engine) -> None:
    arriving = [(person, Event(NOW + SECOND * place, "Seen", NOW)) for place, person in enumerate(PEOPLE)]
    with write(engine) as connection:
        ids = inbox.put(connection, arriving[:150])
        ids += inbox.put(connection, arriving[150:])

    found: list[Arrived | Awaited] = []
    for group in groups_of(engine):
        mine: list[int] = []
        while True:
            with write(engine) as connection:
                some = inbox.oldest(connection, group, 7)
                inbox.remove(connection, [one for one in some if isinstance(one, Arrived)])
            if not some:
                break
            mine.extend(one.id for one in some)
            found.extend(some)
        assert mine == sorted(mine)

    assert ids == sorted(ids)
    assert {one.id: (one.contact, one.input) for one in found} == dict(zip(ids, arriving, strict=True))
    with read(engine) as connection:
        assert inbox.is_empty(connection)


def test_who_asks_is_told_whether_an_input_has_had_its_turn(engine: Engine) -> None:
    with write(engine) as connection:
        first, second = inbox.put(connection, [("ann", Event(NOW, "Seen", NOW)), ("bob", Event(NOW, "Seen", NOW))])
    (group,) = [group for group in groups_of(engine) if group.holds("ann")]
    with write(engine) as connection:
        taken = [one for one in inbox.oldest(connection, group, 10) if isinstance(one, Arrived) and one.id == first]
        inbox.remove(connection, taken)
    with read(engine) as connection:
        assert not inbox.waits(connection, "ann", first)
        assert inbox.waits(connection, "bob", second)


def test_the_groups_for_which_something_has_arrived_are_known(engine: Engine) -> None:
    groups = groups_of(engine)
    with read(engine) as connection:
        assert inbox.waiting_groups(connection, groups) == set()
    with write(engine) as connection:
        inbox.put(connection, [("ann", Event(NOW, "Seen", NOW))])
    with read(engine) as connection:
        assert inbox.waiting_groups(connection, groups) == {one.first for one in groups if one.holds("ann")}


def test_a_merge_is_taken_with_whatever_awaits_it(engine: Engine) -> None:
    with write(engine) as connection:
        inbox.put(connection, [("visitor", Merge(NOW, "ann"))])
    for group in groups_of(engine):
        with write(engine) as connection:
            found = inbox.oldest(connection, group, 10)
            inbox.remove(connection, [one for one in found if isinstance(one, Arrived)])
    with read(engine) as connection:
        assert inbox.is_empty(connection)


# --- timers ----------------------------------------------------------------------------------------------------------


def test_timers_come_out_by_their_instants_up_to_one_each_once(engine: Engine) -> None:
    due = {person: NOW + SECOND * (place % 50) for place, person in enumerate(PEOPLE)}
    until = NOW + SECOND * 30
    found: list[tuple[str, datetime]] = []
    for group in groups_of(engine):
        with write(engine) as connection:
            claim = claimed(connection, group)
            timers.put(connection, claim, [(person, at) for person, at in due.items() if group.holds(person)])
            claims.keep(connection, claim)
        mine: list[tuple[str, datetime]] = []
        while True:
            with write(engine) as connection:
                claim = claimed(connection, group)
                some = timers.take(connection, claim, until, 3)
                claims.keep(connection, claim)
            if not some:
                break
            mine.extend(some)
        assert [at for _, at in mine] == sorted(at for _, at in mine)
        found.extend(mine)

    assert len(found) == len({*found})
    assert dict(found) == {person: at for person, at in due.items() if at <= until}
    with read(engine) as connection:
        assert timers.next_due(connection, groups_of(engine)) == until + SECOND


def test_a_timer_that_is_set_behind_what_was_taken_is_found_all_the_same(engine: Engine) -> None:
    (group,) = [group for group in groups_of(engine) if group.holds("ann")]
    with write(engine) as connection:
        claim = claimed(connection, group)
        assert timers.take(connection, claim, NOW, 10) == []
        timers.put(connection, claim, [("ann", NOW - SECOND)])
        claims.keep(connection, claim)
    with write(engine) as connection:
        claim = claimed(connection, group)
        assert timers.take(connection, claim, NOW, 10) == [("ann", NOW - SECOND)]


# --- tasks -----------------------------------------------------------------------------------------------------------


def test_what_is_asked_of_all_is_asked_of_each_group_and_twice_is_once(engine: Engine) -> None:
    groups = groups_of(engine)
    with write(engine) as connection:
        tasks.add(connection, "look_at_all", "", NOW)
        tasks.add(connection, "look_at_all", "", NOW)
    with read(engine) as connection:
        assert tasks.waiting_groups(connection) == {group.first for group in groups}
    for group in groups:
        with write(engine) as connection:
            claim = claimed(connection, group)
            assert tasks.oldest(connection, claim, NOW - SECOND) == []
            (task,) = tasks.oldest(connection, claim, NOW)
            assert tasks.take_slice(connection, claim, task, 10, 1, None).last
    with read(engine) as connection:
        assert tasks.is_empty(connection)


@pytest.mark.parametrize("kind", ["look_at_all", "fire"])
def test_a_task_of_a_group_visits_each_of_its_contacts_once_and_nobody_else(engine: Engine, kind: str) -> None:
    groups = groups_of(engine)
    with write(engine) as connection:
        bulk.insert(
            connection, tables.contacts, [contact_row(Contact(person, created_at=NOW)) for person in EVERYWHERE]
        )
        if kind == "look_at_all":
            tasks.add(connection, "look_at_all", "", NOW)
        for group in groups if kind == "fire" else ():
            tasks.fire(connection, group, "letter", "daily", NOW)
    for group in groups:
        assert visited(engine, group) == sorted(one for one in EVERYWHERE if group.holds(one))


@pytest.mark.on_sqlite  # PostgreSQL chooses its plans by what it knows of a table
def test_a_slice_passes_nobody_who_lies_before_it(engine: Engine) -> None:
    """Else a task over many contacts would take longer with every slice."""
    query = select(tables.contacts.c.contact).where(WHOLE.behind(tables.contacts, (7, "m")))
    sql = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
    with read(engine) as connection:
        (plan,) = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert "(shard,contact)>(?,?)" in plan


EVERYWHERE = [f"person {number}" for number in range(6 * SHARDS)]
"""Some of them in nearly every shard, so that groups have neighbours."""


def visited(engine: Engine, group: Group) -> list[str]:
    """Whom the one task of a group visits, however often."""
    found: list[str] = []
    last = False
    while not last:
        with write(engine) as connection:
            claim = claimed(connection, group)
            (task,) = tasks.oldest(connection, claim, NOW)
            part = tasks.take_slice(connection, claim, task, 100, 1, None)
        found.extend(part.contacts)
        last = part.last
    return sorted(found)


# --- calls of webhooks -----------------------------------------------------------------------------------------------


def call_of(contact: str, number: int) -> Call:
    url, until = "https://shop.example/hook", NOW + 60 * SECOND
    return Call(
        f"{contact}-{number}",
        contact,
        "walk",
        1,
        "run",
        "tell",
        number,
        "POST",
        url,
        {},
        None,
        True,
        True,
        NOW,
        until,
        {},
    )


def test_calls_of_one_instant_are_taken_in_the_order_in_which_they_were_queued(engine: Engine) -> None:
    queued = [call_of(person, number) for number in (2, 0, 1) for person in PEOPLE]
    with write(engine) as connection:
        calls.queue(connection, queued)

    with write(engine) as connection:
        taken = calls.claim(connection, NOW, NOW + SECOND, len(queued) - 1)
        rest = calls.claim(connection, NOW, NOW + SECOND, len(queued))

    assert [one.id for one in [*taken, *rest]] == [one.id for one in queued]
