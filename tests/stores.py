"""Which database the tests of a module use; most of them pass on each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests import postgres

Store = Literal["sqlite", "postgresql"]
BOTH: tuple[Store, ...] = ("sqlite", "postgresql")

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


@contextmanager
def database(directory: Path, name: str = "live.db") -> Iterator[str]:
    """The URL of a new database of the chosen kind; of SQLite it is a file of that name."""
    if _chosen == "sqlite":
        yield str(directory / name)
    else:
        with postgres.database() as url:
            yield url
