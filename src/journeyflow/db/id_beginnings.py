"""Finding a run or a message by its id alone, which an index of the ids' beginnings is enough for.

Were it one of whole ids, PostgreSQL would take it for the better one also where a row's whole key is known, as in a
turn, and look for rows elsewhere than where they were just read.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Table, func, literal_column

_LENGTH: Final = 8
"""So many characters of an id, a UUID, are hardly ever another's, too."""


def beginning(table: Table) -> ColumnElement[str]:
    """What the index holds of each row."""
    found: ColumnElement[str] = func.substr(table.c.id, literal_column("1"), literal_column(f"{_LENGTH}"))
    return found


def has_id(table: Table, id_: str) -> ColumnElement[bool]:
    """Whether a row has this id, found by way of the index.

    SQLite puts a value that ``id = ?`` demands wherever ``id`` stands, and then finds no index of what is left; so the
    value is asked for as a range.
    """
    return (beginning(table) == id_[:_LENGTH]) & (table.c.id >= id_) & (table.c.id <= id_)
