"""The floor of the five-node journey: the rows that the engine writes, into the same tables, by a program that knows
nothing but this journey.

What is decided is written out here; nothing is interpreted, validated or looked up that this journey does not need. The
rows, their ids and their JSON are real: the tables must afterwards hold what the engine leaves in them, byte for byte.
Each batch is a transaction of its own, as a turn of the engine is, on a connection with the engine's settings.

    python -m benchmarks.floors.five_node_sqlite --contacts 20000 --batch 500
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha1
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import orjson

from benchmarks.five_node_start import ENTERING_AT, WAKING_AT, WORKSPACE, micros, prepare, take_stock
from benchmarks.measure import measured
from journeyflow.db.sqlite import CHECKPOINT_PAGES, WRITER_CACHE_KIB

ENTERING: Final = micros(ENTERING_AT)
WAKING: Final = micros(WAKING_AT)
WAKING_TEXT: Final = WAKING_AT.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
DAY: Final = 86_400_000_000
EXPIRES_AFTER: Final = 12 * 3_600_000_000
OPEN_AFTER: Final = 36 * 3_600_000_000
NAMESPACE: Final = uuid5(NAMESPACE_URL, f"journeyflow:{WORKSPACE}").bytes

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

Row = tuple[object, ...]


def derived_id(namespace: bytes, name: str) -> str:
    """UUIDv5 (RFC 9562) as text."""
    digest = sha1(namespace + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def message_row(
    shard: int, contact: str, id_: str, node: str, run: str, template: str, values: Row, at: int, number: int
) -> Row:
    """Parameters of ``ADD_MESSAGE``; ``values`` are address, first name and plan, ``number`` its trail record's."""
    address, first_name, plan = values
    shown = orjson.dumps({"contact": {"first_name": first_name}, "trigger": {"plan": plan}}).decode()
    return (shard, contact, id_, node, run, template, address, at, at + EXPIRES_AFTER, at, shown, number)


# --- a turn of each kind ---------------------------------------------------------------------------------------------


def enter(connection: sqlite3.Connection, batch: int) -> int:
    """Let in the contacts of the oldest events; how many there were."""
    arrived = connection.execute(ARRIVED, (batch,)).fetchall()
    if not arrived:
        return 0
    contacts: list[Row] = []
    events: list[Row] = []
    seen: list[Row] = []
    runs: list[Row] = []
    trail: list[Row] = []
    messages: list[Row] = []
    timers: list[Row] = []
    for _, shard, contact, payload, state_text in arrived:
        event, state = orjson.loads(payload), orjson.loads(state_text)
        properties, attributes = event["properties"], state["attributes"]
        address, at = attributes["email"], event["occurred_at"]
        run = derived_id(NAMESPACE, f"five-node\x1f{contact}\x1f\x1f0")
        message = derived_id(bytes.fromhex(run.replace("-", "")), "greet\x1f0")
        state["events"], state["records"] = 1, 3
        state["counts"] = {"Signed Up": (1, at, at)}
        state["entries"] = {"five-node": (ENTERING, ENTERING, 1)}
        state["server"] = True
        records = [
            ("five-node", 1, run, 0, "entered", None, None, {"trigger": 0, "properties": properties}),
            ("five-node", 1, run, 1, "message", "greet", "email", queued("hello", address)),
            ("five-node", 1, run, 2, "waiting", "pause", "wait", {"until": WAKING_TEXT}),
        ]
        run_state = {
            "number": 0,
            "entered_event": 1,
            "trigger": properties,
            "seq": 3,
            "visits": {"greet": 1, "pause": 1},
            "queued": [(message, "greet", "email", "hello", address)],
            "standing": True,
            "last_message": message,
            "steps_at": ENTERING,
            "steps": 2,
        }
        contacts.append((WAKING, orjson.dumps(state).decode(), shard, contact))
        events.append((shard, contact, "Signed Up", ENTERING, 1, at, orjson.dumps(properties).decode()))
        seen.append((shard, contact, event["message_id"], ENTERING))
        runs.append((shard, contact, run, WAKING, ENTERING, orjson.dumps(run_state).decode()))
        trail.append((shard, contact, 0, ENTERING, orjson.dumps(records).decode()))
        values = (address, attributes["first_name"], properties["plan"])
        messages.append(message_row(shard, contact, message, "greet", run, "hello", values, ENTERING, 1))
        timers.append((WAKING, shard, contact))
    connection.execute(FORGET_ARRIVED, (arrived[-1][0],))
    saved = {SAVE_CONTACT: contacts, ADD_EVENT: events, ADD_SEEN: seen, ADD_RUN: runs, ADD_TRAIL: trail}
    write(connection, {**saved, ADD_MESSAGE: messages, ADD_TIMER: timers})
    kinds = [("", "entered"), ("greet", "visits"), ("pause", "visits"), ("pause", "waiting")]
    count(connection, ENTERING, [(*kind, len(arrived)) for kind in kinds])
    return len(arrived)


