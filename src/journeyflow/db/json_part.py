"""Looking into a column that holds JSON, in SQL: for what only preselects; decisions read it in Python."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import ColumnElement, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from journeyflow.db.bulk_postgresql import text_array


class _Part(FunctionElement[str]):
    """The column, where to look in SQLite's notation, and in that of PostgreSQL."""

    name = "json_part"
    type = Text()
    inherit_cache = True


def json_part(column: ColumnElement[Any], *path: str | int) -> ColumnElement[str]:  # Any: text that is JSON
    """What stands there, as text; null where there is nothing."""
    steps = "".join(f"[{one}]" if isinstance(one, int) else f".{orjson.dumps(one).decode()}" for one in path)
    return _Part(column, literal(f"${steps}"), literal(text_array(map(str, path))))


@compiles(_Part, "sqlite")
def _on_sqlite(element: _Part, compiler: Any, **options: Any) -> str:  # Any: SQLAlchemy's
    column, path, _ = element.clauses
    return f"CAST(json_extract({compiler.process(column, **options)}, {compiler.process(path, **options)}) AS TEXT)"


@compiles(_Part, "postgresql")
def _on_postgresql(element: _Part, compiler: Any, **options: Any) -> str:  # Any: SQLAlchemy's
    column, _, path = element.clauses
    found, where = compiler.process(column, **options), compiler.process(path, **options)
    return f"(CAST({found} AS jsonb) #>> CAST({where} AS text[]))"
