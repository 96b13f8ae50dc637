"""Putting months away on PostgreSQL: whole, when nobody needs them, in nobody's way, and whatever interrupts it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import Engine, select, text
from tests import postgres
from tests.history_rows import event, message, step

from journeyflow.core.errors import Overloaded
from journeyflow.core.values import to_micros
from journeyflow.db import bulk, months, past_months
from journeyflow.db.months import MONTHLY
from journeyflow.db.store import each_alone, open_engine, read, write
from journeyflow.db.tables import events, messages, trail

NOW = datetime(2026, 3, 15, 10, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = NOW - 90 * DAY
LIMITS = {table.name: NOW - 30 * DAY for table in MONTHLY}
"""The 13th of February: December goes, and February stays."""


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.untouched() as made:
        yield made


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_engine(url, patience_seconds=0.2)
    with write(opened) as connection:
        for table, row in ((events, event), (trail, step), (messages, message)):
            bulk.insert(connection, table, [row("ann", NOW - days * DAY, days) for days in (0, 20, 40, 90)])
    yield opened
    opened.dispose()


def tables(engine: Engine) -> list[str]:
    """The tables of months that there are, attached or not."""
    query = text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_\\d{4}_\\d\\d$' ORDER BY relname")
    with read(engine) as connection:
        return list(connection.scalars(query))


def months_left(engine: Engine, *of: str) -> bool:
    """Whether exactly these months of each of the three tables are there."""
    return tables(engine) == sorted(f"{table.name}_{month}" for table in MONTHLY for month in of)


def count(engine: Engine) -> int:
    """The events that a query finds."""
    with read(engine) as connection:
        return len(connection.execute(select(events.c.number)).all())


# --- what goes and what stays ----------------------------------------------------------------------------------------


def test_months_that_are_too_old_as_a_whole_go(engine: Engine) -> None:
    assert months_left(engine, "2025_12", "2026_02", "2026_03")

    assert past_months.put_away(engine, LIMITS) == 3

    assert months_left(engine, "2026_02", "2026_03")
    assert count(engine) == 3


def test_a_month_goes_when_the_limit_reaches_its_end_and_no_earlier(engine: Engine) -> None:
    new_year = datetime(2026, 1, 1, tzinfo=UTC)

    assert past_months.put_away(engine, {"trail": new_year - timedelta(microseconds=1)}) == 0
    assert past_months.put_away(engine, {"trail": new_year}) == 1


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_a_month_with_messages_that_wait_for_their_delivery_stays(engine: Engine, status: str) -> None:
    with write(engine) as connection:
        bulk.insert(connection, messages, [message("bob", OLD, 1, status)])

    assert past_months.put_away(engine, LIMITS) == 2
    assert "messages_2025_12" in tables(engine)

    with write(engine) as connection:
        connection.execute(messages.update().where(messages.c.due_at.is_not(None)).values(status="sent", due_at=None))
    assert past_months.put_away(engine, LIMITS) == 1


def test_between_two_months_it_stops_when_asked_to(engine: Engine) -> None:
    answers = iter([True, False, False])

    assert past_months.put_away(engine, LIMITS, lambda: next(answers)) == 1


def test_only_one_process_is_at_it(engine: Engine, url: str) -> None:
    other = open_engine(url)
    with each_alone(other) as connection, past_months.alone(connection) as alone:
        assert alone
        assert past_months.put_away(engine, LIMITS) == 0
    other.dispose()

    assert past_months.put_away(engine, LIMITS) == 3


# --- interrupted -----------------------------------------------------------------------------------------------------


def test_one_that_took_too_long_is_finished_the_next_time(engine: Engine, url: str) -> None:
    other = open_engine(url)
    with read(other) as reader:
        reader.execute(select(events.c.number)).all()
        with pytest.raises(Overloaded):
            past_months.put_away(engine, LIMITS)
        assert count(engine) == 3  # it is on its way out, and seen no more
    assert "events_2025_12" in tables(engine)
    other.dispose()

    assert past_months.put_away(engine, {}) == 1

    assert "events_2025_12" not in tables(engine)
    assert past_months.put_away(engine, LIMITS) == 2


def test_one_that_died_before_dropping_is_finished_the_next_time(engine: Engine) -> None:
    with each_alone(engine) as connection:
        past_months.detach(connection, events, months.Month(2025, 12))

    assert past_months.put_away(engine, {}) == 1

    assert "events_2025_12" not in tables(engine)


def test_a_message_that_was_queued_meanwhile_brings_its_month_back(engine: Engine) -> None:
    with each_alone(engine) as connection:
        past_months.detach(connection, messages, months.Month(2025, 12))
        connection.exec_driver_sql(
            f"UPDATE messages_2025_12 SET status = 'queued', due_at = queued_at WHERE queued_at = {to_micros(OLD)}"
        )

    assert past_months.put_away(engine, LIMITS) == 2

    with read(engine) as connection:
        assert len(connection.execute(select(messages.c.id)).all()) == 4


def test_what_somebody_else_detached_to_keep_it_is_left_alone(engine: Engine) -> None:
    with each_alone(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE events DETACH PARTITION events_2025_12 CONCURRENTLY")

    past_months.put_away(engine, LIMITS)

    assert "events_2025_12" in tables(engine)


def test_who_writes_into_a_month_that_was_put_away_is_told_to_try_again_and_can(engine: Engine, url: str) -> None:
    writer = open_engine(url)
    with write(writer) as connection:
        bulk.insert(connection, events, [event("bob", OLD, 1)])
    past_months.put_away(engine, LIMITS)

    with pytest.raises(Overloaded, match="put away"), write(writer) as connection:
        bulk.insert(connection, events, [event("cid", OLD, number) for number in range(10)])
    with write(writer) as connection:
        bulk.insert(connection, events, [event("cid", OLD, number) for number in range(10)])
    writer.dispose()

    assert count(engine) == 3 + 10


def test_who_writes_into_a_month_that_is_just_put_away_is_told_to_try_again(engine: Engine) -> None:
    with each_alone(engine) as connection:
        past_months.detach(connection, events, months.Month(2025, 12))
    engine.dispose()

    with pytest.raises(Overloaded, match="events_2025_12 is being put away"), write(engine) as connection:
        bulk.insert(connection, events, [event("bob", OLD, 1)])


# --- at the same time ------------------------------------------------------------------------------------------------


def test_others_write_and_read_while_it_waits_for_a_long_transaction(engine: Engine, url: str) -> None:
    """It waits for the transaction that was there before, and nobody waits for it."""
    patient = open_engine(url, patience_seconds=60)
    dropped: list[int] = []
    with write(patient) as turn:
        bulk.insert(turn, events, [event("bob", NOW, 1)])
        cleaner = Thread(target=lambda: dropped.append(past_months.put_away(patient, LIMITS)))
        cleaner.start()
        wait_until_it_waits(engine)

        with write(engine) as connection:
            bulk.insert(connection, events, [event("cid", NOW + 31 * DAY, number) for number in range(10)])
            bulk.insert(connection, messages, [message("cid", NOW, 1)])
        assert count(engine) == 3 + 10
        bulk.insert(turn, events, [event("bob", NOW, 2)])
        assert dropped == []
    cleaner.join()
    patient.dispose()

    assert dropped == [3]
    assert count(engine) == 3 + 10 + 2


def wait_until_it_waits(engine: Engine) -> None:
    detaching = text(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%DETACH PARTITION%' AND wait_event_type = 'Lock'"
        " AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    for _ in range(100_000):
        with each_alone(engine) as connection:
            if connection.scalar(detaching):
                return
    raise AssertionError("it does not wait")
