"""SQLite as the store: how a database is opened, and the two kinds of transactions on it.

Any number of readers go on beside one writer (write-ahead log). A process writes through a single connection: its page
cache stays valid from one transaction to the next, which it does not when connections take turns at writing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final
from weakref import WeakValueDictionary

from sqlalchemy import URL, Connection, Engine, QueuePool, StaticPool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from journeyflow.core.errors import InvalidValue, Overloaded, SystemFailure
from journeyflow.db.foreign import no_directory
from journeyflow.db.lock import FairLock
from journeyflow.db.transactions import PATIENCE_SECONDS, ReadConnection, WriteConnection

READERS_MAX: Final = 64
WRITER_CACHE_KIB: Final = 65_536
READER_CACHE_KIB: Final = 8_192
CHECKPOINT_PAGES: Final = 4_000
"""So many pages (16 MiB) gather in the log before they are copied into the database: a page that many transactions
change is copied once for all of them."""
JOURNAL_BYTES_MAX: Final = 268_435_456
_WAL_ATTEMPTS_MAX: Final = 10
_OPTION: Final = "journeyflow_store"


@dataclass(frozen=True, slots=True)
class _Store:
    """What belongs to an engine: the one connection that writes, and the order in which it is used."""

    path: Path | None
    writer: Engine
    lock: FairLock
    patience_seconds: float

    def __str__(self) -> str:
        return "the database in memory" if self.path is None else str(self.path)


_locks: WeakValueDictionary[Path, FairLock] = WeakValueDictionary()
_locks_guard = Lock()

# --- opening ---------------------------------------------------------------------------------------------------------


def open_engine(url: str, patience_seconds: float = PATIENCE_SECONDS) -> Engine:
    """Open, and where there is none make, a SQLite database; its transactions are those of ``read`` and ``write``.

    :param url: a path (``journeyflow.db``), ``sqlite:///relative``, ``sqlite:////absolute``, or ``sqlite://`` for a
        database in memory that lives as long as the engine.
    :param patience_seconds: how long a transaction waits for other writers.
    :raises InvalidValue: when the address is none, or that of another kind of database.
    :raises SystemFailure: when there is no such directory, or the file can't be read and written, or is none of SQLite.
    """
    path = path_of(url)
    store = _Store(path, _writer(path, patience_seconds), _lock_of(path, patience_seconds), patience_seconds)
    _check(store)
    if path is None:
        return store.writer.execution_options(**{_OPTION: store})
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=READERS_MAX - 4,
        pool_timeout=patience_seconds,
        connect_args=_driver_arguments(),
        execution_options={_OPTION: store},
    )
    event.listen(engine, "connect", _reader_settings(patience_seconds))
    event.listen(engine, "begin", _begin)
    event.listen(engine, "engine_disposed", lambda _: store.writer.dispose())
    return engine


def database_path(engine: Engine) -> Path | None:
    """The file of the database, ``None`` for one in memory."""
    return _store(engine).path


def path_of(url: str) -> Path | None:
    """The file that a database URL names, links followed; ``None`` for a database in memory.

    :raises InvalidValue: when the address is none, or that of another kind of database.
    """
    if "://" not in url and url != ":memory:":
        return Path(os.path.realpath(url)) if url else _refuse(url)
    try:
        parsed = make_url("sqlite://" if url == ":memory:" else url)
    except ArgumentError:
        return _refuse(url)
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite") or parsed.host or parsed.query:
        return _refuse(parsed.render_as_string(hide_password=True))
    if parsed.database in (None, "", ":memory:"):
        return None
    return Path(os.path.realpath(str(parsed.database)))


def _refuse(url: str) -> Path:
    raise InvalidValue(
        f"{url!r} is no database address; expected journeyflow.db, sqlite:///path, sqlite:////absolute/path "
        "or postgresql://user@host/database"
    )


def _lock_of(path: Path | None, patience_seconds: float) -> FairLock:
    """One lock for all engines of this process on one file."""
    if path is None:
        return FairLock(patience_seconds)
    with _locks_guard:
        found = _locks.get(path)
        if found is None:
            found = _locks[path] = FairLock(patience_seconds)
        return found


def _writer(path: Path | None, patience_seconds: float) -> Engine:
    url = URL.create("sqlite", database=None if path is None else str(path))
    if path is None:
        arguments = {**_driver_arguments(), "check_same_thread": False}
        engine = create_engine(url, poolclass=StaticPool, connect_args=arguments)
    else:
        engine = create_engine(url, poolclass=QueuePool, pool_size=1, max_overflow=0, connect_args=_driver_arguments())
    event.listen(engine, "connect", _writer_settings(patience_seconds))
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _check(store: _Store) -> None:
    """Find out now, not at the first request, whether the database can be used."""
    if store.path is not None and not store.path.parent.is_dir():
        raise SystemFailure(no_directory(store.path))
    if store.path is not None and not store.path.exists() and os.access(store.path.parent, os.W_OK):
        store.path.touch(mode=0o600)  # addresses and the signing secret are nobody else's; SQLite's other files follow
    try:
        with store.lock, _failures(store), closing(store.writer.raw_connection()) as connection:
            _try_to_write(connection.cursor(), store.patience_seconds)
    except BaseException:
        store.writer.dispose()
        raise


def _try_to_write(cursor: DBAPICursor, patience_seconds: float) -> None:
    """Wait for nobody: where another process is just writing, the database can be written."""
    cursor.execute("PRAGMA busy_timeout = 0")
    try:
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if _code(error) != sqlite3.SQLITE_BUSY:
            raise
    cursor.execute(f"PRAGMA busy_timeout = {int(patience_seconds * 1000)}")
    cursor.execute("SELECT count(*) FROM sqlite_schema")


# --- settings --------------------------------------------------------------------------------------------------------


def _driver_arguments() -> dict[str, Any]:  # Any: keyword arguments of several types
    """The driver begins no transaction of its own: before a SELECT it would begin none, before a write one too late."""
    arguments: dict[str, Any] = {"isolation_level": None}  # Any: as above
    control = getattr(sqlite3, "LEGACY_TRANSACTION_CONTROL", None)  # from Python 3.12 on
    return arguments if control is None else {**arguments, "autocommit": control}


def _writer_settings(patience_seconds: float) -> Any:  # Any: SQLAlchemy's listeners are untyped
    def settle(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {int(patience_seconds * 1000)}")
        _use_write_ahead_log(connection)
        # An event that was answered with 200 is on disk, also when the power fails. With NORMAL the log is only synced
        # at checkpoints: the database stays whole, and the last transactions are gone.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES_MAX}")

    return settle


def _reader_settings(patience_seconds: float) -> Any:  # Any: SQLAlchemy's listeners are untyped
    def settle(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {int(patience_seconds * 1000)}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
        connection.execute("PRAGMA query_only = ON")

    return settle


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch a new database over; processes that do so at once fail without waiting, so each waits and asks again."""
    for attempt in range(1, _WAL_ATTEMPTS_MAX + 1):
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or attempt == _WAL_ATTEMPTS_MAX:
                raise
            connection.execute("BEGIN IMMEDIATE")  # waits for whoever has the file
            connection.execute("ROLLBACK")
        else:
            if mode not in ("wal", "memory"):
                raise SystemFailure(f"the file system of the database does not support a write-ahead log (mode {mode})")
            return


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock first: a transaction that reads and then wants to write can fail for what it has read."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# --- transactions ----------------------------------------------------------------------------------------------------


