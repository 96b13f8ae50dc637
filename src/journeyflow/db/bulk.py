"""Many rows at once: one interface, and a module for each database behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, FromClause, Table
from sqlalchemy.types import TypeEngine

from journeyflow.db import bulk_postgresql, bulk_sqlite
from journeyflow.db.store import on_postgresql

Row = Sequence[object]
Columns = tuple[str, ...]
"""Names of columns."""
Types = Mapping[str, type[TypeEngine[Any]]]  # Any: columns of any type
"""Columns that a query reads from rows at hand, by name."""


class _Bulk(Protocol):
    def batch(self, contacts: Iterable[tuple[int, str]]) -> FromClause: ...
    def triples(self, rows: Iterable[tuple[int, str, str]]) -> FromClause: ...
    def asked(self) -> FromClause: ...
    def asked_rows(self, contacts: Iterable[tuple[int, str]]) -> dict[str, str]: ...
    def asked_triples(self) -> FromClause: ...
    def asked_triple_rows(self, given: Iterable[tuple[int, str, str]]) -> dict[str, str]: ...
    def rows(self, columns: Types, rows: Iterable[Row]) -> FromClause: ...
    def insert(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None: ...
    def insert_new(self, connection: Connection, table: Table, rows: Sequence[Row]) -> int: ...
    def put(self, connection: Connection, table: Table, rows: Sequence[Row], columns: Columns | None) -> None: ...
    def change(self, connection: Connection, table: Table, rows: Sequence[Row]) -> int: ...
    def add(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None: ...
    def delete(self, connection: Connection, table: Table, keys: Sequence[Row]) -> None: ...


def _of(connection: Connection) -> _Bulk:
    return bulk_postgresql if on_postgresql(connection) else bulk_sqlite


# --- rows to join on -------------------------------------------------------------------------------------------------


def batch(connection: Connection, contacts: Iterable[tuple[int, str]]) -> FromClause:
    """``(shard, contact)`` pairs, each once, as a table with these two columns."""
    return _of(connection).batch(contacts)


def triples(connection: Connection, rows: Iterable[tuple[int, str, str]]) -> FromClause:
    """``(shard, contact, third)`` rows as a table with these three columns."""
    return _of(connection).triples(rows)


def asked(connection: Connection) -> FromClause:
    """As :func:`batch`, always the same: the pairs are parameters (:func:`asked_rows`) of a statement made once.

    Most of what a small turn costs would be to put its statements together.
    """
    return _of(connection).asked()


def asked_rows(connection: Connection, contacts: Iterable[tuple[int, str]]) -> dict[str, str]:
    """Parameters of a statement over :func:`asked`."""
    return _of(connection).asked_rows(contacts)


def asked_triples(connection: Connection) -> FromClause:
    """As :func:`triples`, always the same; see :func:`asked`."""
    return _of(connection).asked_triples()


def asked_triple_rows(connection: Connection, given: Iterable[tuple[int, str, str]]) -> dict[str, str]:
    """Parameters of a statement over :func:`asked_triples`."""
    return _of(connection).asked_triple_rows(given)


def rows(connection: Connection, columns: Types, rows: Iterable[Row]) -> FromClause:
    """Rows as a table with these columns; theirs are in the same order."""
    return _of(connection).rows(columns, rows)


# --- writing ---------------------------------------------------------------------------------------------------------


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert full rows, columns in the table's order."""
    if rows:
        _of(connection).insert(connection, table, rows)


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Insert full rows; a row whose key is there already is left as it is. How many were new."""
    return _of(connection).insert_new(connection, table, rows) if rows else 0


def put(connection: Connection, table: Table, rows: Sequence[Row], columns: Columns | None = None) -> None:
    """Insert full rows; a row whose key is there already is replaced, and of two with one key the last counts.

    :param columns: of a row that is there already, only these.
    """
    if rows:
        _of(connection).put(connection, table, rows, columns)


def change(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Put full rows, each key once, that are there already: which costs less where they are, and more where not."""
    if rows and _of(connection).change(connection, table, rows) != len(rows):
        put(connection, table, rows)


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert full rows; where the key is there already, ``count`` grows by the row's and the rest is replaced."""
    if rows:
        _of(connection).add(connection, table, rows)


def delete(connection: Connection, table: Table, keys: Sequence[Row]) -> None:
    """Delete rows by their full primary key."""
    if keys:
        _of(connection).delete(connection, table, keys)
