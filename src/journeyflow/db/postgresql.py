"""PostgreSQL as the store: how a database is opened, and the two kinds of transactions on it.

Writers wait for one another only where they touch the same rows. A transaction that writes sees what others committed
before each of its statements; one that reads sees one state.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from journeyflow.core.errors import JourneyflowError, Overloaded, SystemFailure
from journeyflow.db.silence import AttendedConnection
from journeyflow.db.transactions import LEARNT, ReadConnection, WriteConnection

CONNECTIONS_MAX: Final = 48
"""Of one process: as many requests as its threads handle at once, and its own loops."""
VERSION_MIN: Final = 150_000
"""PostgreSQL 15."""
CONNECT_SECONDS_MAX: Final = 10
IDLE_SECONDS_MAX: Final = 30
"""A process that stands still in the middle of a transaction loses its locks after so long."""
ACKNOWLEDGE_SECONDS_MAX: Final = 30
"""Whoever acknowledges nothing for so long is away; TCP by itself would wait for a quarter of an hour, or for hours."""
_KEEPALIVE: Final = {"idle": ACKNOWLEDGE_SECONDS_MAX, "interval": 5, "count": 3}
_OPTION: Final = "journeyflow_store"


@dataclass(frozen=True, slots=True)
class _Store:
    """What belongs to an engine: its other face for reading, and its name without the password."""

    name: str
    reader: Engine
    patience_seconds: float


def open_engine(url: URL, patience_seconds: float) -> Engine:
    """Open a database of PostgreSQL; its transactions are those of ``read`` and ``write``.

    :raises SystemFailure: when the server can't be reached, refuses, is too old, or keeps no UTF-8.
    """
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=4,
        max_overflow=CONNECTIONS_MAX - 4,
        pool_timeout=patience_seconds,
        pool_pre_ping=True,  # after a restart of the server nobody is answered with the end of an old connection
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": CONNECT_SECONDS_MAX,
            "application_name": "journeyflow",
            **{f"keepalives_{name}": value for name, value in _KEEPALIVE.items()},
            "tcp_user_timeout": ACKNOWLEDGE_SECONDS_MAX * 1000,
            **url.query,
        },
    )
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _settings(patience_seconds))
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    store = _Store(url.render_as_string(hide_password=True), reader, patience_seconds)
    engine.update_execution_options(**{_OPTION: store})
    try:
        _check(engine, store)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _connect(_dialect: object, _record: object, arguments: Any, named: Any) -> AttendedConnection:  # Any: as below
    return AttendedConnection.connect(*arguments, **named)


def _settings(patience_seconds: float) -> Any:  # Any: SQLAlchemy's listeners are untyped
    settings = {
        "lock_timeout": int(patience_seconds * 1000),
        "idle_in_transaction_session_timeout": IDLE_SECONDS_MAX * 1000,
        # The server's side of the connection: of a client that is gone without a word.
        **{f"tcp_keepalives_{name}": value for name, value in _KEEPALIVE.items()},
        "tcp_user_timeout": ACKNOWLEDGE_SECONDS_MAX * 1000,
        # Batches are joined through the keys of the tables; a plan is made in less time than its code is compiled.
        "jit": "off",
        # So that a plan is as good tomorrow as today: one that is made while a table is empty is kept, and reads all of
        # it for each row when it has grown. What has no index to go by is read whole all the same.
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
        "plan_cache_mode": "force_custom_plan",
    }
    statements = ";".join(f"SET {name} = {value}" for name, value in settings.items())

    def settle(connection: psycopg.Connection[Any], _: object) -> None:  # Any: rows of any shape
        connection.execute(statements.encode())
        connection.commit()

    return settle


def _check(engine: Engine, store: _Store) -> None:
    """Find out now, not at the first request, whether the database can be used."""
    with _failures(store), engine.connect() as connection:
        version, number, encoding = connection.exec_driver_sql(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int,"
            " current_setting('server_encoding')"
        ).one()
    if number < VERSION_MIN:
        raise SystemFailure(f"{store.name} is PostgreSQL {version}; journeyflow needs version 15 or later")
    if encoding != "UTF8":
        raise SystemFailure(f"{store.name} keeps text as {encoding}; create the database with ENCODING 'UTF8'")


# --- transactions ----------------------------------------------------------------------------------------------------


@contextmanager
def write(engine: Engine) -> Iterator[WriteConnection]:
    """See :func:`journeyflow.db.store.write`."""
    with _failures(_store(engine)), engine.begin() as connection:
        try:
            yield WriteConnection(ReadConnection(connection))
        except (DBAPIError, psycopg.Error):
            if not connection.invalidated:
                connection.info.pop(LEARNT, None)
            raise


@contextmanager
def read(engine: Engine) -> Iterator[ReadConnection]:
    """See :func:`journeyflow.db.store.read`."""
    store = _store(engine)
    with _failures(store), store.reader.begin() as connection:
        yield ReadConnection(connection)


@contextmanager
def each_alone(engine: Engine) -> Iterator[Connection]:
    """See :func:`journeyflow.db.store.each_alone`."""
    with _failures(_store(engine)), engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def _store(engine: Engine) -> _Store:
    store = engine.get_execution_options().get(_OPTION)
    assert isinstance(store, _Store), "an engine that open_engine made"
    return store


# --- what operators watch --------------------------------------------------------------------------------------------

_DEAD_ROWS: Final = """
SELECT coalesce(pg_partition_root(relid), relid)::regclass::text, sum(n_dead_tup)::bigint
FROM pg_stat_user_tables WHERE schemaname = current_schema() GROUP BY 1
"""


def dead_rows(connection: Connection) -> dict[str, int]:
    """How many rows of each table are dead and not cleaned up yet, those of its parts together."""
    return {str(name): int(count) for name, count in connection.exec_driver_sql(_DEAD_ROWS)}


# --- what can go wrong -----------------------------------------------------------------------------------------------

_NO_MONTH: Final = "23514, no partition"
_AGAIN: Final = {
    _NO_MONTH: "in {store} the month of this was put away; nothing was stored, try again",
    "40001": "somebody else changed in {store} what this needed; nothing of it was stored, try again",
    "40P01": "this and somebody else waited for one another in {store}; nothing of it was stored, try again",
    "55P03": "{store} was busy with other writes for {patience:g} s; nothing was stored",
    "53300": "{store} takes no more connections ({detail}); raise its max_connections, or run fewer processes",
}
"""By SQLSTATE: what is worth trying again at once."""

_SENTENCES: Final = {
    "08": "the connection to {store} broke ({detail})",
    "25006": "{store} can't be written ({detail}): is it a standby?",
    "25P03": "{store} ended a transaction in which nothing had happened for too long ({detail})",
    "28P01": "{store} does not accept the password ({detail})",
    "28": "{store} does not let this user in ({detail})",
    "3D000": "{store}: there is no such database; create it first (createdb)",
    "42501": "this user may not do that in {store} ({detail}); grant it the database, or make it the owner",
    "53100": "the disk of {store} is full; nothing of this was stored",
    "53": "{store} is short of resources ({detail})",
    "57014": "{store} cancelled a statement ({detail})",
    "57P": "{store} is shutting down or starting ({detail})",
    "58": "the system of {store} failed ({detail})",
    "XX001": "{store} is damaged ({detail}); restore a backup",
    "XX002": "{store} is damaged ({detail}); restore a backup",
}
"""By SQLSTATE, or what it begins with; the longest that fits counts."""

_REFUSALS: Final = (
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("no pg_hba.conf entry", "28"),
    ("role ", "28"),
    ("too many clients", "53300"),
    ("too many connections", "53300"),
    ("remaining connection slots", "53300"),
    ("is starting up", "57P"),
    ("is shutting down", "57P"),
)
"""A server that refuses a connection says why in words only."""
_UNREACHABLE: Final = "{store} can't be reached ({detail})"


@contextmanager
def _failures(store: _Store) -> Iterator[None]:
    """Say in a sentence what the system failed at; mistakes in statements and broken constraints stay what they are."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        found = _named(error.orig if isinstance(error, DBAPIError) else error, store.name, store.patience_seconds)
        if found is None:
            raise
        raise found from error
    except PoolTimeout as error:
        raise Overloaded(f"more than {CONNECTIONS_MAX} requests use {store.name} at once; try again later") from error