@contextmanager
def write(engine: Engine) -> Iterator[WriteConnection]:
    """A transaction that may write; committed at the end, undone where an error leaves it.

    Writers of one process take turns in the order in which they ask. Never inside another transaction of the thread.

    :raises Overloaded: when the other writers of this process take too long.
    :raises SystemFailure: when another process writes for too long, the disk is full or fails, the file is damaged.
    """
    store = _store(engine)
    with store.lock, _failures(store), store.writer.begin() as connection:
        yield WriteConnection(ReadConnection(connection))


@contextmanager
def read(engine: Engine) -> Iterator[ReadConnection]:
    """A transaction that sees the database as it is at its first statement; it can't write.

    :raises Overloaded: when too many read at once.
    :raises SystemFailure: when the database can't be read.
    """
    store = _store(engine)
    if store.path is None:  # one connection for all, hence one after the other
        with store.lock, _failures(store), store.writer.begin() as connection, _query_only(connection):
            yield ReadConnection(connection)
    else:
        with _failures(store), engine.begin() as connection:
            yield ReadConnection(connection)


@contextmanager
def _query_only(connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql("PRAGMA query_only = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA query_only = OFF")


def _store(engine: Engine) -> _Store:
    store = engine.get_execution_options().get(_OPTION)
    assert isinstance(store, _Store), "an engine that open_engine made"
    return store


# --- what can go wrong -----------------------------------------------------------------------------------------------

_SENTENCES: Final = {
    sqlite3.SQLITE_BUSY: "{store} is locked: another process has been writing to it for more than {patience:g} s",
    sqlite3.SQLITE_LOCKED: "{store} is locked: another process has been writing to it for more than {patience:g} s",
    sqlite3.SQLITE_READONLY: "{store} can't be written ({detail}); the file and its directory must be writable",
    sqlite3.SQLITE_IOERR: "the disk failed while {store} was read or written ({detail})",
    sqlite3.SQLITE_CORRUPT: "{store} is damaged ({detail}); restore a backup",
    sqlite3.SQLITE_FULL: "the disk of {store} is full; nothing of this was stored",
    sqlite3.SQLITE_CANTOPEN: "{store} can't be opened ({detail}); is it a file that this user may read and write?",
    sqlite3.SQLITE_NOTADB: "{store} is not a SQLite database",
}


@contextmanager
def _failures(store: _Store) -> Iterator[None]:
    """Say in a sentence what the system failed at; mistakes in statements and broken constraints stay what they are."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        sentence = _SENTENCES.get(_code(cause))
        if sentence is None:
            raise
        raise SystemFailure(sentence.format(store=store, patience=store.patience_seconds, detail=cause)) from error
    except PoolTimeout as error:
        raise Overloaded(f"more than {READERS_MAX} requests read {store} at once; try again later") from error


def is_of_the_system(error: BaseException | None) -> bool:
    """Whether ``read`` and ``write`` tell of this error of the driver as the system's failure, or as overload."""
    return _code(error) in _SENTENCES


def _code(error: BaseException | None) -> int:
    """The primary result code; the extended one says more in its upper bits."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
