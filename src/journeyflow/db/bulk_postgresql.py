"""Many rows at once on PostgreSQL: COPY for what is only inserted, ``unnest`` of one array a column for the rest.

See :mod:`journeyflow.db.bulk`. Arrays are written as text by hand: the driver would look at the type of each element.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    FromClause,
    SmallInteger,
    String,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from journeyflow.db import months

Row = Sequence[object]

_COPIED_MIN: Final = 4
"""Fewer rows are inserted in one round trip instead of the two or three of a COPY."""

# --- rows to join on -------------------------------------------------------------------------------------------------


def batch(contacts: Iterable[tuple[int, str]]) -> FromClause:
    shards = {contact: shard for shard, contact in contacts}
    return _rows("batch", {"shard": (SmallInteger, [*shards.values()]), "contact": (Text, [*shards])})


def asked() -> FromClause:
    return _ASKED


def asked_rows(contacts: Iterable[tuple[int, str]]) -> dict[str, str]:
    shards = {contact: shard for shard, contact in contacts}
    return {"asked_shard": _numbers([*shards.values()]), "asked_contact": text_array(shards)}


def triples(given: Iterable[tuple[int, str, str]]) -> FromClause:
    return rows({"shard": SmallInteger, "contact": Text, "third": Text}, given)


def asked_triples() -> FromClause:
    return _ASKED_TRIPLES


def asked_triple_rows(given: Iterable[tuple[int, str, str]]) -> dict[str, str]:
    shard, contact, third = _columns(given, 3)
    return {"asked_shard": _numbers(shard), "asked_contact": text_array(contact), "asked_third": text_array(third)}


def rows(columns: Mapping[str, type[TypeEngine[Any]]], given: Iterable[Row]) -> FromClause:  # Any: as in bulk
    values = _columns(given, len(columns))
    return _rows("batch", dict(zip(columns, zip(columns.values(), values, strict=True), strict=True)))


def _columns(given: Iterable[Row], width: int) -> list[Sequence[Any]]:  # Any: of each column's type
    return list(zip(*given, strict=True)) or [()] * width


def _rows(name: str, columns: Mapping[str, tuple[type[TypeEngine[Any]], Sequence[Any]]]) -> FromClause:  # Any: as above
    bound = [bindparam(None, _array(type_, values), Text, unique=True) for type_, values in columns.values()]
    return _unnested(name, {key: type_ for key, (type_, _) in columns.items()}, bound)


def _unnested(
    name: str, columns: Mapping[str, type[TypeEngine[Any]]], bound: Iterable[BindParameter[Any]]
) -> FromClause:  # Any: of each column's type
    arrays = [cast(array, ARRAY(type_())) for array, type_ in zip(bound, columns.values(), strict=True)]
    named = [column(key, type_()) for key, type_ in columns.items()]
    return func.unnest(*arrays).table_valued(*named, name=name).render_derived()


def _asked(**columns: type[TypeEngine[Any]]) -> FromClause:  # Any: as above
    return _unnested("batch", columns, [bindparam(f"asked_{key}", type_=Text()) for key in columns])


_ASKED: Final = _asked(shard=SmallInteger, contact=Text)
_ASKED_TRIPLES: Final = _asked(shard=SmallInteger, contact=Text, third=Text)


def _array(type_: type[TypeEngine[Any]], values: Sequence[Any]) -> str:  # Any: of the type
    return text_array(values) if type_ is Text else _numbers(values)


def _numbers(values: Sequence[Any]) -> str:  # Any: int or None
    """An array of integers in PostgreSQL's own notation."""
    if None in values:
        return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"
    return f"{{{','.join(map(str, values))}}}"


def text_array(values: Iterable[Any]) -> str:  # Any: str or None
    """An array of texts in PostgreSQL's own notation."""
    return f"{{{','.join([_quoted(value) for value in values])}}}"


def _quoted(text: str | None) -> str:
    if text is None:
        return "NULL"
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if '"' in text:
        text = text.replace('"', '\\"')
    return f'"{text}"'


# --- writing ---------------------------------------------------------------------------------------------------------


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if table.info["month"] is not None:
        place = _month_place(table)
        instants: list[Any] = [row[place] for row in rows]  # Any: numbers, as the table says
        months.ensure(connection, table, instants)
    if len(rows) < _COPIED_MIN:
        connection.exec_driver_sql(_insert_sql(table), _arrays(table.columns, rows))
        return
    driver: Any = connection.connection.cursor()  # Any: psycopg's cursor, of which SQLAlchemy's type knows no copy
    with driver as cursor, cursor.copy(_copy_sql(table)) as copy:
        for row in rows:
            copy.write_row(row)


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    sql = f"{_insert_sql(table)} ON CONFLICT DO NOTHING"
    return connection.exec_driver_sql(sql, _arrays(table.columns, rows)).rowcount


