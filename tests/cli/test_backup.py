"""``backup``, ``restore`` and ``migrate``."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cli.calls import call, data, done

from journeyflow.db.lock import EngineLock


def journeys() -> list[str]:
    return [one["id"] for one in data("journeys", "list", "--json")]


def test_what_was_backed_up_comes_back(flows: Path, workplace: Path) -> None:
    done("apply", flows)
    assert done("backup", "b.db").startswith("b.db: ")
    (flows / "welcome.yaml").unlink()
    done("apply", flows, "--prune")
    assert journeys() == []

    told = done("restore", "b.db")

    assert journeys() == ["welcome"]
    assert "what was there is kept as" in told
    assert len(list(workplace.glob("journeyflow.db.before-*"))) == 1


def test_a_backup_is_not_written_over_without_force(flows: Path) -> None:
    done("apply", flows)
    done("backup", "b.db")

    assert call("backup", "b.db").exit_code == 1
    done("backup", "b.db", "--force")


def test_nothing_is_restored_under_a_running_engine(flows: Path, workplace: Path) -> None:
    done("apply", flows)
    done("backup", "b.db")
    lock = EngineLock(workplace / "journeyflow.db")
    lock.take(datetime(2026, 3, 2, tzinfo=UTC))

    result = call("restore", "b.db")
    lock.release()

    assert result.exit_code == 3
    assert result.stderr.strip().endswith("since 2026-03-02T00:00:00+00:00; stop it, then restore")


def test_a_database_in_memory_cannot_be_backed_up() -> None:
    result = call("backup", "b.db", "--database-url", ":memory:")

    assert result.exit_code == 1
    assert "in memory" in result.stderr


def test_migrate_makes_the_schema_once(workplace: Path) -> None:
    assert done("migrate") == "journeyflow.db is now at the newest schema\n"
    assert done("migrate") == "journeyflow.db was at the newest schema\n"


def test_migrate_can_print_the_statements(workplace: Path) -> None:
    statements = done("migrate", "--sql")

    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(statements)
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert {"contacts", "runs", "inbox"} <= tables
    assert list(workplace.iterdir()) == []


def test_migrate_prints_the_statements_for_postgresql_without_asking_for_it() -> None:
    statements = done("migrate", "--sql", "--database-url", "postgresql://ann:secret@localhost/shop")

    assert "CREATE TABLE inbox_0000 PARTITION OF inbox" in statements


@pytest.mark.parametrize("command", [["backup", "b.db"], ["restore", "b.db"]])
def test_postgresql_has_tools_of_its_own_for_backups(command: list[str]) -> None:
    result = call(*command, "--database-url", "postgresql://ann:secret@localhost/shop")

    assert result.exit_code == 1
    assert "PostgreSQL has pg_dump and pg_restore" in result.stderr
    assert "secret" not in result.stderr