def wake(connection: sqlite3.Connection, batch: int) -> int:
    """Lead the contacts whose wait is over to the end; how many there were."""
    due = connection.execute(DUE, (WAKING, batch)).fetchall()
    if not due:
        return 0
    contacts: list[Row] = []
    events: list[Row] = []
    runs: list[Row] = []
    trail: list[Row] = []
    messages: list[Row] = []
    for shard, contact, state_text, run, run_text in due:
        state, run_state = orjson.loads(state_text), orjson.loads(run_text)
        attributes = state["attributes"]
        vip, address = attributes["vip"], attributes["email"]
        state["records"] = 7
        if vip:
            state["events"] = 2
            state["tags"].append("valued")
            state["counts"]["Tag Added"] = (1, WAKING, WAKING)
            events.append((shard, contact, "Tag Added", WAKING, 2, WAKING, orjson.dumps({"tag": "valued"}).decode()))
            last = ("label", "tag")
            did: Row = ("five-node", 1, run, 5, "ran", *last, {"added": ["valued"], "removed": []})
        else:
            message = derived_id(bytes.fromhex(run.replace("-", "")), "remind\x1f0")
            values = (address, attributes["first_name"], run_state["trigger"]["plan"])
            messages.append(message_row(shard, contact, message, "remind", run, "again", values, WAKING, 5))
            run_state["queued"].append((message, "remind", "email", "again", address))
            run_state["last_message"] = message
            last = ("remind", "email")
            did = ("five-node", 1, run, 5, "message", *last, queued("again", address))
        records = [
            ("five-node", 1, run, 3, "resumed", "pause", "wait", {"by": "timer"}),
            ("five-node", 1, run, 4, "ran", "worth", "branch", {"case": 0 if vip else None, "because": seen_of(vip)}),
            did,
            ("five-node", 1, run, 6, "completed", *last, {}),
        ]
        run_state["seq"] = 7
        run_state["visits"].update({"worth": 1, last[0]: 1})
        del run_state["standing"], run_state["steps_at"], run_state["steps"]
        contacts.append((None, orjson.dumps(state).decode(), shard, contact))
        runs.append((WAKING, WAKING + OPEN_AFTER, orjson.dumps(run_state).decode(), shard, contact, run))
        trail.append((shard, contact, 3, WAKING, orjson.dumps(records).decode()))
    taken: list[Row] = [(WAKING, shard, contact) for shard, contact, *_ in due]
    saved = {FORGET_TIMER: taken, SAVE_CONTACT: contacts, ADD_EVENT: events, END_RUN: runs, ADD_TRAIL: trail}
    write(connection, {**saved, ADD_MESSAGE: messages})
    visits = [("worth", "visits", len(due)), ("label", "visits", len(events)), ("remind", "visits", len(messages))]
    count(connection, WAKING, [("pause", "waiting", -len(due)), *visits, ("", "completed", len(due))])
    return len(due)


def queued(template: str, address: str) -> dict[str, object]:
    """The detail of a message's record in the trail."""
    return {"channel": "email", "template": template, "to": address, "outcome": "queued", "reason": None}


def seen_of(vip: bool) -> list[dict[str, object]]:
    """What the branch saw."""
    leaf = {"attribute": "vip", "eq": True}
    return [{"path": "nodes.worth.cases[0].when", "leaf": leaf, "value": vip, "held": vip}]


def write(connection: sqlite3.Connection, saved: dict[str, list[Row]]) -> None:
    """Run each statement with all its rows."""
    for statement, rows in saved.items():
        connection.executemany(statement, rows)


def count(connection: sqlite3.Connection, at: int, kinds: list[tuple[str, str, int]]) -> None:
    """Move the statistics, once a turn."""
    connection.executemany(COUNT, [(node, kind, at // DAY, number) for node, kind, number in kinds if number])


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
