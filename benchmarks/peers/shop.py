"""What the peers work on: tables of a shop, and the steps of the journey, which are the same for each of them.

enter → e-mail → wait → branch on vip → tag or e-mail → end
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import Connection, make_url, text
from sqlalchemy.orm import Session

from benchmarks.measure import Cost
from benchmarks.postgresql import connect, database, settle
from benchmarks.workers import Stages, play

WAIT_SECONDS: Final = 0.1
"""Three days take too long; a shorter wait is less work for whoever looks regularly whether it is over."""

SCHEMA: Final = """
    CREATE TABLE contact (id text PRIMARY KEY, email text NOT NULL, vip boolean NOT NULL);
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact text NOT NULL, template text NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE tag (contact text NOT NULL, tag text NOT NULL, PRIMARY KEY (contact, tag));
    CREATE TABLE step (contact text NOT NULL, node text NOT NULL, at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX step_contact ON step (contact);
"""
PUT_CONTACTS: Final = """
    INSERT INTO contact SELECT key, key || '@example.com', i % 2 = 0
    FROM generate_series(0, {last}) AS i, LATERAL (SELECT 'customer-' || lpad(i::text, 6, '0') AS key) AS named"""
TABLES: Final = ("contact", "outbox", "tag", "step")

Work = Callable[[str, int], AbstractContextManager[Stages]]
"""(URL of the database, how many contacts): what is measured is the stages, not getting ready and closing."""


def keys(contacts: int) -> list[str]:
    """The keys of all contacts."""
    return [f"customer-{number:06}" for number in range(contacts)]


def sqlalchemy_url(url: str) -> str:
    """The same database, for SQLAlchemy."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


# --- steps -----------------------------------------------------------------------------------------------------------

Database = Connection | Session


def queue_message(database: Database, contact: str, template: str) -> None:
    """An e-mail goes to the outbox."""
    insert = text("INSERT INTO outbox (contact, template) VALUES (:contact, :template)")
    database.execute(insert, {"contact": contact, "template": template})


def read_vip(database: Database, contact: str) -> bool:
    """What the branch looks at."""
    return bool(database.execute(text("SELECT vip FROM contact WHERE id = :id"), {"id": contact}).scalar())


def put_tag(database: Database, contact: str) -> None:
    """The contact gets its tag."""
    insert = text("INSERT INTO tag (contact, tag) VALUES (:contact, 'valued') ON CONFLICT DO NOTHING")
    database.execute(insert, {"contact": contact})


def remember(database: Database, contact: str, *nodes: str) -> None:
    """That the contact passed these nodes, where nothing else keeps it."""
    insert = text("INSERT INTO step (contact, node) VALUES (:contact, :node)")
    database.execute(insert, [{"contact": contact, "node": node} for node in nodes])


# --- running ---------------------------------------------------------------------------------------------------------


def compete(description: str | None, work: Work) -> None:
    """Make the shop, let a peer lead everybody through the journey, print the cost."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--server", required=True, help="URL of a server on which databases may be made")
    parser.add_argument("--contacts", type=int, default=300)
    options = parser.parse_args()
    with database(options.server) as url:
        open_shop(url, options.contacts)
        settle(url)
        cost = play(lambda url, _: work(url, options.contacts), url, workers=1)
        take_stock(url, cost)
    cost.print()


def open_shop(url: str, contacts: int) -> None:
    """The tables, with that many contacts, every second one a vip."""
    with connect(url) as connection:
        for statement in [*SCHEMA.split(";"), PUT_CONTACTS.format(last=contacts - 1)]:
            connection.execute(statement.encode())


def take_stock(url: str, cost: Cost) -> None:
    """Note how many rows each table has."""
    with connect(url) as connection:
        for table in TABLES:
            cost.rows[table] = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()[0][0]
