"""Once a night, however many processes run and however often they are started."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text
from structlog.testing import capture_logs
from tests import postgres

from journeyflow.db import bulk, months, past_months
from journeyflow.db.migrations import migrate
from journeyflow.db.months import MONTHLY, Month
from journeyflow.db.store import each_alone, open_engine, read, write
from journeyflow.db.tables import seen
from journeyflow.services import retention
from journeyflow.worker.schedule import Schedule, is_due

EVENING = datetime(2026, 3, 2, 20, tzinfo=UTC)
NIGHT = datetime(2026, 3, 3, 3, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(str(tmp_path / "shop.db"))
    migrate(opened)
    yield opened
    opened.dispose()


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (None, EVENING, True),
        (EVENING, NIGHT - timedelta(seconds=1), False),
        (EVENING, NIGHT, True),
        (NIGHT, NIGHT + timedelta(hours=23), False),
        (NIGHT, NIGHT + timedelta(hours=24), True),
        (NIGHT - timedelta(days=9), EVENING, True),
    ],
)
def test_it_is_due_once_after_each_night_hour(last: datetime | None, now: datetime, due: bool) -> None:
    assert is_due(last, now) is due


def test_it_tidies_up_once_a_night(engine: Engine) -> None:
    with write(engine) as connection:
        bulk.insert(connection, seen, [(1, "ann", "m1", 0)])
    clock = [EVENING]
    schedule = Schedule(engine, lambda: clock[0])

    looked = [schedule.look(), schedule.look()]
    clock[0] = NIGHT
    looked.append(schedule.look())

    assert looked == [True, False, True]
    with read(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(seen)) == 0


def test_what_fails_is_tried_again(engine: Engine) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql('ALTER TABLE "seen" RENAME TO "hidden"')
    schedule = Schedule(engine, lambda: EVENING)

    with capture_logs() as logged:
        assert [schedule.look(), schedule.look()] == [True, True]

    assert [line["event"] for line in logged] == ["tidying up failed; it is tried again in an hour"] * 2


def test_months_are_made_ahead_whenever_it_looks() -> None:
    with postgres.empty() as url:
        engine = open_engine(url)
        migrate(engine)
        clock = [EVENING]
        schedule = Schedule(engine, lambda: clock[0])

        schedule.look()
        clock[0] = EVENING + timedelta(days=40)
        schedule.look()

        with read(engine) as connection:
            made = [sorted(month.month for month in months.attached(connection, table)) for table in MONTHLY]
        engine.dispose()
    assert made == [[3, 4, 5, 6]] * 3


def test_what_was_put_away_by_halves_is_finished_whenever_it_looks() -> None:
    with postgres.empty() as url:
        engine = open_engine(url)
        migrate(engine)
        clock = [EVENING]
        schedule = Schedule(engine, lambda: clock[0])
        schedule.look()
        with each_alone(engine) as connection:
            past_months.detach(connection, MONTHLY[0], Month(2026, 3))

        clock[0] = EVENING + timedelta(hours=1)
        assert not schedule.look()

        query = text("SELECT to_regclass(:part)")
        with read(engine) as connection:
            assert connection.scalar(query, {"part": Month(2026, 3).part(MONTHLY[1])}) is not None
            assert (
                connection.execute(
                    text("SELECT count(*) FROM pg_description WHERE description LIKE 'journeyflow%'")
                ).scalar()
                == 0
            )
        engine.dispose()


def test_months_that_can_not_be_made_are_no_reason_not_to_tidy_up(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(retention, "prepare", fail)

    with capture_logs() as logged:
        assert Schedule(engine, lambda: EVENING).look()

    assert [line["event"] for line in logged] == [
        "months could not be made ahead; it is tried again in an hour",
        "tidied up",
    ]


def test_it_starts_and_stops(engine: Engine) -> None:
    schedule = Schedule(engine, lambda: EVENING)

    schedule.start()
    schedule.stop()
