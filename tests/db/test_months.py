"""History by month on PostgreSQL: room for every instant, made by whoever comes first, and in nobody's way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, Table, select, text
from tests import postgres
from tests.db.test_migrations import VERSIONS
from tests.history_rows import event, message, step

from journeyflow.core.values import from_micros, to_micros
from journeyflow.db import bulk, migrations, months
from journeyflow.db.months import MONTHLY, Month, month_of
from journeyflow.db.store import open_engine, read, write
from journeyflow.db.tables import events, messages, metadata, trail

NOW = datetime(2026, 3, 15, 10, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with postgres.untouched() as url:
        opened = open_engine(url, patience_seconds=5)
        yield opened
        opened.dispose()


def parts(engine: Engine, table: Table) -> list[str]:
    """The tables of the months of a table, by name."""
    with read(engine) as connection:
        return sorted(month.part(table) for month in months.attached(connection, table))


def where(engine: Engine, table: Table) -> dict[str, list[int]]:
    """For each part that has rows, their instants in microseconds."""
    at = table.c[table.info["month"]]
    with read(engine) as connection:
        found: dict[str, list[int]] = {}
        for part, micros in connection.execute(select(text("tableoid::regclass::text"), at).order_by(at)):
            found.setdefault(part, []).append(micros)
    return found


# --- room ------------------------------------------------------------------------------------------------------------


def test_each_instant_has_its_place_and_comes_back_as_it_was(engine: Engine) -> None:
    instants = {
        "events_before_2020": [datetime(1, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC) - MICROSECOND],
        "events_2020_01": [datetime(2020, 1, 1, tzinfo=UTC)],
        "events_2024_02": [datetime(2024, 3, 1, tzinfo=UTC) - MICROSECOND],
        "events_2024_03": [datetime(2024, 3, 1, tzinfo=UTC)],
        "events_2099_12": [datetime(2100, 1, 1, tzinfo=UTC) - MICROSECOND],
        "events_from_2100": [datetime(2100, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)],
    }
    rows = [event("ann", at, number) for number, at in enumerate(at for some in instants.values() for at in some)]
    with write(engine) as connection:
        bulk.insert(connection, events, rows)

    assert where(engine, events) == {part: [to_micros(at) for at in some] for part, some in instants.items()}


def test_few_rows_and_many_each_find_their_month(engine: Engine) -> None:
    for count in (1, 3, 4, 1_000):
        at = NOW + timedelta(days=31 * count)
        with write(engine) as connection:
            for table, row in ((events, event), (trail, step), (messages, message)):
                bulk.insert(connection, table, [row(f"c{number}", at, 0) for number in range(count)])

    for table in MONTHLY:
        assert [len(some) for some in where(engine, table).values()] == [1, 3, 4, 1_000]


def test_one_transaction_may_come_to_one_month_after_the_other(engine: Engine) -> None:
    with write(engine) as connection:
        for number in range(4):
            bulk.insert(connection, events, [event("ann", NOW + timedelta(days=31 * number), number)])

    assert len(parts(engine, events)) == 4


def test_what_is_undone_leaves_the_month_and_no_row(engine: Engine) -> None:
    with write(engine) as connection:
        bulk.insert(connection, events, [event("ann", NOW, 0)])
        connection.rollback()
    with write(engine) as connection:
        bulk.insert(connection, events, [event("ann", NOW, 0)])

    assert where(engine, events) == {"events_2026_03": [to_micros(NOW)]}


def test_a_message_that_is_queued_anew_moves_to_the_month_of_now(engine: Engine) -> None:
    """PostgreSQL moves a row whose instant changes."""
    with write(engine) as connection:
        bulk.insert(connection, messages, [message("ann", NOW - timedelta(days=90), 0)])
    with write(engine) as connection:
        months.ensure(connection, messages, [to_micros(NOW)])
        connection.execute(messages.update().values(queued_at=to_micros(NOW)))

    assert where(engine, messages) == {"messages_2026_03": [to_micros(NOW)]}


def test_months_follow_one_another_without_a_gap() -> None:
    month = months.FIRST
    while month < months.END:
        assert month_of(month.start) == month
        assert month_of(month.end - 1) == month
        assert from_micros(month.end).day == 1
        month = month.next
    assert month_of(months.FIRST.start - 1) is None
    assert month_of(months.END.start) is None


# --- made ahead ------------------------------------------------------------------------------------------------------


def test_this_month_and_the_next_two_are_made_ahead_once(engine: Engine) -> None:
    with write(engine) as connection:
        made = [months.prepare(connection, datetime(2026, 11, 30, tzinfo=UTC)) for _ in range(2)]

    assert made == [9, 0]
    for table in MONTHLY:
        assert parts(engine, table) == [f"{table.name}_{month}" for month in ("2026_11", "2026_12", "2027_01")]


def test_nothing_is_made_ahead_of_a_clock_beyond_all_months(engine: Engine) -> None:
    with write(engine) as connection:
        assert months.prepare(connection, datetime(2099, 12, 31, tzinfo=UTC)) == len(MONTHLY)
        assert months.prepare(connection, datetime(2100, 1, 1, tzinfo=UTC)) == 0
        assert months.prepare(connection, datetime(1970, 1, 1, tzinfo=UTC)) == 0


# --- at the same time ------------------------------------------------------------------------------------------------


def test_workers_that_need_the_same_month_at_once_all_find_it(engine: Engine) -> None:
    together = Barrier(6)

    def work(number: int) -> None:
        with write(engine) as connection:
            together.wait()
            bulk.insert(connection, events, [event(f"c{number}", NOW, 0)])

    threads = [Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert where(engine, events) == {"events_2026_03": [to_micros(NOW)] * 6}


def test_a_month_is_made_while_others_write_and_read(engine: Engine) -> None:
    """What they hold until they end, it does not wait for; nor do they for what it holds."""
    impatient = open_engine(url_of(engine), patience_seconds=0.2)
    with write(engine) as turn, read(engine) as reader:
        bulk.insert(turn, events, [event("ann", NOW, 0)])
        reader.execute(select(events.c.contact)).all()
        with write(impatient) as connection:
            assert months.make(connection, events, [Month(2026, 7)]) == 1
            bulk.insert(turn, events, [event("ann", NOW, 1)])
            reader.execute(select(events.c.contact)).all()
    impatient.dispose()

    assert parts(engine, events) == ["events_2026_03", "events_2026_07"]


def test_who_has_the_table_to_itself_does_not_wait_for_itself(engine: Engine) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql("LOCK TABLE events IN EXCLUSIVE MODE")
        for number in range(3):
            bulk.insert(connection, events, [event("ann", NOW + number * timedelta(days=31), number)])

    assert parts(engine, events) == ["events_2026_03", "events_2026_04", "events_2026_05"]


def url_of(engine: Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


# --- the schema ------------------------------------------------------------------------------------------------------


def test_the_instant_of_the_month_is_in_the_key_and_parts_the_table(engine: Engine) -> None:
    keys = text(
        "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)"
        " WHERE indrelid = to_regclass(:name) AND indisprimary"
    )
    by = text("SELECT pg_get_partkeydef(to_regclass(:name))")
    for table in MONTHLY:
        at = table.info["month"]
        with read(engine) as connection:
            key = set(connection.scalars(keys, {"name": table.name}))
            parted = connection.scalar(by, {"name": table.name})
        assert key == {column.name for column in table.primary_key.columns} | {at}
        assert parted == f"RANGE ({at})" == table.dialect_options["postgresql"]["partition_by"]


def test_every_part_is_treated_like_the_others_and_has_their_indexes(engine: Engine) -> None:
    with write(engine) as connection:
        months.prepare(connection, NOW)
    options = text(
        "SELECT reloptions, (SELECT count(*) FROM pg_index WHERE indrelid = pg_class.oid) AS indexes"
        " FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass(:name)"
    )
    for table in MONTHLY:
        with read(engine) as connection:
            found = connection.execute(options, {"name": table.name}).all()
        assert len(found) == 5
        assert {tuple(one.reloptions) for one in found} == {tuple(found[0].reloptions)}
        assert {one.indexes for one in found} == {1 + len(table.indexes)}


def test_no_table_has_a_part_for_whatever_has_none(engine: Engine) -> None:
    """Attaching a month would lock it, and look through it."""
    with read(engine) as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_partitioned_table WHERE partdefid <> 0")) == 0


def test_what_was_there_before_is_moved_into_its_months() -> None:
    with postgres.empty() as url:
        engine = open_engine(url)
        config = Config(VERSIONS.parent / "alembic.ini")
        config.set_main_option("script_location", str(VERSIONS.parent))
        instants = [datetime(2019, 12, 31, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC), NOW, NOW + MICROSECOND]
        rows = {
            table: [row("ann", at, number) for number, at in enumerate(instants)]
            for table, row in ((events, event), (trail, step), (messages, message))
        }
        with write(engine) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "2026_11_26_0050")
            for table, some in rows.items():
                connection.execute(table.insert(), [dict(zip(table.c.keys(), one, strict=True)) for one in some])
        migrations.migrate(engine)

        for table in MONTHLY:
            assert list(where(engine, table)) == [
                f"{table.name}_{part}" for part in ("before_2020", "2024_02", "2026_03")
            ]
            with read(engine) as connection:
                found = connection.execute(select(table).order_by(table.c[table.info["month"]])).all()
            assert [tuple(one) for one in found] == rows[table]
        engine.dispose()


def test_the_tables_of_months_are_those_that_say_so() -> None:
    assert {table.name for table in metadata.sorted_tables if table.info["month"] is not None} == {
        "events",
        "trail",
        "messages",
    }
