"""Forgetting what is kept no longer, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text

from journeyflow.core.workspace import Retention
from journeyflow.db import bulk
from journeyflow.db.migrations import migrate
from journeyflow.db.retention import TABLES
from journeyflow.db.store import open_engine, read, write
from journeyflow.services.retention import limits, optimize, trim

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)
KEPT = Retention()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(str(tmp_path / "shop.db"))
    migrate(opened)
    yield opened
    opened.dispose()


def remember(engine: Engine, table: str, contact: int, at: datetime, **columns: object) -> None:
    """One row of a table, in a shard of its own; instants are ``at``, whatever else has to be there is something."""
    micros = int((at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    row = []
    for column in TABLES[table].columns:
        if column.name in columns:
            row.append(columns[column.name])
        elif column.name == "shard":
            row.append(contact)
        elif column.name == "day":
            row.append(micros // 86_400_000_000)
        elif column.name in ("at", "handled_at", "occurred_at", "queued_at"):
            row.append(micros)
        elif column.type.python_type is int:
            row.append(None if column.nullable else 1)
        else:
            row.append(None if column.nullable else "{}" if column.name != "contact" else f"contact {contact}")
    with write(engine) as connection:
        bulk.insert(connection, TABLES[table], [tuple(row)])


def count(engine: Engine, table: str) -> int:
    with read(engine) as connection:
        return connection.scalar(select(func.count()).select_from(TABLES[table])) or 0


@pytest.mark.parametrize(
    ("table", "kept"),
    [
        ("events", KEPT.events),
        ("trail", KEPT.trail),
        ("messages", KEPT.messages),
        ("seen", 30 * DAY),
        ("requests", 30 * DAY),
        ("refusals", 30 * DAY),
    ],
)
def test_what_is_too_old_goes_and_what_is_young_enough_stays(engine: Engine, table: str, kept: timedelta) -> None:
    status = {"status": "sent"} if table == "messages" else {}
    remember(engine, table, 1, NOW - kept - DAY, **status)
    remember(engine, table, 700, NOW - kept - 2 * DAY, **status)
    remember(engine, table, 2, NOW - kept + DAY, **status)

    deleted = trim(engine, KEPT, NOW)

    assert deleted[table] == 2
    assert count(engine, table) == 1


def test_a_message_that_waits_for_its_delivery_stays(engine: Engine) -> None:
    remember(engine, "messages", 1, NOW - 900 * DAY, status="queued", due_at=1)

    trim(engine, KEPT, NOW)

    assert count(engine, "messages") == 1


def test_the_workspace_says_how_long(engine: Engine) -> None:
    remember(engine, "events", 1, NOW - 10 * DAY)

    trim(engine, Retention(events=timedelta(days=5)), NOW)

    assert count(engine, "events") == 0


def test_it_stops_between_two_shards_when_asked_to(engine: Engine) -> None:
    for contact in range(3):
        remember(engine, "events", contact, NOW - 900 * DAY)
    answers = iter([True, False])

    trim(engine, KEPT, NOW, lambda: next(answers))

    assert count(engine, "events") == 2


def test_every_table_that_is_trimmed_has_its_limit() -> None:
    assert limits(KEPT, NOW).keys() == TABLES.keys()


def test_the_database_looks_after_itself(engine: Engine) -> None:
    remember(engine, "events", 1, NOW - 900 * DAY)
    remember(engine, "events", 2, NOW)
    trim(engine, KEPT, NOW)

    optimize(engine)

    with read(engine) as connection:
        assert "events" in connection.scalars(text("SELECT tbl FROM sqlite_stat1")).all(), "what was asked is counted"
