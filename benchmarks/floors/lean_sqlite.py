"""The lean floor of the five-node journey: the least that rows in batches can cost on SQLite.

Tables of its own, which keep less than an engine must: numbers for contacts and nodes, no state, no deduplication, no
detail in the trail, no timers (everybody is due at once). The graph is interpreted, a node at a time.

    0 enter → 1 e-mail → 2 wait → 3 branch → 4 tag or 5 e-mail → 6 end
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.measure import measured

ENTER, MAIL, WAIT, BRANCH, TAG, SECOND_MAIL, END = range(7)
ACTIVE, ENDED = 0, 1
CACHE_KIB: Final = 262_144

SCHEMA: Final = """
    CREATE TABLE contact (id INTEGER PRIMARY KEY, vip INT NOT NULL);
    CREATE TABLE outbox (id INTEGER PRIMARY KEY, contact_id INT NOT NULL, template INT NOT NULL, at REAL NOT NULL);
    CREATE TABLE tag (contact_id INT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (contact_id, tag)) WITHOUT ROWID;
    CREATE TABLE enrolment (
        id INTEGER PRIMARY KEY, journey_id INT NOT NULL, node_id INT NOT NULL, due_at REAL NOT NULL,
        contact_id INT NOT NULL, state INT NOT NULL
    );
    CREATE INDEX enrolment_due ON enrolment (due_at) WHERE state = 0;
    CREATE TABLE history (enrolment_id INT NOT NULL, from_node INT NOT NULL, to_node INT NOT NULL, at REAL NOT NULL);
    CREATE INDEX history_enrolment ON history (enrolment_id);
"""
ENROL: Final = "INSERT INTO enrolment SELECT id, 1, 0, ?, id, 0 FROM contact"
DUE: Final = """
    SELECT e.id, e.node_id, e.contact_id, k.vip FROM enrolment e JOIN contact k ON k.id = e.contact_id
    WHERE e.state = 0 AND e.due_at <= ? ORDER BY e.due_at LIMIT ?"""
SEND: Final = "INSERT INTO outbox (contact_id, template, at) VALUES (?, ?, ?)"
PUT_TAG: Final = "INSERT INTO tag VALUES (?, ?)"
REMEMBER: Final = "INSERT INTO history VALUES (?, ?, ?, ?)"
MOVE: Final = "UPDATE enrolment SET node_id = ?, due_at = ?, state = ? WHERE id = ?"

Row = tuple[object, ...]


def turn(connection: sqlite3.Connection, batch: int) -> int:
    """Move who is due to the next wait; how many there were."""
    now = time.time()
    connection.execute("BEGIN IMMEDIATE")
    due = connection.execute(DUE, (now, batch)).fetchall()
    sent: list[Row] = []
    tags: list[Row] = []
    history: list[Row] = []
    moved: list[Row] = []
    for id_, at_node, contact, vip in due:
        node = at_node
        while True:
            if node == ENTER:
                following = MAIL
                sent.append((contact, 1, now))
            elif node == BRANCH and vip:
                following = TAG
                tags.append((contact, "vip"))
            elif node == BRANCH:
                following = SECOND_MAIL
                sent.append((contact, 2, now))
            else:
                following = END if node in (TAG, SECOND_MAIL) else node + 1
            history.append((id_, node, following, now))
            node = following
            if node in (WAIT, END):
                break
        moved.append((node, now, ENDED if node == END else ACTIVE, id_))
    for statement, rows in ((SEND, sent), (PUT_TAG, tags), (REMEMBER, history), (MOVE, moved)):
        connection.executemany(statement, rows)
    connection.execute("COMMIT")
    return len(due)


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL", f"cache_size = -{CACHE_KIB}", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def prepare(connection: sqlite3.Connection, contacts: int) -> None:
    """Empty tables and the contacts, every second one a vip."""
    connection.executescript(SCHEMA)
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO contact VALUES (?, ?)", ((n, n % 2 == 0) for n in range(1, contacts + 1)))
    connection.execute("COMMIT")
    connection.execute("ANALYZE")


def run(connection: sqlite3.Connection, batch: int) -> None:
    """Let everybody in, and move them until nobody is left."""
    connection.execute(ENROL, (time.time(),))
    while turn(connection, batch):
        pass


def main() -> None:
    """Prepare, run, print the cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=5_000)
    options = parser.parse_args()
    with TemporaryDirectory() as folder, closing(_connect(Path(folder) / "lean.db")) as connection:
        prepare(connection, options.contacts)
        with measured() as cost:
            run(connection, options.batch)
        for table in ("contact", "outbox", "tag", "enrolment", "history"):
            cost.rows[table] = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    cost.print()


if __name__ == "__main__":
    main()
