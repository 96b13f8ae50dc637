"""Which store the tests of a module use, and how many workers take turns on it; most of them pass on each."""

from __future__ import annotations

import atexit
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final, Literal

import pytest
from sqlalchemy import Engine, event
from tests import postgres, statements

from journeyflow.db import migrations
from journeyflow.db.store import open_engine

Store = Literal["sqlite", "postgresql", "workers", "hashed"]
"""``workers`` is PostgreSQL as well, with several workers that take turns at the same time.

So is ``hashed``, laid out as in a cluster.
"""
BOTH: tuple[Store, ...] = ("sqlite", "postgresql")
EVERY: tuple[Store, ...] = (*BOTH, "workers")
ALL: tuple[Store, ...] = (*EVERY, "hashed")
WORKERS = 4

_chosen: Store = "sqlite"
_given: list[str] = []


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Run a test on both stores, or on the ``STORES`` of its module; on SQLite where it is marked so."""
    named = getattr(metafunc.module, "STORES", BOTH)
    if any(metafunc.definition.get_closest_marker(name) for name in ("one_group", "on_sqlite")):
        named = ("sqlite",)
    metafunc.parametrize("store", named, indirect=True, scope="module")


@contextmanager
def chosen(store: Store) -> Iterator[None]:
    """Databases of this kind are made from now on."""
    global _chosen  # noqa: PLW0603  # tests of a process run one after the other
    before, _chosen = _chosen, store
    try:
        yield
    finally:
        _chosen = before


def workers() -> int:
    """How many take turns at the same time."""
    return WORKERS if _chosen == "workers" else 1


def several_groups() -> bool:
    """Whether contacts are parted into claim groups, each of which has turns of its own."""
    return _chosen != "sqlite"


@contextmanager
def given(url: str) -> Iterator[None]:
    """The next database that is made is that one."""
    _given.append(url)
    try:
        yield
    finally:
        _given.clear()


@contextmanager
def database(directory: Path, name: str = "live.db") -> Iterator[str]:
    """The URL of a new database of the chosen kind with the newest schema; of SQLite it is a file of that name."""
    if _given:
        yield _given.pop()
    elif _chosen == "sqlite":
        yield make_file(directory / name)
    else:
        with postgres.hashed() if _chosen == "hashed" else postgres.database() as url:
            yield url


@contextmanager
def engines(url: str, count: int) -> Iterator[list[Engine]]:
    """So many engines of a database that :func:`database` made."""
    if _chosen != "sqlite":
        yield postgres.engines(url, count)
        return
    opened = [open_engine(url) for _ in range(count)]
    yield opened
    for engine in opened:
        engine.dispose()


def make_file(file: Path) -> str:
    """The URL of a new file of SQLite with the newest schema."""
    shutil.copy(_template(), file)
    return str(file)


@cache
def _template() -> Path:
    """A file with the newest schema; making one takes twenty times as long as copying it."""
    file = Path(mkdtemp(prefix="journeyflow-store-")) / "template.db"
    engine = open_engine(str(file))
    migrations.migrate(engine)
    engine.dispose()
    atexit.register(shutil.rmtree, file.parent)
    return file


# --- statements ------------------------------------------------------------------------------------------------------

_SOURCE: Final = str(Path(__file__).parents[1] / "src" / "journeyflow")


@event.listens_for(Engine, "before_cursor_execute")
def _check(connection: Any, _cursor: Any, sql: str, *_: Any) -> None:  # Any: SQLAlchemy's
    """Each statement of the program has to be one that a cluster would take, too."""
    if connection.dialect.name == "postgresql":
        asker = _asker()
        if asker is not None:
            statements.check(sql, asker)


def _asker() -> str | None:
    """The function of the program that executes a statement; ``None`` where a test or a migration does."""
    frame = sys._getframe(2)
    while "/site-packages/" in frame.f_code.co_filename or "/db/bulk" in frame.f_code.co_filename:
        assert frame.f_back is not None
        frame = frame.f_back
    if not frame.f_code.co_filename.startswith(_SOURCE):
        return None
    return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}"
