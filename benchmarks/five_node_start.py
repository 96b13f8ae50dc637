"""What the five-node journey starts from: contacts that were imported, and an event of each that has just arrived.

enter on Signed Up → e-mail → wait 3 days → branch on attribute vip → tag or e-mail → end
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson

from benchmarks.measure import Cost
from journeyflow.core.values import JSON
from journeyflow.db.migrations import migrate
from journeyflow.db.store import open_engine

TRANSITIONS: Final = 5
"""Steps along the graph a contact."""
WORKSPACE: Final = "shop"
ENTERING_AT: Final = datetime(2026, 3, 2, 10, tzinfo=UTC)
WAIT: Final = timedelta(days=3)
WAKING_AT: Final = ENTERING_AT + WAIT

WORKSPACE_DOCUMENT: Final[dict[str, JSON]] = {
    "workspace": WORKSPACE,
    "sender": {"name": "The Shop", "email": "hello@shop.example"},
    "postal_address": "Long Street 1, Gdansk",
}
TEMPLATES: Final[list[dict[str, JSON]]] = [
    {
        "template": name,
        "channel": "email",
        "subject": "Hello {{ contact.first_name }}",
        "body": "<p>Dear {{ contact.first_name }}, your plan is {{ trigger.plan }}.</p>",
    }
    for name in ("hello", "again")
]
JOURNEY: Final[dict[str, JSON]] = {
    "journey": "five-node",
    "triggers": [{"type": "event", "event": "Signed Up"}],
    "start": "greet",
    "nodes": {
        "greet": {"type": "email", "template": "hello", "next": "pause"},
        "pause": {"type": "wait", "for": "3d", "next": "worth"},
        "worth": {
            "type": "branch",
            "cases": [{"when": {"attribute": "vip", "eq": True}, "next": "label"}],
            "else": "remind",
        },
        "label": {"type": "tag", "add": ["valued"]},
        "remind": {"type": "email", "template": "again"},
    },
}


def micros(instant: datetime) -> int:
    """Microseconds since 1970, as the tables keep instants."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def prepare(file: Path, contacts: int) -> None:
    """Make a database with the newest schema, that many contacts (every second one a vip), and an event of each."""
    engine = open_engine(str(file))
    migrate(engine)
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany(
            "INSERT INTO contacts (shard, contact, created_at, timer_at, state) VALUES (?, ?, ?, NULL, ?)",
            contact_rows(contacts),
        )
        connection.executemany(
            "INSERT INTO inbox (id, shard, contact, at, kind, payload) VALUES (?, ?, ?, ?, 'event', ?)",
            arrival_rows(contacts),
        )


def take_stock(file: Path, cost: Cost) -> None:
    """Note how many rows each table has and what is in them; Alembic's own table is left out."""
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
        for table in (name for (name,) in found if name != "alembic_version"):
            keys = [name for _, name, _, _, _, key in connection.execute(f'PRAGMA table_info("{table}")') if key]
            rows = connection.execute(f'SELECT * FROM "{table}" ORDER BY {", ".join(keys)}')
            digest = sha256()
            cost.rows[table] = 0
            for row in rows:
                cost.rows[table] += 1
                digest.update(repr(row).encode())
            cost.digests[table] = digest.hexdigest()


def _key(number: int) -> str:
    return f"customer-{number:06}"


def _shard(contact: str) -> int:
    return int.from_bytes(sha256(contact.encode()).digest()[:2], "big") >> 6


def contact_rows(count: int) -> Iterator[tuple[object, ...]]:
    """Contacts: shard, contact, created_at, state."""
    created_at = micros(ENTERING_AT - timedelta(days=30))
    for number in range(count):
        key = _key(number)
        attributes = {"email": f"{key}@example.com", "first_name": f"Ann {number}", "vip": number % 2 == 0}
        state = {"attributes": attributes, "tags": [], "topics": {}, "events": 0, "records": 0, "counts": {}}
        yield _shard(key), key, created_at, orjson.dumps(state).decode()


def arrival_rows(count: int) -> Iterator[tuple[object, ...]]:
    """Rows of the inbox but for the kind: id, shard, contact, at, payload.

    All came within the second before the first turn, so that none is overdue (rule 1.9).
    """
    first_at = micros(ENTERING_AT) - 900_000
    for number in range(count):
        key, at = _key(number), first_at + number * 900_000 // count
        payload = {
            "name": "Signed Up",
            "occurred_at": at,
            "properties": {"plan": "free", "source": "landing-page"},
            "message_id": f"signed-up-{number:08}",
        }
        yield (first_at << 12) + number, _shard(key), key, at, orjson.dumps(payload).decode()
