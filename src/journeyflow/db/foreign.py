"""Files of other programs: nothing is written into them, and nothing is put beside them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from journeyflow.core.errors import SystemFailure

VERSIONS_TABLE: Final = "alembic_version"
"""Every database of journeyflow has it."""
_OTHERS_SECONDS_MAX: Final = 5.0


def refuse_foreign(database: Path) -> None:
    """See that a SQLite file, where there is one, may become or is a database of journeyflow; reads only.

    Whatever else is wrong with it shows when it is opened.

    :raises SystemFailure: when another program made the file.
    """
    if not database.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", _OTHERS_SECONDS_MAX, uri=True)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
            raise SystemFailure(f"{database} is not a SQLite database") from None
        return
    tables = [str(name) for (name,) in rows]
    if tables and VERSIONS_TABLE not in tables:
        raise SystemFailure(made_by_another(tables[0]))


def no_directory(database: Path) -> str:
    """Where a database can't be made."""
    return f"the directory {database.parent} of the database does not exist; make it first"


def made_by_another(table: str) -> str:
    """What is told of a database with tables that journeyflow did not make."""
    return f"another program made this database (it has a table {table}); name a database of journeyflow, or a new one"
