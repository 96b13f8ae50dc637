"""The store: one way to open a database and to begin transactions on it, be it SQLite or PostgreSQL.

SQLite is one file, one writer and one engine. PostgreSQL takes any number of writers: what must not happen twice at the
same time says so (``one_at_a_time``), and whoever was in another's way is told to try again (``Overloaded``).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Final

from sqlalchemy import URL, Connection, Engine, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError

from journeyflow.core.errors import InvalidValue
from journeyflow.db import sqlite
from journeyflow.db.transactions import PATIENCE_SECONDS, ReadConnection, WriteConnection

__all__ = [
    "ReadConnection",
    "WriteConnection",
    "dead_rows",
    "each_alone",
    "is_postgresql",
    "on_postgresql",
    "one_at_a_time",
    "open_engine",
    "postgresql_url",
    "read",
    "system_failure",
    "write",
]

POSTGRESQL: Final = "postgresql"


def postgresql_url(url: str) -> URL | None:
    """The address, where it is one of PostgreSQL."""
    if "://" not in url:
        return None
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    return parsed if parsed.get_backend_name() in (POSTGRESQL, "postgres") else None


def open_engine(url: str, patience_seconds: float = PATIENCE_SECONDS) -> Engine:
    """Open a database; its transactions are those of ``read`` and ``write``.

    :param url: of SQLite (``journeyflow.db``, ``sqlite:///path``), whose file is made where there is none, or of
        PostgreSQL (``postgresql://user@host/database``).
    :param patience_seconds: how long a transaction waits for others.
    :raises InvalidValue: when the address is none, or what reads PostgreSQL is not installed.
    :raises SystemFailure: when the database can't be used.
    """
    server = postgresql_url(url)
    if server is None:
        return sqlite.open_engine(url, patience_seconds)
    try:
        from journeyflow.db import postgresql  # noqa: PLC0415  # whoever stays on SQLite needs no driver
    except ModuleNotFoundError as error:
        raise InvalidValue(
            "PostgreSQL needs its driver, which is not installed: pip install 'journeyflow[postgres]'"
        ) from error
    return postgresql.open_engine(server, patience_seconds)


def is_postgresql(engine: Engine) -> bool:
    """Whether several processes may take turns on it."""
    return engine.dialect.name == POSTGRESQL


def on_postgresql(connection: Connection) -> bool:
    """Whether others may write at the same time."""
    return connection.dialect.name == POSTGRESQL


def write(engine: Engine) -> AbstractContextManager[WriteConnection]:
    """A transaction that may write; committed at the end, undone where an error leaves it.

    Never inside another transaction of the thread. On SQLite it is the only one at its time.

    :raises Overloaded: when others were in the way, or the wait for them took too long; nothing was stored.
    :raises SystemFailure: when the database can't be reached or written.
    """
    if is_postgresql(engine):
        from journeyflow.db import postgresql  # noqa: PLC0415  # as above

        return postgresql.write(engine)
    return sqlite.write(engine)


def read(engine: Engine) -> AbstractContextManager[ReadConnection]:
    """A transaction that sees the database as it is at its first statement; it can't write.

    :raises Overloaded: when too many read at once.
    :raises SystemFailure: when the database can't be read.
    """
    if is_postgresql(engine):
        from journeyflow.db import postgresql  # noqa: PLC0415  # as above

        return postgresql.read(engine)
    return sqlite.read(engine)


def system_failure(connection: Connection, error: BaseException | None) -> BaseException | None:
    """What failed in a transaction, if it is what ``read`` and ``write`` tell as the system's failure, or as overload.

    A full disk, a connection that broke: nothing is wrong with what was to be done, and it can be done again. Going
    back to a savepoint may have failed for it as well, so what came before is looked at, too.
    """
    while error is not None:
        if _is_of_the_system(connection, error):
            return error
        error = error.__context__
    return None


def _is_of_the_system(connection: Connection, error: BaseException) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if on_postgresql(connection):
        from journeyflow.db import postgresql  # noqa: PLC0415  # as above

        return postgresql.is_of_the_system(cause)
    return sqlite.is_of_the_system(cause)


def each_alone(engine: Engine) -> AbstractContextManager[Connection]:
    """A connection on which each statement is a transaction: for what PostgreSQL does in no other way.

    :raises Overloaded: when others were in the way; what was done before stays done.
    :raises SystemFailure: when the database can't be reached or written.
    """
    from journeyflow.db import postgresql  # noqa: PLC0415  # as above

    return postgresql.each_alone(engine)


def dead_rows(connection: Connection) -> dict[str, int]:
    """How many rows of each table are dead and not cleaned up yet, as PostgreSQL reckons; SQLite leaves none behind."""
    if not on_postgresql(connection):
        return {}
    from journeyflow.db import postgresql  # noqa: PLC0415  # as above

    return postgresql.dead_rows(connection)


def one_at_a_time(connection: Connection, what: str) -> None:
    """Wait until no other transaction does this, whose end lets the next one go on.

    For what looks first and writes then, and is rare. On SQLite every transaction that writes is alone anyway.
    """
    if on_postgresql(connection):
        name = int.from_bytes(sha256(what.encode("utf-8", "surrogatepass")).digest()[:8], "big", signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(name)))
