"""What the five-node journey starts from, on PostgreSQL; see ``five_node_start``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from hashlib import sha256

from psycopg import sql

from benchmarks.five_node_start import ENTERING_AT, arrival_rows, contact_rows
from benchmarks.measure import Cost
from benchmarks.postgresql import connect, database, settle
from benchmarks.workers import Work, play
from journeyflow.db import months
from journeyflow.db.migrations import migrate
from journeyflow.db.store import open_engine, write
from journeyflow.db.tables import metadata


def options_of(description: str | None) -> Namespace:
    """What a contender is told: the server, how many contacts, how large its batches are, how many processes work."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--server", required=True, help="URL of a server on which databases may be made")
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args()


def compete(options: Namespace, work: Work, prepare_more: Callable[[str], None] = lambda _: None) -> None:
    """Prepare a database, let a contender work on it, print the cost."""
    with database(options.server) as url:
        prepare(url, options.contacts)
        prepare_more(url)
        settle(url)
        cost = play(work, url, options.workers)
        take_stock(url, cost)
    cost.print()


def make_tables(url: str) -> None:
    """Tables of the newest schema, and those of the months that rows will be of."""
    engine = open_engine(url)
    migrate(engine)
    with write(engine) as connection:
        months.prepare(connection, ENTERING_AT)
    engine.dispose()


def prepare(url: str, contacts: int) -> None:
    """Make tables of the newest schema, with that many contacts (every second one a vip) and an event of each."""
    make_tables(url)
    with connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY contacts (shard, contact, created_at, state) FROM STDIN") as copy:
            for row in contact_rows(contacts):
                copy.write_row(row)
        with cursor.copy("COPY inbox (id, shard, contact, at, payload, kind) FROM STDIN") as copy:
            for row in arrival_rows(contacts):
                copy.write_row((*row, "event"))


def take_stock(url: str, cost: Cost) -> None:
    """Note how many rows each table has and what is in them."""
    with connect(url) as connection:
        for table in metadata.sorted_tables:
            columns, keys = (
                sql.SQL(", ").join(sql.Identifier(one.name) for one in some)
                for some in (table.columns, table.primary_key.columns)
            )
            name, digest = str(table.name), sha256()
            cost.rows[name] = 0
            for row in connection.execute(
                sql.SQL("SELECT {} FROM {} ORDER BY {}").format(columns, sql.Identifier(name), keys)
            ):
                cost.rows[name] += 1
                digest.update(repr(row).encode())
            cost.digests[name] = digest.hexdigest()
