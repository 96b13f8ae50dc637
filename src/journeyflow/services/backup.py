"""A whole installation as one file: taken while it runs, and put back.

Both write to a file beside the target first, check it, and rename it: whoever finds the target finds a whole one.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from journeyflow.core.errors import Conflict, InvalidInput, NotFound, SystemFailure

PAGES: Final = 2_000
"""Copied at a time, between two calls of ``on_progress``."""
OTHERS_SECONDS_MAX: Final = 5.0
_SYSTEM_CODES: Final = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
}  # fmt: skip

OnProgress = Callable[[int, int], None]
"""Gets how many pages of how many are copied."""


@dataclass(frozen=True, slots=True)
class Restored:
    """``aside`` is where the database that was there before is kept, ``None`` where there was none."""

    database: Path
    aside: Path | None


def back_up(database: Path, target: Path, *, force: bool = False, on_progress: OnProgress | None = None) -> int:
    """Copy a database, as it is at one instant, into one file; its size in bytes.

    Others go on reading and writing meanwhile. The copy is checked before it gets its name.

    :param force: replace a file of that name.
    :raises Conflict: when there is one, and it is not to be replaced.
    :raises NotFound: when there is no database.
    :raises InvalidInput: when the database is damaged; nothing is written then.
    :raises SystemFailure: when the disk is full, or a file can't be read or written.
    """
    if not database.is_file():
        raise NotFound(f"there is no database {database} to back up")
    if target.exists() and target.samefile(database):
        raise InvalidInput(f"{target} is the database itself; name another file")
    if target.exists() and not force:
        raise Conflict(f"{target} exists; name another file, or replace it with --force")
    with _beside(target) as part:
        _copy(database, part, on_progress)
        _check(part)
        os.replace(part, target)
    return target.stat().st_size


def put_back(source: Path, database: Path, now: datetime, *, on_progress: OnProgress | None = None) -> Restored:
    """Make a backup the database. Inside the engine's lock: nobody may work on the database meanwhile.

    What was there is kept beside it, under a name with the date.

    :raises NotFound: when there is no such backup.
    :raises InvalidInput: when it is damaged, or no backup of journeyflow.
    :raises SystemFailure: when another process has the database open, or a file can't be read or written.
    """
    if not source.is_file():
        raise NotFound(f"there is no file {source}")
    if database.exists() and source.samefile(database):
        raise InvalidInput(f"{source} is the database itself; name a backup")
    _check(source)
    with _beside(database) as part:
        _copy(source, part, on_progress)
        _check(part)
        aside = None
        if database.exists():
            shutil.copymode(database, part)
            aside = _set_aside(database, now)
        os.replace(part, database)
    return Restored(database, aside)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A file in the same directory that only its owner can read; gone afterwards, unless it was renamed."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileNotFoundError as error:
        raise SystemFailure(f"{target} can't be written: the directory {target.parent} does not exist") from error
    except OSError as error:
        raise SystemFailure(f"{target} can't be written: {error.strerror}") from error
    try:
        yield part
    except OSError as error:
        raise SystemFailure(f"{target} can't be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _copy(source: Path, target: Path, on_progress: OnProgress | None) -> None:
    with _failures(source), closing(_open(source, "ro")) as reader, closing(_open(target, "rw")) as writer:
        # A transaction that has read keeps its view, so that pages copied one after the other belong to one instant.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        reader.backup(writer, pages=PAGES, progress=lambda _, left, total: _tell(on_progress, total - left, total))
        # Out of the write-ahead log, so that it is one file.
        writer.execute("PRAGMA journal_mode = DELETE")
    _sync(target)


def _tell(on_progress: OnProgress | None, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(done, total)


def _open(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=OTHERS_SECONDS_MAX)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _check(path: Path) -> None:
    with _failures(path), closing(_open(path, "ro")) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(10)")]
        if found != ["ok"]:
            raise InvalidInput("\n".join([f"{path} is damaged", *found]))
        known = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not {"installation", "contacts", "runs"} <= known:
        raise InvalidInput(f"{path} is a SQLite database, but none of journeyflow")


def _set_aside(database: Path, now: datetime) -> Path:
    aside = _free_name(database.with_name(f"{database.name}.before-{now:%Y%m%dT%H%M%SZ}"))
    try:
        with closing(_open(database, "rw")) as connection:
            # Only the last one to have it open can leave the write-ahead log; what is in the log is in the file then.
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        reason = "another process has it open; stop that first" if busy else error
        raise SystemFailure(f"{database} can't be set aside: {reason}") from error
    except sqlite3.DatabaseError:
        _set_log_aside(database, aside)  # damaged: that may be why somebody restores
    os.rename(database, aside)
    return aside


def _set_log_aside(database: Path, aside: Path) -> None:
    for suffix in ("-wal", "-shm"):
        part = database.with_name(database.name + suffix)
        if part.exists():
            os.rename(part, aside.with_name(aside.name + suffix))


def _free_name(wanted: Path) -> Path:
    name, number = wanted, 1
    while name.exists():
        number += 1
        name = wanted.with_name(f"{wanted.name}-{number}")
    return name


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _SYSTEM_CODES:
            raise SystemFailure(f"{path} can't be copied: {error}") from error
        raise InvalidInput(f"{path} is damaged, or no SQLite database: {error}") from error
