"""Looking into a column that holds JSON, in SQL: for what only preselects; decisions read it in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Boolean, ColumnElement, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from journeyflow.db.bulk_postgresql import text_array


class _Part(FunctionElement[str]):
    """The column, where to look in SQLite's notation, and in that of PostgreSQL."""

    name = "json_part"
    type = Text()
    inherit_cache = True


class _Lists(FunctionElement[bool]):
    """The same, and the text."""

    name = "json_lists"
    type = Boolean()
    inherit_cache = True


def json_part(column: ColumnElement[Any], *path: str | int) -> ColumnElement[str]:  # Any: text that is JSON
    """What stands there, as text; null where there is nothing."""
    return _Part(column, *_paths(path))


def json_lists(column: ColumnElement[Any], text: str, *path: str | int) -> ColumnElement[bool]:  # Any: as above
    """Whether a list stands there that has the text."""
    return _Lists(column, *_paths(path), literal(text))


def _paths(path: Sequence[str | int]) -> tuple[ColumnElement[str], ColumnElement[str]]:
    steps = "".join(f"[{one}]" if isinstance(one, int) else f".{orjson.dumps(one).decode()}" for one in path)
    return literal(f"${steps}"), literal(text_array(map(str, path)))


@compiles(_Part, "sqlite")
def _on_sqlite(element: _Part, compiler: Any, **options: Any) -> str:  # Any: SQLAlchemy's
    column, path, _ = element.clauses
    return f"CAST(json_extract({compiler.process(column, **options)}, {compiler.process(path, **options)}) AS TEXT)"


@compiles(_Part, "postgresql")
def _on_postgresql(element: _Part, compiler: Any, **options: Any) -> str:  # Any: SQLAlchemy's
    column, _, path = element.clauses
    found, where = compiler.process(column, **options), compiler.process(path, **options)
    return f"(CAST({found} AS jsonb) #>> CAST({where} AS text[]))"


def _without(element: _Lists, other: int) -> list[Any]:  # Any: SQLAlchemy's
    """The parts but for the path in the other database's notation, which would be sent for nothing."""
    return [one for place, one in enumerate(element.clauses) if place != other]


@compiles(_Lists, "sqlite")
def _lists_on_sqlite(element: _Lists, compiler: Any, **options: Any) -> str:  # Any: SQLAlchemy's
    column, path, text = (compiler.process(one, **options) for one in _without(element, 2))
    return f"EXISTS (SELECT 1 FROM json_each({column}, {path}) WHERE value = {text})"


@compiles(_Lists, "postgresql")
def _lists_on_postgresql(element: _Lists, compiler: Any, **options: Any) -> str:  # Any: SQLAlchemy's
    column, path, text = (compiler.process(one, **options) for one in _without(element, 1))
    return f"jsonb_exists(CAST({column} AS jsonb) #> CAST({path} AS text[]), {text})"
