"""Which database the tests of a module use; most of them pass on each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import Engine, event
from tests import postgres, statements

Store = Literal["sqlite", "postgresql", "hashed"]
"""The last is PostgreSQL laid out as in a cluster."""
BOTH: tuple[Store, ...] = ("sqlite", "postgresql")
ALL: tuple[Store, ...] = (*BOTH, "hashed")

_chosen: Store = "sqlite"
_given: list[str] = []


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
def given(url: str) -> Iterator[None]:
    """The next database that is made is that one."""
    _given.append(url)
    try:
        yield
    finally:
        _given.clear()


@contextmanager
def database(directory: Path, name: str = "live.db") -> Iterator[str]:
    """The URL of a new database of the chosen kind; of SQLite it is a file of that name."""
    if _given:
        yield _given.pop()
    elif _chosen == "sqlite":
        yield str(directory / name)
    else:
        with postgres.database() if _chosen == "postgresql" else postgres.hashed() as url:
            yield url


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
