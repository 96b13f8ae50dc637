"""A whole installation copied into another database: all of it or nothing, and compared row by row."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, Integer, Table, delete, insert, select
from tests import postgres, stores

from journeyflow.core.errors import Conflict, Overloaded, SystemFailure
from journeyflow.core.identity import shard_of
from journeyflow.core.inputs import Await, Event, Input, Merge
from journeyflow.db import bulk, inbox, migrations, regroup, tables
from journeyflow.db.claims import Group, groups
from journeyflow.db.regroup import OF_GROUPS
from journeyflow.db.snapshot import TABLES, Tally, held_still
from journeyflow.db.store import ReadConnection, open_engine, read, write
from journeyflow.services.copy import copy

INSTANT = postgres.INSTANT


@dataclass
class Databases:
    """Makes databases with the newest schema, and closes them at the end."""

    stack: ExitStack
    directory: Path
    made: int = 0

    def sqlite(self) -> Engine:
        self.made += 1
        return self._open(stores.make_file(self.directory / f"{self.made}.db"))

    def postgresql(self) -> Engine:
        url = self.stack.enter_context(postgres.database())
        postgres.disconnect(url)
        return self._open(url)

    def empty(self) -> Engine:
        """One of PostgreSQL that nobody else uses afterwards."""
        return self._open(self.stack.enter_context(postgres.untouched()))

    def _open(self, url: str) -> Engine:
        engine = open_engine(url, patience_seconds=1.0)
        self.stack.callback(engine.dispose)
        migrations.migrate(engine)
        return engine

    def pair(self, names: str) -> tuple[Engine, Engine]:
        """``sqlite -> postgresql``."""
        first, second = (getattr(self, name)() for name in names.split(" -> "))
        return first, second


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Databases]:
    with ExitStack() as stack:
        yield Databases(stack, tmp_path)


WAYS = ("sqlite -> postgresql", "postgresql -> postgresql", "postgresql -> sqlite", "sqlite -> sqlite")
CHECKED = {
    "documents.status": "published", "journeys.state": "live", "instructions.kind": "resume", "keys.scope": "admin",
    "runs.status": "active", "runs.ended_at": None, "codes.state": "left", "messages.status": "queued",
    "calls.status": "queued",
}  # fmt: skip


def filled(engine: Engine, rows: int = 3) -> None:
    """Some rows in every table, with a value, or none, in every column."""
    with write(engine) as connection:
        for table in TABLES:
            if table not in OF_GROUPS:
                bulk.insert(connection, table, [_row(table, number) for number in range(rows)])


def _row(table: Table, number: int) -> tuple[object, ...]:
    return tuple(_value(table, column, number) for column in table.columns)


def _value(table: Table, column: Any, number: int) -> object:  # Any: a column of any type
    name = f"{table.name}.{column.name}"
    if name in CHECKED:
        return CHECKED[name]
    if column.nullable and number % 2 and column.name != "due_at":
        return None
    if column.name == "shard":
        return number * 37 % 1024
    if isinstance(column.type, Integer):
        return number
    return f'{{"ü\t\\n\N{SNOWMAN}": "{number}"}}'


def contents(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with read(engine) as connection:
        return {
            table.name: sorted(((*row,) for row in connection.execute(select(table))), key=repr)
            for table in TABLES
            if table not in OF_GROUPS
        }


def is_empty(engine: Engine) -> bool:
    return not any(contents(engine).values())


# --- everything ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_every_row_of_every_table_arrives_as_it_was(databases: Databases, way: str) -> None:
    source, target = databases.pair(way)
    filled(source)
    source.pool.dispose()

    copied = copy(source, target)

    assert contents(target) == contents(source)
    assert {one.table for one in copied if one.rows == 3} >= contents(source).keys()
    assert all(len(one.checksum) == 32 for one in copied)


def test_the_same_rows_have_the_same_checksum_in_whatever_order_and_others_another_one() -> None:
    one, two, other, twice = Tally(), Tally(), Tally(), Tally()
    one.count([(1, "a"), (2, None)])
    two.count([(2, None)])
    two.count([(1, "a")])
    other.count([(1, "a"), (2, "")])
    twice.count([(1, "a"), (1, "a"), (2, None), (2, None)])

    assert one.checksum == two.checksum
    assert len({one.checksum, other.checksum, twice.checksum}) == 3


def test_progress_goes_from_nothing_to_everything(databases: Databases) -> None:
    source, target = databases.pair("sqlite -> sqlite")
    filled(source, 10)
    told: list[tuple[int, int]] = []

    copy(source, target, lambda done, total: told.append((done, total)))

    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == 2 * sum(len(rows) for rows in contents(source).values()) + 2  # the claim


@pytest.mark.parametrize("way", ["sqlite -> postgresql", "postgresql -> sqlite"])
def test_memory_does_not_grow_with_the_installation(databases: Databases, way: str) -> None:
    def peak(rows: int) -> int:
        source, target = databases.pair(way)
        with write(source) as connection:
            bulk.insert(
                connection, tables.seen, [(number % 1024, f"contact {number}", "x" * 500, 1) for number in range(rows)]
            )
        source.pool.dispose()
        gc.collect()
        tracemalloc.start()
        copy(source, target)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(5_000)  # whatever is kept from the first time on

    assert peak(40_000) < 1.5 * peak(10_000)


# --- all or nothing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_what_holds_something_is_not_written_to(databases: Databases, way: str) -> None:
    source, target = databases.pair(way)
    filled(source)
    source.pool.dispose()
    with write(target) as connection:
        connection.execute(insert(tables.installation).values(name="workspace", value="another"))

    with pytest.raises(Conflict, match=r"holds something already \(its table installation has rows"):
        copy(source, target)

    assert sum(len(rows) for rows in contents(target).values()) == 1


def test_a_database_on_which_turns_were_taken_holds_something(databases: Databases) -> None:
    source, target = databases.pair("sqlite -> postgresql")
    with write(target) as connection:
        connection.execute(tables.claims.update().where(tables.claims.c.shard == 64).values(now=1))

    with pytest.raises(Conflict, match="its table claims has rows"):
        copy(source, target)


def _losing(rows: Sequence[Sequence[object]]) -> Sequence[Sequence[object]]:
    return rows[:-1]


def _changing(rows: Sequence[Sequence[object]]) -> Sequence[Sequence[object]]:
    return [(*rows[0][:-1], 77), *rows[1:]]


@pytest.mark.parametrize("fault", [_losing, _changing])
def test_what_does_not_arrive_as_it_was_is_noticed_and_nothing_is_copied(
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Sequence[Sequence[object]]], Sequence[Sequence[object]]],
) -> None:
    source, target = databases.pair("sqlite -> postgresql")
    filled(source)
    insert_rightly = bulk.insert

    def insert_wrongly(connection: Any, table: Table, rows: Sequence[Sequence[object]]) -> None:  # Any: as bulk's
        insert_rightly(connection, table, fault(rows) if table is tables.seen else rows)

    monkeypatch.setattr(bulk, "insert", insert_wrongly)

    with pytest.raises(SystemFailure, match=r"table seen did not arrive as it was: of 3 rows 3 were sent.*Nothing was"):
        copy(source, target)

    assert is_empty(target)


def test_what_is_not_read_to_its_end_is_noticed(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = databases.pair("sqlite -> sqlite")
    filled(source)
    monkeypatch.setattr(regroup, "rows_for", lambda _, table, groups: iter(()))

    with pytest.raises(SystemFailure, match="of 3 rows 0 were sent"):
        copy(source, target)

    assert is_empty(target)


@pytest.mark.parametrize("way", ["sqlite -> postgresql", "postgresql -> sqlite"])
def test_a_copy_that_breaks_off_leaves_nothing_and_can_be_made_again(databases: Databases, way: str) -> None:
    source, target = databases.pair(way)
    filled(source)
    source.pool.dispose()

    def break_off(done: int, _: int) -> None:
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(source, target, break_off)
    assert is_empty(target)
    copy(source, target)

    assert contents(target) == contents(source)


def test_a_database_with_an_older_schema_is_not_copied(databases: Databases, tmp_path: Path) -> None:
    target = databases.sqlite()
    old = open_engine(str(tmp_path / "old.db"))

    with pytest.raises(Conflict, match="has an older schema; bring it to the newest first"):
        copy(old, target)
    old.dispose()


# --- nobody else -----------------------------------------------------------------------------------------------------


def test_no_process_may_have_the_source_open(databases: Databases) -> None:
    source, target = databases.pair("postgresql -> sqlite")
    other = open_engine(source.url.set(drivername="postgresql").render_as_string(hide_password=False))

    with pytest.raises(SystemFailure, match=r"journeyflow has the database open: \d+ \(.*\); stop all servers"):
        copy(source, target)
    other.dispose()
    copy(source, target)


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_who_writes_meanwhile_is_refused_and_who_reads_is_not(databases: Databases, store: str) -> None:
    source: Engine = getattr(databases, store)()

    def look() -> bool:
        with read(source) as connection:
            return inbox.is_empty(connection)

    def hand_in() -> None:
        with write(source) as connection:
            inbox.put(connection, [("ann", Event(INSTANT, "Seen", INSTANT))])

    with ThreadPoolExecutor(1) as others, held_still(source):
        assert others.submit(look).result()
        with pytest.raises(Overloaded):
            others.submit(hand_in).result()
    hand_in()


# --- other claim groups ----------------------------------------------------------------------------------------------


def rows_of(connection: ReadConnection, table: Table) -> list[tuple[object, ...]]:
    return [(*row,) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]


def test_rule_1_1_time_goes_on_from_where_it_was_in_every_group(databases: Databases) -> None:
    source, target = databases.pair("postgresql -> postgresql")
    back = databases.sqlite()
    with write(source) as connection:
        for first, now in ((0, 5), (64, 7), (960, 6)):
            mine = tables.claims.c.shard == first
            connection.execute(tables.claims.update().where(mine).values(now=now, timers_from=9))
    source.pool.dispose()
    copy(source, target)
    target.pool.dispose()
    copy(target, back)

    with read(target) as connection, read(back) as joined:
        assert {row[1:] for row in rows_of(connection, tables.claims)} == {(at, 0, None) for at in (0, 5, 6, 7)}
        assert len(groups(connection)) == 16
        assert rows_of(joined, tables.claims) == [(0, 7, 0, None)]


TASK = {"kind": "look_at_all", "args": '{"journey":"","instruction":null}', "created_at": 1}


def test_a_task_goes_on_for_each_group_from_where_its_contacts_were(databases: Databases) -> None:
    source, target = databases.pair("sqlite -> postgresql")
    with write(source) as connection:
        connection.execute(insert(tables.tasks).values(shard=0, id="begun", cursor='[130,"m"]', **TASK))
        connection.execute(insert(tables.tasks).values(shard=0, id="new", cursor='[-1,""]', **TASK))

    copy(source, target)

    with read(target) as connection:
        found = rows_of(connection, tables.tasks)
    begun = {row[0]: orjson.loads(str(row[4])) for row in found if row[1] == "begun"}
    new = {row[0]: orjson.loads(str(row[4])) for row in found if row[1] == "new"}
    firsts = range(0, 1024, 64)
    assert begun == {128: [130, "m"], **{first: [first, ""] for first in firsts if first > 128}}
    assert new == {first: [first, ""] for first in firsts}


def test_tasks_of_groups_that_become_one_are_one_from_where_the_first_of_them_was(databases: Databases) -> None:
    source, target = databases.pair("postgresql -> sqlite")
    with write(source) as connection:
        for first, cursor in ((64, [70, "m"]), (128, [127, ""]), (960, [960, "a"])):
            connection.execute(
                insert(tables.tasks).values(shard=first, id=f"{first}", cursor=orjson.dumps(cursor).decode(), **TASK)
            )
    source.pool.dispose()

    copy(source, target)

    with read(target) as connection:
        (task,) = rows_of(connection, tables.tasks)
    assert (task[0], task[4]) == (0, '[70,"m"]')


def test_a_schedule_that_has_fired_has_fired_in_every_group(databases: Databases) -> None:
    source, target = databases.pair("sqlite -> postgresql")
    back = databases.sqlite()
    with write(source) as connection:
        connection.execute(insert(tables.firings).values(shard=0, journey="j", trigger="t", fire_at=5, at=6))

    copy(source, target)
    target.pool.dispose()
    copy(target, back)

    with read(target) as connection, read(back) as joined:
        assert rows_of(connection, tables.firings) == [(first, "j", "t", 5, 6) for first in range(0, 1024, 64)]
        assert rows_of(joined, tables.firings) == [(0, "j", "t", 5, 6)]


def test_groups_of_which_one_has_not_fired_yet_do_not_become_one(databases: Databases) -> None:
    source, target = databases.pair("postgresql -> sqlite")
    with write(source) as connection:
        connection.execute(insert(tables.firings).values(shard=64, journey="j", trigger="t", fire_at=5, at=6))
    source.pool.dispose()

    with pytest.raises(Conflict, match="a schedule has fired for some contacts and not yet for others"):
        copy(source, target)


def awaiting(engine: Engine) -> list[tuple[int, str, int, str]]:
    """Who waits for whom: by id, whom, shard and the other."""
    with read(engine) as connection:
        found = inbox.oldest(connection, Group(0, 1023), 10)
        shards = {one.contact: one.shard for one in connection.execute(select(tables.inbox))}
    return [
        (one.id, one.contact, shards[one.contact], one.input.source) for one in found if isinstance(one.input, Await)
    ]


def test_rule_10_1_who_is_merged_with_waits_where_both_are_of_two_groups_and_only_there(databases: Databases) -> None:
    source, target = databases.pair("sqlite -> postgresql")
    back = databases.sqlite()
    arrivals: list[tuple[str, Input]] = [
        ("ann", Event(INSTANT, "Before", INSTANT)),
        ("visitor", Merge(INSTANT, "ann")),
        ("ann", Event(INSTANT, "After", INSTANT, {"n": 1})),
        ("bob", Event(INSTANT, "After", INSTANT)),
    ]
    with write(source) as connection:
        ids = inbox.put(connection, arrivals)

    copy(source, target)
    target.pool.dispose()
    copy(target, back)

    assert awaiting(source) == awaiting(back) == []
    assert awaiting(target) == [(ids[1], "ann", shard_of("ann"), "visitor")]
    assert contents(back)["inbox"] == contents(source)["inbox"]


def test_groups_that_a_cluster_made_are_told_from_their_shards(databases: Databases) -> None:
    source, target = databases.pair("sqlite -> empty")
    odd, even = Group.naming(range(1, 1024, 2)), Group.naming(range(0, 1024, 2))
    with write(source) as connection:
        connection.execute(insert(tables.tasks).values(shard=0, id="t", cursor='[130,"m"]', **TASK))
    with write(target) as connection:
        connection.execute(delete(tables.claims))
        for group in (odd, even):
            shards = orjson.dumps(sorted(group.shards())).decode()
            connection.execute(insert(tables.claims).values(shard=group.first, now=0, shards=shards))

    copy(source, target)

    with read(target) as connection:
        assert groups(connection) == (even, odd)
        cursors = [(row[0], row[4]) for row in rows_of(connection, tables.tasks)]
    assert cursors == [(0, '[130,"m"]'), (1, '[130,"m"]')]
