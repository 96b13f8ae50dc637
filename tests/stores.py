"""Which store the tests of a module use, and how many workers take turns on it; most of them pass on each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests import postgres

Store = Literal["sqlite", "postgresql", "workers"]
"""``workers`` is PostgreSQL as well, with several workers that take turns at the same time."""
BOTH: tuple[Store, ...] = ("sqlite", "postgresql")
EVERY: tuple[Store, ...] = (*BOTH, "workers")
WORKERS = 4

_chosen: Store = "sqlite"


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


@contextmanager
def database(directory: Path, name: str = "live.db") -> Iterator[str]:
    """The URL of a new database of the chosen kind; of SQLite it is a file of that name."""
    if _chosen == "sqlite":
        yield str(directory / name)
    else:
        with postgres.database() as url:
            yield url
