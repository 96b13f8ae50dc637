"""A whole installation, table by table: held still while it is read, and the sums by which two of them are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import orjson
from sqlalchemy import Connection, Engine, Table, func, select

from journeyflow.db.store import WriteConnection, is_postgresql, on_postgresql, read, write
from journeyflow.db.tables import claims, metadata
from journeyflow.db.transactions import ReadConnection

Row = tuple[object, ...]

TABLES: Final = tuple(sorted(metadata.tables.values(), key=lambda table: table.name))
"""Every table; none refers to another."""
ROWS: Final = 2_000
"""Read at a time, so that memory does not grow with the installation."""
LOOKS_MAX: Final = 20
"""So often it is looked whether other processes have gone, a tenth of a second apart."""
_BYTES: Final = 16


@dataclass(slots=True)
class Tally:
    """How many rows there were, and a sum of them that does not depend on their order."""

    rows: int = 0
    total: int = 0

    def count(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        for row in rows:
            digest = blake2b(orjson.dumps([*row]), digest_size=_BYTES).digest()
            self.total += int.from_bytes(digest, "big")
        self.rows += len(rows)

    @property
    def checksum(self) -> str:
        """32 hexadecimal digits."""
        return f"{self.total % (1 << 8 * _BYTES):0{2 * _BYTES}x}"


# --- holding still ---------------------------------------------------------------------------------------------------


@contextmanager
def held_still(engine: Engine) -> Iterator[ReadConnection]:
    """One state of the database, in which nobody writes until the block ends; others can read.

    :raises Overloaded: when others write for too long.
    """
    if is_postgresql(engine):
        with read(engine) as connection:
            _take_time(connection)
            _lock(connection, "SHARE")  # before the first query, which decides what this transaction sees
            yield connection
    else:
        with write(engine) as connection:
            yield connection


@contextmanager
def kept_for_itself(engine: Engine) -> Iterator[WriteConnection]:
    """A transaction that writes the whole database, while nobody else does."""
    with write(engine) as connection:
        if on_postgresql(connection):
            _take_time(connection)
            _lock(connection, "EXCLUSIVE")
        yield connection


def _take_time(connection: Connection) -> None:
    """It waits for the other database again and again, which is no reason to break it off."""
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def _lock(connection: Connection, mode: str) -> None:
    names = ", ".join(f'"{table.name}"' for table in TABLES)
    connection.exec_driver_sql(f"LOCK TABLE {names} IN {mode} MODE")


def processes(connection: Connection) -> list[str]:
    """Other processes of journeyflow that have this PostgreSQL open: their ids there, and where they come from.

    The server notices a moment later that one has gone.
    """
    found = _processes(connection)
    for _ in range(LOOKS_MAX):
        if not found:
            break
        connection.exec_driver_sql("SELECT pg_sleep(0.1), pg_stat_clear_snapshot()")
        found = _processes(connection)
    return found


def _processes(connection: Connection) -> list[str]:
    rows = connection.exec_driver_sql(
        "SELECT pid, coalesce(client_addr::text, 'this machine') FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'journeyflow' AND pid <> pg_backend_pid()"
        " ORDER BY pid"
    )
    return [f"{pid} ({address})" for pid, address in rows]


# --- tables ----------------------------------------------------------------------------------------------------------


def occupied(connection: Connection) -> Table | None:
    """A table that holds something, besides what a migration puts there."""
    for table in TABLES:
        query = select(table).limit(1)
        if table is claims:
            query = query.where(claims.c.now > 0)
        if connection.execute(query).first() is not None:
            return table
    return None


def count(connection: Connection, table: Table) -> int:
    """How many rows it has."""
    return connection.scalar(select(func.count()).select_from(table)) or 0


def read_rows(connection: Connection, table: Table) -> Iterator[list[Row]]:
    """All rows, some at a time, columns in the table's order."""
    with connection.execute(select(table), execution_options={"yield_per": ROWS}) as found:
        for part in found.partitions():
            yield [(*row,) for row in part]
