"""Many rows at once on SQLite: ``executemany``, and ``json_each`` for rows to join on.

See :mod:`journeyflow.db.bulk`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    TableValuedAlias,
    Text,
    bindparam,
    func,
    select,
    type_coerce,
)
from sqlalchemy.sql.selectable import Subquery
from sqlalchemy.types import TypeEngine

Row = Sequence[object]
T = TypeVar("T")


def batch(contacts: Iterable[tuple[int, str]]) -> Subquery:
    return _batch(_object(contacts))


def asked() -> Subquery:
    return _ASKED


def asked_rows(contacts: Iterable[tuple[int, str]]) -> dict[str, str]:
    return {"asked": _object(contacts)}


def _object(contacts: Iterable[tuple[int, str]]) -> str:
    """A JSON object needs fewer bytes, and less work, than a list of lists."""
    return orjson.dumps({contact: shard for shard, contact in contacts}).decode()


def _batch(shards: str | BindParameter[str]) -> Subquery:
    rows = func.json_each(shards).table_valued("key", "value")
    return select(
        type_coerce(rows.c.value, Integer()).label("shard"), type_coerce(rows.c.key, String()).label("contact")
    ).subquery("batch")


def triples(given: Iterable[tuple[int, str, str]]) -> Subquery:
    return rows(_TRIPLE, given)


def asked_triples() -> Subquery:
    return _ASKED_TRIPLES


def asked_triple_rows(given: Iterable[tuple[int, str, str]]) -> dict[str, str]:
    return {"asked": orjson.dumps([*given]).decode()}


def rows(columns: Mapping[str, type[TypeEngine[Any]]], given: Iterable[Row]) -> Subquery:  # Any: as in bulk
    return _listed(columns, orjson.dumps([*given]).decode())


def _listed(columns: Mapping[str, type[TypeEngine[Any]]], given: str | BindParameter[str]) -> Subquery:  # Any: as above
    listed = func.json_each(given).table_valued("value")
    return select(
        *(_part(listed, place, type_()).label(name) for place, (name, type_) in enumerate(columns.items()))
    ).subquery("batch")


def _part(rows: TableValuedAlias, index: int, type_: TypeEngine[T]) -> ColumnElement[T]:
    return func.json_extract(rows.c.value, f"$[{index}]", type_=type_)


_ASKED: Final = _batch(bindparam("asked", type_=Text()))
_TRIPLE: Final[Mapping[str, type[TypeEngine[Any]]]] = {
    "shard": Integer,
    "contact": String,
    "third": String,
}  # Any: as above
_ASKED_TRIPLES: Final = _listed(_TRIPLE, bindparam("asked", type_=Text()))


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    connection.exec_driver_sql(_insert_sql(table), rows)


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    return connection.exec_driver_sql(f"{_insert_sql(table)} ON CONFLICT DO NOTHING", rows).rowcount


def put(connection: Connection, table: Table, rows: Sequence[Row], columns: tuple[str, ...] | None) -> None:
    connection.exec_driver_sql(_put_sql(table, columns), rows)


def change(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    return connection.exec_driver_sql(_change_sql(table), rows).rowcount


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    connection.exec_driver_sql(_add_sql(table), rows)


def delete(connection: Connection, table: Table, keys: Sequence[Row]) -> None:
    tests = " AND ".join(f'"{column.name}" = ?' for column in table.primary_key.columns)
    connection.exec_driver_sql(f'DELETE FROM "{table.name}" WHERE {tests}', keys)


@cache
def _insert_sql(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({", ".join("?" for _ in table.columns)})'


def _conflict(table: Table, assignments: Iterable[str]) -> str:
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    return f"{_insert_sql(table)} ON CONFLICT ({keys}) DO UPDATE SET {', '.join(assignments)}"


def _rest(table: Table) -> list[str]:
    return [column.name for column in table.columns if not column.primary_key]


@cache
def _put_sql(table: Table, columns: tuple[str, ...] | None) -> str:
    return _conflict(table, (f'"{name}" = excluded."{name}"' for name in columns or _rest(table)))


@cache
def _change_sql(table: Table) -> str:
    """Parameters are numbered: a row has them in the order of the table's columns."""
    places = {column.name: f'"{column.name}" = ?{place}' for place, column in enumerate(table.columns, 1)}
    keys = " AND ".join(places[column.name] for column in table.primary_key.columns)
    return f'UPDATE "{table.name}" SET {", ".join(places[name] for name in _rest(table))} WHERE {keys}'


@cache
def _add_sql(table: Table) -> str:
    return _conflict(
        table,
        (
            f'"count" = "{table.name}"."count" + excluded."count"'
            if name == "count"
            else f'"{name}" = excluded."{name}"'
            for name in _rest(table)
        ),
    )
