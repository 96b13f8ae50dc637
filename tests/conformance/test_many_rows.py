"""Many rows at once (:mod:`journeyflow.db.bulk`), however many there are, and whatever stands in them."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, String, select

from journeyflow.db import bulk
from journeyflow.db.store import read, write
from journeyflow.db.tables import aliases, runs, seen, statistics, timers

WORDS = ["plain", 'a "quoted" one', "back\\slash", "{braces, commas}", "NULL", "", "two\nlines\tand a tab", "ż 中 🙂"]
KEY = (0, "journey", 1, "node", "kind")


@pytest.mark.parametrize("count", [1, 8, 5_000])
def test_texts_of_all_kinds_come_back_as_they_were(engine: Engine, count: int) -> None:
    rows = [
        (1, f"{number} {WORDS[number % len(WORDS)]}", WORDS[number % len(WORDS)], number) for number in range(count)
    ]
    for step in (bulk.insert, bulk.put):
        with write(engine) as connection:
            connection.execute(seen.delete())
            step(connection, seen, rows)
        with read(engine) as connection:
            found = connection.execute(seen.select().order_by(seen.c.at)).all()
        assert [tuple(row) for row in found] == rows


@pytest.mark.parametrize("count", [1, 8, 500])
def test_what_is_missing_stays_missing_and_the_largest_number_is_kept(engine: Engine, count: int) -> None:
    """A run has columns of each kind, and much of it may be missing."""
    given: dict[str, object] = {"shard": 1, "status": "active", "entered_at": 2**62}
    rows = [
        tuple(
            given[column.name]
            if column.name in given
            else None
            if column.nullable
            else f"{number}"
            if isinstance(column.type, String)
            else number
            for column in runs.columns
        )
        for number in range(count)
    ]
    with write(engine) as connection:
        bulk.insert(connection, runs, rows)
        bulk.put(connection, runs, rows)
    with read(engine) as connection:
        found = connection.execute(runs.select()).all()

    assert {tuple(row) for row in found} == {*rows}


def test_rows_that_are_there_are_left(engine: Engine) -> None:
    with write(engine) as connection:
        bulk.insert(connection, aliases, [(1, "visitor", "ann", 5)])
        assert bulk.insert_new(connection, aliases, [(1, "visitor", "bob", 6), (2, "guest", "bob", 6)]) == 1
        assert bulk.insert_new(connection, aliases, []) == 0
    with read(engine) as connection:
        assert dict(connection.execute(select(aliases.c.contact, aliases.c.into)).all()) == {
            "visitor": "ann", "guest": "bob"
        }  # fmt: skip


def test_rows_that_are_there_are_replaced_and_of_two_the_last_counts(engine: Engine) -> None:
    with write(engine) as connection:
        bulk.put(connection, statistics, [(*KEY, 7, 4), (*KEY, 7, 6), (*KEY, 8, 1)])
        bulk.put(connection, statistics, [(*KEY, 8, 2)])
    assert counts(engine) == {7: 6, 8: 2}


def test_only_the_columns_that_are_named_are_replaced(engine: Engine) -> None:
    with write(engine) as connection:
        bulk.put(connection, aliases, [(1, "visitor", "ann", 5)])
        bulk.put(connection, aliases, [(1, "visitor", "bob", 6)], ("at",))
    with read(engine) as connection:
        assert connection.execute(select(aliases)).all() == [(1, "visitor", "ann", 6)]


def test_rows_that_are_there_are_added_to(engine: Engine) -> None:
    with write(engine) as connection:
        bulk.add(connection, statistics, [(*KEY, 7, 2), (*KEY, 7, 3)])
        bulk.add(connection, statistics, [(*KEY, 7, 5), (*KEY, 8, -1)])
    assert counts(engine) == {7: 10, 8: -1}


def test_exactly_the_named_rows_are_deleted(engine: Engine) -> None:
    rows = [(at, shard, f"c{at}") for at in range(10) for shard in (0, 63, 64, 1023)]
    with write(engine) as connection:
        bulk.insert(connection, timers, rows)
        bulk.delete(connection, timers, rows[1::2])
        bulk.delete(connection, timers, [])
    with read(engine) as connection:
        left = connection.execute(timers.select()).all()

    assert sorted(tuple(row) for row in left) == sorted(rows[::2])


def test_rows_are_found_by_many_keys_and_by_none(engine: Engine) -> None:
    rows = [(number % 1024, WORDS[number % len(WORDS)] + str(number), "m", number) for number in range(2_000)]
    with write(engine) as connection:
        bulk.insert(connection, seen, rows)
    for wanted in (rows[::3], []):
        with read(engine) as connection:
            keys = bulk.batch(connection, ((row[0], row[1]) for row in wanted))
            same = (seen.c.shard == keys.c.shard) & (seen.c.contact == keys.c.contact)
            found = connection.execute(select(seen).select_from(keys.join(seen, same)).order_by(seen.c.at)).all()
            triples = bulk.triples(connection, (row[:3] for row in wanted))
            same = (seen.c.shard == triples.c.shard) & (seen.c.contact == triples.c.contact)
            same &= seen.c.message_id == triples.c.third
            again = connection.execute(select(seen).select_from(triples.join(seen, same)).order_by(seen.c.at)).all()
        assert [tuple(row) for row in found] == [tuple(row) for row in again] == wanted


def counts(engine: Engine) -> dict[int, int]:
    """The statistics by their day."""
    with read(engine) as connection:
        return dict(connection.execute(select(statistics.c.day, statistics.c["count"])).all())
