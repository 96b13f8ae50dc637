"""What is forgotten, and still on the disk: on PostgreSQL history goes by whole months, and nobody sees it longer.

Whoever reads events, trail or messages without a bound of their own asks for those that are :func:`kept`, so that both
stores give the same answers. What was forgotten stays so until the next time that history is tidied up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Table, cast, func, literal, or_, select, true

from journeyflow.core.values import to_micros
from journeyflow.db import bulk
from journeyflow.db.store import on_postgresql
from journeyflow.db.tables import installation, messages

_NEVER: Final = -(2**63)


def remember(connection: Connection, limits: Mapping[str, datetime]) -> None:
    """Tables by name, and the instant before which their rows are forgotten."""
    bulk.put(connection, installation, [(_setting(name), str(to_micros(before))) for name, before in limits.items()])


def kept(connection: Connection, table: Table) -> ColumnElement[bool]:
    """The rows that are not forgotten. A message that still waits for its delivery never is.

    SQLite deletes row by row, and has no others.
    """
    return _kept(table) if on_postgresql(connection) else true()


@cache
def _kept(table: Table) -> ColumnElement[bool]:
    before = select(cast(installation.c.value, BigInteger)).where(installation.c.name == _setting(table.name))
    late_enough = table.c[table.info["month"]] >= func.coalesce(before.scalar_subquery(), literal(_NEVER, BigInteger))
    return or_(late_enough, messages.c.due_at.is_not(None)) if table is messages else late_enough


def _setting(table: str) -> str:
    return f"forgotten_before_{table}"
