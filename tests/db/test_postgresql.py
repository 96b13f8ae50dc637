"""PostgreSQL as the store: how it is opened, its two kinds of transactions, and what is said when it fails."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Thread

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from tests import postgres

from journeyflow.core.contact import Contact, Run
from journeyflow.core.errors import Overloaded, SystemFailure
from journeyflow.db import bulk, claims, contacts, migrations, postgresql, schema_version, tables
from journeyflow.db.contacts import contact_row, run_row
from journeyflow.db.store import one_at_a_time, open_engine, read, write
from journeyflow.db.tables import metadata

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def empty() -> Iterator[Engine]:
    with postgres.empty() as url:
        engine = open_engine(url, patience_seconds=0.2)
        yield engine
        engine.dispose()


@pytest.fixture
def engine() -> Iterator[Engine]:
    with postgres.database() as url:
        opened = open_engine(url, patience_seconds=0.2)
        yield opened
        opened.dispose()


def url_of(engine: Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


# --- the schema ------------------------------------------------------------------------------------------------------


def test_the_migrations_make_the_tables_that_the_program_knows(engine: Engine) -> None:
    def known(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or name in metadata.tables  # the parts of a table are nobody's affair

    with read(engine) as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": known}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert not differences, "\n".join(map(str, differences))


def test_text_that_is_compared_is_compared_by_code_points_and_has_no_length(engine: Engine) -> None:
    """A new migration has to say ``String(64).with_variant(Text(collation="C"), "postgresql")``."""
    of_length = "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'character varying'"
    keys = (
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.key_column_usage"
        " USING (table_schema, table_name, column_name)"
        " WHERE data_type = 'text' AND collation_name IS DISTINCT FROM 'C' AND table_schema = current_schema()"
    )
    with read(engine) as connection:
        in_tables = [row for row in connection.execute(text(of_length)) if row.table_name in metadata.tables]
        assert in_tables == []
        assert connection.execute(text(keys)).all() == []


def test_processes_that_start_at_once_migrate_once(empty: Engine) -> None:
    engines = [open_engine(url_of(empty)) for _ in range(4)]
    threads = [Thread(target=migrations.migrate, args=[one]) for one in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert schema_version.is_current(empty)
    with read(empty) as connection:
        assert len(claims.groups(connection)) == 16
    for one in engines:
        one.dispose()


def test_a_database_of_another_program_is_left_alone(empty: Engine) -> None:
    with write(empty) as connection:
        connection.exec_driver_sql("CREATE TABLE contacts (id integer)")

    with pytest.raises(SystemFailure, match="another program made this database"):
        migrations.migrate(empty)


def test_tables_of_extensions_are_nobody_s(empty: Engine) -> None:
    with write(empty) as connection:
        connection.exec_driver_sql("CREATE TABLE spatial_ref_sys (id integer)")
    migrations.migrate(empty)

    assert schema_version.is_current(empty)


def test_the_statements_can_be_printed_and_run_by_hand(empty: Engine) -> None:
    with psycopg.connect(url_of(empty), autocommit=True) as connection:
        connection.execute(migrations.sql("postgresql").encode())

    assert schema_version.is_current(empty)


# --- transactions ----------------------------------------------------------------------------------------------------


def test_a_reader_sees_one_state_and_can_not_write(engine: Engine) -> None:
    count = "SELECT count(*) FROM installation"
    with read(engine) as reader:
        before = reader.exec_driver_sql(count).scalar()
        with write(engine) as writer:
            writer.exec_driver_sql("INSERT INTO installation VALUES ('workspace', 'shop')")
        assert reader.exec_driver_sql(count).scalar() == before
    with pytest.raises(SystemFailure, match="read-only"), read(engine) as reader:
        reader.exec_driver_sql("DELETE FROM installation")


def test_what_an_error_leaves_is_undone(engine: Engine) -> None:
    half = "INSERT INTO installation VALUES ('workspace', 'shop'); SELECT nothing"
    with pytest.raises(ProgrammingError), write(engine) as connection:
        connection.exec_driver_sql(half)

    with read(engine) as connection:
        assert connection.exec_driver_sql("SELECT name FROM installation").all() == []


def test_a_group_that_somebody_works_on_is_not_waited_for(engine: Engine) -> None:
    with read(engine) as connection:
        first, second, *_ = claims.groups(connection)
    with write(engine) as one, write(engine) as two:
        clock = postgres.INSTANT
        assert claims.take(one, [first], clock) is not None
        assert claims.take(two, [first], clock) is None
        assert claims.take(two, [second], clock) is not None


def test_groups_are_claimed_together_as_far_as_they_are_free_and_follow_one_another(engine: Engine) -> None:
    with read(engine) as connection:
        found = claims.groups(connection)
    with write(engine) as one, write(engine) as two:
        clock = postgres.INSTANT
        claims.take(one, [found[0]], clock)
        claims.take(one, [found[3]], clock)
        claim = claims.take(two, found[:6], clock)

        assert claim is not None
        assert claim.parts == (found[1], found[2])
        assert claim.group == claims.Group(found[1].first, found[2].last)


def test_groups_that_were_claimed_together_have_one_clock_and_look_for_timers_from_the_first_on(engine: Engine) -> None:
    with read(engine) as connection:
        one, two, three, *_ = claims.groups(connection)
    early, late = postgres.INSTANT, postgres.INSTANT + timedelta(hours=1)
    with write(engine) as connection:
        for group, now, timers_from in ((one, late, 7), (two, early, 5), (three, early, 3)):
            claims.keep(connection, claims.Claim(group, now, timers_from, (group,)))
    with write(engine) as connection:
        claim = claims.take(connection, [one, two], early)
        assert claim is not None
        assert (claim.now, claim.timers_from) == (late, 5)
        claim.timers_from = 9
        claims.keep(connection, claim)

    with write(engine) as connection:
        for group, now, timers_from in ((one, late, 9), (two, late, 9), (three, early, 3)):
            alone = claims.take(connection, [group], early)
            assert alone is not None
            assert (alone.now, alone.timers_from) == (now, timers_from)


def test_what_is_done_one_at_a_time_is_waited_for_and_not_for_ever(engine: Engine) -> None:
    with write(engine) as one:
        one_at_a_time(one, "publish")
        with write(engine) as two:
            one_at_a_time(two, "something else")
        with pytest.raises(Overloaded, match="busy with other writes"), write(engine) as two:
            one_at_a_time(two, "publish")


# --- plans -----------------------------------------------------------------------------------------------------------


def test_a_query_that_was_planned_while_a_table_was_empty_finds_its_few_rows_when_it_has_grown(empty: Engine) -> None:
    """PostgreSQL keeps plans; one that is made for an empty table reads all of it."""
    people = [f"customer-{number}" for number in range(2_000)]
    migrations.migrate(empty)
    with write(empty) as connection:
        for name in ("contacts", "runs"):
            connection.execute(text(f"ANALYZE {name}"))
            assert not connection.scalar(text(f"SELECT count(*) FROM {name}"))
        for _ in range(20):
            contacts.load(connection, people[:60], NOW)
    with write(empty) as connection:
        made = [Contact(one, created_at=NOW) for one in people]
        bulk.insert(connection, tables.contacts, [contact_row(one) for one in made])
        bulk.insert(connection, tables.runs, [run_row(one, a_run(one)) for one in people])
    with write(empty) as connection:
        before = rows_read(connection)
        assert len(contacts.load(connection, people[:60], NOW)["customer-0"].runs) == 1
        assert rows_read(connection) - before <= 200


def rows_read(connection: Connection) -> int:
    """Of contacts and runs, in whatever way, by this connection."""
    counted = "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname = ANY(:names)"
    return int(connection.scalar(text(counted), {"names": ["contacts", "runs"]}) or 0)


def a_run(contact: str) -> Run:
    return Run(f"run of {contact}", "welcome", 1, "", 0, NOW, 1, {}, node="pause", due_at=NOW)


# --- what can go wrong -----------------------------------------------------------------------------------------------


def test_a_server_that_is_away_is_named_without_the_password() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        with pytest.raises(SystemFailure, match=rf"me:\*\*\*@127.0.0.1:{port}/shop can't be reached") as caught:
            open_engine(f"postgresql://me:secret@127.0.0.1:{port}/shop")

    assert "secret" not in str(caught.value)


def test_a_database_that_is_not_there_is_to_be_created(engine: Engine) -> None:
    missing = make_url(url_of(engine)).set(database="nowhere").render_as_string(hide_password=False)

    with pytest.raises(SystemFailure, match="there is no such database; create it first"):
        open_engine(missing)


def test_a_user_that_is_not_known_is_not_let_in(engine: Engine) -> None:
    stranger = make_url(url_of(engine)).set(username="stranger").render_as_string(hide_password=False)

    with pytest.raises(SystemFailure, match="does not let this user in"):
        open_engine(stranger)


def test_a_server_that_is_too_old_is_told_of(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "VERSION_MIN", 990_000)

    with pytest.raises(SystemFailure, match="journeyflow needs version 15 or later"):
        open_engine(url_of(engine))


def test_a_connection_that_the_server_ends_is_a_failure_and_the_next_one_works(engine: Engine) -> None:
    end = "SELECT pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(SystemFailure), write(engine) as connection:
        connection.exec_driver_sql(end)

    with read(engine) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        ("40001", Overloaded, "somebody else changed"),
        ("40P01", Overloaded, "waited for one another"),
        ("53300", Overloaded, "takes no more connections"),
        ("53100", SystemFailure, "the disk of .* is full"),
        ("25006", SystemFailure, "can't be written"),
        ("42501", SystemFailure, "may not do that"),
        ("57P01", SystemFailure, "shutting down or starting"),
        ("08006", SystemFailure, "broke"),
        ("58030", SystemFailure, "the system of"),
        ("XX001", SystemFailure, "damaged"),
    ],
)
def test_what_the_server_fails_at_is_said_in_a_sentence(
    engine: Engine, state: str, error: type[Exception], words: str
) -> None:
    failing = f"DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{state}'; END $$"

    with pytest.raises(error, match=words), write(engine) as connection:
        connection.exec_driver_sql(failing)
