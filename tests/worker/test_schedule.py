"""Once a night, however many processes run and however often they are started."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from structlog.testing import capture_logs

from journeyflow.db import bulk
from journeyflow.db.migrations import migrate
from journeyflow.db.store import open_engine, read, write
from journeyflow.db.tables import seen
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


def test_it_starts_and_stops(engine: Engine) -> None:
    schedule = Schedule(engine, lambda: EVENING)

    schedule.start()
    schedule.stop()
