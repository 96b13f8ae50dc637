"""How a SQLite database is opened, and what its transactions promise."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, OperationalError

from journeyflow.core.errors import InvalidValue, Overloaded, SystemFailure
from journeyflow.db.sqlite import READERS_MAX, database_path, open_engine, read, write
from journeyflow.db.transactions import ReadConnection


@pytest.fixture(params=["file", "memory"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(str(tmp_path / "shop.db") if request.param == "file" else "sqlite://")
    with write(opened) as connection:
        connection.exec_driver_sql("CREATE TABLE mail (id INTEGER PRIMARY KEY)")
    yield opened
    opened.dispose()


def mails(connection: ReadConnection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM mail").scalar_one())


def driver_of(connection: ReadConnection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


@contextmanager
def statements_of(driver: sqlite3.Connection) -> Iterator[list[str]]:
    seen: list[str] = []
    driver.set_trace_callback(seen.append)
    yield seen
    driver.set_trace_callback(None)


def test_what_is_written_is_read() -> None:
    engine = open_engine("sqlite://")
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE mail (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO mail VALUES (1)")

    with read(engine) as reader:
        assert mails(reader) == 1
    engine.dispose()


def test_an_error_undoes_the_whole_transaction(engine: Engine) -> None:
    with pytest.raises(IntegrityError), write(engine) as connection:
        connection.exec_driver_sql("INSERT INTO mail VALUES (?)", [(1,), (2,), (1,)])

    with read(engine) as reader:
        assert mails(reader) == 0


def test_an_error_undoes_changes_of_the_schema_too(engine: Engine) -> None:
    def fail_halfway() -> None:
        with write(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE letter (id INTEGER PRIMARY KEY)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()

    with read(engine) as reader:
        assert reader.exec_driver_sql("SELECT name FROM sqlite_schema").scalars().all() == ["mail"]


def test_a_write_begins_by_taking_the_write_lock_and_nothing_else_begins_or_commits(engine: Engine) -> None:
    with write(engine) as connection:
        driver = driver_of(connection)
    with statements_of(driver) as statements, write(engine) as connection:
        assert mails(connection) == 0
        connection.exec_driver_sql("INSERT INTO mail VALUES (?)", [(1,), (2,)])

    assert statements == [
        "BEGIN IMMEDIATE",
        "SELECT count(*) FROM mail",
        "INSERT INTO mail VALUES (1)",
        "INSERT INTO mail VALUES (2)",
        "COMMIT",
    ]


def test_reading_can_not_write(engine: Engine) -> None:
    with pytest.raises(SystemFailure, match="can't be written"), read(engine) as connection:
        connection.exec_driver_sql("INSERT INTO mail VALUES (1)")

    with write(engine) as connection:
        connection.exec_driver_sql("INSERT INTO mail VALUES (1)")
        assert mails(connection) == 1


def test_a_reader_sees_one_state_while_another_thread_writes(tmp_path: Path) -> None:
    engine = open_engine(str(tmp_path / "shop.db"))
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE mail (id INTEGER PRIMARY KEY)")

    def insert() -> None:
        with write(engine) as writer:
            writer.exec_driver_sql("INSERT INTO mail VALUES (1)")

    with read(engine) as reader:
        before = mails(reader)
        writing = Thread(target=insert)
        writing.start()
        writing.join()
        assert (before, mails(reader)) == (0, 0)
    with read(engine) as reader:
        assert mails(reader) == 1
    engine.dispose()


def test_a_process_writes_through_one_connection(tmp_path: Path) -> None:
    engine = open_engine(str(tmp_path / "shop.db"))
    drivers = []
    for _ in range(3):
        with write(engine) as connection:
            drivers.append(driver_of(connection))

    assert drivers == [drivers[0]] * 3
    engine.dispose()


def test_what_was_committed_is_on_disk_and_in_a_write_ahead_log(tmp_path: Path) -> None:
    engine = open_engine(str(tmp_path / "shop.db"))
    with write(engine) as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    full = 2
    assert settings == {"journal_mode": "wal", "synchronous": full, "foreign_keys": 1, "busy_timeout": 10_000}
    engine.dispose()


def test_a_transaction_inside_a_transaction_fails_instead_of_waiting_for_itself(engine: Engine) -> None:
    with write(engine), pytest.raises(AssertionError, match="inside a transaction"), write(engine):
        pass


def test_mistakes_in_statements_and_broken_constraints_stay_what_they_are(engine: Engine) -> None:
    with pytest.raises(OperationalError), write(engine) as connection:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
    with pytest.raises(IntegrityError), write(engine) as connection:
        connection.exec_driver_sql("INSERT INTO mail VALUES (1), (1)")


# --- addresses -------------------------------------------------------------------------------------------------------


def test_a_path_and_an_address_name_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engines = [open_engine(url) for url in ("a b.db", "sqlite:///a b.db", f"sqlite:///{tmp_path}/a b.db")]

    assert {database_path(engine) for engine in engines} == {tmp_path.resolve() / "a b.db"}
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", ":memory:"])
def test_a_database_in_memory_has_no_file(url: str) -> None:
    engine = open_engine(url)

    assert database_path(engine) is None
    engine.dispose()


@pytest.mark.parametrize("url", ["postgresql://me:secret@db/shop", "postgresql+psycopg://me:secret@db/shop"])
def test_postgresql_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(InvalidValue, match=r"me:\*\*\*@db/shop. is no database address"):
        open_engine(url)


@pytest.mark.parametrize(
    "url", ["", "mysql://db/shop", "sqlite://host/shop.db", "sqlite:///shop.db?mode=ro", "what://", "://"]
)
def test_what_is_no_address_of_a_sqlite_database_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue, match=r"is no database address; expected journeyflow\.db"):
        open_engine(url)


# --- what can go wrong -----------------------------------------------------------------------------------------------


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match=r"the directory .*/nowhere of the database does not exist"):
        open_engine(str(tmp_path / "nowhere" / "shop.db"))


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear Ann, " * 1_000)

    with pytest.raises(SystemFailure, match=r"letter.txt is not a SQLite database"):
        open_engine(str(file))
    assert file.read_text() == "Dear Ann, " * 1_000


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match="can't be opened"):
        open_engine(str(tmp_path))


def test_a_full_disk_stores_nothing_of_the_transaction_and_the_next_one_goes_on(tmp_path: Path) -> None:
    engine = open_engine(str(tmp_path / "shop.db"))
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE mail (body BLOB)")
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(SystemFailure, match=r"the disk of .*shop\.db is full; nothing"), write(engine) as connection:
        connection.exec_driver_sql("INSERT INTO mail VALUES (zeroblob(10)), (zeroblob(100000))")
    with write(engine) as connection:
        assert mails(connection) == 0
        connection.exec_driver_sql("INSERT INTO mail VALUES (zeroblob(10))")
    engine.dispose()


def test_another_process_that_writes_for_too_long_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    engine = open_engine(str(file), patience_seconds=0.05)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with (
        pytest.raises(SystemFailure, match=r"another process has been writing to it for more than 0\.05 s"),
        write(engine),
    ):
        pass
    with read(engine) as reader:
        assert reader.exec_driver_sql("SELECT 1").scalar_one() == 1
    other.close()
    with write(engine):
        pass
    engine.dispose()


def test_whoever_opens_a_database_waits_for_nobody_who_is_writing(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    open_engine(str(file)).dispose()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    engine = open_engine(str(file), patience_seconds=0.05)
    with read(engine) as reader:
        assert reader.exec_driver_sql("SELECT 1").scalar_one() == 1
    other.close()
    with write(engine) as writer:
        assert writer.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 50
    engine.dispose()


def test_more_readers_than_there_are_connections_are_told_to_come_again(tmp_path: Path) -> None:
    engine = open_engine(str(tmp_path / "shop.db"), patience_seconds=0.01)
    open_reads = [read(engine) for _ in range(READERS_MAX)]
    for one in open_reads:
        one.__enter__()

    with pytest.raises(Overloaded, match=r"requests read .* at once"), read(engine):
        pass
    for one in open_reads:
        one.__exit__(None, None, None)
    engine.dispose()


OPEN_AT_ONCE = """
import sys
from journeyflow.db.sqlite import open_engine, write
print("ready", flush=True)
sys.stdin.readline()
with write(open_engine(sys.argv[1])) as connection:
    connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS mail (id INTEGER)")
    connection.exec_driver_sql("INSERT INTO mail VALUES (1)")
"""


def test_processes_that_open_a_new_database_at_once_all_get_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN_AT_ONCE, str(tmp_path / "shop.db")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()

    assert [process.returncode for process in processes] == [0, 0, 0]
    with read(engine := open_engine(str(tmp_path / "shop.db"))) as reader:
        assert mails(reader) == 3
    engine.dispose()


def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "fresh.db"
    engine = open_engine(str(path))
    engine.dispose()

    assert path.stat().st_mode & 0o077 == 0
