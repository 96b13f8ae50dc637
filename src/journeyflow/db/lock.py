"""Locks: one writer after the other within a process, and one engine on a SQLite database."""

from __future__ import annotations

import fcntl
import os
import platform
from collections import deque
from datetime import datetime
from pathlib import Path
from threading import Lock, get_ident
from types import TracebackType
from typing import Final

import orjson

from journeyflow.core.errors import Conflict, Overloaded, SystemFailure
from journeyflow.db.foreign import no_directory

# --- one writer after the other ---------------------------------------------------------------------------------------


class FairLock:
    """A lock that its askers get in the order in which they asked, so that none of them starves.

    SQLite itself lets whoever asks first after a release go first, and waits by sleeping: the thread that has just
    finished a transaction wins over one that has waited for long. It is not re-entrant.

    :param seconds_max: how long to wait for one's turn.
    """

    __slots__ = ("__weakref__", "_guard", "_holder", "_queue", "_seconds_max")

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._guard = Lock()
        self._holder: int | None = None
        self._queue: deque[tuple[Lock, int]] = deque()

    @property
    def waiting(self) -> int:
        """How many threads wait for their turn."""
        return len(self._queue)

    def acquire(self) -> None:
        """Wait for one's turn.

        :raises Overloaded: when it does not come in time.
        """
        thread = get_ident()
        with self._guard:
            assert self._holder != thread, "a transaction inside a transaction of the same thread would wait for itself"
            if self._holder is None:
                self._holder = thread
                return
            turn = Lock()
            turn.acquire()
            self._queue.append((turn, thread))
        self._wait(turn, thread)

    def _wait(self, turn: Lock, thread: int) -> None:
        try:
            if turn.acquire(timeout=self._seconds_max):
                return
        except BaseException:  # such as Ctrl-C: nobody may hand the lock to a thread that has gone
            if not self._give_up(turn, thread):
                self.release()
            raise
        if self._give_up(turn, thread):
            raise Overloaded(f"the database was busy with other writes for {self._seconds_max:g} s; nothing was stored")

    def _give_up(self, turn: Lock, thread: int) -> bool:
        """Leave the queue; false when the lock was handed over in the very moment."""
        with self._guard:
            if (turn, thread) not in self._queue:
                return False
            self._queue.remove((turn, thread))
            return True

    def release(self) -> None:
        """Hand the lock to who has waited longest."""
        with self._guard:
            assert self._holder is not None, "released what nobody holds"
            if not self._queue:
                self._holder = None
                return
            turn, self._holder = self._queue.popleft()
            turn.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


# --- one engine ------------------------------------------------------------------------------------------------------

_DETAILS_BYTES_MAX: Final = 4_096


class EngineLock:
    """The right to be the one engine on a SQLite database, whatever other processes read and write there.

    It is an advisory lock (flock) of the file ``<database>.engine``. The kernel takes it back when the process ends,
    however it ends, so the file may stay behind and nobody ever has to clean up. The file tells who holds the lock. It
    is never deleted: whoever had it open already would then hold a lock that nobody else sees.

    :param database: path of the database file; ``None`` (in memory) needs no lock, as no other process can reach it.
    """

    def __init__(self, database: Path | None) -> None:
        # By way of a symbolic link it is the same database, hence the same lock.
        self._path = None if database is None else Path(f"{os.path.realpath(database)}.engine")
        self._file: int | None = None

    def take(self, now: datetime) -> None:
        """Become the engine.

        :param now: noted as the instant since when.
        :raises Conflict: when another process is; names its id, its host and since when.
        :raises SystemFailure: when the lock file can't be written.
        """
        assert self._file is None, "taken twice"
        if self._path is None:
            return
        file = _open(self._path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_details(file, now)
        except BlockingIOError:
            holder = _holder(file)
            os.close(file)
            raise Conflict(
                f"{self._path.with_suffix('')} has an engine already: {holder}; SQLite admits one. Stop it first, "
                "or start with --no-engine"
            ) from None
        except OSError as error:
            os.close(file)
            raise SystemFailure(f"{self._path} can't be locked: {error.strerror}") from error
        self._file = file

    def release(self) -> None:
        """Let another process be the engine; does nothing where the lock is not held."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except FileNotFoundError as error:
        raise SystemFailure(no_directory(path)) from error
    except OSError as error:
        raise SystemFailure(f"the lock file {path} can't be opened: {error.strerror}") from error


def _write_details(file: int, now: datetime) -> None:
    details = {"pid": os.getpid(), "host": platform.node(), "since": now.isoformat()}
    os.ftruncate(file, 0)
    os.pwrite(file, orjson.dumps(details), 0)


def _holder(file: int) -> str:
    try:
        details = orjson.loads(os.pread(file, _DETAILS_BYTES_MAX, 0))
        return f"process {details['pid']} on {details['host']}, since {details['since']}"
    except (orjson.JSONDecodeError, KeyError, TypeError):  # it has the lock and has not said yet who it is
        return "a process that is just starting"