def is_of_the_system(error: BaseException | None) -> bool:
    """Whether ``read`` and ``write`` tell of this error of the driver as the system's failure, or as overload."""
    return _named(error, "the database", 0) is not None


def _named(error: BaseException | None, name: str, patience_seconds: float) -> JourneyflowError | None:
    if not isinstance(error, psycopg.Error):
        return None
    detail = " ".join(str(error).split())
    state = error.sqlstate or _state_of_refusal(error, detail)
    if state == "23514" and error.diag.message_primary is not None and "no partition" in error.diag.message_primary:
        state = _NO_MONTH
    if state in _AGAIN:
        return Overloaded(_AGAIN[state].format(store=name, patience=patience_seconds, detail=detail))
    for length in (5, 3, 2):
        sentence = _SENTENCES.get(state[:length])
        if sentence is not None:
            return SystemFailure(sentence.format(store=name, detail=detail))
    if not error.sqlstate and isinstance(error, psycopg.OperationalError):
        return SystemFailure(_UNREACHABLE.format(store=name, detail=detail))
    return None


def _state_of_refusal(error: psycopg.Error, detail: str) -> str:
    if not isinstance(error, psycopg.OperationalError):
        return ""
    if 'database "' in detail and "does not exist" in detail:
        return "3D000"
    return next((state for words, state in _REFUSALS if words in detail), "")
