"""Backup and restore: whole, checked, while others work, and never over what somebody needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from journeyflow.core.errors import Conflict, InvalidInput, NotFound, SystemFailure
from journeyflow.db import documents
from journeyflow.db.migrations import migrate
from journeyflow.db.store import open_engine, read, write
from journeyflow.services.backup import back_up, put_back

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def engine(database: Path) -> Iterator[Engine]:
    opened = open_engine(str(database))
    migrate(opened)
    note(opened, "before")
    yield opened
    opened.dispose()


def note(engine: Engine, value: str) -> None:
    with write(engine) as connection:
        documents.set_setting(connection, "note", value)


def noted(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        found: str = connection.execute("SELECT value FROM installation WHERE name = 'note'").fetchone()[0]
    return found


def test_a_backup_is_one_whole_file_of_the_state_at_its_moment(engine: Engine, database: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"

    size = back_up(database, target)
    note(engine, "after")

    assert target.stat().st_size == size
    assert noted(target) == "before"
    assert sorted(path.name for path in tmp_path.glob("*backup.db*")) == ["backup.db"]


def test_what_is_written_meanwhile_is_not_half_in_it(engine: Engine, database: Path, tmp_path: Path) -> None:
    with write(engine) as connection:
        connection.execute(text("CREATE TABLE filler (data BLOB)"))
        connection.exec_driver_sql("INSERT INTO filler VALUES (?)", [(bytes(4000),)] * 5000)

    steps: list[int] = []

    def disturb(done: int, _: int) -> None:
        steps.append(done)
        with write(engine) as connection:
            connection.execute(text("DELETE FROM filler WHERE rowid % 7 = 0"))

    back_up(database, tmp_path / "backup.db", on_progress=disturb)

    with closing(sqlite3.connect(tmp_path / "backup.db")) as copy:
        assert copy.execute("SELECT count(*) FROM filler").fetchone() == (5000,)
    assert len(steps) > 1


def test_an_existing_file_is_replaced_only_by_force(engine: Engine, database: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    target.write_text("precious")

    with pytest.raises(Conflict, match="--force"):
        back_up(database, target)
    assert target.read_text() == "precious"
    back_up(database, target, force=True)

    assert noted(target) == "before"


def test_a_damaged_database_makes_no_backup(engine: Engine, database: Path, tmp_path: Path) -> None:
    engine.dispose()
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 9] = b"\xff" * (4096 * 6)
    database.write_bytes(content)

    with pytest.raises(InvalidInput, match="damaged"):
        back_up(database, tmp_path / "backup.db")

    assert sorted(path.name for path in tmp_path.glob("*backup*")) == []


def test_only_its_owner_can_read_a_backup(engine: Engine, database: Path, tmp_path: Path) -> None:
    back_up(database, tmp_path / "backup.db")

    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600


def test_a_directory_that_is_not_there_is_named(engine: Engine, database: Path, tmp_path: Path) -> None:
    target = tmp_path / "nowhere" / "x.jf"

    with pytest.raises(SystemFailure) as refused:
        back_up(database, target)

    assert str(refused.value) == f"{target} can't be written: the directory {target.parent} does not exist"


def test_no_database_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nothing\.db"):
        back_up(tmp_path / "nothing.db", tmp_path / "backup.db")


def test_restoring_puts_the_backup_in_place_and_keeps_what_was_there(
    engine: Engine, database: Path, tmp_path: Path
) -> None:
    back_up(database, tmp_path / "backup.db")
    note(engine, "after")
    engine.dispose()

    restored = put_back(tmp_path / "backup.db", database, NOW)

    assert noted(database) == "before"
    assert restored.aside == tmp_path / "shop.db.before-20260302T100000Z"
    assert noted(restored.aside) == "after"
    assert (tmp_path / "backup.db").exists()


def test_a_restored_database_is_opened_like_any_other(engine: Engine, database: Path, tmp_path: Path) -> None:
    back_up(database, tmp_path / "backup.db")
    engine.dispose()
    put_back(tmp_path / "backup.db", database, NOW)

    again = open_engine(str(database))
    migrate(again)
    with read(again) as connection:
        assert documents.setting(connection, "note") == "before"
    again.dispose()


def test_a_database_that_is_gone_is_restored(engine: Engine, database: Path, tmp_path: Path) -> None:
    back_up(database, tmp_path / "backup.db")
    engine.dispose()
    database.unlink()

    restored = put_back(tmp_path / "backup.db", database, NOW)

    assert restored.aside is None
    assert noted(database) == "before"


def test_a_damaged_database_is_restored_and_kept_as_it_is(engine: Engine, database: Path, tmp_path: Path) -> None:
    back_up(database, tmp_path / "backup.db")
    engine.dispose()
    database.write_bytes(b"no database at all, but rather long" * 100)

    restored = put_back(tmp_path / "backup.db", database, NOW)

    assert noted(database) == "before"
    assert restored.aside is not None
    assert restored.aside.read_bytes().startswith(b"no database")


def test_a_database_that_is_open_elsewhere_is_not_replaced(engine: Engine, database: Path, tmp_path: Path) -> None:
    back_up(database, tmp_path / "backup.db")
    note(engine, "after")

    with closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM installation").fetchone()
        with pytest.raises(SystemFailure, match="another process has it open"):
            put_back(tmp_path / "backup.db", database, NOW)

    assert noted(database) == "after"
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize("content", [b"", b"plain text", b"SQLite format 3\x00 and then nothing of the kind"])
def test_what_is_no_backup_is_not_restored(engine: Engine, database: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "backup.db").write_bytes(content)
    engine.dispose()

    with pytest.raises(InvalidInput):
        put_back(tmp_path / "backup.db", database, NOW)

    assert noted(database) == "before"


def test_somebody_elses_database_is_not_restored(engine: Engine, database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "backup.db")) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
        other.commit()
    engine.dispose()

    with pytest.raises(InvalidInput, match="none of journeyflow"):
        put_back(tmp_path / "backup.db", database, NOW)
