"""The lean floor of the five-node journey on PostgreSQL; see ``lean_sqlite`` for what it keeps and what it leaves out.

Rows cross into Python, the graph is interpreted there, a node at a time, and what came of it goes back by COPY and
``unnest``.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Final

import psycopg

from benchmarks.floors.lean_sqlite import ACTIVE, BRANCH, END, ENDED, ENTER, MAIL, SECOND_MAIL, TAG, WAIT
from benchmarks.postgresql import connect, database, settle
from benchmarks.workers import Stages, play

SCHEMA: Final = """
    CREATE TABLE contact (id bigint PRIMARY KEY, vip boolean NOT NULL);
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL, template smallint NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE tag (contact_id bigint NOT NULL, tag text NOT NULL, PRIMARY KEY (contact_id, tag));
    CREATE TABLE enrolment (
        id bigint PRIMARY KEY, journey_id int NOT NULL, node_id smallint NOT NULL, due_at timestamptz NOT NULL,
        contact_id bigint NOT NULL, state smallint NOT NULL
    ) WITH (fillfactor = 70);
    CREATE INDEX enrolment_due ON enrolment (due_at) WHERE state = 0;
    CREATE TABLE history (
        enrolment_id bigint NOT NULL, from_node smallint NOT NULL, to_node smallint NOT NULL, at timestamptz NOT NULL
    );
    CREATE INDEX history_enrolment ON history (enrolment_id);
"""
PUT_CONTACTS: Final = "INSERT INTO contact SELECT i, i %% 2 = 0 FROM generate_series(1, %s) i"
ENROL: Final = "INSERT INTO enrolment SELECT id, 1, 0, now(), id, 0 FROM contact"
DUE: Final = """
    SELECT e.id, e.node_id, e.contact_id, k.vip FROM enrolment e JOIN contact k ON k.id = e.contact_id
    WHERE e.state = 0 AND e.due_at <= now() ORDER BY e.due_at LIMIT %s FOR UPDATE OF e SKIP LOCKED"""
LEFT: Final = "SELECT 1 FROM enrolment WHERE state = 0 LIMIT 1"
SEND: Final = "COPY outbox (contact_id, template) FROM STDIN"
PUT_TAG: Final = "COPY tag FROM STDIN"
REMEMBER: Final = "COPY history FROM STDIN"
MOVE: Final = """
    UPDATE enrolment e SET node_id = u.node, state = u.state, due_at = now()
    FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[]) u (id, node, state) WHERE e.id = u.id"""
TABLES: Final = ("contact", "outbox", "tag", "enrolment", "history")


def turn(cursor: psycopg.Cursor[Any], batch: int) -> int:  # Any: rows of any shape
    """Move who is due to the next wait; how many there were."""
    due = cursor.execute(DUE, (batch,)).fetchall()
    if not due:
        return 0
    sent: list[str] = []
    tags: list[str] = []
    history: list[tuple[int, int, int]] = []
    ids: list[int] = []
    nodes: list[int] = []
    states: list[int] = []
    for id_, at_node, contact, vip in due:
        node = at_node
        while True:
            if node == ENTER:
                following = MAIL
                sent.append(f"{contact}\t1\n")
            elif node == BRANCH and vip:
                following = TAG
                tags.append(f"{contact}\tvip\n")
            elif node == BRANCH:
                following = SECOND_MAIL
                sent.append(f"{contact}\t2\n")
            else:
                following = END if node in (TAG, SECOND_MAIL) else node + 1
            history.append((id_, node, following))
            node = following
            if node in (WAIT, END):
                break
        ids.append(id_)
        nodes.append(node)
        states.append(ENDED if node == END else ACTIVE)
    found = cursor.execute("SELECT now()::text").fetchone()
    assert found is not None
    now = found[0]
    steps = [f"{id_}\t{node}\t{following}\t{now}\n" for id_, node, following in history]
    for statement, lines in ((SEND, sent), (PUT_TAG, tags), (REMEMBER, steps)):
        if lines:
            with cursor.copy(statement) as target:
                target.write("".join(lines))
    cursor.execute(MOVE, (ids, nodes, states))
    return len(due)


@contextmanager
def work(batch: int, url: str, number: int) -> Iterator[Stages]:
    """Let everybody in, and move them until nobody is left."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        yield [partial(_enrol, connection, number), partial(_move, connection, batch)]


def _enrol(connection: psycopg.Connection[Any], number: int) -> None:
    if number == 0:
        connection.execute(ENROL)


def _move(connection: psycopg.Connection[Any], batch: int) -> None:
    left = True
    while left:
        with connection.transaction(), connection.cursor(binary=True) as cursor:
            left = turn(cursor, batch) > 0 or cursor.execute(LEFT).fetchone() is not None


def main() -> None:
    """Prepare, run, print the cost."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with database(options.server) as url:
        with connect(url) as connection:
            for statement in SCHEMA.split(";"):
                connection.execute(statement.encode())
            connection.execute(PUT_CONTACTS, (options.contacts,))
        settle(url)
        cost = play(partial(work, options.batch), url, options.workers)
        with connect(url) as connection:
            for table in TABLES:
                cost.rows[table] = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()[0][0]
    cost.print()


if __name__ == "__main__":
    main()