def put(connection: Connection, table: Table, rows: Sequence[Row], columns: tuple[str, ...] | None) -> None:
    connection.exec_driver_sql(_put_sql(table, columns), _arrays(table.columns, _last_of_each(table, rows)))


def change(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    return connection.exec_driver_sql(
        _change_sql(table), _arrays(table.columns, sorted(rows, key=_key_of(table)))
    ).rowcount


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    connection.exec_driver_sql(_add_sql(table), _arrays(table.columns, _added_up(table, rows)))


def delete(connection: Connection, table: Table, keys: Sequence[Row]) -> None:
    """The range of shards lets the planner leave out the parts of the table that have none of the keys."""
    columns = list(table.primary_key.columns)
    parameters: tuple[object, ...] = _arrays(columns, keys)
    sql = _delete_sql(table)
    if "shard" in table.primary_key.columns:
        place = [one.name for one in columns].index("shard")
        shards: list[Any] = [key[place] for key in keys]  # Any: numbers, as the table says
        sql = f'{sql} AND t."shard" BETWEEN %s AND %s'
        parameters = (*parameters, min(shards), max(shards))
    connection.exec_driver_sql(sql, parameters)


def _last_of_each(table: Table, rows: Sequence[Row]) -> Sequence[Row]:
    """One statement can't change a row twice; in order of the keys, so that writers never wait in a circle."""
    key = _key_of(table)
    last = {key(row): row for row in rows}
    return [row for _, row in sorted(last.items(), key=itemgetter(0))]


def _added_up(table: Table, rows: Sequence[Row]) -> Sequence[Row]:
    key = _key_of(table)
    place = [one.name for one in table.columns].index("count")
    counts: dict[tuple[Any, ...], int] = {}  # Any: a key's values
    for row in rows:
        counts[key(row)] = counts.get(key(row), 0) + int(str(row[place]))
    last = {key(row): row for row in rows}
    return [(*last[one][:place], counts[one], *last[one][place + 1 :]) for one in sorted(last)]


@cache
def _key_of(table: Table) -> Callable[[Row], tuple[Any, ...]]:  # Any: a key's values, which are comparable
    names = [column.name for column in table.columns]
    places = [names.index(column.name) for column in table.primary_key.columns]
    if places == [*range(len(places))] and len(places) > 1:
        return itemgetter(slice(len(places)))
    return lambda row: tuple([row[place] for place in places])


@cache
def _month_place(table: Table) -> int:
    return [column.name for column in table.columns].index(table.info["month"])


# --- statements ------------------------------------------------------------------------------------------------------


def _arrays(columns: Iterable[Any], rows: Sequence[Row]) -> tuple[str, ...]:  # Any: columns of any type
    return tuple(
        text_array(values) if isinstance(one.type, String) else _numbers(values)
        for one, values in zip(columns, zip(*rows, strict=True), strict=True)
    )


def _type_of(one: Any) -> str:  # Any: a column of any type
    if isinstance(one.type, String):
        return "text"
    if isinstance(one.type, BigInteger):
        return "int8"
    return "int2" if isinstance(one.type, SmallInteger) else "int4"


def _unnest(columns: Iterable[Any]) -> str:  # Any: as above
    return f"unnest({', '.join(f'%s::{_type_of(one)}[]' for one in columns)})"


def _names(columns: Iterable[Any]) -> str:  # Any: as above
    return ", ".join(f'"{one.name}"' for one in columns)


@cache
def _copy_sql(table: Table) -> str:
    return f'COPY "{table.name}" ({_names(table.columns)}) FROM STDIN'


@cache
def _insert_sql(table: Table) -> str:
    return f'INSERT INTO "{table.name}" ({_names(table.columns)}) SELECT * FROM {_unnest(table.columns)}'


def _conflict(table: Table, assignments: Iterable[str]) -> str:
    keys = _names(table.primary_key.columns)
    return f"{_insert_sql(table)} ON CONFLICT ({keys}) DO UPDATE SET {', '.join(assignments)}"


def _rest(table: Table) -> list[str]:
    return [one.name for one in table.columns if not one.primary_key]


@cache
def _put_sql(table: Table, columns: tuple[str, ...] | None) -> str:
    return _conflict(table, (f'"{name}" = excluded."{name}"' for name in columns or _rest(table)))


@cache
def _change_sql(table: Table) -> str:
    tests = " AND ".join(f't."{one.name}" = u."{one.name}"' for one in table.primary_key.columns)
    assignments = ", ".join(f'"{name}" = u."{name}"' for name in _rest(table))
    source = f"{_unnest(table.columns)} AS u({_names(table.columns)})"
    return f'UPDATE "{table.name}" AS t SET {assignments} FROM {source} WHERE {tests}'


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


@cache
def _delete_sql(table: Table) -> str:
    keys = list(table.primary_key.columns)
    tests = " AND ".join(f't."{one.name}" = k."{one.name}"' for one in keys)
    return f'DELETE FROM "{table.name}" AS t USING {_unnest(keys)} AS k({_names(keys)}) WHERE {tests}'
