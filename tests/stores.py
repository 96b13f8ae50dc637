"""Which store the tests of a module use, and how many workers take turns on it; most of them pass on each."""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

import pytest
from sqlalchemy import Engine
from tests import postgres

from journeyflow.db import migrations
from journeyflow.db.store import open_engine

Store = Literal["sqlite", "postgresql", "workers"]
"""``workers`` is PostgreSQL as well, with several workers that take turns at the same time."""
BOTH: tuple[Store, ...] = ("sqlite", "postgresql")
EVERY: tuple[Store, ...] = (*BOTH, "workers")
WORKERS = 4

_chosen: Store = "sqlite"


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
def database(directory: Path, name: str = "live.db") -> Iterator[str]:
    """The URL of a new database of the chosen kind with the newest schema; of SQLite it is a file of that name."""
    if _chosen == "sqlite":
        shutil.copy(_template(), directory / name)
        yield str(directory / name)
    else:
        with postgres.database() as url:
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


@cache
def _template() -> Path:
    """A file with the newest schema; making one takes twenty times as long as copying it."""
    file = Path(mkdtemp(prefix="journeyflow-store-")) / "template.db"
    engine = open_engine(str(file))
    migrations.migrate(engine)
    engine.dispose()
    atexit.register(shutil.rmtree, file.parent)
    return file
