"""The floor of the five-node journey: the rows that the engine writes, into the same tables, by a program that knows
nothing but this journey.

The tables must afterwards hold what the engine leaves in them, byte for byte (``five_node_rows`` makes the rows).
Each batch is a transaction of its own, as a turn of the engine is, on a connection with the engine's settings.

    python -m benchmarks.floors.five_node_sqlite --contacts 20000 --batch 500
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.five_node_start import prepare, take_stock
from benchmarks.floors.five_node_rows import DAY, ENTERING, WAKING, Row, Rows, entering, waking
from benchmarks.measure import measured
from journeyflow.db.sqlite import CHECKPOINT_PAGES, WRITER_CACHE_KIB

# --- statements ------------------------------------------------------------------------------------------------------

ARRIVED: Final = """
    SELECT i.id, i.shard, i.contact, i.payload, c.state
    FROM inbox i CROSS JOIN contacts c ON c.shard = i.shard AND c.contact = i.contact
    ORDER BY i.id LIMIT ?"""
DUE: Final = """
    SELECT t.shard, t.contact, c.state, r.id, r.state
    FROM timers t CROSS JOIN contacts c ON c.shard = t.shard AND c.contact = t.contact
    CROSS JOIN runs r ON r.shard = t.shard AND r.contact = t.contact AND r.status = 'active'
    WHERE t.due_at <= ? ORDER BY t.due_at LIMIT ?"""
FORGET_ARRIVED: Final = "DELETE FROM inbox WHERE id <= ?"
FORGET_TIMER: Final = "DELETE FROM timers WHERE due_at = ? AND shard = ? AND contact = ?"
SET_CLOCK: Final = "INSERT INTO claims (shard, now) VALUES (0, ?) ON CONFLICT (shard) DO UPDATE SET now = excluded.now"
SAVE_CONTACT: Final = "UPDATE contacts SET timer_at = ?, state = ? WHERE shard = ? AND contact = ?"
ADD_EVENT: Final = """
    INSERT INTO events (shard, contact, name, handled_at, number, occurred_at, claimed_at, properties)
    VALUES (?, ?, ?, ?, ?, ?, NULL, ?)"""
ADD_SEEN: Final = "INSERT INTO seen (shard, contact, message_id, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
ADD_RUN: Final = """
    INSERT INTO runs (shard, contact, id, journey, version, key, status, node, due_at, entered_at, state)
    VALUES (?, ?, ?, 'five-node', 1, '', 'active', 'pause', ?, ?, ?)"""
END_RUN: Final = """
    UPDATE runs SET status = 'completed', node = NULL, due_at = NULL, ended_at = ?, open_until = ?, state = ?
    WHERE shard = ? AND contact = ? AND id = ?"""
ADD_TRAIL: Final = "INSERT INTO trail (shard, contact, number, at, records) VALUES (?, ?, ?, ?, ?)"
ADD_MESSAGE: Final = """
    INSERT INTO messages (shard, contact, id, journey, version, node, run, channel, template, template_version, "to",
        transactional, status, queued_at, expires_at, due_at, attempts, "values", overrides, number)
    VALUES (?, ?, ?, 'five-node', 1, ?, ?, 'email', ?, 1, ?, 0, 'queued', ?, ?, ?, 0, ?, '{}', ?)"""
ADD_TIMER: Final = "INSERT INTO timers (due_at, shard, contact) VALUES (?, ?, ?)"
COUNT: Final = """
    INSERT INTO statistics (shard, journey, version, node, kind, day, count) VALUES (0, 'five-node', 1, ?, ?, ?, ?)
    ON CONFLICT (shard, journey, version, node, kind, day) DO UPDATE SET count = statistics.count + excluded.count"""

# --- a turn of each kind ---------------------------------------------------------------------------------------------


def enter(connection: sqlite3.Connection, batch: int) -> int:
    """Let in the contacts of the oldest events; how many there were."""
    arrived = connection.execute(ARRIVED, (batch,)).fetchall()
    if not arrived:
        return 0
    made = entering(row[1:] for row in arrived)
    connection.execute(FORGET_ARRIVED, (arrived[-1][0],))
    saved = {SAVE_CONTACT: made.contacts, ADD_EVENT: made.events, ADD_SEEN: made.seen, ADD_RUN: made.runs}
    write(connection, {**saved, ADD_TRAIL: made.trail, ADD_MESSAGE: made.messages, ADD_TIMER: made.timers})
    count(connection, ENTERING, made)
    return len(arrived)


def wake(connection: sqlite3.Connection, batch: int) -> int:
    """Lead the contacts whose wait is over to the end; how many there were."""
    due = connection.execute(DUE, (WAKING, batch)).fetchall()
    if not due:
        return 0
    made = waking(due)
    saved = {FORGET_TIMER: made.timers, SAVE_CONTACT: made.contacts, ADD_EVENT: made.events, END_RUN: made.runs}
    write(connection, {**saved, ADD_TRAIL: made.trail, ADD_MESSAGE: made.messages})
    count(connection, WAKING, made)
    return len(due)


def write(connection: sqlite3.Connection, saved: dict[str, list[Row]]) -> None:
    """Run each statement with all its rows."""
    for statement, rows in saved.items():
        connection.executemany(statement, rows)


def count(connection: sqlite3.Connection, at: int, made: Rows) -> None:
    """Move the statistics, once a turn."""
    connection.executemany(COUNT, [(node, kind, at // DAY, number) for node, kind, number in made.counted if number])


# --- running ---------------------------------------------------------------------------------------------------------


def turns(connection: sqlite3.Connection, turn: Callable[[sqlite3.Connection, int], int], now: int, batch: int) -> None:
    """One transaction after the other until nobody is left."""
    moved = batch
    while moved:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(SET_CLOCK, (now,))
        moved = turn(connection, batch)
        connection.execute("COMMIT")


def connect(file: Path) -> sqlite3.Connection:
    """A connection with the settings that the engine's has (``journeyflow.db.sqlite``)."""
    connection = sqlite3.connect(file, isolation_level=None)
    settings = {
        "synchronous": "FULL",
        "temp_store": "MEMORY",
        "cache_size": -WRITER_CACHE_KIB,
        "wal_autocheckpoint": CHECKPOINT_PAGES,
    }
    for name, value in settings.items():
        connection.execute(f"PRAGMA {name} = {value}")
    return connection


def run(file: Path, batch: int) -> None:
    """Both passes: everybody enters, everybody wakes."""
    with closing(connect(file)) as connection:
        turns(connection, enter, ENTERING, batch)
        turns(connection, wake, WAKING, batch)


def main() -> None:
    """Prepare, run, print the cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "floor.db"
        prepare(file, options.contacts)
        with measured() as cost:
            run(file, options.batch)
        take_stock(file, cost)
    cost.print()


if __name__ == "__main__":
    main()
