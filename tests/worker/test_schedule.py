"""Once a night, however many processes run and however often they are started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from structlog.testing import capture_logs
from tests import postgres

from journeyflow.core.values import parse_instant
from journeyflow.db import bulk, documents, months
from journeyflow.db.migrations import migrate
from journeyflow.db.months import MONTHLY
from journeyflow.db.store import open_engine, read, write
from journeyflow.db.tables import messages, seen
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


def test_what_somebody_held_up_is_done_an_hour_later() -> None:
    """Somebody reads for long while a month is to go; everything else is tidied up."""
    with postgres.empty() as url:
        engine, other = open_engine(url, patience_seconds=0.2), open_engine(url)
        migrate(engine)
        clock = [EVENING - timedelta(days=900)]
        schedule = Schedule(engine, lambda: clock[0])
        schedule.look()
        with write(engine) as connection:
            bulk.insert(connection, seen, [(1, "ann", "m1", 0)])
        clock[0] = EVENING

        with capture_logs() as logged:
            with read(other) as reader:
                reader.execute(select(messages.c.id)).all()
                schedule.look()
            with read(engine) as connection:
                left = connection.scalar(select(func.count()).select_from(seen))
            clock[0] = EVENING + timedelta(hours=1)
            schedule.look()
        with read(engine) as connection:
            tidied = parse_instant(documents.setting(connection, "tidied_at"))

        engine.dispose()
        other.dispose()
    assert left == 0
    assert errors(logged) == ["tidying up failed; it is tried again in an hour"]
    assert tidied == EVENING + timedelta(hours=1)


def test_months_that_can_not_be_made_are_no_reason_not_to_tidy_up(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(retention, "prepare", fail)

    with capture_logs() as logged:
        assert Schedule(engine, lambda: EVENING).look()

    assert errors(logged) == ["months could not be made ahead; it is tried again in an hour"]
    with read(engine) as connection:
        assert parse_instant(documents.setting(connection, "tidied_at")) == EVENING


def errors(logged: Sequence[Mapping[str, object]]) -> list[object]:
    """What went wrong, as far as it was told."""
    return [line["event"] for line in logged if line["log_level"] == "error"]


def test_it_starts_and_stops(engine: Engine) -> None:
    schedule = Schedule(engine, lambda: EVENING)

    schedule.start()
    schedule.stop()
