"""Being the one engine of a database: for as long as a command takes, or until told to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from journeyflow.core.errors import Conflict, InvalidValue, SystemFailure

if TYPE_CHECKING:
    from journeyflow.bootstrap import Installation
    from journeyflow.clock import Clock
    from journeyflow.services.ingest import Ingest
    from journeyflow.settings import Settings
    from journeyflow.worker.turns import TurnLoop

TURNS_MAX: Final = 1_000_000


@dataclass(slots=True)
class Borrowed:
    """What a command works with; ``wake`` tells the engine, where this process is it, that something arrived."""

    installation: Installation
    ingest: Ingest
    wake: Callable[[], None]


def database_file(settings: Settings) -> Path | None:
    """The file of the database; ``None`` for PostgreSQL.

    :raises InvalidValue: when it is in memory.
    """
    from journeyflow.db.sqlite import path_of
    from journeyflow.db.store import postgresql_url

    if postgresql_url(settings.database_url) is not None:
        return None
    path = path_of(settings.database_url)
    if path is None:
        raise InvalidValue("a database in memory lasts as long as its process; give a file with --database-url")
    return path


def own_database_file(settings: Settings) -> Path | None:
    """The same, of a database that is journeyflow's or may become so: beside others' files nothing is put.

    :raises InvalidValue: when it is in memory.
    :raises SystemFailure: when another program made it.
    """
    from journeyflow.db.foreign import refuse_foreign

    database = database_file(settings)
    if database is not None:
        refuse_foreign(database)
    return database


@contextmanager
def sole_engine(database: Path | None, now: datetime, advice: str | None = None) -> Iterator[None]:
    """Keep every other process from being the engine on a SQLite database; PostgreSQL (``None``) takes any number.

    :param advice: what to do about it where another one is.
    :raises SystemFailure: when another one is; names it.
    """
    from journeyflow.db.lock import EngineLock

    lock = EngineLock(database)
    try:
        lock.take(now)
    except Conflict as error:
        raise SystemFailure(str(error) if advice is None else f"{str(error).partition(';')[0]}; {advice}") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def borrowed_engine(settings: Settings, database: Path | None, clock: Clock, *, decides: bool) -> Iterator[Borrowed]:
    """The installation, to put inputs in; with ``decides`` they are handled here, unless another process does so.

    Nothing is sent: messages wait in the outbox for ``serve``.
    """
    from journeyflow.bootstrap import open_installation
    from journeyflow.services.ingest import Ingest

    with ExitStack() as stack:
        mine = decides and _take_if_free(stack, database, clock())
        installation = open_installation(settings, clock)
        stack.callback(installation.engine.dispose)
        loop = _turn_loop(installation) if mine else None
        wake = _nobody if loop is None else loop.wake
        if loop is not None:
            stack.callback(_finish, loop, installation)
            loop.start()
        ingest = Ingest(installation.engine, wake)
        ingest.start()
        stack.callback(ingest.stop)
        yield Borrowed(installation, ingest, wake)


def _take_if_free(stack: ExitStack, database: Path | None, now: datetime) -> bool:
    try:
        stack.enter_context(sole_engine(database, now))
    except SystemFailure:
        return False
    return True


def _turn_loop(installation: Installation) -> TurnLoop:
    from journeyflow.worker.turns import TurnLoop

    one = installation
    return TurnLoop(one.engine, one.cache, one.clock, one.make_code, lambda *_: None)


def _finish(loop: TurnLoop, installation: Installation) -> None:
    """Take turns until nothing waits in the inbox."""
    from journeyflow.db import inbox
    from journeyflow.db.store import read

    loop.stop()
    for _ in range(TURNS_MAX):
        with read(installation.engine) as connection:
            if inbox.is_empty(connection):
                return
        loop.turn()


def _nobody() -> None:
    """Another process is the engine; it looks for itself."""
