"""A PostgreSQL that several processes measure on: what they know of it is its URL.

The server is one of our own (:mod:`benchmarks.database`), or, where it is set, that of
``JOURNEYFLOW_TEST_POSTGRES_URL``, whose user must be a superuser. What it costs can be told only where its processes
run on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from benchmarks.database import SETTINGS, Database
from benchmarks.database import database as own_server
from journeyflow.clock import sleep

GIVEN: Final = "JOURNEYFLOW_TEST_POSTGRES_URL"
REAPED_SECONDS: Final = 0.5
"""After so long the server has taken note of what the processes of connections that were closed have cost."""


@contextmanager
def started(**settings: str) -> Iterator[str]:
    """The URL of a server, for this process and those that it starts.

    :param settings: of the server, where it is one of our own.
    """
    given = os.environ.get(GIVEN)
    if given is not None:
        yield given
        return
    with own_server(**settings) as server:
        yield server.url


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


@cache
def _server(url: str) -> Database | None:
    """The server, where its files, and so its processes, are here."""
    with connect(url) as connection:
        try:
            directory = Path(_one(connection, "SHOW data_directory"))
        except psycopg.errors.InsufficientPrivilege:
            return None
    return Database(directory, make_url(url)) if os.access(directory / "postmaster.pid", os.R_OK) else None


def server_seconds(url: str) -> float | None:
    """CPU time of all processes of the server, and of those that have ended; where it can be told.

    A connection's process that has ended is counted once the server has taken note (``REAPED_SECONDS``).
    """
    server = _server(url)
    return None if server is None else server.cpu_seconds()


def wait_until_reaped() -> None:
    """See :func:`server_seconds`."""
    sleep(REAPED_SECONDS)


def _one(connection: psycopg.Connection[Any], statement: str) -> str:  # Any: as above
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return str(row[0])
