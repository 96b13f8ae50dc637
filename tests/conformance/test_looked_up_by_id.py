"""What is asked for by its id alone, such as by a link in a mail, is found by way of an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from tests import stores

from journeyflow.db import outbox, runs
from journeyflow.db.store import read

ID = "0fb3ab5e-9d7c-5d4a-8b9e-0d1f8d8e2a11"


def message_of_a_link(connection: Connection, id_: str) -> object:
    return outbox.by_id(connection, id_, 1_546_300_800_000_000)  # 2019, for which there is always a part


@pytest.mark.parametrize("look_up", [runs.by_id, outbox.by_id, message_of_a_link])
def test_an_id_is_found_by_way_of_an_index(engine: Engine, look_up: Callable[[Connection, str], object]) -> None:
    asked: list[tuple[str, Any]] = []  # Any: parameters as the driver takes them

    def listen(_connection: Connection, _cursor: object, sql: str, parameters: Any, *_: object) -> None:
        if "FROM runs" in sql or "FROM messages" in sql:
            asked.append((sql, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    try:
        with read(engine) as connection:
            assert look_up(connection, ID) is None
    finally:
        event.remove(engine, "before_cursor_execute", listen)

    assert asked
    for sql, parameters in asked:
        assert BY_INDEX[stores.several_groups()] in plan_of(engine, sql, parameters)


BY_INDEX = {False: "_id (<expr>=?)", True: "Index Cond: (substr(id, 1, 8) = "}
"""What the plan of SQLite, or of PostgreSQL, says then."""


def plan_of(engine: Engine, sql: str, parameters: Any) -> str:  # Any: as above
    """How the store goes about it; PostgreSQL would rather read tables that are empty as a whole."""
    with read(engine) as connection:
        if not stores.several_groups():
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).all()
            return "\n".join(row.detail for row in rows)
        for other in ("seqscan", "bitmapscan"):
            connection.exec_driver_sql(f"SET LOCAL enable_{other} = off")
        return "\n".join(connection.exec_driver_sql(f"EXPLAIN {sql}", parameters).scalars())
